// repl-digest-period: a primary says in its stream what its keys are, and replicas compare.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/replication/fake_loop.h"
#include "tests/unit/replication/test_node.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kFast = "repl-diskless-sync-delay 0\nsave \"\"\n";

class DigestTest : public testing::Test {
 protected:
  void start(const std::string& primary_configuration = "repl-digest-period 1\n") {
    primary_ = std::make_unique<TestNode>(&world_, "p", &disk_, kFast + primary_configuration);
    replica_ =
        std::make_unique<TestNode>(&world_, "r", &replica_disk_,
                                   kFast + std::string("replicaof p 6379\nreplica-read-only no\n"));
    ASSERT_TRUE(world_.run_until([this] { return replica_->in_sync_with(*primary_); }));
  }
  std::string on_primary(std::initializer_list<std::string_view> request) {
    return TestClient(&world_, "p").ask(request);
  }
  std::string on_replica(std::initializer_list<std::string_view> request) {
    return TestClient(&world_, "r").ask(request);
  }
  const DigestInfo& found() {
    info_ = replica_->info().digests;
    return info_;
  }
  // Awaits that this many slices more have been compared.
  void await_slices(uint64_t more) {
    const uint64_t wanted = found().slices_checked + more;
    ASSERT_TRUE(world_.run_until([&] { return found().slices_checked >= wanted; }));
  }

  FakeWorld world_;
  MemoryEnv disk_, replica_disk_;
  std::unique_ptr<TestNode> primary_, replica_;
  DigestInfo info_;
};

TEST_F(DigestTest, ThePrimarySendsNoneUnlessItIsTold) {
  start("");
  const uint64_t before = primary_->info().offset;
  world_.run_for(5'000);
  EXPECT_EQ(primary_->info().offset, before);
  EXPECT_THAT(info_text(primary_->info()), Not(HasSubstr("digest")));
  EXPECT_THAT(info_text(replica_->info()), Not(HasSubstr("digest")));
}

TEST_F(DigestTest, APairThatIsTheSame) {
  start();
  for (int i = 0; i < 1000; ++i) on_primary({"SET", "key" + std::to_string(i), "x", "PX", "700"});
  on_primary({"HSET", "hash", "field", "value"});
  await_slices(20);
  EXPECT_EQ(found().slices_mismatched, 0u);
  EXPECT_GT(found().keys_checked, 20u);
  EXPECT_THAT(info_text(replica_->info()), HasSubstr("digest_slices_mismatched:0\r\n"
                                                     "digest_keys_checked:"));
  EXPECT_THAT(info_text(replica_->info()), HasSubstr("digest_libraries:same\r\n"));
  EXPECT_THAT(info_text(primary_->info()), HasSubstr("digest_slices_sent:"));
}

TEST_F(DigestTest, AChangedKeyIsNamed) {
  start();
  on_primary({"SET", "good", "1"});
  on_primary({"SELECT", "0"});
  on_primary({"SET", "bad", "1"});
  ASSERT_TRUE(world_.run_until([this] { return on_replica({"GET", "bad"}) == "1"; }));
  on_replica({"SET", "bad", "2"});
  await_slices(2);
  EXPECT_GE(found().slices_mismatched, 1u);
  EXPECT_EQ(found().first_bad_key, "bad");
  EXPECT_EQ(found().first_bad_db, 0);
  EXPECT_THAT(info_text(replica_->info()),
              HasSubstr("digest_first_bad_key:bad\r\ndigest_first_bad_db:0\r\n"));
}

TEST_F(DigestTest, AKeyThatOnlyOneSideHasShowsInTheSizes) {
  start();
  on_primary({"SET", "shared", "1"});
  ASSERT_TRUE(world_.run_until([this] { return on_replica({"GET", "shared"}) == "1"; }));
  on_replica({"SET", "extra", "1"});
  await_slices(1);
  EXPECT_THAT(info_text(replica_->info()),
              HasSubstr("digest_size_mismatches:db0:replica=2,primary=1\r\n"));
  // Asked about what the replica has, the primary tells which it is.
  await_slices(2);
  EXPECT_EQ(found().first_bad_key, "extra");
  replica_->replication.reset_stats();
  on_replica({"DEL", "extra"});
  on_replica({"DEL", "shared"});
  await_slices(1);
  EXPECT_THAT(info_text(replica_->info()),
              HasSubstr("digest_size_mismatches:db0:replica=0,primary=1\r\n"));
  EXPECT_EQ(found().first_bad_key, "shared");
}

// Keys whose time has come are there on both sides until the primary says otherwise.
TEST_F(DigestTest, AmongManyKeysTheExtraOnesAreFound) {
  start();
  const auto add = [this](const std::string& name, const std::string& ms) {
    primary_->keyspace.set_time(primary_->clock.wall_ms());
    on_primary({"SET", name, "x", "PX", ms});
  };
  for (int i = 0; i < 600; ++i) add("key" + std::to_string(i), i % 2 == 0 ? "1" : "1000000");
  ASSERT_TRUE(world_.run_until([this] { return replica_->in_sync_with(*primary_); }));
  replica_->keyspace.database(3).set_string("extra", "x");
  ASSERT_TRUE(world_.run_until([this] { return found().first_bad_db >= 0; }));
  EXPECT_EQ(found().first_bad_key, "extra");
  EXPECT_EQ(found().first_bad_db, 3);
  replica_->keyspace.database(3).erase("extra");
  await_slices(1);
  replica_->replication.reset_stats();
  replica_->keyspace.database(0).set_string("another", "x");
  ASSERT_TRUE(world_.run_until([this] { return found().first_bad_db >= 0; }));
  EXPECT_EQ(found().first_bad_key, "another");
  replica_->keyspace.database(0).erase("another");
  await_slices(2);
  const uint64_t mismatched = found().slices_mismatched;
  await_slices(10);
  EXPECT_EQ(found().slices_mismatched, mismatched);
}

TEST_F(DigestTest, LibrariesAreCompared) {
  start();
  primary_->libraries = {"#!lua name=one"};
  await_slices(20);
  EXPECT_TRUE(found().libraries_differ);
  EXPECT_THAT(info_text(replica_->info()), HasSubstr("digest_libraries:different\r\n"));
  replica_->libraries = {"#!lua name=one"};
  await_slices(20);
  EXPECT_FALSE(found().libraries_differ);
}

TEST_F(DigestTest, AFullSyncMakesGood) {
  start();
  on_primary({"SET", "key", "1"});
  ASSERT_TRUE(world_.run_until([this] { return on_replica({"GET", "key"}) == "1"; }));
  on_replica({"SET", "key", "2"});
  await_slices(1);
  EXPECT_EQ(found().first_bad_key, "key");
  primary_->replication.change_replication_id();
  on_replica({"REPLICAOF", "p", "6379", "FORCE"});
  ASSERT_TRUE(world_.run_until([this] { return on_replica({"GET", "key"}) == "1"; }));
  const uint64_t mismatched = found().slices_mismatched;
  await_slices(5);
  EXPECT_EQ(found().first_bad_key, "");
  EXPECT_EQ(found().slices_mismatched, mismatched);
}

TEST_F(DigestTest, ReplicasOfReplicasCompareToo) {
  start();
  MemoryEnv third_disk;
  TestNode third(&world_, "t", &third_disk,
                 kFast + std::string("replicaof r 6379\nreplica-read-only no\n"));
  ASSERT_TRUE(world_.run_until([&] { return third.in_sync_with(*primary_); }));
  on_primary({"SET", "key", "1"});
  ASSERT_TRUE(world_.run_until([&] { return third.keyspace.total_size() == 1; }));
  TestClient(&world_, "t").ask({"SET", "key", "2"});
  ASSERT_TRUE(world_.run_until([&] { return third.info().digests.slices_mismatched > 0; }));
  EXPECT_EQ(third.info().digests.first_bad_key, "key");
  EXPECT_EQ(found().slices_mismatched, 0u);
  EXPECT_EQ(third.info().offset, primary_->info().offset);
  // What it asks travels up to who can answer.
  TestClient(&world_, "t").ask({"SET", "key", "1"});
  third.replication.reset_stats();
  third.keyspace.database(5).set_string("extra", "x");
  ASSERT_TRUE(world_.run_until([&] { return third.info().digests.first_bad_db >= 0; }));
  EXPECT_EQ(third.info().digests.first_bad_key, "extra");
}

TEST_F(DigestTest, WhatAClientSaysIsNoDigest) {
  start("");
  EXPECT_EQ(on_replica({"PING", "tandem-digest-1:"}), "tandem-digest-1:");
  EXPECT_EQ(found().slices_checked, 0u);
}

TEST_F(DigestTest, AMalformedDigestIsIgnored) {
  start("");
  DigestCheck check(
      &replica_->keyspace, [] { return std::vector<std::string>(); }, [](std::string_view) {});
  check.check("tandem-digest-1:nonsense");
  check.check("a ping");
  EXPECT_EQ(check.info().slices_checked, 0u);
}

TEST_F(DigestTest, AHostileQuestionIsIgnored) {
  start();
  on_primary({"SET", "key", "1"});
  TestClient client(&world_, "p");
  client.raw_mode = true;
  client.send({"PSYNC", "?", "-1"});
  for (const std::string& question :
       {DigestQuestion{99, {"key"}}.text(), DigestQuestion{0, {"key", "none", ""}}.text(),
        DigestQuestion{0, std::vector<std::string>(1000, "key")}.text(), std::string("\xff\xff"),
        std::string()}) {
    client.send({"REPLCONF", "ACK", "0", "DIGEST-ASK", question});
    await_slices(2);
  }
  EXPECT_EQ(found().slices_mismatched, 0u);
  EXPECT_FALSE(client.closed());
  EXPECT_THAT(client.raw, HasSubstr("none"));
}

}  // namespace
}  // namespace tandem
