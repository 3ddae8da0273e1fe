#pragma once

#include <cstdint>

#include "server/base/random.h"

namespace tandem {

// What the 24 bits that an entry keeps about its use mean. For LRU they are seconds of Unix time.
// For LFU the upper 16 are the minute in which the lower eight were last lowered; those are a
// counter that grows with the logarithm of the uses and is lowered as time passes. Both as Valkey
// has them, so that policies choose alike and RDB files can be exchanged.
struct AccessClock {
  static constexpr uint32_t kMask = 0xffffff;
  static constexpr uint32_t kInitialFrequency = 5;

  bool frequency = false;  // LFU
  // The counter reaches 255 after about this many times 100,000 uses (lfu-log-factor).
  int64_t log_factor = 10;
  // Minutes after which the counter is one lower (lfu-decay-time); 0: never.
  int64_t decay_minutes = 1;

  // Of a key that is made at `now_ms`.
  uint32_t fresh(int64_t now_ms) const {
    return frequency ? with_frequency(kInitialFrequency, now_ms) : seconds(now_ms);
  }
  // Of a key with this clock, once it is used.
  uint32_t touched(uint32_t clock, int64_t now_ms, Random& random) const {
    return frequency ? counted(clock, now_ms, random) : seconds(now_ms);
  }

  // For LRU: how long the key has not been used, and the clock of one that has not been for so
  // long.
  static uint32_t idle_seconds(uint32_t clock, int64_t now_ms) {
    return (seconds(now_ms) - clock) & kMask;
  }
  static uint32_t idle_for(int64_t idle_s, int64_t now_ms) {
    return (seconds(now_ms) - static_cast<uint32_t>(idle_s)) & kMask;
  }
  // For LFU: the counter as it is by now, and the clock of a key that has it now.
  uint32_t frequency_of(uint32_t clock, int64_t now_ms) const;
  static uint32_t with_frequency(uint32_t counter, int64_t now_ms) {
    return minutes(now_ms) << 8 | counter;
  }

  static uint32_t seconds(int64_t now_ms) { return static_cast<uint32_t>(now_ms / 1000) & kMask; }

 private:
  static uint32_t minutes(int64_t now_ms) {
    return static_cast<uint32_t>(now_ms / 60'000) & 0xffff;
  }
  uint32_t counted(uint32_t clock, int64_t now_ms, Random& random) const;
};

}  // namespace tandem
