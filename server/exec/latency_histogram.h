#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tandem {

// How often durations up to a second came, in counters whose widths grow with the durations: 32 for
// each doubling, so that what is read back is at most 3% off. 6.5 KiB; recording is a few
// instructions.
class LatencyHistogram {
 public:
  static constexpr uint64_t kMaxNs = 1'000'000'000;

  // A longer duration counts as kMaxNs.
  void record(uint64_t ns) {
    ++counters_[index_of(std::min(ns, kMaxNs))];
    ++count_;
  }
  uint64_t count() const { return count_; }
  // The shortest duration that at least `percent` of those recorded do not pass, as the largest
  // one of its counter. 0 when nothing was recorded.
  uint64_t percentile_ns(double percent) const;
  // "p50=1.003,p99=12.031": these percentiles in microseconds, as INFO shows them.
  std::string describe(std::span<const double> percentiles) const;
  // Calls visit(micros, count) for 1, 2, 4, … microseconds: `count` of those recorded took no
  // longer. Skipped where the count is that of the step before; ends with the last one recorded.
  template <typename Visit>
  void for_each_step(Visit&& visit) const {
    uint64_t before = 0;
    size_t next = 0;
    uint64_t counted = 0;
    for (uint64_t step_ns = 1024; counted < count_; step_ns *= 2) {
      // With the counter that begins at the step, as Valkey's histograms have it.
      const uint64_t until_ns = highest(index_of(step_ns));
      for (; next < counters_.size() && highest(next) <= until_ns; ++next) {
        counted += counters_[next];
      }
      if (counted > before) visit((step_ns + step_ns / 128 - 1) / 1000, counted);
      before = counted;
    }
  }

 private:
  static constexpr int kSubBits = 5;
  static constexpr size_t kSub = size_t{1} << kSubBits;
  // Up to the one of kMaxNs, which has 30 bits.
  static constexpr size_t kCounters = (30 - kSubBits) * kSub + kSub;

  static constexpr size_t index_of(uint64_t ns) {
    const int shift = std::max(static_cast<int>(std::bit_width(ns)) - kSubBits - 1, 0);
    return static_cast<size_t>(shift) * kSub + static_cast<size_t>(ns >> shift);
  }
  // The largest duration that a counter takes.
  static constexpr uint64_t highest(size_t index) {
    if (index < 2 * kSub) return index;
    const size_t shift = index / kSub - 1;
    return ((index % kSub + kSub + 1) << shift) - 1;
  }

  uint64_t count_ = 0;
  std::array<uint64_t, kCounters> counters_{};
};

}  // namespace tandem
