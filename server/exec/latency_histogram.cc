#include "server/exec/latency_histogram.h"

#include <cmath>

namespace tandem {

uint64_t LatencyHistogram::percentile_ns(double percent) const {
  const double part = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_);
  const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(part)));
  uint64_t counted = 0;
  for (size_t i = 0; i < counters_.size(); ++i) {
    counted += counters_[i];
    if (counted >= wanted) return highest(i);
  }
  return 0;
}

}  // namespace tandem
