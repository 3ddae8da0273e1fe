#include "persistence/persistence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/persistence/test_server.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kLibrary = "#!lua name=lib\n-- text";

class PersistenceTest : public ::testing::Test {
 protected:
  TestServer& start(std::vector<std::pair<std::string, std::string>> options = {}) {
    if (server_) {
      server_.reset();
      env_.kill();
    }
    server_.emplace(env_, clock_, std::move(options));
    return *server_;
  }

  MemoryEnv env_;
  ManualClock clock_;
  std::optional<TestServer> server_;
};

TEST_F(PersistenceTest, StartsWithoutFiles) {
  EXPECT_EQ(start().load(), "");
  EXPECT_TRUE(env_.files().empty());
}

TEST_F(PersistenceTest, ASavedDatasetComesBack) {
  TestServer& server = start();
  ASSERT_EQ(server.load(), "");
  server.run("SET", "k", "v");
  server.run("FUNCTION", "LOAD", kLibrary);
  const ReplicationPosition position{std::string(40, 'b'), 77, 0};
  server.persistence.hooks().replication_position = [&] { return position; };
  EXPECT_EQ(server.persistence.info().rdb_changes_since_last_save, 2u);
  clock_.advance_ms(5000);
  ASSERT_TRUE(server.persistence.save().ok());
  EXPECT_EQ(server.persistence.info().rdb_changes_since_last_save, 0u);
  EXPECT_EQ(server.persistence.last_save_time(), clock_.wall_ms() / 1000);
  EXPECT_THAT(env_.files(), ElementsAre("/data/dump.rdb"));

  const Contents before = server.contents();
  TestServer& next = start();
  std::optional<ReplicationPosition> restored;
  next.persistence.hooks().restore_position = [&](const ReplicationPosition& found) {
    restored = found;
  };
  ASSERT_EQ(next.load(), "");
  EXPECT_EQ(next.contents(), before);
  EXPECT_THAT(next.libraries, ElementsAre(kLibrary));
  ASSERT_TRUE(restored.has_value());
  EXPECT_EQ(restored->id, position.id);
  EXPECT_EQ(restored->offset, 77u);
  EXPECT_EQ(next.persistence.info().rdb_last_load_keys_loaded, 1u);
}

TEST_F(PersistenceTest, ABackgroundSaveCoversWhatWasThereAtTheFork) {
  TestServer& server = start();
  ASSERT_EQ(server.load(), "");
  server.run("SET", "a", "1");
  server.run("SET", "b", "1");
  env_.hold_children = true;
  ASSERT_TRUE(server.persistence.start_background_save().ok());
  EXPECT_FALSE(server.persistence.start_background_save().ok());
  EXPECT_FALSE(server.persistence.save().ok());
  server.run("SET", "c", "later");
  server.cron();
  EXPECT_TRUE(server.persistence.info().rdb_bgsave_in_progress);
  EXPECT_EQ(server.persistence.info().current_save_keys_processed, 2u);
  EXPECT_EQ(server.persistence.info().current_save_keys_total, 2u);
  env_.hold_children = false;
  server.cron();
  EXPECT_FALSE(server.persistence.info().rdb_bgsave_in_progress);
  EXPECT_EQ(server.persistence.info().rdb_changes_since_last_save, 1u);
  EXPECT_EQ(server.persistence.info().current_save_keys_processed, 0u);
  TestServer& next = start();
  ASSERT_EQ(next.load(), "");
  EXPECT_EQ(next.contents(), (Contents{{{0, "a"}, "string:1"}, {{0, "b"}, "string:1"}}));
}

TEST_F(PersistenceTest, SavePointsSave) {
  TestServer& server = start({{"save", "60 2"}});
  ASSERT_EQ(server.load(), "");
  server.run("INCR", "n");
  clock_.advance_ms(61'000);
  server.cron();
  EXPECT_EQ(server.persistence.info().rdb_saves, 0u);
  server.run("INCR", "n");
  server.cron();
  server.cron();
  EXPECT_EQ(server.persistence.info().rdb_saves, 1u);
  EXPECT_EQ(server.persistence.info().rdb_changes_since_last_save, 0u);
}

TEST_F(PersistenceTest, AFailedSaveRefusesWritesUntilOneSucceeds) {
  TestServer& server = start({{"save", "60 1"}});
  ASSERT_EQ(server.load(), "");
  server.run("INCR", "n");
  env_.fail(".rdb", "No space left on device");
  ASSERT_TRUE(server.persistence.start_background_save().ok());
  server.cron();
  EXPECT_THAT(server.misconf(),
              HasSubstr("MISCONF Redis is configured to save RDB snapshots, but"));
  EXPECT_FALSE(server.persistence.info().rdb_last_bgsave_ok);
  server.run("INCR", "n");
  EXPECT_EQ(server.contents(), (Contents{{{0, "n"}, "string:1"}}));
  server.configure("stop-writes-on-bgsave-error", "no");
  server.cron();
  EXPECT_EQ(server.misconf(), "");
  server.configure("stop-writes-on-bgsave-error", "yes");
  server.cron();
  EXPECT_NE(server.misconf(), "");
  // A save point tries again by itself, but not at once.
  env_.stop_failing();
  clock_.advance_ms(61'000);
  server.cron();
  server.cron();
  EXPECT_EQ(server.misconf(), "");
}

TEST_F(PersistenceTest, ACancelledSaveIsNoFailure) {
  TestServer& server = start();
  ASSERT_EQ(server.load(), "");
  EXPECT_EQ(server.persistence.cancel_background_save(), Persistence::Cancelled::kNothing);
  server.persistence.schedule_background_save();
  EXPECT_EQ(server.persistence.cancel_background_save(), Persistence::Cancelled::kScheduled);
  env_.hold_children = true;
  ASSERT_TRUE(server.persistence.start_background_save().ok());
  EXPECT_EQ(server.persistence.cancel_background_save(), Persistence::Cancelled::kRunning);
  server.cron();
  EXPECT_FALSE(server.persistence.info().rdb_bgsave_in_progress);
  EXPECT_TRUE(server.persistence.info().rdb_last_bgsave_ok);
}

TEST_F(PersistenceTest, OneChildAtATime) {
  TestServer& server = start({{"appendonly", "yes"}});
  ASSERT_EQ(server.load(), "");
  env_.hold_children = true;
  bool sent = false;
  ASSERT_TRUE(server.persistence
                  .fork_child(
                      ChildPurpose::kReplication, [] { return 0; },
                      [&](const ChildExit& exit) { sent = exit.ok; })
                  .ok());
  EXPECT_FALSE(server.persistence.start_background_save().ok());
  EXPECT_FALSE(server.persistence.start_rewrite().ok());
  server.persistence.schedule_background_save();
  server.persistence.schedule_rewrite();
  env_.hold_children = false;
  server.cron();
  EXPECT_TRUE(sent);
  for (int i = 0; i < 3; ++i) server.cron();
  EXPECT_EQ(server.persistence.info().rdb_saves, 1u);
  EXPECT_EQ(server.persistence.info().aof_rewrites, 1u);
}

TEST_F(PersistenceTest, ABadFileStopsTheStartAndStaysAsItIs) {
  Keyspace keyspace(16);
  keyspace.database(0).set_string("k", "v");
  const std::string good = snapshot_of({.keyspace = &keyspace, .libraries = {kLibrary}});
  std::string damaged = good;
  damaged[good.size() - 3] ^= 1;
  for (const std::string& bytes : {good.substr(0, good.size() / 2), damaged,
                                   std::string("#!/bin/sh\necho hello"), std::string()}) {
    env_.content("/data/dump.rdb") = bytes;
    EXPECT_THAT(start().load(), HasSubstr("Can't load the RDB file /data/dump.rdb: "));
    EXPECT_THAT(server_->load(), HasSubstr(" at offset "));
    EXPECT_EQ(env_.content("/data/dump.rdb"), bytes);
  }
  env_.content("/data/dump.rdb") = good;
  TestServer& server = start();
  server.library_error = "Error compiling function";
  EXPECT_THAT(server.load(), HasSubstr("Can't load the functions of the RDB file /data/dump.rdb: "
                                       "Error compiling function"));
}

TEST_F(PersistenceTest, ReloadKeepsTheDatasetWhenTheFileIsBad) {
  TestServer& server = start();
  ASSERT_EQ(server.load(), "");
  server.run("SET", "k", "v");
  ASSERT_TRUE(server.persistence.save().ok());
  server.run("SET", "k2", "unsaved");
  env_.content("/data/dump.rdb").pop_back();
  const Contents before = server.contents();
  EXPECT_FALSE(server.persistence.reload_from_rdb().ok());
  EXPECT_EQ(server.contents(), before);
  ASSERT_TRUE(server.persistence.save().ok());
  server.run("SET", "k3", "unsaved");
  ASSERT_TRUE(server.persistence.reload_from_rdb().ok());
  EXPECT_EQ(server.contents(), before);
}

TEST_F(PersistenceTest, ReloadAddsToTheDataset) {
  TestServer& server = start();
  ASSERT_EQ(server.load(), "");
  server.run("SET", "k", "saved");
  server.run("SET", "only in the file", "v");
  const Contents saved = server.contents();
  ASSERT_TRUE(server.persistence.save().ok());
  server.run("DEL", "only in the file");
  server.run("SET", "k", "changed");
  server.run("SET", "other", "unsaved");
  const Contents before = server.contents();
  const Status refused = server.persistence.reload_from_rdb(ReloadMode::kAdd);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("key \"k\" in database 0 already"));
  EXPECT_EQ(server.contents(), before);

  Contents merged = saved;
  merged.insert(before.begin(), before.end());
  ASSERT_TRUE(server.persistence.reload_from_rdb(ReloadMode::kMerge).ok());
  EXPECT_EQ(server.contents(), merged);
  server.run("DEL", "k");
  server.run("DEL", "only in the file");
  ASSERT_TRUE(server.persistence.reload_from_rdb(ReloadMode::kAdd).ok());
  EXPECT_EQ(server.contents(), merged);
}

TEST_F(PersistenceTest, TheAofIsReloadedInPlace) {
  TestServer& server = start({{"appendonly", "yes"}});
  ASSERT_EQ(server.load(), "");
  server.run("SET", "k", "v");
  server.run("FUNCTION", "LOAD", kLibrary);
  const Contents before = server.contents();
  ASSERT_TRUE(server.persistence.reload_from_aof().ok());
  EXPECT_EQ(server.contents(), before);
  EXPECT_THAT(server.libraries, ElementsAre(kLibrary));
  server.run("SET", "k2", "v");
  server.turn();
  EXPECT_THAT(env_.content("/data/appendonlydir/appendonly.aof.1.incr.aof"), HasSubstr("k2"));
}

TEST_F(PersistenceTest, AServerWithoutAofLoadsTheRdbBesideAnAof) {
  TestServer& server = start({{"appendonly", "yes"}});
  ASSERT_EQ(server.load(), "");
  server.run("SET", "in", "both");
  ASSERT_TRUE(server.persistence.save().ok());
  server.run("SET", "in", "the AOF");
  server.turn();
  TestServer& next = start();
  ASSERT_EQ(next.load(), "");
  EXPECT_EQ(next.contents(), (Contents{{{0, "in"}, "string:both"}}));
}

TEST_F(PersistenceTest, ShutDownLeavesEverythingOnDisk) {
  TestServer& server = start({{"appendonly", "yes"}});
  ASSERT_EQ(server.load(), "");
  server.run("SET", "k", "v");
  ASSERT_TRUE(server.persistence.shut_down(/*save=*/true).ok());
  env_.lose_power();
  for (const char* appendonly : {"yes", "no"}) {
    TestServer& next = start({{"appendonly", appendonly}});
    ASSERT_EQ(next.load(), "");
    EXPECT_EQ(next.contents(), (Contents{{{0, "k"}, "string:v"}})) << appendonly;
  }
  env_.fail(".rdb", "No space left on device");
  EXPECT_FALSE(server_->persistence.shut_down(/*save=*/true).ok());
}

TEST_F(PersistenceTest, AnExpiredKeyStaysExpired) {
  TestServer& server = start({{"appendonly", "yes"}});
  ASSERT_EQ(server.load(), "");
  server.run("SET", "k", "v");
  server.run("PEXPIREAT", "k", std::to_string(clock_.wall_ms() + 1000));
  server.run("SET", "kept", "v");
  ASSERT_TRUE(server.persistence.save().ok());
  server.turn();
  clock_.advance_ms(2000);
  TestServer& from_rdb = start();
  ASSERT_EQ(from_rdb.load(), "");
  EXPECT_EQ(from_rdb.contents(), (Contents{{{0, "kept"}, "string:v"}}));
  EXPECT_EQ(from_rdb.persistence.info().rdb_last_load_keys_expired, 1u);
  TestServer& from_aof = start({{"appendonly", "yes"}});
  ASSERT_EQ(from_aof.load(), "");
  EXPECT_EQ(from_aof.keyspace.database(0).find("k"), nullptr);
}

}  // namespace
}  // namespace tandem
