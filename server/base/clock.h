#pragma once

#include <cstdint>

namespace tandem {

// Where time comes from; injected so that tests and the simulation own it.
class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since the Unix epoch. May jump when the machine's clock is set.
  virtual int64_t wall_us() = 0;
  // Microseconds from an arbitrary start; never goes back.
  virtual int64_t monotonic_us() = 0;

  int64_t wall_ms() { return wall_us() / 1000; }
  int64_t monotonic_ms() { return monotonic_us() / 1000; }
};

// The machine's clocks. The object lives as long as the process.
Clock& system_clock();

// A cheap tick counter for statistics (nanoseconds of CPU time to read); ticks_per_us() says how
// fast it runs.
#if defined(__x86_64__)
inline uint64_t tick_count() { return __builtin_ia32_rdtsc(); }
#else
uint64_t tick_count();
#endif
uint64_t ticks_per_us();

}  // namespace tandem
