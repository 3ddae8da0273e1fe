// appendfsync always: what clients and replicas hear of, and when.

#include <gtest/gtest.h>

#include "persistence/aof_tail.h"
#include "tests/unit/persistence/aof_fixture.h"

namespace tandem {
namespace {

class AlwaysTest : public AofTest {
 protected:
  void SetUp() override { ASSERT_EQ(start({{"appendfsync", "always"}}).load(), ""); }
  using Connection = TestConnection;
  // A turn of the loop.
  void incr(Connection& connection) {
    server_->run_as(*connection.client, "INCR", "n");
    server_->end_of_turn();
  }
};

TEST_F(AlwaysTest, RepliesWaitForTheDisk) {
  Connection writer(*server_), reader(*server_), idle(*server_);
  server_->run_as(*writer.client, "SET", "k", "v");
  server_->run_as(*reader.client, "GET", "k");
  server_->end_of_turn();
  EXPECT_TRUE(writer.held());
  // It has seen what is not durable yet.
  EXPECT_TRUE(reader.held());
  EXPECT_FALSE(idle.held());
  EXPECT_EQ(env_.jobs(), 1u);
  server_->end_of_turn();
  EXPECT_EQ(env_.jobs(), 1u);
  env_.run_jobs();
  EXPECT_FALSE(writer.held() || reader.held());
  EXPECT_GT(writer.link.flushes, 0);
}

TEST_F(AlwaysTest, WritesBeforeASyncBeginsShareIt) {
  Connection first(*server_), second(*server_), third(*server_);
  for (Connection* connection : {&first, &second, &third}) {
    incr(*connection);
    EXPECT_TRUE(connection->held());
  }
  EXPECT_EQ(env_.jobs(), 1u);
  env_.run_jobs();
  EXPECT_FALSE(first.held() || second.held() || third.held());
}

TEST_F(AlwaysTest, ASyncReleasesNothingThatWasWrittenAfterItBegan) {
  Connection first(*server_), second(*server_);
  incr(first);
  env_.begin_job(0);
  incr(second);
  ASSERT_EQ(env_.jobs(), 2u);
  env_.end_job(0);
  EXPECT_FALSE(first.held());
  EXPECT_TRUE(second.held());
  env_.run_jobs();
  EXPECT_FALSE(second.held());
}

TEST_F(AlwaysTest, ASyncReleasesAllThatWasWrittenBeforeItBegan) {
  Connection first(*server_), second(*server_);
  incr(first);
  env_.begin_job(0);
  incr(second);
  env_.end_job(1);
  EXPECT_FALSE(first.held() || second.held());
  // The first one's end changes nothing any more.
  env_.run_jobs();
  EXPECT_EQ(env_.jobs(), 0u);
}

TEST_F(AlwaysTest, WhenNoMoreSyncsMayOverlapTheEndOfOneBeginsTheNext) {
  std::vector<std::unique_ptr<Connection>> connections;
  for (size_t i = 0; i <= AofTail::kSyncs; ++i) {
    connections.push_back(std::make_unique<Connection>(*server_));
    incr(*connections.back());
    if (i < AofTail::kSyncs) env_.begin_job(i);
  }
  EXPECT_EQ(env_.jobs(), AofTail::kSyncs);
  env_.end_job(3);
  for (size_t i = 0; i <= AofTail::kSyncs; ++i) EXPECT_EQ(connections[i]->held(), i > 3) << i;
  EXPECT_EQ(env_.jobs(), AofTail::kSyncs);
  env_.run_jobs();
  EXPECT_FALSE(connections.back()->held());
}

TEST_F(AlwaysTest, AReplyWaitsForOneSyncThoughOthersGoOnWriting) {
  Connection first(*server_), second(*server_);
  incr(first);
  env_.begin_job(0);
  // It ends in a turn in which somebody else writes.
  env_.end_job(0);
  incr(second);
  EXPECT_EQ(first.link.sent, ":1\r\n");
  EXPECT_EQ(second.link.sent, "");
}

TEST_F(AlwaysTest, WhatComesBehindAReplyDoesNotDelayIt) {
  Connection subscriber(*server_), writer(*server_);
  incr(subscriber);
  env_.begin_job(0);
  // Each write is told to the first client, while the sync before it runs.
  for (size_t messages = 0; messages < 3; ++messages) {
    incr(writer);
    subscriber.client->push(">message");
    server_->end_of_turn();
    env_.end_job(0);
    server_->end_of_turn();
    env_.begin_job(0);
    EXPECT_EQ(subscriber.link.sent.size(), 4 + messages * 8) << subscriber.link.sent;
  }
}

TEST_F(AlwaysTest, NothingGoesOutInTheTurnThatMadeItWhenALinkBecomesWritable) {
  Connection slow(*server_);
  server_->run_as(*slow.client, "SET", "k", "v");
  EXPECT_TRUE(slow.held());
  EXPECT_EQ(slow.link.sent, "");
  server_->turn();
  server_->end_of_turn();
  EXPECT_EQ(slow.link.sent, "+OK\r\n");
}

TEST_F(AlwaysTest, TheStreamToReplicasGoesNoFurtherThanTheDisk) {
  uint64_t offset = 0;
  int released = 0;
  server_->persistence.hooks().replication_position = [&offset] {
    return ReplicationPosition{.offset = offset};
  };
  server_->persistence.hooks().stream_released = [&released] { ++released; };
  EXPECT_EQ(server_->persistence.stream_limit(), UINT64_MAX);
  for (offset = 10; offset <= 20; offset += 10) {
    server_->run("INCR", "n");
    EXPECT_EQ(server_->persistence.stream_limit(), offset - 10);
    server_->end_of_turn();
    EXPECT_EQ(server_->persistence.stream_limit(), offset - 10);
    EXPECT_EQ(std::exchange(released, 0), 0);
    env_.run_jobs();
    EXPECT_EQ(server_->persistence.stream_limit(), UINT64_MAX);
    EXPECT_EQ(std::exchange(released, 0), 1);
  }
  // A policy that asks for less lets it go.
  server_->run("INCR", "n");
  EXPECT_EQ(server_->persistence.stream_limit(), 20u);
  server_->configure("appendfsync", "everysec");
  server_->end_of_turn();
  EXPECT_EQ(released, 1);
}

TEST_F(AlwaysTest, ASyncThatSucceedsDoesNotMakeUpForOneThatFailed) {
  Connection first(*server_), second(*server_);
  incr(first);
  env_.begin_job(0);
  incr(second);
  env_.fail_syncs(true);
  env_.end_job(1);
  EXPECT_TRUE(first.link.closed && second.link.closed);
  env_.fail_syncs(false);
  env_.run_jobs();
  server_->cron();
  EXPECT_NE(server_->misconf(), "");
}

TEST_F(AlwaysTest, ReadsDoNotWaitWhenAllIsDurable) {
  Connection reader(*server_);
  server_->run_as(*reader.client, "GET", "k");
  server_->end_of_turn();
  EXPECT_FALSE(reader.held());
}

TEST_F(AlwaysTest, AReplyThatCannotBecomeTrueIsNeverSent) {
  Connection writer(*server_), reader(*server_);
  server_->run_as(*writer.client, "SET", "k", "v");
  server_->end_of_turn();
  env_.fail_syncs(true);
  env_.run_jobs();
  EXPECT_TRUE(writer.link.closed);
  server_->cron();
  EXPECT_NE(server_->misconf(), "");
  // Reads are served meanwhile.
  server_->run_as(*reader.client, "GET", "k");
  server_->end_of_turn();
  EXPECT_FALSE(reader.held() || reader.link.closed);
}

TEST_F(AlwaysTest, WhatRunsInTheTurnOfAFailureIsNotAcknowledged) {
  // The sync fails before the turn ends.
  Connection first(*server_), second(*server_), third(*server_);
  server_->run_as(*first.client, "INCR", "n");
  server_->end_of_turn();
  env_.fail_syncs(true);
  env_.run_jobs();
  server_->run_as(*second.client, "INCR", "n");
  server_->end_of_turn();
  EXPECT_TRUE(first.link.closed && second.link.closed);
  EXPECT_NE(server_->misconf(), "");
  env_.fail_syncs(false);
  clock_.advance_ms(5000);
  server_->settle();
  EXPECT_EQ(server_->misconf(), "");
  // The write at the end of the turn fails.
  env_.fail(".incr", "No space left on device");
  server_->run_as(*third.client, "INCR", "n");
  server_->end_of_turn();
  EXPECT_TRUE(third.link.closed);
}

}  // namespace
}  // namespace tandem
