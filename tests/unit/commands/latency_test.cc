#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LatencyTest : public AdminFixture {
 protected:
  void spike(const char* event, int64_t ms) { executor.watch().latency().add(event, ms * 1000); }
  void pass_seconds(int64_t seconds) { clock.now_us += seconds * 1'000'000; }
};

TEST_F(LatencyTest, EventsAreShownAndForgotten) {
  EXPECT_EQ(run({"LATENCY", "LATEST"}), "*0");
  EXPECT_EQ(run({"LATENCY", "HISTORY", "fork"}), "*0");
  set_config({"latency-monitor-threshold", "10"});
  spike("fork", 30);
  pass_seconds(2);
  spike("fork", 20);
  EXPECT_EQ(run({"LATENCY", "LATEST"}), "*1 *6 $4 fork :1700000002 :20 :30 :50 :2");
  EXPECT_EQ(run({"LATENCY", "HISTORY", "fork"}), "*2 *2 :1700000000 :30 *2 :1700000002 :20");
  EXPECT_EQ(run({"LATENCY", "RESET", "command", "fork", "fork"}), ":1");
  EXPECT_EQ(run({"LATENCY", "LATEST"}), "*0");
}

TEST_F(LatencyTest, ASlowCommandIsASpike) {
  config.mutable_settings().enable_debug_command = ProtectedAction::kYes;
  set_config({"slowlog-log-slower-than", "-1"});
  run({"DEBUG", "SLEEP", "0.002"});
  EXPECT_EQ(run({"LATENCY", "LATEST"}), "*0");
  set_config({"latency-monitor-threshold", "1"});
  run({"DEBUG", "SLEEP", "0.002"});
  EXPECT_THAT(run({"LATENCY", "LATEST"}), StartsWith("*1 *6 $7 command :1700000000 :"));
}

TEST_F(LatencyTest, GraphHasAColumnForEachSample) {
  EXPECT_EQ(run({"LATENCY", "GRAPH", "fork"}), "-ERR No samples available for event 'fork'");
  set_config({"latency-monitor-threshold", "10"});
  spike("fork", 100);
  pass_seconds(1);
  spike("fork", 400);
  pass_seconds(70);
  spike("fork", 250);
  const std::string graph = run({"LATENCY", "GRAPH", "fork"});
  EXPECT_THAT(graph, HasSubstr("fork - high 400 ms, low 100 ms (all time high 400 ms)\n"));
  EXPECT_THAT(graph, HasSubstr("\n # \n |_\n ||\n_||\n\n110\nmms\n"));
}

TEST_F(LatencyTest, DoctorSpeaksOfWhatHappened) {
  EXPECT_THAT(run({"LATENCY", "DOCTOR"}), HasSubstr("CONFIG SET latency-monitor-threshold"));
  set_config({"latency-monitor-threshold", "10"});
  EXPECT_THAT(run({"LATENCY", "DOCTOR"}), HasSubstr("so far"));
  spike("aof-fsync-always", 30);
  pass_seconds(10);
  spike("aof-fsync-always", 50);
  const std::string report = run({"LATENCY", "DOCTOR"});
  EXPECT_THAT(report, HasSubstr("1. aof-fsync-always: 2 spikes, 40 ms on average (mean deviation "
                                "10 ms), one every 5.00 seconds; the worst ever took 50 ms."));
  EXPECT_THAT(report, HasSubstr("appendfsync always makes every write wait"));
}

TEST_F(LatencyTest, HistogramsCountCalls) {
  run({"PING"});
  run({"PING"});
  run({"CLIENT", "GETNAME"});
  EXPECT_THAT(run({"LATENCY", "HISTOGRAM", "ping"}),
              StartsWith("*2 $4 ping *4 $5 calls :2 $14 histogram_usec *"));
  EXPECT_THAT(run({"LATENCY", "HISTOGRAM", "client"}), StartsWith("*2 $14 client|getname *4 "));
  EXPECT_THAT(run({"LATENCY", "HISTOGRAM", "client|getname"}),
              StartsWith("*2 $14 client|getname *4 "));
  EXPECT_EQ(run({"LATENCY", "HISTOGRAM", "nosuch", "echo"}), "*0");
  EXPECT_THAT(run({"LATENCY", "HISTOGRAM"}), HasSubstr("$17 latency|histogram"));
}

TEST_F(LatencyTest, HistogramsCanBeOff) {
  set_config({"latency-tracking", "no"});
  run({"PING"});
  EXPECT_EQ(run({"LATENCY", "HISTOGRAM"}), "*0");
}

}  // namespace
}  // namespace tandem
