#include "server/exec/latency_monitor.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

struct HandClock final : Clock {
  int64_t wall_us() override { return now_s * 1'000'000; }
  int64_t monotonic_us() override { return monotonic; }
  int64_t now_s = 1'700'000'000;
  int64_t monotonic = 5'000'000;
};

class LatencyMonitorTest : public ::testing::Test {
 protected:
  LatencyMonitorTest() { settings_.latency_monitor_threshold = 10; }

  Settings settings_;
  HandClock clock_;
  LatencyMonitor monitor_{settings_, clock_};
};

TEST_F(LatencyMonitorTest, RemembersWhatReachesTheThreshold) {
  monitor_.add("fork", 9'999);
  EXPECT_TRUE(monitor_.events().empty());
  monitor_.add("fork", 10'000);
  ASSERT_NE(monitor_.find("fork"), nullptr);
  EXPECT_EQ(monitor_.find("fork")->latest().latency_ms, 10u);
  settings_.latency_monitor_threshold = 0;
  monitor_.add("command", 1'000'000);
  EXPECT_EQ(monitor_.find("command"), nullptr);
}

TEST_F(LatencyMonitorTest, KeepsTheWorstOfEachSecond) {
  for (const int64_t ms : {20, 50, 30}) monitor_.add("command", ms * 1000);
  clock_.now_s += 1;
  monitor_.add("command", 15'000);
  const LatencyMonitor::Series& series = *monitor_.find("command");
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(series.sample(0).latency_ms, 50u);
  EXPECT_EQ(series.sample(0).time_s, 1'700'000'000);
  EXPECT_EQ(series.sample(1).latency_ms, 15u);
  EXPECT_EQ(series.max_ms(), 50u);
  EXPECT_EQ(series.sum_ms(), 115u);
  EXPECT_EQ(series.count(), 4u);
}

TEST_F(LatencyMonitorTest, ForgetsTheOldest) {
  for (int i = 0; i < 200; ++i) {
    monitor_.add("command", (100 + i) * 1000);
    ++clock_.now_s;
  }
  const LatencyMonitor::Series& series = *monitor_.find("command");
  ASSERT_EQ(series.size(), LatencyMonitor::kSamples);
  EXPECT_EQ(series.sample(0).latency_ms, 140u);
  EXPECT_EQ(series.latest().latency_ms, 299u);
  EXPECT_EQ(series.count(), 200u);
}

TEST_F(LatencyMonitorTest, ResetsOneOrAll) {
  for (const char* event : {"fork", "command", "aof-write"}) monitor_.add(event, 20'000);
  EXPECT_EQ(monitor_.reset("FORK"), 1u);
  EXPECT_EQ(monitor_.reset("fork"), 0u);
  EXPECT_EQ(monitor_.reset(), 2u);
  EXPECT_TRUE(monitor_.events().empty());
}

TEST_F(LatencyMonitorTest, TimesABlock) {
  {
    const LatencyTimer timer(monitor_, clock_, "expire-cycle");
    clock_.monotonic += 25'000;
  }
  ASSERT_NE(monitor_.find("expire-cycle"), nullptr);
  EXPECT_EQ(monitor_.find("expire-cycle")->latest().latency_ms, 25u);
}

}  // namespace
}  // namespace tandem
