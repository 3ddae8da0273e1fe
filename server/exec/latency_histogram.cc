#include "server/exec/latency_histogram.h"

#include <cmath>
#include <cstdio>

#include "server/base/numbers.h"

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

std::string LatencyHistogram::describe(std::span<const double> percentiles) const {
  std::string text;
  for (const double percentile : percentiles) {
    char value[32];
    std::snprintf(value, sizeof value, "=%.3f",
                  static_cast<double>(percentile_ns(percentile)) / 1000);
    text.append(text.empty() ? "p" : ",p").append(format_double(percentile)).append(value);
  }
  return text;
}

}  // namespace tandem
