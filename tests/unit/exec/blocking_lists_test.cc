#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

// The blocking commands of lists, with several clients: what they take, and what travels instead.
class BlockingListsTest : public ExecFixture {
 protected:
  BlockingListsTest() { executor_.effects().add_sink(&recorder_); }
  ~BlockingListsTest() override { executor_.effects().remove_sink(&recorder_); }

  Peer& blocked(std::string_view words) {
    Peer& peer = connect();
    EXPECT_EQ(run(peer, words), "");
    EXPECT_TRUE(peer.client->blocked());
    return peer;
  }
  std::string last_effect() { return recorder_.units.empty() ? "" : recorder_.units.back(); }

  UnitRecorder recorder_;
  Peer& writer_ = connect();
};

TEST_F(BlockingListsTest, APushServesThoseWhoWaitInTheirOrder) {
  Peer& first = blocked("blpop none l 0");
  Peer& second = blocked("brpop l 0");
  EXPECT_EQ(run(writer_, "rpush l a b c"), ":3|");
  EXPECT_EQ(take_output(first), "*2|$1|l|$1|a|");
  EXPECT_EQ(take_output(second), "*2|$1|l|$1|c|");
  EXPECT_EQ(run(writer_, "lrange l 0 -1"), "*1|$1|b|");
  ASSERT_EQ(recorder_.units.size(), 3u);
  EXPECT_EQ(recorder_.units[1], resp("LPOP l"));
  EXPECT_EQ(recorder_.units[2], resp("RPOP l"));
}

TEST_F(BlockingListsTest, AMoveServesWhoWaitsForItsTarget) {
  Peer& last = blocked("blmpop 0 2 none b left count 2");
  Peer& middle = blocked("brpoplpush a b 0");
  EXPECT_EQ(run(writer_, "lpush a x"), ":1|");
  EXPECT_EQ(take_output(middle), "$1|x|");
  EXPECT_EQ(take_output(last), "*2|$1|b|*1|$1|x|");
  EXPECT_EQ(run(writer_, "exists a b"), ":0|");
  ASSERT_EQ(recorder_.units.size(), 3u);
  EXPECT_EQ(recorder_.units[1], resp("RPOPLPUSH a b"));
  EXPECT_EQ(recorder_.units[2], resp("LPOP b 1"));
}

TEST_F(BlockingListsTest, AMoveWaitsForItsSourceOnly) {
  run(writer_, "rpush b 1");
  Peer& peer = blocked("blmove a b left right 0");
  run(writer_, "rpush b 2");
  EXPECT_TRUE(peer.client->blocked());
  run(writer_, "rpush a 3 4");
  EXPECT_EQ(take_output(peer), "$1|3|");
  EXPECT_EQ(last_effect(), resp("LMOVE a b left right"));
  EXPECT_EQ(run(writer_, "lrange b 0 -1"), "*3|$1|1|$1|2|$1|3|");
}

TEST_F(BlockingListsTest, ATargetOfAnotherTypeIsAnErrorWhenTheTimeComes) {
  Peer& peer = blocked("blmove a s left right 0");
  run(writer_, "set s x");
  run(writer_, "rpush a 1");
  EXPECT_EQ(take_output(peer),
            "-WRONGTYPE Operation against a key holding the wrong kind of value|");
  EXPECT_EQ(run(writer_, "llen a"), ":1|");
}

TEST_F(BlockingListsTest, AStoredSortServesToo) {
  run(writer_, "rpush names b a");
  Peer& peer = blocked("blpop sorted 0");
  EXPECT_EQ(run(writer_, "sort names alpha store sorted"), ":2|");
  EXPECT_EQ(take_output(peer), "*2|$6|sorted|$1|a|");
}

}  // namespace
}  // namespace tandem
