#pragma once

#include <cstdint>
#include <string_view>

namespace tandem {

// 64-bit hash of `bytes` (XXH3) that is the same in every process and on every machine, for what
// servers compare with each other. For tables there is hash_bytes(): whoever can read this can
// choose bytes that collide.
uint64_t stable_hash(std::string_view bytes, uint64_t seed = 0);

// A hash of two numbers, of which the order matters.
inline uint64_t join_hashes(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9E3779B97F4A7C15ULL + b;
  for (int round = 0; round < 2; ++round) {
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93ULL;
  }
  return x ^ (x >> 32);
}

}  // namespace tandem
