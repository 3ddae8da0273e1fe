// Primaries that die, step down and come back while functions write to them: what WAIT counted is
// never lost, and no call is ever there in part.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/function_load.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using Direction = PartitionProxy::Direction;
using ::testing::AnyOf;
using ::testing::StartsWith;

constexpr int kRounds = 5;

void expect_all_equal(const ServerProcess& primary, const ServerProcess& replica) {
  expect_same_dataset(primary, replica);
  EXPECT_EQ(primary.text("FUNCTION", "DUMP"), replica.text("FUNCTION", "DUMP"));
  EXPECT_TRUE(FunctionLoad::whole(primary));
  EXPECT_TRUE(FunctionLoad::whole(replica));
}

// How a server that has become a replica answers writes and WAIT.
auto of_a_replica() {
  return AnyOf(StartsWith("READONLY "), StartsWith("UNBLOCKED "),
               StartsWith("ERR WAIT cannot be used with replica instances"));
}

void follow(const ServerProcess& server, const ServerProcess& primary) {
  EXPECT_EQ(server.run("REPLICAOF", "127.0.0.1", primary.port_text()), "OK");
}

// Two servers that change places.
class Promotion : public ::testing::Test {
 protected:
  Promotion() : pair_({"--appendonly", "yes"}) {
    populate(pair_.primary);
    FunctionLoad::prepare(pair_.primary);
    expect_all_equal(pair_.primary, pair_.replica);
  }

  void change_places() { std::swap(primary_, replica_); }

  Pair pair_;
  ServerProcess* primary_ = &pair_.primary;
  ServerProcess* replica_ = &pair_.replica;
};

TEST_F(Promotion, AKilledPrimaryComesBackWithAllThatItAnswered) {
  ServerProcess second(replica_of(*primary_));
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    // With `everysec` the replicas may have more than the primary's AOF.
    const bool durable = round % 2 == 0;
    primary_->run("CONFIG", "SET", "appendfsync", durable ? "always" : "everysec");
    FunctionLoad load(*primary_, 3);
    ASSERT_TRUE(load.await_calls(20 + round));
    primary_->kill();
    load.stop();
    primary_->start();
    if (durable) {
      EXPECT_GE(FunctionLoad::calls_in(*primary_), load.answered());
    }
    EXPECT_TRUE(FunctionLoad::whole(*primary_));
    // They take up where they were, or the whole dataset.
    FunctionLoad more(*primary_, 3);
    ASSERT_TRUE(more.await_calls(20));
    more.stop();
    expect_all_equal(*primary_, *replica_);
    expect_all_equal(*primary_, second);
  }
}

TEST_F(Promotion, OfAReplicaWhoseOldPrimaryGoesOnAndThenFollows) {
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    FunctionLoad old_load(*primary_, 1);
    ASSERT_TRUE(old_load.await_calls(20));
    EXPECT_EQ(replica_->run("REPLICAOF", "NO", "ONE"), "OK");
    const int64_t taken_over = FunctionLoad::calls_in(*replica_);
    FunctionLoad new_load(*replica_, 1);
    ASSERT_TRUE(new_load.await_calls(5));
    ASSERT_TRUE(old_load.await_calls(2));
    follow(*primary_, *replica_);
    ASSERT_TRUE(old_load.await_end());
    old_load.stop();
    EXPECT_THAT(old_load.ended_by(), of_a_replica());
    EXPECT_GT(old_load.counted(), 0);
    EXPECT_GE(taken_over, old_load.counted());
    change_places();
    ASSERT_TRUE(
        eventually([&] { return caught_up(*primary_, *replica_) || new_load.counted() > 0; }));
    ASSERT_TRUE(new_load.await_calls(20));
    new_load.stop();
    EXPECT_EQ(FunctionLoad::calls_in(*primary_), new_load.answered());
    expect_all_equal(*primary_, *replica_);
  }
}

TEST_F(Promotion, OfAReplicaWhosePrimaryIsKilledAndComesBackAsItsReplica) {
  replica_->run("CONFIG", "SET", "appendonly", "yes");
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    FunctionLoad old_load(*primary_, 1);
    ASSERT_TRUE(old_load.await_calls(20 + round));
    primary_->kill();
    old_load.stop();
    EXPECT_EQ(replica_->run("REPLICAOF", "NO", "ONE"), "OK");
    EXPECT_GT(old_load.counted(), 0);
    EXPECT_GE(FunctionLoad::calls_in(*replica_), old_load.counted());
    FunctionLoad new_load(*replica_, 1);
    ASSERT_TRUE(new_load.await_calls(5));
    primary_->start(replica_of(*replica_));
    change_places();
    ASSERT_TRUE(eventually([&] { return new_load.counted() > 0; }));
    new_load.stop();
    EXPECT_EQ(FunctionLoad::calls_in(*primary_), new_load.answered());
    expect_all_equal(*primary_, *replica_);
  }
}

TEST_F(Promotion, ByFailoverLosesNothingThatWasAnswered) {
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    const std::string full_before = replica_->info("sync_full");
    FunctionLoad load(*primary_, 4);
    ASSERT_TRUE(load.await_calls(20));
    EXPECT_EQ(primary_->run("FAILOVER"), "OK");
    ASSERT_TRUE(load.await_end());
    load.stop();
    EXPECT_THAT(load.ended_by(), of_a_replica());
    ASSERT_TRUE(
        eventually([&] { return primary_->info("master_failover_state") == "no-failover"; }));
    change_places();
    EXPECT_EQ(primary_->info("role"), "master");
    EXPECT_EQ(FunctionLoad::calls_in(*primary_), load.answered());
    expect_all_equal(*primary_, *replica_);
    EXPECT_EQ(primary_->info("sync_full"), full_before);
  }
}

// The link may break at any byte of what the two say to one another, also after the replica has
// taken over and before the old primary learns of it.
TEST(PromotionOverABadLink, ByFailoverLeavesOnePrimaryThatHasEverything) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2 * kRounds; ++round) {
    SCOPED_TRACE(round);
    ServerProcess primary;
    FunctionLoad::prepare(primary);
    ServerProcess replica(replica_of(primary));
    PartitionProxy to_replica(replica.port());
    replica.run("CONFIG", "SET", "replica-announce-port", std::to_string(to_replica.port()));
    primary.run("CLIENT", "KILL", "TYPE", "replica");
    ASSERT_TRUE(eventually([&] { return caught_up(primary, replica); }));
    FunctionLoad load(primary, 0);
    ASSERT_TRUE(load.await_calls(20));
    constexpr uint64_t kAnswers = 80;
    to_replica.cut_after(Direction::kDown, 1 + random() % kAnswers);
    EXPECT_EQ(primary.run("FAILOVER"), "OK");
    ASSERT_TRUE(load.await_end());
    load.stop();
    ASSERT_TRUE(eventually([&] { return primary.info("master_failover_state") == "no-failover"; }));
    EXPECT_EQ(primary.info("role"), "slave");
    EXPECT_EQ(replica.info("role"), "master");
    EXPECT_EQ(FunctionLoad::calls_in(replica), load.answered());
    expect_all_equal(replica, primary);
  }
}

}  // namespace
}  // namespace tandem
