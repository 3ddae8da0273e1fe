// A primary that comes back without its data must not take its replica's away.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/replication/fake_loop.h"
#include "tests/unit/replication/test_node.h"

namespace tandem {
namespace {

constexpr const char* kFast = "repl-diskless-sync-delay 0\nsave \"\"\n";
constexpr const char* kRefused = "refused-empty-primary";

class EmptyPrimaryTest : public testing::Test {
 protected:
  void start_primary(MemoryEnv* disk) {
    primary_ = std::make_unique<TestNode>(&world_, "p", disk, kFast);
  }
  void start_replica(const std::string& configuration) {
    replica_ = std::make_unique<TestNode>(&world_, "r", &replica_disk_,
                                          kFast + ("replicaof p 6379\n" + configuration));
  }
  bool synced() {
    return world_.run_until([this] { return replica_->in_sync_with(*primary_); });
  }
  bool refused() {
    return world_.run_until([this] { return replica_->info().link_state == kRefused; });
  }
  // A pair with one key, whose primary then starts again on an empty disk.
  void lose_the_primary(const std::string& configuration) {
    start_primary(&disk_);
    TestClient(&world_, "p").ask({"SET", "key", "value"});
    start_replica(configuration);
    ASSERT_TRUE(synced());
    primary_.reset();
    start_primary(&empty_disk_);
  }
  std::string on_replica(std::initializer_list<std::string_view> request) {
    return TestClient(&world_, "r").ask(request);
  }

  FakeWorld world_;
  MemoryEnv disk_, empty_disk_, replica_disk_;
  std::unique_ptr<TestNode> primary_, replica_;
};

TEST_F(EmptyPrimaryTest, TakesTheDataAwayByDefault) {
  lose_the_primary("");
  ASSERT_TRUE(synced());
  EXPECT_EQ(on_replica({"GET", "key"}), "(nil)");
}

TEST_F(EmptyPrimaryTest, IsRefusedAndTheDataStays) {
  lose_the_primary("replica-refuse-empty-primary yes\n");
  ASSERT_TRUE(refused());
  // Not even when it has something again: that is for the operator to decide.
  TestClient(&world_, "p").ask({"SET", "other", "1"});
  world_.run_for(120'000);
  EXPECT_EQ(replica_->info().link_state, kRefused);
  EXPECT_EQ(on_replica({"GET", "key"}), "value");
  EXPECT_EQ(on_replica({"SET", "key", "mine"}),
            "READONLY You can't write against a read only replica.");
  EXPECT_NE(info_text(replica_->info()).find("master_link_status:refused-empty-primary\r\n"),
            std::string::npos);
}

TEST_F(EmptyPrimaryTest, ForceTakesTheSync) {
  lose_the_primary("replica-refuse-empty-primary yes\n");
  ASSERT_TRUE(refused());
  EXPECT_EQ(on_replica({"REPLICAOF", "p", "6379"}), "OK Already connected to specified master");
  EXPECT_EQ(on_replica({"REPLICAOF", "p", "6379", "FORCE"}), "OK");
  ASSERT_TRUE(synced());
  EXPECT_EQ(on_replica({"GET", "key"}), "(nil)");
  EXPECT_EQ(on_replica({"REPLICAOF", "p", "6379", "NOW"}), "ERR syntax error");
}

TEST_F(EmptyPrimaryTest, ForceIsForOneSync) {
  lose_the_primary("replica-refuse-empty-primary yes\n");
  ASSERT_TRUE(refused());
  EXPECT_EQ(on_replica({"REPLICAOF", "p", "6379", "FORCE"}), "OK");
  ASSERT_TRUE(synced());
  TestClient(&world_, "p").ask({"SET", "key", "new value"});
  ASSERT_TRUE(synced());
  primary_.reset();
  MemoryEnv another_disk;
  start_primary(&another_disk);
  ASSERT_TRUE(refused());
  EXPECT_EQ(on_replica({"GET", "key"}), "new value");
  primary_.reset();
}

TEST_F(EmptyPrimaryTest, TheReplicaCanTakeItsPlace) {
  lose_the_primary("replica-refuse-empty-primary yes\n");
  ASSERT_TRUE(refused());
  EXPECT_EQ(on_replica({"REPLICAOF", "NO", "ONE"}), "OK");
  EXPECT_EQ(on_replica({"APPEND", "key", "!"}), "6");
}

TEST_F(EmptyPrimaryTest, LibrariesAreDataToo) {
  start_primary(&disk_);
  primary_->libraries = {"#!lua name=lib\nreturn"};
  start_replica("replica-refuse-empty-primary yes\n");
  ASSERT_TRUE(synced());
  primary_.reset();
  start_primary(&empty_disk_);
  ASSERT_TRUE(refused());
  EXPECT_EQ(replica_->libraries.size(), 1u);
}

TEST_F(EmptyPrimaryTest, IsWelcomeToAnEmptyReplica) {
  start_primary(&disk_);
  start_replica("replica-refuse-empty-primary yes\n");
  EXPECT_TRUE(synced());
}

TEST_F(EmptyPrimaryTest, WithItsHistoryIsBelieved) {
  start_primary(&disk_);
  TestClient(&world_, "p").ask({"SET", "key", "value"});
  start_replica("replica-refuse-empty-primary yes\n");
  ASSERT_TRUE(synced());
  TestClient(&world_, "p").ask({"FLUSHALL"});
  EXPECT_TRUE(synced());
  EXPECT_EQ(on_replica({"DBSIZE"}), "0");
}

}  // namespace
}  // namespace tandem
