#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tandem {

// A seeded pseudo-random source (xoshiro256**, Blackman and Vigna), not for secrets. Equal seeds
// give equal sequences.
class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t next();
  // Uniform in [0, bound); bound must not be 0.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // `length` lowercase hexadecimal digits, e.g. 40 for a replication id.
  std::string hex(size_t length);

 private:
  uint64_t state_[4];
};

// A seed from the operating system.
uint64_t random_seed();

}  // namespace tandem
