// A primary and its replicas, with everything between them simulated.

#include "replication/replication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/replication/fake_loop.h"
#include "tests/unit/replication/test_node.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kFast = "repl-diskless-sync-delay 0\nsave \"\"\n";

class ReplicationTest : public testing::Test {
 protected:
  std::unique_ptr<TestNode> start(const std::string& host, MemoryEnv* env,
                                  const std::string& configuration = "") {
    return std::make_unique<TestNode>(&world_, host, env, kFast + configuration);
  }
  bool synced() {
    return world_.run_until([this] { return replica_->in_sync_with(*primary_); });
  }
  void start_pair(const std::string& primary_configuration = "") {
    primary_ = start("p", &primary_disk_, primary_configuration);
    replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  }

  FakeWorld world_;
  MemoryEnv primary_disk_, replica_disk_, third_disk_;
  std::unique_ptr<TestNode> primary_, replica_, third_;
};

TEST_F(ReplicationTest, AReplicaGetsTheSnapshotAndTheStream) {
  primary_ = start("p", &primary_disk_);
  primary_->libraries = {"#!lua name=lib\nreturn"};
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "before", "1"});
  on_primary.ask({"SELECT", "3"});
  on_primary.ask({"SET", "third", "3"});
  replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  ASSERT_TRUE(synced());
  EXPECT_EQ(replica_->libraries, primary_->libraries);

  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"GET", "before"}), "1");
  on_primary.ask({"SET", "after", "4"});
  ASSERT_TRUE(synced());
  on_replica.ask({"SELECT", "3"});
  EXPECT_EQ(on_replica.ask({"GET", "third"}), "3");
  EXPECT_EQ(on_replica.ask({"GET", "after"}), "4");
  EXPECT_EQ(on_replica.ask({"SET", "x", "y"}),
            "READONLY You can't write against a read only replica.");

  // Acknowledged once a second.
  ASSERT_TRUE(world_.run_until([this] {
    const ReplicationInfo info = primary_->info();
    return info.replicas.size() == 1 && info.replicas[0].offset == info.offset;
  }));
  EXPECT_EQ(primary_->info().replicas[0].state, "online");
  EXPECT_EQ(primary_->info().replicas[0].ip, "r");
  EXPECT_EQ(primary_->info().replicas[0].port, 6379);
}

TEST_F(ReplicationTest, WritesDuringTheTransferFollowIt) {
  primary_ = start("p", &primary_disk_, "rdbcompression no\n");
  TestClient on_primary(&world_, "p");
  for (int i = 0; i < 200; ++i) {
    on_primary.ask({"SET", "big" + std::to_string(i), std::string(5000, 'x')});
  }
  world_.set_window(512);  // the snapshot takes a while
  replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  ASSERT_TRUE(world_.run_until([this] { return replica_->info().sync_in_progress; }));
  int written = 0;
  while (!replica_->info().link_up) {
    on_primary.ask({"INCR", "n"});
    ASSERT_LT(++written, 10'000);
  }
  EXPECT_GT(written, 10);
  ASSERT_TRUE(synced());
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"GET", "n"}), std::to_string(written));
  EXPECT_EQ(on_replica.ask({"DBSIZE"}), "201");
}

TEST_F(ReplicationTest, ACutLinkResumesWhereItWas) {
  start_pair();
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "a", "1"});
  world_.cut("p", "r");
  world_.part("p", "r", true);
  on_primary.ask({"SET", "b", "2"});
  world_.run_for(3000);
  EXPECT_FALSE(replica_->info().link_up);
  world_.part("p", "r", false);
  ASSERT_TRUE(synced());
  EXPECT_EQ(primary_->info().stats.sync_full, 1u);
  EXPECT_GE(primary_->info().stats.sync_partial_ok, 1u);
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"GET", "a"}), "1");
  EXPECT_EQ(on_replica.ask({"GET", "b"}), "2");
}

TEST_F(ReplicationTest, WhatLeftTheBacklogIsSyncedInFull) {
  start_pair("repl-backlog-size 16kb\n");
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p");
  world_.part("p", "r", true);
  world_.cut("p", "r");
  on_primary.ask({"SET", "a", std::string(100'000, 'x')});
  world_.run_for(2000);
  world_.part("p", "r", false);
  ASSERT_TRUE(synced());
  EXPECT_EQ(primary_->info().stats.sync_full, 2u);
  EXPECT_EQ(primary_->info().stats.sync_partial_err, 2u);
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"STRLEN", "a"}), "100000");
}

TEST_F(ReplicationTest, AHalfReceivedSnapshotLeavesTheOldData) {
  start_pair();
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "a", "old"});
  ASSERT_TRUE(synced());
  // Another primary, with more to send than arrives.
  third_ = start("q", &third_disk_, "rdbcompression no\n");
  TestClient on_third(&world_, "q");
  on_third.ask({"SET", "a", std::string(1 << 20, 'n')});
  world_.set_window(512);
  TestClient on_replica(&world_, "r");
  ASSERT_EQ(on_replica.ask({"REPLICAOF", "q", "6379"}), "OK");
  ASSERT_TRUE(world_.run_until([this] { return replica_->info().sync_read_bytes > 100'000; }));
  world_.part("q", "r", true);
  world_.cut("q", "r");
  world_.run_for(2000);
  EXPECT_FALSE(replica_->info().sync_in_progress);
  EXPECT_EQ(on_replica.ask({"GET", "a"}), "old");
  for (const std::string& file : replica_disk_.files()) EXPECT_THAT(file, Not(HasSubstr("temp")));
  // Its old primary can take it back as if nothing had happened.
  EXPECT_EQ(on_replica.ask({"REPLICAOF", "p", "6379"}), "OK");
  ASSERT_TRUE(synced());
  EXPECT_EQ(primary_->info().stats.sync_full, 1u);
}

TEST_F(ReplicationTest, ASnapshotThatCannotBeLoadedLeavesTheOldData) {
  start_pair();
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "a", "old"});
  ASSERT_TRUE(synced());
  third_ = start("q", &third_disk_);
  TestClient on_third(&world_, "q");
  on_third.ask({"SET", "a", "new"});
  replica_->refuse_libraries = true;
  TestClient on_replica(&world_, "r");
  on_replica.ask({"REPLICAOF", "q", "6379"});
  ASSERT_TRUE(world_.run_until([this] { return third_->info().stats.sync_full >= 2; }));
  EXPECT_EQ(on_replica.ask({"GET", "a"}), "old");
  replica_->refuse_libraries = false;
  ASSERT_TRUE(world_.run_until([this] { return replica_->in_sync_with(*third_); }));
  EXPECT_EQ(on_replica.ask({"GET", "a"}), "new");
}

TEST_F(ReplicationTest, TransactionsApplyWholeOrNotAtAll) {
  start_pair();
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p");
  world_.set_window(16);  // EXEC arrives long after MULTI
  world_.set_latency_ms(5);
  on_primary.send({"MULTI"});
  on_primary.send({"SET", "x", "1"});
  on_primary.send({"SET", "y", "1"});
  on_primary.send({"EXEC"});
  const uint64_t before = replica_->info().offset;
  ASSERT_TRUE(world_.run_until([&] { return replica_->info().read_offset > before + 60; }));
  EXPECT_EQ(replica_->keyspace.database(0).peek("x"), nullptr);
  EXPECT_EQ(replica_->info().applied_offset, before + 23);  // up to the SELECT before MULTI
  world_.cut("p", "r");
  ASSERT_TRUE(synced());
  EXPECT_NE(replica_->keyspace.database(0).peek("x"), nullptr);
  EXPECT_NE(replica_->keyspace.database(0).peek("y"), nullptr);
  EXPECT_EQ(primary_->info().stats.sync_full, 1u);
}

TEST_F(ReplicationTest, OffsetsAgreeAlongAChain) {
  start_pair();
  ASSERT_TRUE(synced());
  third_ = start("t", &third_disk_, "replicaof r 6379\n");
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SELECT", "5"});
  on_primary.ask({"SET", "a", "1"});
  const auto all_synced = [this] {
    return replica_->in_sync_with(*primary_) && third_->in_sync_with(*primary_);
  };
  ASSERT_TRUE(world_.run_until(all_synced));
  on_primary.ask({"MULTI"});
  on_primary.ask({"INCR", "a"});
  on_primary.ask({"INCR", "a"});
  on_primary.ask({"EXEC"});
  world_.run_for(25'000);  // pings pass too
  ASSERT_TRUE(world_.run_until(all_synced));
  EXPECT_EQ(third_->keyspace.database(5).peek("a")->integer(), 3);
  EXPECT_EQ(third_->info().id, primary_->info().id);

  // The middle one is promoted: the last one follows it without a full sync.
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"REPLICAOF", "NO", "ONE"}), "OK");
  EXPECT_EQ(on_replica.ask({"SET", "own", "1"}), "OK");
  ASSERT_TRUE(world_.run_until([this] { return third_->in_sync_with(*replica_); }));
  EXPECT_EQ(replica_->info().stats.sync_full, 1u);
  EXPECT_EQ(third_->info().id, replica_->info().id);
  EXPECT_EQ(third_->info().previous_id, primary_->info().id);
  EXPECT_NE(third_->keyspace.database(0).peek("own"), nullptr);

  // And the old primary can follow its former replica, as nothing was written there meanwhile.
  EXPECT_EQ(on_primary.ask({"REPLICAOF", "r", "6379"}), "OK");
  ASSERT_TRUE(world_.run_until([this] { return primary_->in_sync_with(*replica_); }));
  EXPECT_EQ(replica_->info().stats.sync_full, 1u);
  EXPECT_NE(primary_->keyspace.database(0).peek("own"), nullptr);
}

TEST_F(ReplicationTest, ARestartedReplicaResumes) {
  start_pair();
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SELECT", "2"});
  on_primary.ask({"SET", "a", "1"});
  ASSERT_TRUE(synced());
  ASSERT_TRUE(replica_->persistence.save().ok());
  replica_.reset();
  on_primary.ask({"SET", "b", "2"});  // without a SELECT: the stream is in database 2 already
  replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  ASSERT_TRUE(synced());
  EXPECT_EQ(primary_->info().stats.sync_full, 1u);
  EXPECT_NE(replica_->keyspace.database(2).peek("b"), nullptr);
}

TEST_F(ReplicationTest, ARestartedPrimaryTakesItsReplicasBack) {
  start_pair();
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "a", "1"});
  ASSERT_TRUE(synced());
  const std::string id = primary_->info().id;
  ASSERT_TRUE(primary_->persistence.save().ok());
  primary_.reset();
  world_.run_for(1500);
  primary_ = start("p", &primary_disk_);
  TestClient again(&world_, "p");
  again.ask({"SET", "b", "2"});
  ASSERT_TRUE(synced());
  EXPECT_EQ(primary_->info().stats.sync_full, 0u);
  EXPECT_EQ(replica_->info().previous_id, id);
  EXPECT_NE(replica_->keyspace.database(0).peek("b"), nullptr);
}

TEST_F(ReplicationTest, KeysThatExpireWhileThePrimaryIsDownGoFromItsReplicasToo) {
  start_pair();
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SELECT", "3"});
  on_primary.ask({"SET", "k", "v", "PX", "1000"});
  ASSERT_TRUE(synced());
  ASSERT_TRUE(primary_->persistence.save().ok());
  primary_.reset();
  world_.run_for(1500);
  primary_ = start("p", &primary_disk_);
  ASSERT_TRUE(synced());
  EXPECT_EQ(primary_->info().stats.sync_full, 0u);
  EXPECT_EQ(replica_->keyspace.database(3).size(), 0u);
}

TEST_F(ReplicationTest, AReplicaHidesExpiredKeysUntilItsPrimaryDeletesThem) {
  start_pair();
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p"), on_replica(&world_, "r");
  on_primary.ask({"SET", "k", "v", "PX", "500"});
  ASSERT_TRUE(synced());
  EXPECT_EQ(on_replica.ask({"GET", "k"}), "v");
  world_.run_for(600);
  EXPECT_EQ(on_replica.ask({"GET", "k"}), "(nil)");
  EXPECT_EQ(replica_->keyspace.database(0).size(), 1u);
  EXPECT_EQ(on_primary.ask({"GET", "k"}), "(nil)");
  ASSERT_TRUE(synced());
  EXPECT_EQ(replica_->keyspace.database(0).size(), 0u);
}

TEST_F(ReplicationTest, WaitCountsReplicasThatHaveTheWrite) {
  start_pair();
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "a", "1"});
  EXPECT_EQ(on_primary.ask({"WAIT", "1", "0"}), "1");
  const int64_t before = world_.now_us();
  EXPECT_EQ(on_primary.ask({"WAIT", "2", "400"}), "1");
  EXPECT_NEAR(static_cast<double>(world_.now_us() - before), 400'000, 5'000);
  world_.part("p", "r", true);
  on_primary.ask({"SET", "a", "2"});
  EXPECT_EQ(on_primary.ask({"WAIT", "1", "100"}), "0");
  // Inside a transaction it tells how it stands.
  on_primary.ask({"MULTI"});
  on_primary.ask({"WAIT", "1", "0"});
  on_primary.send({"EXEC"});
  std::optional<ReplyValue> reply;
  ASSERT_TRUE(world_.run_until([&] { return (reply = on_primary.next()).has_value(); }));
  EXPECT_EQ(reply->elements.at(0).integer, 0);
  EXPECT_EQ(on_primary.ask({"WAIT", "x", "0"}), "ERR value is not an integer or out of range");
  EXPECT_EQ(on_primary.ask({"WAIT", "1", "x"}), "ERR timeout is not an integer or out of range");
  EXPECT_EQ(on_primary.ask({"WAIT", "1", "-1"}), "ERR timeout is negative");
  // One that is closed while it waits leaves nothing behind.
  {
    TestClient gone(&world_, "p");
    gone.ask({"SET", "a", "3"});
    gone.send({"WAIT", "1", "0"});
    world_.run_for(10);
  }
  world_.part("p", "r", false);
  ASSERT_TRUE(synced());
  TestClient on_replica(&world_, "r");
  EXPECT_THAT(on_replica.ask({"WAIT", "0", "0"}),
              StartsWith("ERR WAIT cannot be used with replica instances."));
}

TEST_F(ReplicationTest, APrimaryThatTurnsReplicaUnblocksWaiters) {
  start_pair();
  ASSERT_TRUE(synced());
  world_.part("p", "r", true);
  TestClient waiter(&world_, "p"), admin(&world_, "p");
  waiter.ask({"SET", "a", "1"});
  waiter.send({"WAIT", "1", "0"});
  world_.run_for(10);
  admin.ask({"REPLICAOF", "nowhere", "1"});
  world_.run_for(10);
  EXPECT_THAT(waiter.raw, HasSubstr("-UNBLOCKED force unblock"));
  EXPECT_TRUE(waiter.closed());
}

TEST_F(ReplicationTest, TooFewReplicasRefuseWrites) {
  start_pair("min-replicas-to-write 1\nmin-replicas-max-lag 3\n");
  TestClient on_primary(&world_, "p");
  EXPECT_EQ(on_primary.ask({"SET", "a", "1"}), "NOREPLICAS Not enough good replicas to write.");
  ASSERT_TRUE(synced());
  EXPECT_EQ(on_primary.ask({"SET", "a", "1"}), "OK");
  EXPECT_EQ(primary_->info().good_replicas, 1);
  world_.part("p", "r", true);
  world_.run_for(6000);
  EXPECT_EQ(on_primary.ask({"SET", "a", "1"}), "NOREPLICAS Not enough good replicas to write.");
}

TEST_F(ReplicationTest, SilenceEndsALinkOnBothSides) {
  start_pair("repl-timeout 20\n");
  replica_->config.mutable_settings().repl_timeout = 20;
  ASSERT_TRUE(synced());
  world_.part("p", "r", true);
  world_.run_for(15'000);
  EXPECT_EQ(primary_->info().replicas.size(), 1u);
  world_.run_for(15'000);
  EXPECT_EQ(primary_->info().replicas.size(), 0u);
  EXPECT_FALSE(replica_->info().link_up);
  EXPECT_GT(replica_->info().link_down_since_s, 0);
  world_.part("p", "r", false);
  ASSERT_TRUE(synced());
}

TEST_F(ReplicationTest, TheBacklogGoesWithTheLastReplica) {
  start_pair("repl-backlog-ttl 10\n");
  ASSERT_TRUE(synced());
  const std::string id = primary_->info().id;
  replica_.reset();
  world_.run_for(8'000);
  EXPECT_TRUE(primary_->info().backlog_active);
  world_.run_for(5'000);
  EXPECT_FALSE(primary_->info().backlog_active);
  EXPECT_NE(primary_->info().id, id);
  EXPECT_FALSE(primary_->replication.wants_effects());
}

TEST_F(ReplicationTest, ReplicasThatWaitTogetherShareOneSnapshot) {
  primary_ = std::make_unique<TestNode>(&world_, "p", &primary_disk_,
                                        "repl-diskless-sync-delay 5\nsave \"\"\n");
  replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  world_.run_for(3000);
  third_ = start("t", &third_disk_, "replicaof p 6379\n");
  const int64_t before = world_.now_us();
  ASSERT_TRUE(world_.run_until(
      [this] { return replica_->in_sync_with(*primary_) && third_->in_sync_with(*primary_); }));
  EXPECT_LT(world_.now_us() - before, 2'500'000);
  EXPECT_EQ(primary_->info().stats.sync_full, 2u);
}

TEST_F(ReplicationTest, AFullSyncThroughAFile) {
  primary_ = start("p", &primary_disk_, "repl-diskless-sync no\nrdbcompression no\n");
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "a", std::string(2 << 20, 'x')});
  world_.set_window(4096);
  replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  ASSERT_TRUE(world_.run_until([this] { return replica_->info().sync_total_bytes > 0; }));
  on_primary.ask({"SET", "b", "during"});
  ASSERT_TRUE(synced());
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"STRLEN", "a"}), "2097152");
  EXPECT_EQ(on_replica.ask({"GET", "b"}), "during");
  for (const std::string& file : primary_disk_.files()) EXPECT_THAT(file, Not(HasSubstr("temp")));
}

TEST_F(ReplicationTest, AToolGetsASnapshotWithoutAStream) {
  primary_ = start("p", &primary_disk_);
  primary_->libraries = {"#!lua name=lib\nthe library"};
  TestClient writer(&world_, "p"), tool(&world_, "p");
  writer.ask({"SET", "akey", "avalue"});
  EXPECT_EQ(tool.ask({"REPLCONF", "rdb-filter-only", "data"}),
            "ERR Unsupported rdb-filter-only option: data");
  EXPECT_EQ(tool.ask({"REPLCONF", "rdb-filter-only", "functions"}), "OK");
  EXPECT_EQ(tool.ask({"PSYNC", "?", "-1"}), "ERR Filtered replica requires EOF capability");
  EXPECT_EQ(tool.ask({"REPLCONF", "capa", "eof", "capa", "whatever"}), "OK");
  EXPECT_EQ(tool.ask({"REPLCONF", "rdb-only", "1"}), "OK");
  EXPECT_EQ(tool.ask({"REPLCONF", "rdb-only"}), "ERR syntax error");
  EXPECT_EQ(tool.ask({"REPLCONF", "nonsense", "1"}), "ERR Unrecognized REPLCONF option: nonsense");
  tool.raw.clear();
  tool.raw_mode = true;
  tool.send_bytes("SYNC\r\n");
  ASSERT_TRUE(world_.run_until([&] { return tool.closed(); }));
  ASSERT_THAT(tool.raw, StartsWith("$EOF:"));
  const std::string mark = tool.raw.substr(5, 40);
  EXPECT_TRUE(tool.raw.ends_with(mark));
  EXPECT_THAT(tool.raw, HasSubstr("REDIS0010"));  // it named no version
  EXPECT_THAT(tool.raw, HasSubstr("the library"));
  EXPECT_THAT(tool.raw, Not(HasSubstr("akey")));
  EXPECT_FALSE(primary_->info().backlog_active);
}

TEST_F(ReplicationTest, AReplicaThatDoesNotReadIsDropped) {
  start_pair("client-output-buffer-limit replica 100kb 0 0\nrepl-backlog-size 200kb\n");
  ASSERT_TRUE(synced());
  world_.part("p", "r", true);
  TestClient on_primary(&world_, "p");
  // The backlog may be sent at once, whatever the limit says.
  for (int i = 0; i < 15; ++i) on_primary.ask({"SET", "a", std::string(10'000, 'x')});
  world_.run_for(10);
  EXPECT_EQ(primary_->info().replicas.size(), 1u);
  for (int i = 0; i < 20; ++i) on_primary.ask({"SET", "a", std::string(10'000, 'x')});
  world_.run_for(10);
  EXPECT_EQ(primary_->info().replicas.size(), 0u);
  world_.part("p", "r", false);
  world_.cut("p", "r");
  ASSERT_TRUE(synced());
}

TEST_F(ReplicationTest, SlowReplicasShareWhatTheyHaveNotRead) {
  primary_ = start("p", &primary_disk_, "repl-backlog-size 16kb\n");
  replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  third_ = start("s", &third_disk_, "replicaof p 6379\n");
  MemoryEnv fourth_disk;
  const auto fourth = start("t", &fourth_disk, "replicaof p 6379\n");
  const auto all_synced = [&] {
    return replica_->in_sync_with(*primary_) && third_->in_sync_with(*primary_) &&
           fourth->in_sync_with(*primary_);
  };
  ASSERT_TRUE(world_.run_until(all_synced));
  TestClient on_primary(&world_, "p");
  const auto write = [&on_primary] {
    for (int i = 0; i < 50; ++i) on_primary.ask({"SET", "a", std::string(10'000, 'x')});
  };
  world_.part("p", "r", true);
  write();
  const uint64_t with_one = primary_->info().replica_memory;
  EXPECT_GT(with_one, 300'000u);
  world_.part("p", "r", false);
  ASSERT_TRUE(world_.run_until(all_synced));
  // Two blocks more than the backlog's size at most: the first and the last are not full.
  EXPECT_LT(primary_->info().replica_memory, 4'000u);

  for (const char* replica : {"r", "s", "t"}) world_.part("p", replica, true);
  write();
  EXPECT_NEAR(static_cast<double>(primary_->info().replica_memory), static_cast<double>(with_one),
              5'000);
  // None of it is in anybody's own output.
  EXPECT_LT(primary_->replication.output_bytes(), with_one + 3 * 70'000);
  for (const char* replica : {"r", "s", "t"}) world_.part("p", replica, false);
  ASSERT_TRUE(world_.run_until(all_synced));
  TestClient on_fourth(&world_, "t");
  EXPECT_EQ(on_fourth.ask({"STRLEN", "a"}), "10000");
}

TEST_F(ReplicationTest, TheStreamDuringAFullSyncIsLimitedToo) {
  primary_ = start("p", &primary_disk_,
                   "rdbcompression no\nclient-output-buffer-limit replica 100kb 0 0\n"
                   "repl-backlog-size 16kb\n");
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "big", std::string(1'000'000, 'x')});
  world_.set_window(512);  // the snapshot takes a while
  replica_ = start("r", &replica_disk_, "replicaof p 6379\n");
  ASSERT_TRUE(world_.run_until([this] { return replica_->info().sync_in_progress; }));
  for (int i = 0; i < 9; ++i) on_primary.ask({"SET", "a", std::string(10'000, 'x')});
  EXPECT_EQ(primary_->executor.stats().client_output_limit_disconnections, 0u);
  for (int i = 0; i < 5; ++i) on_primary.ask({"SET", "a", std::string(10'000, 'x')});
  EXPECT_EQ(primary_->executor.stats().client_output_limit_disconnections, 1u);
  world_.set_window(64 * 1024);
  ASSERT_TRUE(synced());
}

TEST_F(ReplicationTest, AnEffectIsEncodedOnceForTheAofAndAllReplicas) {
  primary_ = start("p", &primary_disk_, "appendonly yes\n");
  replica_ = start("r", &replica_disk_, "replicaof p 6379\nappendonly yes\n");
  third_ = start("s", &third_disk_, "replicaof r 6379\n");
  const auto all_synced = [&] {
    return replica_->in_sync_with(*primary_) && third_->in_sync_with(*primary_);
  };
  ASSERT_TRUE(world_.run_until(all_synced));
  TestClient on_primary(&world_, "p");
  const uint64_t before = primary_->executor.effects().encoded_count();
  const uint64_t log_before = primary_->persistence.log_position();
  const uint64_t offset_before = primary_->info().offset;
  for (int i = 0; i < 10; ++i) on_primary.ask({"SET", "key" + std::to_string(i), "value"});
  EXPECT_EQ(primary_->executor.effects().encoded_count() - before, 10u);
  EXPECT_GT(primary_->persistence.log_position(), log_before);
  EXPECT_GT(primary_->info().offset, offset_before);
  // Whoever passes the stream on encodes nothing.
  ASSERT_TRUE(world_.run_until(all_synced));
  EXPECT_EQ(replica_->executor.effects().encoded_count(), 0u);
  EXPECT_EQ(third_->executor.effects().encoded_count(), 0u);
  TestClient on_third(&world_, "s");
  EXPECT_EQ(on_third.ask({"GET", "key9"}), "value");
}

TEST_F(ReplicationTest, RoleTellsBothSides) {
  start_pair();
  ASSERT_TRUE(synced());
  world_.run_for(2000);
  TestClient on_primary(&world_, "p"), on_replica(&world_, "r");
  on_primary.send({"ROLE"});
  on_replica.send({"ROLE"});
  world_.run_for(10);
  const auto primary_role = on_primary.next(), replica_role = on_replica.next();
  ASSERT_TRUE(primary_role && replica_role);
  EXPECT_EQ(primary_role->elements.at(0).text, "master");
  EXPECT_EQ(primary_role->elements.at(2).elements.at(0).elements.at(0).text, "r");
  EXPECT_EQ(replica_role->elements.at(0).text, "slave");
  EXPECT_EQ(replica_role->elements.at(3).text, "connected");
  EXPECT_EQ(static_cast<uint64_t>(replica_role->elements.at(4).integer), replica_->info().offset);
  EXPECT_EQ(on_replica.ask({"REPLICAOF", "p", "6379"}), "OK Already connected to specified master");
  EXPECT_EQ(on_replica.ask({"REPLICAOF", "p", "70000"}), "ERR Invalid master port");
}

TEST_F(ReplicationTest, ThePrimarysPasswordIsGiven) {
  start_pair("requirepass secret\n");
  world_.run_for(3000);
  EXPECT_FALSE(replica_->info().link_up);
  EXPECT_EQ(primary_->info().replicas.size(), 0u);
  replica_->config.mutable_settings().primaryauth = "secret";
  EXPECT_TRUE(synced());
}

TEST_F(ReplicationTest, AStreamThatIsNoStreamEndsTheLink) {
  start_pair();
  ASSERT_TRUE(synced());
  primary_->replication.on_effects("*1\r\n$-5\r\nPING\r\n");
  world_.run_for(500);
  EXPECT_FALSE(replica_->info().link_up);
}

TEST_F(ReplicationTest, AReplicaKeepsAnAofOfWhatItApplied) {
  primary_ = start("p", &primary_disk_);
  replica_ = start("r", &replica_disk_, "replicaof p 6379\nappendonly yes\n");
  TestClient on_primary(&world_, "p");
  ASSERT_TRUE(synced());
  on_primary.ask({"SELECT", "7"});
  on_primary.ask({"SET", "a", "1"});
  on_primary.ask({"INCR", "a"});
  world_.run_for(15'000);  // a PING is no part of it
  ASSERT_TRUE(synced());
  replica_.reset();
  third_ = start("alone", &replica_disk_, "appendonly yes\n");
  ASSERT_NE(third_->keyspace.database(7).peek("a"), nullptr);
  EXPECT_EQ(third_->keyspace.database(7).peek("a")->integer(), 2);
  for (const std::string& file : replica_disk_.files()) {
    if (file.ends_with(".incr.aof")) {
      EXPECT_THAT(replica_disk_.content(file), Not(HasSubstr("PING")));
    }
  }
}

TEST_F(ReplicationTest, StaleDataCanBeRefused) {
  start_pair();
  ASSERT_TRUE(synced());
  replica_->config.mutable_settings().replica_serve_stale_data = false;
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"GET", "a"}), "(nil)");
  world_.part("p", "r", true);
  world_.cut("p", "r");
  world_.run_for(10);
  EXPECT_THAT(on_replica.ask({"GET", "a"}), StartsWith("MASTERDOWN"));
  // It has nothing to give to a replica of its own now.
  EXPECT_THAT(on_replica.ask({"PSYNC", "?", "-1"}), StartsWith("MASTERDOWN"));
  replica_->config.mutable_settings().replica_serve_stale_data = true;
  EXPECT_THAT(on_replica.ask({"PSYNC", "?", "-1"}), StartsWith("NOMASTERLINK"));
}

}  // namespace
}  // namespace tandem
