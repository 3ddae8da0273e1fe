#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/persistence/aof_fixture.h"

namespace tandem {
namespace {

using namespace std::string_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string command(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return out;
}

TEST_F(AofTest, BeginsWithABaseAndAnIncrementalFile) {
  TestServer& server = start();
  ASSERT_EQ(server.load(), "");
  EXPECT_EQ(env_.content(kDir + "appendonly.aof.manifest"),
            "file appendonly.aof.1.base.rdb seq 1 type b\n"
            "file appendonly.aof.1.incr.aof seq 1 type i\n");
  server.run("SET", "k", "v");
  server.run("SELECT", "3");
  server.run("INCRTWICE", "a", "b");
  server.turn();
  EXPECT_EQ(env_.content(kDir + "appendonly.aof.1.incr.aof"),
            command({"SELECT", "0"}) + command({"SET", "k", "v"}) + command({"SELECT", "3"}) +
                command({"MULTI"}) + command({"INCR", "a"}) + command({"INCR", "b"}) +
                command({"EXEC"}));
}

TEST_F(AofTest, ARestartFindsEverything) {
  ASSERT_EQ(start().load(), "");
  server_->run("SET", "k", "v");
  server_->run("HSET", "h", "f", "v");
  server_->run("FUNCTION", "LOAD", kLibrary);
  server_->run("SELECT", "9");
  server_->run("INCR", "n");
  server_->run("PEXPIREAT", "n", "1700000060000");
  server_->turn();
  const Contents before = server_->contents();
  TestServer& server = restart();
  EXPECT_EQ(server.contents(), before);
  EXPECT_THAT(server.libraries, ElementsAre(kLibrary));
  // The file goes on where it was.
  server.run("INCR", "n");
  server.turn();
  const Contents later = server.contents();
  EXPECT_EQ(restart().contents(), later);
}

TEST_F(AofTest, WritesTimestamps) {
  TestServer& server = start({{"aof-timestamp-enabled", "yes"}});
  ASSERT_EQ(server.load(), "");
  server.run("INCR", "n");
  server.run("INCR", "n");
  clock_.advance_ms(1000);
  server.run("INCR", "n");
  server.turn();
  EXPECT_EQ(env_.content(kDir + "appendonly.aof.1.incr.aof"),
            "#TS:1700000000\r\n" + command({"SELECT", "0"}) + command({"INCR", "n"}) +
                command({"INCR", "n"}) + "#TS:1700000001\r\n" + command({"INCR", "n"}));
  const Contents before = server.contents();
  EXPECT_EQ(restart().contents(), before);
}

TEST_F(AofTest, ARewriteReplacesBaseAndHistory) {
  for (const char* preamble : {"yes", "no"}) {
    TestServer& server = start({{"aof-use-rdb-preamble", preamble}});
    ASSERT_EQ(server.load(), "");
    server.run("FUNCTION", "LOAD", kLibrary);
    for (int i = 0; i < 200; ++i) {
      server.run("HSET", "h", "field" + std::to_string(i), std::to_string(i));
    }
    server.run("SET", "soon", "gone");
    server.run("PEXPIREAT", "soon", "1700000060000");
    server.turn();
    ASSERT_TRUE(server.persistence.start_rewrite().ok());
    server.run("SET", "during", "the rewrite");
    server.turn();
    EXPECT_TRUE(server.persistence.info().aof_rewrite_in_progress);
    server.cron();
    EXPECT_FALSE(server.persistence.info().aof_rewrite_in_progress);
    EXPECT_EQ(server.persistence.info().aof_rewrites, 1u);
    server.run("SET", "after", "it");
    server.turn();
    const Contents before = server.contents();
    const std::vector<std::string> libraries = server.libraries;
    // Base, incremental file, lock, manifest; the history is gone.
    EXPECT_EQ(env_.files().size(), 3u) << testing::PrintToString(env_.files());
    EXPECT_THAT(env_.content(kDir + "appendonly.aof.manifest"), Not(HasSubstr("type h")));
    TestServer& next = restart();
    EXPECT_EQ(next.contents(), before);
    EXPECT_EQ(next.libraries, libraries);
  }
}

TEST_F(AofTest, AFailedRewriteLosesNothing) {
  ASSERT_EQ(start().load(), "");
  server_->run("SET", "k", "v");
  server_->turn();
  env_.fail("temp-rewriteaof", "No space left on device");
  ASSERT_TRUE(server_->persistence.start_rewrite().ok());
  server_->run("SET", "k2", "v");
  server_->settle();
  EXPECT_FALSE(server_->persistence.info().aof_rewrite_in_progress);
  EXPECT_FALSE(server_->persistence.info().aof_last_bgrewrite_ok);
  env_.stop_failing();
  const Contents before = server_->contents();
  EXPECT_EQ(restart().contents(), before);
}

TEST_F(AofTest, GrowthStartsARewrite) {
  TestServer& server = start({{"auto-aof-rewrite-min-size", "1kb"}});
  ASSERT_EQ(server.load(), "");
  server.run("SET", "k", std::string(400, 'x'));
  server.cron();
  EXPECT_EQ(server.persistence.info().aof_rewrites, 0u);
  server.run("SET", "k", std::string(900, 'x'));
  for (int i = 0; i < 3; ++i) server.cron();
  EXPECT_EQ(server.persistence.info().aof_rewrites, 1u);
  // The base is what the growth is measured by from now on.
  for (int i = 0; i < 3; ++i) server.cron();
  EXPECT_EQ(server.persistence.info().aof_rewrites, 1u);
}

TEST_F(AofTest, IsTurnedOnAndOffWhileTheServerRuns) {
  env_.content(kDir + "x");
  server_.emplace(env_, clock_, std::vector<std::pair<std::string, std::string>>{});
  ASSERT_EQ(server_->load(), "");
  server_->run("SET", "before", "it was on");
  server_->turn();
  server_->configure("appendonly", "yes");
  server_->turn();
  server_->run("SET", "during", "the first rewrite");
  server_->settle();
  server_->run("SET", "after", "it");
  server_->turn();
  const Contents before = server_->contents();
  EXPECT_EQ(restart().contents(), before);

  server_->configure("appendonly", "no");
  server_->run("SET", "unseen", "by the AOF");
  server_->turn();
  EXPECT_FALSE(server_->persistence.info().aof_enabled);
  EXPECT_EQ(restart().contents(), before);
}

// The files of a history that is being deleted and new ones must not have the same names.
TEST_F(AofTest, ARewriteWhileItIsOffDoesNotEndWhatFollows) {
  ASSERT_EQ(start().load(), "");
  server_->run("SET", "before", "it was off");
  server_->turn();
  server_->configure("appendonly", "no");
  ASSERT_TRUE(server_->persistence.start_rewrite().ok());
  server_->cron();
  server_->turn();
  server_->configure("appendonly", "yes");
  server_->settle();
  server_->run("SET", "after", "it");
  server_->turn();
  server_->cron();
  const Contents before = server_->contents();
  EXPECT_EQ(restart().contents(), before);
}

TEST_F(AofTest, ANewDatasetBeginsANewHistory) {
  ASSERT_EQ(start().load(), "");
  server_->run("SET", "old", "dataset");
  server_->turn();
  Keyspace other(16);
  other.database(0).set_string("new", "dataset");
  server_->keyspace.swap_contents(other);
  server_->persistence.dataset_replaced();
  server_->turn();
  server_->persistence.on_forwarded_stream(2, command({"INCR", "n"}));
  server_->settle();
  server_->persistence.on_forwarded_stream(2, command({"INCR", "n"}));
  server_->turn();
  EXPECT_EQ(restart().contents(),
            (Contents{{{0, "new"}, "string:dataset"}, {{2, "n"}, "string:2"}}));
}

// REPLCONF ACK tells the new primary how much of *its* stream is durable.
TEST_F(AofTest, ANewDatasetForgetsHowMuchOfTheOldStreamWasDurable) {
  ASSERT_EQ(start().load(), "");
  ReplicationPosition position{std::string(40, 'a'), 1000, 0};
  server_->persistence.hooks().replication_position = [&] { return position; };
  server_->run("SET", "old", "dataset");
  ASSERT_TRUE(server_->persistence.sync_aof().ok());
  EXPECT_EQ(server_->persistence.synced_position(), 1000u);
  position.offset = 10;
  server_->persistence.dataset_replaced();
  EXPECT_EQ(server_->persistence.synced_position(), 0u);
  server_->settle();
  EXPECT_EQ(server_->persistence.synced_position(), 10u);
  server_->persistence.on_forwarded_stream(0, command({"INCR", "n"}));
  position.offset = 20;
  ASSERT_TRUE(server_->persistence.sync_aof().ok());
  EXPECT_EQ(server_->persistence.synced_position(), 20u);
}

TEST_F(AofTest, AFirstRewriteUnderWayIsFinishedBeforeLeaving) {
  for (const bool running : {true, false}) {
    server_.reset();
    env_.kill();
    env_.hold_children = running;
    server_.emplace(env_, clock_, std::vector<std::pair<std::string, std::string>>{});
    ASSERT_EQ(server_->load(), "");
    server_->run("SET", "before", "it was on");
    if (!running) env_.fail("temp-rewriteaof", "No space left on device");
    server_->configure("appendonly", "yes");
    server_->run("SET", "during", "the first rewrite");
    server_->turn();
    env_.stop_failing();
    const Contents before = server_->contents();
    ASSERT_TRUE(server_->persistence.shut_down(/*save=*/false).ok());
    env_.lose_power();
    EXPECT_EQ(restart().contents(), before) << running;
  }
}

TEST_F(AofTest, UntilItIsRewrittenANewDatasetDoesNotTouchTheOldFiles) {
  ASSERT_EQ(start().load(), "");
  server_->run("SET", "old", "dataset");
  server_->turn();
  Keyspace other(16);
  server_->keyspace.swap_contents(other);
  server_->persistence.dataset_replaced();
  server_->run("SET", "new", "dataset");
  server_->turn();
  EXPECT_EQ(restart().contents(), (Contents{{{0, "old"}, "string:dataset"}}));
}

TEST_F(AofTest, TwoServersDoNotShareADirectory) {
  ASSERT_EQ(start().load(), "");
  TestServer second(env_, clock_, {{"appendonly", "yes"}});
  EXPECT_THAT(second.load(), HasSubstr("in use by another server"));
}

// What a last file that ends inside a command, or an open MULTI, is cut to.
TEST_F(AofTest, ACutTailIsDroppedWhenThatIsAllowed) {
  const std::string whole = command({"SELECT", "0"}) + command({"SET", "k", "v"});
  const std::string last =
      command({"MULTI"}) + command({"INCR", "a"}) + command({"INCR", "b"}) + command({"EXEC"});
  for (size_t kept = 0; kept <= last.size(); ++kept) {
    env_.content(kDir + "appendonly.aof.1.incr.aof") = whole + last.substr(0, kept);
    env_.content(kDir + "appendonly.aof.manifest") =
        "file appendonly.aof.1.incr.aof seq 1 type i\n";
    TestServer& server = restart();
    Contents expected = {{{0, "k"}, "string:v"}};
    if (kept == last.size()) {
      expected[{0, "a"}] = "string:1";
      expected[{0, "b"}] = "string:1";
    }
    EXPECT_EQ(server.contents(), expected) << kept;
    EXPECT_EQ(env_.content(kDir + "appendonly.aof.1.incr.aof").size(),
              whole.size() + (kept == last.size() ? kept : 0));
  }
}

TEST_F(AofTest, ACutTailStopsTheStartWhenThatIsNotAllowed) {
  const std::string content = command({"SET", "k", "v"}) + "*2\r\n$3\r\n";
  env_.content(kDir + "appendonly.aof.1.incr.aof") = content;
  env_.content(kDir + "appendonly.aof.manifest") = "file appendonly.aof.1.incr.aof seq 1 type i\n";
  EXPECT_THAT(start({{"aof-load-truncated", "no"}}).load(),
              HasSubstr("at offset 27. Make a backup"));
  EXPECT_EQ(env_.content(kDir + "appendonly.aof.1.incr.aof"), content);
  // Only the last file may be cut short.
  env_.content(kDir + "appendonly.aof.2.incr.aof") = command({"SET", "k", "v"});
  env_.content(kDir + "appendonly.aof.manifest") =
      "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
  EXPECT_THAT(start().load(), HasSubstr("not the last"));
}

TEST_F(AofTest, DamageStopsTheStartAndChangesNothing) {
  const auto error = [&](const std::string& content) {
    env_.content(kDir + "appendonly.aof.1.incr.aof") = content;
    env_.content(kDir + "appendonly.aof.manifest") =
        "file appendonly.aof.1.incr.aof seq 1 type i\n";
    const std::string text = start().load();
    EXPECT_EQ(env_.content(kDir + "appendonly.aof.1.incr.aof"), content);
    return text;
  };
  const std::string good = command({"SET", "k", "v"});
  EXPECT_THAT(error(good + "garbage" + good),
              HasSubstr("/data/appendonlydir/appendonly.aof.1.incr.aof: bad file format: expected "
                        "an array of arguments ('*') at offset 27"));
  EXPECT_THAT(error("*3\r\n$3\r\nSET\r\n$1\r\nkk\r\n$1\r\nv\r\n"), HasSubstr("offset 18"));
  EXPECT_THAT(error("*0\r\n"), HasSubstr("at least one argument"));
  EXPECT_THAT(error("*99999999999999999999\r\n"), HasSubstr("a smaller number"));
  EXPECT_THAT(error("*1\r\n$-1\r\n"), HasSubstr("a digit"));
  EXPECT_THAT(error(command({"NOSUCH", "x"})),
              HasSubstr("the command \"NOSUCH\" is not supported by this server at offset 0"));
  EXPECT_THAT(error(command({"SET", "x"})), HasSubstr("wrong number of arguments (1) for \"set\""));
  EXPECT_THAT(error(command({"SHUTDOWN"})), HasSubstr("cannot be part of an AOF"));
  EXPECT_THAT(error(command({"MULTI"}) + command({"MULTI"})), HasSubstr("MULTI inside"));
  EXPECT_THAT(error(command({"SET", "k", "v"}) + command({"EXEC"})),
              HasSubstr("an EXEC without a MULTI at offset 27"));
  EXPECT_THAT(error(command({"MULTI"}) + command({"INCR", "a"}) + command({"EXEB"})),
              HasSubstr("\"EXEB\" is not supported"));
  EXPECT_THAT(error(std::string(5000, '#')), HasSubstr("the end of an annotation line"));
}

TEST_F(AofTest, AMissingFileStopsTheStart) {
  env_.content(kDir + "appendonly.aof.manifest") = "file appendonly.aof.7.incr.aof seq 7 type i\n";
  EXPECT_THAT(start().load(), HasSubstr("appendonly.aof.7.incr.aof does not exist"));
}

TEST_F(AofTest, ASingleFileOfAnOldServerIsTakenOver) {
  Keyspace keyspace(16);
  keyspace.database(1).set_string("snapshot", "part");
  env_.content("/data/appendonly.aof") =
      snapshot_of({.keyspace = &keyspace, .libraries = {kLibrary}}) + command({"SELECT", "2"}) +
      command({"SET", "command", "part"}) + "*1\r\n$";
  TestServer& server = restart();
  const Contents expected = {{{1, "snapshot"}, "string:part"}, {{2, "command"}, "string:part"}};
  EXPECT_EQ(server.contents(), expected);
  EXPECT_FALSE(env_.exists("/data/appendonly.aof"));
  EXPECT_EQ(env_.content(kDir + "appendonly.aof.manifest"),
            "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
  EXPECT_EQ(restart().contents(), expected);
}

TEST_F(AofTest, WritesAreRefusedWhileTheDiskIsFullAndKeptForLater) {
  TestServer& server = start({{"appendfsync", "everysec"}});
  ASSERT_EQ(server.load(), "");
  server.run("INCR", "n");
  server.turn();
  env_.fail("incr.aof", "No space left on device");
  server.run("INCR", "n");
  server.turn();
  EXPECT_EQ(server.misconf(), "MISCONF Errors writing to the AOF file: No space left on device");
  EXPECT_FALSE(server.persistence.info().aof_last_write_ok);
  server.run("INCR", "n");  // refused
  EXPECT_EQ(server.contents(), (Contents{{{0, "n"}, "string:2"}}));
  clock_.advance_ms(1100);
  server.turn();
  EXPECT_NE(server.misconf(), "");
  env_.stop_failing();
  clock_.advance_ms(1100);
  server.turn();
  server.cron();
  EXPECT_EQ(server.misconf(), "");
  server.run("INCR", "n");
  server.turn();
  EXPECT_EQ(restart().contents(), (Contents{{{0, "n"}, "string:3"}}));
}

TEST_F(AofTest, AFailedSyncLeadsToANewBase) {
  TestServer& server = start({{"appendfsync", "everysec"}});
  ASSERT_EQ(server.load(), "");
  env_.fail_syncs(true);
  server.run("INCR", "n");
  clock_.advance_ms(1100);
  server.turn();
  server.cron();
  EXPECT_EQ(server.misconf(), "MISCONF Errors writing to the AOF file: I/O error");
  env_.fail_syncs(false);
  // The rewrite that was tried at once has failed as well; there will be another.
  server.cron();
  clock_.advance_ms(5000);
  server.settle();
  EXPECT_EQ(server.misconf(), "");
  EXPECT_EQ(server.persistence.info().aof_rewrites, 1u);
  server_.reset();
  env_.lose_power();
  EXPECT_EQ(restart().contents(), (Contents{{{0, "n"}, "string:1"}}));
}

// A disk may forget what it could not sync and then call the next sync a success.
TEST_F(AofTest, AfterAFailedSyncWritesAreRefusedUntilTheFileIsReplaced) {
  TestServer& server = start({{"appendfsync", "always"}});
  ASSERT_EQ(server.load(), "");
  server.run("INCR", "n");
  server.turn();
  env_.fail_syncs(true);
  server.run("INCR", "n");
  server.turn();
  env_.fail_syncs(false);
  env_.hold_children = true;
  for (int i = 0; i < 5; ++i) {
    clock_.advance_ms(1100);
    server.cron();
    EXPECT_EQ(server.misconf(), "MISCONF Errors writing to the AOF file: I/O error");
    EXPECT_FALSE(server.persistence.info().aof_last_write_ok);
  }
  EXPECT_TRUE(server.persistence.info().aof_rewrite_in_progress);
  env_.hold_children = false;
  server.settle();
  EXPECT_EQ(server.misconf(), "");
  server.run("INCR", "n");
  server.turn();
  server_.reset();
  env_.lose_power();
  EXPECT_EQ(restart().contents(), (Contents{{{0, "n"}, "string:3"}}));
}

TEST_F(AofTest, AMachineThatIsLostAfterAFailedSyncKeepsWhatWasDurable) {
  for (const bool while_replacing : {false, true}) {
    MemoryEnv env;
    std::optional<TestServer> server(std::in_place, env, clock_,
                                     std::vector<std::pair<std::string, std::string>>{
                                         {"appendonly", "yes"}, {"appendfsync", "always"}});
    ASSERT_EQ(server->load(), "");
    server->run("INCR", "n");
    server->turn();
    env.fail_syncs(true);
    server->run("INCR", "n");
    server->turn();
    env.fail_syncs(false);
    env.hold_children = true;
    if (while_replacing) server->cron();
    server.reset();
    env.lose_power();
    server.emplace(env, clock_,
                   std::vector<std::pair<std::string, std::string>>{{"appendonly", "yes"}});
    ASSERT_EQ(server->load(), "");
    EXPECT_EQ(server->contents(), (Contents{{{0, "n"}, "string:1"}}));
  }
}

TEST_F(AofTest, AFailedSyncDuringItsRepairLeadsToAnotherOne) {
  TestServer& server = start({{"appendfsync", "everysec"}});
  ASSERT_EQ(server.load(), "");
  server.run("INCR", "n");
  env_.fail_syncs(true);
  server.cron();
  for (int i = 0; i < 20; ++i) {
    clock_.advance_ms(70'000);
    server.cron();
    EXPECT_NE(server.misconf(), "");
  }
  EXPECT_EQ(server.persistence.info().aof_rewrites, 0u);
  env_.fail_syncs(false);
  clock_.advance_ms(70'000);
  server.settle();
  EXPECT_EQ(server.misconf(), "");
  server_.reset();
  env_.lose_power();
  EXPECT_EQ(restart().contents(), (Contents{{{0, "n"}, "string:1"}}));
}

TEST_F(AofTest, LeavingAfterAFailedSyncWritesTheDatasetAnew) {
  TestServer& server = start({{"appendfsync", "everysec"}});
  ASSERT_EQ(server.load(), "");
  server.run("INCR", "n");
  env_.fail_syncs(true);
  clock_.advance_ms(1100);
  server.turn();
  EXPECT_FALSE(server.persistence.shut_down(false).ok());
  env_.fail_syncs(false);
  EXPECT_TRUE(server.persistence.shut_down(false).ok());
  server_.reset();
  env_.lose_power();
  EXPECT_EQ(restart().contents(), (Contents{{{0, "n"}, "string:1"}}));
}

TEST_F(AofTest, WhatIsLoadedIsDurable) {
  TestServer& server = start({{"appendfsync", "everysec"}});
  ASSERT_EQ(server.load(), "");
  server.turn();
  server.run("SET", "k", "v");
  server.persistence.end_of_turn();
  // Killed before the sync: the system has the write, the disk may not.
  restart();
  server_.reset();
  env_.lose_power();
  EXPECT_EQ(restart().contents(), (Contents{{{0, "k"}, "string:v"}}));
}

}  // namespace
}  // namespace tandem
