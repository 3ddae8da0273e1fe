#include "server/exec/latency_histogram.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace tandem {
namespace {

using Steps = std::map<uint64_t, uint64_t>;

Steps steps_of(const LatencyHistogram& histogram) {
  Steps steps;
  histogram.for_each_step([&](uint64_t micros, uint64_t count) { steps[micros] = count; });
  return steps;
}

TEST(LatencyHistogram, IsEmptyAtFirst) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.percentile_ns(50), 0u);
  EXPECT_EQ(steps_of(histogram), Steps{});
}

TEST(LatencyHistogram, CountsUpToPowersOfTwoMicroseconds) {
  LatencyHistogram histogram;
  histogram.record(0);
  histogram.record(900);
  histogram.record(1500);
  histogram.record(40'000);
  histogram.record(40'000'000);
  // The steps in between have nothing of their own.
  EXPECT_EQ(steps_of(histogram), (Steps{{1, 2}, {2, 3}, {66, 4}, {67'633, 5}}));
}

TEST(LatencyHistogram, NothingIsLostAtEitherEnd) {
  LatencyHistogram histogram;
  histogram.record(LatencyHistogram::kMaxNs);
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.count(), 2u);
  const Steps steps = steps_of(histogram);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps.begin()->second, 2u);
  EXPECT_GE(histogram.percentile_ns(100), LatencyHistogram::kMaxNs);
}

TEST(LatencyHistogram, PercentilesAreAtMostThreePercentOff) {
  LatencyHistogram histogram;
  for (uint64_t ns = 1; ns <= 1'000'000; ns += 7) histogram.record(ns);
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const double expected = percent * 10'000;
    const auto found = static_cast<double>(histogram.percentile_ns(percent));
    EXPECT_GE(found, expected * 0.999) << percent;
    EXPECT_LE(found, expected * 1.032) << percent;
  }
}

TEST(LatencyHistogram, SmallDurationsAreExact) {
  LatencyHistogram histogram;
  for (uint64_t ns = 0; ns < 64; ++ns) histogram.record(ns);
  EXPECT_EQ(histogram.percentile_ns(50), 31u);
  EXPECT_EQ(histogram.percentile_ns(0), 0u);
}

}  // namespace
}  // namespace tandem
