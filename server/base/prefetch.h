#pragma once

namespace tandem {

// Starts loading the cache line at `address`, which need not be readable. In assembly, because GCC
// takes a function that does nothing but __builtin_prefetch() for one without effects and drops the
// calls to it.
inline void prefetch(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetcht0 (%0)" : : "r"(address));
#elif defined(__aarch64__)
  asm volatile("prfm pldl1keep, [%0]" : : "r"(address));
#else
  __builtin_prefetch(address);
#endif
}

}  // namespace tandem
