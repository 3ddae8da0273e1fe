#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tandem {

// What the rates of INFO stats are measured from: totals since the start.
struct TrafficTotals {
  uint64_t commands = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t replication_bytes_in = 0;
  uint64_t replication_bytes_out = 0;
};

// The traffic of the last second or two, each figure a rate per second.
class TrafficRates {
 public:
  // To be called ten times a second or so; the rates are those over the last 16 calls.
  void sample(int64_t monotonic_us, const TrafficTotals& totals);
  // All zero until there have been two samples.
  struct Rates {
    double commands = 0;
    double bytes_in = 0, bytes_out = 0;
    double replication_bytes_in = 0, replication_bytes_out = 0;
  };
  Rates rates() const;
  // The totals start from zero again (CONFIG RESETSTAT).
  void reset() { count_ = 0; }

 private:
  struct Sample {
    int64_t at_us = 0;
    TrafficTotals totals;
  };
  static constexpr size_t kSamples = 16;
  std::array<Sample, kSamples + 1> ring_;
  size_t count_ = 0;  // samples ever
};

}  // namespace tandem
