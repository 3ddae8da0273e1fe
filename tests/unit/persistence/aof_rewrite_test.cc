#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/persistence/test_server.h"

namespace tandem {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kDir = "/data/appendonlydir/";
const std::string kManifest = kDir + "appendonly.aof.manifest";
const std::string kFirstFile = kDir + "appendonly.aof.1.incr.aof";
const std::string kSecondFile = kDir + "appendonly.aof.2.incr.aof";

// A rewrite step by step: each of its jobs runs when the test says so, as on a slow disk.
class AofRewriteTest : public ::testing::Test {
 protected:
  void start(const std::string& appendfsync = "everysec") {
    server_.reset();
    env_.kill();
    server_.emplace(env_, clock_,
                    std::vector<std::pair<std::string, std::string>>{{"appendonly", "yes"},
                                                                     {"appendfsync", appendfsync}});
    ASSERT_EQ(server_->load(), "");
    server_->turn();
  }
  void lose_power_and_start() {
    server_.reset();
    env_.lose_power();
    start();
  }
  // A turn of the loop in which no job runs.
  template <typename... Words>
  void turn(Client& as, const Words&... words) {
    server_->run_as(as, words...);
    server_->end_of_turn();
  }
  template <typename... Words>
  void turn(const Words&... words) {
    turn(*server_->client, words...);
  }
  // Up to the fork: what is left to do is to make the file before it durable.
  void begin_to_switch() {
    ASSERT_TRUE(server_->persistence.start_rewrite().ok());
    env_.end_job(env_.jobs() - 1);
    ASSERT_EQ(server_->persistence.info().total_forks, forks_ + 1);
    forks_ = server_->persistence.info().total_forks;
  }
  void end_jobs() {
    env_.run_jobs();
    server_->end_of_turn();
    env_.run_jobs();
  }
  // So many of a rewrite's steps, each with a write before it: half a job, or what the loop does
  // when there is none.
  void go_on(int steps) {
    for (int i = 0; i < steps; ++i) {
      turn("INCR", "n");
      if (i % 2 == 0 && env_.jobs() > 0) {
        env_.begin_job(0);
      } else if (env_.jobs() > 0) {
        env_.end_job(0);
      }
      if (env_.jobs() == 0) server_->persistence.cron();
    }
  }
  bool rewriting() { return server_->persistence.info().aof_rewrite_in_progress; }

  using Connection = TestConnection;

  MemoryEnv env_;
  ManualClock clock_;
  std::optional<TestServer> server_;
  uint64_t forks_ = 0;
};

TEST_F(AofRewriteTest, TheLoopDoesNotTouchTheDiskForIt) {
  start();
  turn("SET", "k", "v");
  // The process would die at any change of the disk.
  env_.die_at(1);
  ASSERT_TRUE(server_->persistence.start_rewrite().ok());
  env_.die_at(-1);
  EXPECT_TRUE(rewriting());
  env_.run_jobs();
  env_.die_at(1);
  server_->persistence.cron();
  env_.die_at(-1);
  EXPECT_TRUE(rewriting());
  env_.run_jobs();
  EXPECT_FALSE(rewriting());
  EXPECT_EQ(server_->persistence.info().aof_rewrites, 1u);
}

TEST_F(AofRewriteTest, NothingElseBeginsWhileItIsPrepared) {
  start();
  turn("SET", "k", "v");
  ASSERT_TRUE(server_->persistence.start_rewrite().ok());
  EXPECT_EQ(server_->persistence.child(), ChildPurpose::kAofRewrite);
  EXPECT_FALSE(server_->persistence.start_rewrite().ok());
  EXPECT_FALSE(server_->persistence.start_background_save().ok());
  server_->persistence.schedule_background_save();
  server_->settle();
  EXPECT_EQ(server_->persistence.info().aof_rewrites, 1u);
  EXPECT_EQ(server_->persistence.info().rdb_saves, 1u);
}

TEST_F(AofRewriteTest, UntilTheForkWritesGoToTheFileBefore) {
  start();
  turn("SET", "k", "v");
  env_.run_jobs();
  ASSERT_TRUE(server_->persistence.start_rewrite().ok());
  env_.begin_job(0);
  EXPECT_THAT(env_.content(kManifest), HasSubstr("appendonly.aof.2.incr.aof"));
  turn("SET", "k2", "v");
  EXPECT_THAT(env_.content(kFirstFile), HasSubstr("k2"));
  EXPECT_EQ(env_.content(kSecondFile), "");
  // Killed within a write: not the last file, but the last that has anything in it.
  const Contents whole = server_->contents();
  env_.content(kFirstFile) += "*3\r\n$3\r\nSET\r\n$2";
  server_.reset();
  start();
  EXPECT_EQ(server_->contents(), whole);
  turn("SET", "k3", "v");
  EXPECT_THAT(env_.content(kSecondFile), HasSubstr("k3"));
  const Contents after = server_->contents();
  start();
  EXPECT_EQ(server_->contents(), after);
}

// The start after that goes on in the next file, and what it found has to be durable before.
TEST_F(AofRewriteTest, WhatAKilledProcessHadWrittenIsDurableBeforeMoreIs) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    env_ = MemoryEnv(seed);
    start();
    turn("SET", "k", "v");
    env_.run_jobs();
    ASSERT_TRUE(server_->persistence.start_rewrite().ok());
    env_.begin_job(0);
    turn("SET", "written", "and not synced");
    start();
    const Contents whole = server_->contents();
    EXPECT_EQ(whole.size(), 2u);
    lose_power_and_start();
    EXPECT_EQ(server_->contents(), whole) << seed;
  }
}

// Else a machine that is lost could keep what came later and not what came before.
TEST_F(AofRewriteTest, TheNextFileIsWrittenOnceTheOneBeforeItIsDurable) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    env_ = MemoryEnv(seed);
    forks_ = 0;
    start();
    env_.hold_children = true;
    turn("SET", "before", "the fork");
    begin_to_switch();
    turn("SET", "after", "the fork");
    EXPECT_EQ(env_.content(kSecondFile), "");
    const bool durable = seed % 2 == 0;
    if (durable) end_jobs();
    const Contents whole = server_->contents();
    lose_power_and_start();
    if (server_->contents() == whole) continue;
    Contents found = server_->contents();
    EXPECT_FALSE(found.contains({0, "after"}));
    EXPECT_EQ(found.contains({0, "before"}), true)
        << "it was synced before the manifest was written";
  }
}

TEST_F(AofRewriteTest, ReadsDoNotWaitForASlowSwitch) {
  start("always");
  Connection reader(*server_), writer(*server_);
  turn(*writer.client, "SET", "k", "v");
  begin_to_switch();
  turn(*reader.client, "GET", "nothing");
  // It may have seen the write that is not durable yet.
  EXPECT_TRUE(reader.held());
  end_jobs();
  EXPECT_FALSE(reader.held() || writer.held());

  server_->settle();
  begin_to_switch();
  EXPECT_EQ(env_.jobs(), 0u) << "there was nothing to be made durable";
  Connection another(*server_);
  turn(*another.client, "GET", "k");
  EXPECT_FALSE(another.held());
}

TEST_F(AofRewriteTest, AReplyFollowsWhatItTellsOfThroughASwitch) {
  start("always");
  env_.hold_children = true;
  Connection before(*server_), after(*server_);
  turn(*before.client, "INCR", "n");
  begin_to_switch();
  turn(*after.client, "INCR", "n");
  EXPECT_TRUE(before.held() && after.held());
  // The sync of the old file that ran before covers the first write; the second is not even
  // written.
  env_.end_job(0);
  EXPECT_FALSE(before.held());
  EXPECT_TRUE(after.held());
  env_.run_jobs();
  EXPECT_TRUE(after.held());
  server_->end_of_turn();
  EXPECT_THAT(env_.content(kSecondFile), HasSubstr("INCR"));
  EXPECT_TRUE(after.held());
  env_.run_jobs();
  EXPECT_FALSE(after.held());
  lose_power_and_start();
  EXPECT_EQ(server_->contents(), (Contents{{{0, "n"}, "string:2"}}));
}

// What waits to be written is lost with the process.
TEST_F(AofRewriteTest, RepliesWaitUntilTheSystemHasWhatTheyTellOf) {
  for (const char* policy : {"everysec", "no"}) {
    SCOPED_TRACE(policy);
    start(policy);
    forks_ = 0;
    Connection reader(*server_), writer(*server_);
    turn("INCR", "n");
    begin_to_switch();
    turn(*reader.client, "GET", "n");
    EXPECT_FALSE(reader.held());
    turn(*writer.client, "INCR", "n");
    EXPECT_TRUE(writer.held());
    end_jobs();
    EXPECT_FALSE(writer.held());
  }
}

TEST_F(AofRewriteTest, HeldRepliesGoOutThoughNothingIsSyncedDuringARewrite) {
  start("always");
  server_->configure("no-appendfsync-on-rewrite", "yes");
  env_.hold_children = true;
  Connection writer(*server_);
  turn("INCR", "n");
  begin_to_switch();
  turn(*writer.client, "INCR", "n");
  EXPECT_TRUE(writer.held());
  end_jobs();
  EXPECT_FALSE(writer.held());
}

TEST_F(AofRewriteTest, AFileThatCannotBeMadeDurableIsReplaced) {
  start("always");
  Connection writer(*server_);
  turn("INCR", "n");
  env_.run_jobs();
  turn("INCR", "n");
  begin_to_switch();
  turn(*writer.client, "INCR", "n");
  env_.fail_syncs(true);
  env_.run_jobs();
  server_->end_of_turn();
  EXPECT_TRUE(writer.link.closed) << "it must not hear of what may be lost";
  EXPECT_NE(server_->misconf(), "");
  env_.fail_syncs(false);
  for (int i = 0; i < 3; ++i) {
    clock_.advance_ms(5000);
    server_->settle();
  }
  EXPECT_EQ(server_->misconf(), "");
  const Contents whole = server_->contents();
  lose_power_and_start();
  EXPECT_EQ(server_->contents(), whole);
}

TEST_F(AofRewriteTest, APreparationThatFailsChangesNothing) {
  for (const char* part : {"2.incr", "manifest", "fork"}) {
    SCOPED_TRACE(part);
    env_ = MemoryEnv();
    start();
    turn("SET", "k", "v");
    env_.fail(part, "No space left on device");
    ASSERT_TRUE(server_->persistence.start_rewrite().ok());
    env_.run_jobs();
    EXPECT_FALSE(rewriting());
    EXPECT_FALSE(server_->persistence.info().aof_last_bgrewrite_ok);
    EXPECT_EQ(server_->persistence.child(), ChildPurpose::kNone);
    EXPECT_EQ(server_->misconf(), "");
    env_.stop_failing();
    turn("SET", "k2", "v");
    EXPECT_THAT(env_.content(kFirstFile), HasSubstr("k2"));
    ASSERT_TRUE(server_->persistence.start_rewrite().ok());
    server_->settle();
    EXPECT_TRUE(server_->persistence.info().aof_last_bgrewrite_ok);
    EXPECT_EQ(env_.files().size(), 3u) << testing::PrintToString(env_.files());
    EXPECT_THAT(env_.content(kManifest), Not(HasSubstr("type h")));
    const Contents whole = server_->contents();
    lose_power_and_start();
    EXPECT_EQ(server_->contents(), whole);
  }
}

// Something else happens after each number of the rewrite's steps.
TEST_F(AofRewriteTest, ItCanBeGivenUpAtAnyTime) {
  enum class Event { kOff, kOffAndOn, kNewDataset, kLeave, kReload };
  for (const Event event :
       {Event::kOff, Event::kOffAndOn, Event::kNewDataset, Event::kLeave, Event::kReload}) {
    for (int steps = 0; steps < 12; ++steps) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(event) << " after " << steps);
      env_ = MemoryEnv();
      start();
      turn("SET", "k", "v");
      ASSERT_TRUE(server_->persistence.start_rewrite().ok());
      go_on(steps);
      if (event == Event::kOff || event == Event::kOffAndOn) {
        server_->configure("appendonly", "no");
      }
      if (event == Event::kOffAndOn) {
        turn("INCR", "n");
        server_->configure("appendonly", "yes");
      }
      if (event == Event::kNewDataset) {
        Keyspace other(16);
        other.database(0).set_string("new", "dataset");
        server_->keyspace.swap_contents(other);
        server_->persistence.dataset_replaced();
      }
      if (event == Event::kReload) {
        ASSERT_TRUE(server_->persistence.reload_from_aof().ok());
      }
      if (event == Event::kLeave) {
        ASSERT_TRUE(server_->persistence.shut_down(/*save=*/false).ok());
      } else {
        server_->settle();
        server_->settle();
        EXPECT_FALSE(rewriting());
        EXPECT_EQ(server_->persistence.child(), ChildPurpose::kNone);
        clock_.advance_ms(1100);
        server_->turn();
      }
      EXPECT_THAT(env_.files(), Not(Contains(HasSubstr("temp-appendonly"))));
      const Contents whole = server_->contents();
      lose_power_and_start();
      EXPECT_EQ(server_->contents(), whole);
    }
  }
}

// The first rewrite too, in the middle of whatever it does, is finished before the process leaves.
TEST_F(AofRewriteTest, LeavingWhileTheAofIsBegunLosesNothing) {
  for (int steps = 0; steps < 12; ++steps) {
    SCOPED_TRACE(steps);
    env_ = MemoryEnv();
    start();
    server_->configure("appendonly", "no");
    turn("SET", "while", "it is off");
    server_->configure("appendonly", "yes");
    go_on(steps);
    ASSERT_TRUE(server_->persistence.shut_down(/*save=*/false).ok());
    const Contents whole = server_->contents();
    lose_power_and_start();
    EXPECT_EQ(server_->contents(), whole);
  }
}

}  // namespace
}  // namespace tandem
