// FAILOVER, with everything between the servers simulated.

#include "replication/failover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/replication/fake_loop.h"
#include "tests/unit/replication/test_node.h"

namespace tandem {
namespace {

using testing::StartsWith;

constexpr const char* kFast = "repl-diskless-sync-delay 0\nsave \"\"\n";
constexpr const char* kReadOnly = "READONLY You can't write against a read only replica.";

class FailoverTest : public testing::Test {
 protected:
  FailoverTest() {
    primary_ = std::make_unique<TestNode>(&world_, "p", &primary_disk_, kFast);
    replica_ = std::make_unique<TestNode>(&world_, "r", &replica_disk_,
                                          std::string(kFast) + "replicaof p 6379\n");
    EXPECT_TRUE(world_.run_until([this] {
      return replica_->in_sync_with(*primary_) && primary_->info().replicas[0].state == "online";
    }));
    operator_ = std::make_unique<TestClient>(&world_, "p");
  }

  std::string failover(const std::string& options = "") {
    operator_->send_bytes("FAILOVER " + options + "\r\n");
    std::optional<ReplyValue> reply;
    world_.run_until([&] { return (reply = operator_->next()).has_value(); });
    return reply ? reply->text : "(none)";
  }
  std::string_view state() { return primary_->info().failover_state; }
  bool swapped() {
    return world_.run_until(
        [this] { return !replica_->info().is_replica && primary_->in_sync_with(*replica_); });
  }

  FakeWorld world_;
  MemoryEnv primary_disk_, replica_disk_;
  std::unique_ptr<TestNode> primary_, replica_;
  std::unique_ptr<TestClient> operator_;
};

TEST_F(FailoverTest, TheReplicaTakesOverWithEverything) {
  TestClient writer(&world_, "p");
  for (int i = 0; i < 100; ++i) writer.ask({"INCR", "counter"});
  EXPECT_EQ(failover(), "OK");
  ASSERT_TRUE(swapped());
  EXPECT_EQ(state(), "no-failover");
  EXPECT_TRUE(primary_->info().is_replica);
  EXPECT_EQ(replica_->info().stats.sync_full, 0u) << "the stream just goes on";
  EXPECT_EQ(replica_->info().previous_id, primary_->info().previous_id);
  TestClient on_new(&world_, "r");
  EXPECT_EQ(on_new.ask({"INCR", "counter"}), "101");
  ASSERT_TRUE(swapped());
  EXPECT_EQ(primary_->keyspace.database(0).peek("counter")->integer(), 101);
}

TEST_F(FailoverTest, ANamedReplicaTakesOver) {
  MemoryEnv disk;
  TestNode other(&world_, "o", &disk, std::string(kFast) + "replicaof p 6379\n");
  ASSERT_TRUE(world_.run_until([&] { return other.in_sync_with(*primary_); }));
  EXPECT_EQ(failover("to r 6379 timeout 60000"), "OK");
  ASSERT_TRUE(swapped());
  EXPECT_TRUE(other.info().is_replica);
}

TEST_F(FailoverTest, WritesWaitAndAreThenRefused) {
  world_.part("p", "r", true);
  EXPECT_EQ(failover(), "OK");
  EXPECT_EQ(state(), "waiting-for-sync");
  TestClient writer(&world_, "p");
  writer.send({"SET", "late", "1"});
  world_.run_for(3'000);
  EXPECT_EQ(writer.raw, "");
  EXPECT_EQ(operator_->ask({"GET", "late"}), "(nil)") << "reads are served";
  world_.part("p", "r", false);
  ASSERT_TRUE(swapped());
  std::optional<ReplyValue> reply;
  ASSERT_TRUE(world_.run_until([&] { return (reply = writer.next()).has_value(); }));
  EXPECT_EQ(reply->text, kReadOnly);
}

TEST_F(FailoverTest, TheTimeEndsTheWait) {
  world_.part("p", "r", true);
  operator_->ask({"SET", "only", "here"});
  EXPECT_EQ(failover("timeout 500"), "OK");
  TestClient writer(&world_, "p");
  const int64_t before_us = world_.now_us();
  EXPECT_EQ(writer.ask({"SET", "late", "1"}), "OK");
  EXPECT_NEAR(static_cast<double>(world_.now_us() - before_us), 500'000, 50'000);
  EXPECT_EQ(state(), "no-failover");
  EXPECT_FALSE(primary_->info().is_replica);
}

TEST_F(FailoverTest, ForceHandsOverWhenTheTimeIsUp) {
  world_.part("p", "r", true);
  operator_->ask({"SET", "late", "1"});
  EXPECT_EQ(failover("to r 6379 force timeout 500"), "OK");
  world_.run_for(1'000);
  EXPECT_EQ(state(), "failover-in-progress");
  world_.part("p", "r", false);
  ASSERT_TRUE(swapped());
  EXPECT_EQ(primary_->keyspace.database(0).peek("late") == nullptr,
            replica_->keyspace.database(0).peek("late") == nullptr);
}

TEST_F(FailoverTest, AbortTakesTheRoleBack) {
  EXPECT_EQ(failover("abort"), "ERR No failover in progress.");
  world_.part("p", "r", true);
  EXPECT_EQ(failover(), "OK");
  EXPECT_EQ(failover("abort"), "OK");
  EXPECT_EQ(operator_->ask({"SET", "a", "1"}), "OK");

  EXPECT_EQ(failover("to r 6379 force timeout 500"), "OK");
  world_.run_for(1'000);
  EXPECT_TRUE(primary_->info().is_replica);
  EXPECT_EQ(failover("abort"), "OK");
  EXPECT_FALSE(primary_->info().is_replica);
  EXPECT_EQ(operator_->ask({"SET", "a", "2"}), "OK");
}

TEST_F(FailoverTest, ATargetThatRefusesLeavesThePrimaryWhatItIs) {
  primary_->replication.change_replication_id();
  EXPECT_EQ(failover(), "OK");
  ASSERT_TRUE(world_.run_until([this] { return state() == "failover-in-progress"; }));
  ASSERT_TRUE(world_.run_until([this] { return state() == "no-failover"; }));
  EXPECT_FALSE(primary_->info().is_replica);
  EXPECT_TRUE(replica_->info().is_replica);
  EXPECT_EQ(operator_->ask({"SET", "a", "1"}), "OK");
}

TEST_F(FailoverTest, NobodySyncsMeanwhile) {
  world_.part("p", "r", true);
  EXPECT_EQ(failover(), "OK");
  TestClient other(&world_, "p");
  EXPECT_EQ(other.ask({"PSYNC", "?", "-1"}), "NOMASTERLINK Can't SYNC while failing over");
  EXPECT_EQ(other.ask({"REPLICAOF", "elsewhere", "1"}),
            "ERR REPLICAOF not allowed while failing over.");
  EXPECT_EQ(failover(), "ERR FAILOVER already in progress.");
}

TEST_F(FailoverTest, WhatIsAskedMustBePossible) {
  EXPECT_EQ(failover("to r"), "ERR syntax error");
  EXPECT_EQ(failover("timeout 0"), "ERR FAILOVER timeout must be greater than 0");
  EXPECT_EQ(failover("timeout x"), "ERR value is not an integer or out of range");
  EXPECT_EQ(failover("abort now"), "ERR syntax error");
  EXPECT_EQ(failover("force"),
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP "
            "options.");
  EXPECT_EQ(failover("to r 1"), "ERR FAILOVER target HOST and PORT is not a replica.");
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"FAILOVER"}), "ERR FAILOVER is not valid when server is a replica.");
  EXPECT_EQ(operator_->ask({"PSYNC", primary_->info().id, "1", "FAILOVER"}),
            "ERR PSYNC FAILOVER can't be sent to a master.");
  EXPECT_THAT(on_replica.ask({"PSYNC", std::string(40, 'a'), "1", "FAILOVER"}),
              StartsWith("ERR PSYNC FAILOVER replid must match"));
  replica_.reset();
  ASSERT_TRUE(world_.run_until([this] { return primary_->info().replicas.empty(); }));
  EXPECT_EQ(failover(), "ERR FAILOVER requires connected replicas.");
}

}  // namespace
}  // namespace tandem
