#include <string>

#include "server/exec/blocked_clients.h"
#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class SortedSetBlockingTest : public ExecFixture {
 protected:
  Peer& first_ = connect();
  Peer& second_ = connect();
  Peer& writer_ = connect();
};

TEST_F(SortedSetBlockingTest, ClientsAreServedInTheOrderInWhichTheyCame) {
  EXPECT_EQ(run(first_, "BZPOPMIN none z 0"), "");
  EXPECT_EQ(run(second_, "BZPOPMAX z 0"), "");
  EXPECT_EQ(run(writer_, "ZADD z 1 a 2 b 3 c"), ":3|");
  EXPECT_EQ(take_output(first_), "*3|$1|z|$1|a|$1|1|");
  EXPECT_EQ(take_output(second_), "*3|$1|z|$1|c|$1|3|");
  EXPECT_EQ(run(writer_, "ZCARD z"), ":1|");
}

TEST_F(SortedSetBlockingTest, WhatIsLeftServesTheNext) {
  EXPECT_EQ(run(first_, "BZMPOP 0 2 none z MAX COUNT 5"), "");
  EXPECT_EQ(run(second_, "BZPOPMIN z 0"), "");
  run(writer_, "ZADD z 1 a 2 b");
  EXPECT_EQ(take_output(first_), "*2|$1|z|*2|*2|$1|b|$1|2|*2|$1|a|$1|1|");
  EXPECT_EQ(take_output(second_), "");
  EXPECT_EQ(run(writer_, "EXISTS z"), ":0|");
  run(writer_, "ZADD z 3 c");
  EXPECT_EQ(take_output(second_), "*3|$1|z|$1|c|$1|3|");
}

// Any command that makes a sorted set wakes those who wait for one.
TEST_F(SortedSetBlockingTest, EveryWayToASortedSetWakes) {
  run(writer_, "SADD s a");
  for (const char* command :
       {"ZINCRBY z 1 a", "ZUNIONSTORE z 1 s", "GEOADD z 1 1 a", "COPY other z"}) {
    run(writer_, "ZADD other 1 a");
    EXPECT_EQ(run(first_, "BZPOPMIN z 0"), "");
    run(writer_, command);
    EXPECT_EQ(take_output(first_).substr(0, 14), "*3|$1|z|$1|a|$") << command;
  }
}

TEST_F(SortedSetBlockingTest, AnotherTypeDoesNotWake) {
  EXPECT_EQ(run(first_, "BZPOPMIN z 0"), "");
  run(writer_, "SADD z a");
  EXPECT_EQ(take_output(first_), "");
  run(writer_, "DEL z");
  run(writer_, "ZADD z 1 a");
  EXPECT_EQ(take_output(first_), "*3|$1|z|$1|a|$1|1|");
}

TEST_F(SortedSetBlockingTest, TimesOutWithANullArray) {
  for (const char* command : {"BZPOPMIN z 0.1", "BZPOPMAX z 0.1", "BZMPOP 0.1 1 z MIN"}) {
    EXPECT_EQ(run(first_, command), "") << command;
    advance_ms(100);
    executor_.blocked().time_out();
    EXPECT_EQ(take_output(first_), "*-1|") << command;
  }
}

TEST_F(SortedSetBlockingTest, TheEffectIsAPlainPop) {
  UnitRecorder recorder;
  executor_.effects().add_sink(&recorder);
  run(first_, "BZPOPMIN z 0");
  run(second_, "BZMPOP 0 1 z MAX COUNT 9");
  run(writer_, "ZADD z 1 a 2 b 3 c");
  executor_.effects().remove_sink(&recorder);
  std::string all;
  for (const std::string& unit : recorder.units) all += unit;
  EXPECT_TRUE(all.ends_with(resp("ZADD z 1 a 2 b 3 c") + resp("ZPOPMIN z") + resp("ZPOPMAX z 2")))
      << all;
}

}  // namespace
}  // namespace tandem
