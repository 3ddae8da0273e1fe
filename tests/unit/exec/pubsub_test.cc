#include "server/exec/pubsub.h"

#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class PubSubTest : public ExecFixture {
 protected:
  // What has been pushed to a client since its last reply.
  static std::string pushed(Peer& peer) { return take_output(peer); }
};

TEST_F(PubSubTest, EachNameIsConfirmed) {
  EXPECT_EQ(run("SUBSCRIBE a a b"),
            "*3|$9|subscribe|$1|a|:1|*3|$9|subscribe|$1|a|:1|*3|$9|subscribe|$1|b|:2|");
  EXPECT_EQ(run("PSUBSCRIBE n*"), "*3|$10|psubscribe|$2|n*|:3|");
  EXPECT_EQ(run("SSUBSCRIBE s"), "*3|$10|ssubscribe|$1|s|:1|");
  EXPECT_EQ(run("UNSUBSCRIBE none"), "*3|$11|unsubscribe|$4|none|:3|");
  EXPECT_EQ(run("UNSUBSCRIBE a"), "*3|$11|unsubscribe|$1|a|:2|");
  EXPECT_EQ(run("UNSUBSCRIBE"), "*3|$11|unsubscribe|$1|b|:1|");
  EXPECT_EQ(run("UNSUBSCRIBE"), "*3|$11|unsubscribe|$-1|:1|");
  EXPECT_EQ(run("PUNSUBSCRIBE"), "*3|$12|punsubscribe|$2|n*|:0|");
  EXPECT_EQ(run("SUNSUBSCRIBE"), "*3|$12|sunsubscribe|$1|s|:0|");
  EXPECT_EQ(run("SUNSUBSCRIBE"), "*3|$12|sunsubscribe|$-1|:0|");
}

TEST_F(PubSubTest, ConfirmationsArePushesInResp3) {
  run("HELLO 3");
  EXPECT_EQ(run("SUBSCRIBE a"), ">3|$9|subscribe|$1|a|:1|");
  EXPECT_EQ(run("UNSUBSCRIBE"), ">3|$11|unsubscribe|$1|a|:0|");
  EXPECT_EQ(run("UNSUBSCRIBE"), ">3|$11|unsubscribe|_|:0|");
}

TEST_F(PubSubTest, MessagesReachEachSubscriberInItsProtocol) {
  Peer& old = connect();
  Peer& modern = connect();
  Peer& publisher = connect();
  run(modern, "HELLO 3");
  run(old, "SUBSCRIBE news");
  run(modern, "SUBSCRIBE news");
  run(modern, "PSUBSCRIBE n?ws");
  EXPECT_EQ(run(publisher, "PUBLISH news hi"), ":3|");
  EXPECT_EQ(pushed(old), "*3|$7|message|$4|news|$2|hi|");
  EXPECT_EQ(pushed(modern), ">3|$7|message|$4|news|$2|hi|>4|$8|pmessage|$4|n?ws|$4|news|$2|hi|");
  EXPECT_GT(old.link.flushes, 0);
  EXPECT_EQ(run(publisher, "PUBLISH nobody hi"), ":0|");
  EXPECT_EQ(run(publisher, "SPUBLISH news hi"), ":0|");
  EXPECT_EQ(pushed(old) + pushed(modern), "");
}

TEST_F(PubSubTest, ShardChannelsAreAWorldOfTheirOwn) {
  Peer& subscriber = connect();
  Peer& publisher = connect();
  run(subscriber, "SSUBSCRIBE s");
  run(subscriber, "PSUBSCRIBE *");
  EXPECT_EQ(run(publisher, "SPUBLISH s hi"), ":1|");
  EXPECT_EQ(pushed(subscriber), "*3|$8|smessage|$1|s|$2|hi|");
  EXPECT_EQ(run(publisher, "PUBSUB SHARDNUMSUB s t"), "*4|$1|s|:1|$1|t|:0|");
  EXPECT_EQ(run(publisher, "PUBSUB SHARDCHANNELS"), "*1|$1|s|");
  EXPECT_EQ(run(publisher, "PUBSUB CHANNELS"), "*0|");
}

TEST_F(PubSubTest, SubscribersInResp2MayOnlySubscribe) {
  run("SUBSCRIBE a");
  EXPECT_EQ(run("GET k"),
            "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
            "RESET are allowed in this context|");
  EXPECT_EQ(run("CLIENT ID").substr(0, 32), "-ERR Can't execute 'client|id': ");
  EXPECT_EQ(run("MULTI").substr(0, 28), "-ERR Can't execute 'multi': ");
  EXPECT_EQ(run("PING"), "*2|$4|pong|$0||");
  EXPECT_EQ(run("PING x"), "*2|$4|pong|$1|x|");
  run("UNSUBSCRIBE a");
  EXPECT_EQ(run("GET k"), "$-1|");
  EXPECT_EQ(run("PING"), "+PONG|");
}

TEST_F(PubSubTest, SubscribersInResp3MayDoAll) {
  run("HELLO 3");
  run("SUBSCRIBE a");
  EXPECT_EQ(run("GET k"), "_|");
  EXPECT_EQ(run("PING"), "+PONG|");
}

TEST_F(PubSubTest, OwnMessagesFollowTheReply) {
  run("HELLO 3");
  run("SUBSCRIBE a");
  EXPECT_EQ(run("PUBLISH a hi"), ":1|>3|$7|message|$1|a|$2|hi|");
  run("MULTI");
  run("PUBLISH a x");
  run("PING");
  EXPECT_EQ(run("EXEC"), "*2|:1|+PONG|>3|$7|message|$1|a|$1|x|");
}

TEST_F(PubSubTest, SubscribingInATransaction) {
  run("MULTI");
  run("SUBSCRIBE x y");
  run("PUBLISH x 1");
  run("SSUBSCRIBE q");
  EXPECT_EQ(run("EXEC"),
            "*3|*3|$9|subscribe|$1|x|:1|*3|$9|subscribe|$1|y|:2|:1|"
            "-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client|"
            "*3|$7|message|$1|x|$1|1|");
}

TEST_F(PubSubTest, SilencedRepliesDoNotSilenceMessages) {
  Peer& publisher = connect();
  Peer& subscriber = connect();
  run(subscriber, "CLIENT REPLY OFF");
  EXPECT_EQ(run(subscriber, "SUBSCRIBE a"), "*3|$9|subscribe|$1|a|:1|");
  run(publisher, "PUBLISH a hi");
  EXPECT_EQ(pushed(subscriber), "*3|$7|message|$1|a|$2|hi|");
}

TEST_F(PubSubTest, ResetAndDisconnectionEndSubscriptions) {
  Peer& first = connect();
  Peer& second = connect();
  Peer& other = connect();
  run(first, "SUBSCRIBE a b");
  run(first, "PSUBSCRIBE *");
  run(second, "SUBSCRIBE b a");
  run(other, "SUBSCRIBE a");
  EXPECT_EQ(executor_.pubsub().client_count(), 3u);
  EXPECT_EQ(run(first, "RESET"), "+RESET|");
  EXPECT_EQ(run(first, "GET k"), "$-1|");
  EXPECT_EQ(run(first, "PUBSUB NUMPAT"), ":0|");
  EXPECT_EQ(run(first, "PUBSUB NUMSUB a b"), "*4|$1|a|:2|$1|b|:1|");
  second.client->on_closed("test");
  EXPECT_EQ(run(first, "PUBSUB NUMSUB a b"), "*4|$1|a|:1|$1|b|:0|");
  EXPECT_EQ(run(first, "PUBSUB CHANNELS"), "*1|$1|a|");
  EXPECT_EQ(run(first, "PUBLISH a hi"), ":1|");
  EXPECT_EQ(pushed(other), "*3|$7|message|$1|a|$2|hi|");
  EXPECT_EQ(executor_.pubsub().client_count(), 1u);
}

TEST_F(PubSubTest, ManySubscribersComeAndGo) {
  constexpr int kPeers = 40;
  for (int i = 0; i < kPeers; ++i) run(connect(), "SUBSCRIBE a c" + std::to_string(i % 3));
  // The odd ones leave, from the front: the last of the list takes each place.
  for (int i = 1; i < kPeers; i += 2) run(*peers_[static_cast<size_t>(i)], "UNSUBSCRIBE a");
  Peer& publisher = connect();
  EXPECT_EQ(run(publisher, "PUBLISH a 1"), ":20|");
  for (size_t i = 0; i < kPeers; ++i) {
    EXPECT_EQ(pushed(*peers_[i]), i % 2 == 0 ? "*3|$7|message|$1|a|$1|1|" : "") << i;
  }
  for (size_t i = 0; i < kPeers; i += 2) peers_[i]->client->on_closed("test");
  EXPECT_EQ(run(publisher, "PUBLISH a 1"), ":0|");
  EXPECT_EQ(run(publisher, "PUBLISH c1 1"), ":7|");
}

TEST_F(PubSubTest, Introspection) {
  Peer& subscriber = connect();
  Peer& other = connect();
  run(subscriber, "SUBSCRIBE ab");
  run(subscriber, "PSUBSCRIBE x* y*");
  EXPECT_EQ(run(other, "PUBSUB CHANNELS a*"), "*1|$2|ab|");
  EXPECT_EQ(run(other, "PUBSUB CHANNELS b*"), "*0|");
  EXPECT_EQ(run(other, "PUBSUB NUMPAT"), ":2|");
  EXPECT_EQ(run(other, "PUBSUB NUMSUB"), "*0|");
  EXPECT_EQ(run(other, "PUBSUB x"), "-ERR unknown subcommand 'x'. Try PUBSUB HELP.|");
  EXPECT_EQ(run(other, "PUBSUB CHANNELS a b"),
            "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB "
            "HELP.|");
  const std::string list = run(other, "CLIENT LIST TYPE pubsub");
  EXPECT_NE(list.find(" flags=P "), std::string::npos) << list;
  EXPECT_NE(list.find(" sub=1 psub=2 ssub=0 "), std::string::npos) << list;
  EXPECT_EQ(run(other, "CLIENT LIST TYPE normal").find(" flags=P "), std::string::npos);
  EXPECT_EQ(run(other, "CLIENT KILL TYPE pubsub"), ":1|");
  EXPECT_TRUE(subscriber.link.closed);
  EXPECT_FALSE(other.link.closed);
}

TEST_F(PubSubTest, SlowSubscribersAreClosed) {
  configure("client-output-buffer-limit", "pubsub 4kb 0 0");
  Peer& slow = connect();
  Peer& publisher = connect();
  run(slow, "SUBSCRIBE a");
  const std::string message(1000, 'x');
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(publisher, "PUBLISH a " + message), ":1|");
  EXPECT_FALSE(slow.link.closed);
  run(publisher, "PUBLISH a " + message);
  EXPECT_TRUE(slow.link.closed);
  EXPECT_EQ(executor_.stats().client_output_limit_disconnections, 1u);
  // It gets no more, and is not closed again.
  const size_t size = slow.link.output().size();
  run(publisher, "PUBLISH a " + message);
  EXPECT_EQ(slow.link.output().size(), size);
  EXPECT_EQ(executor_.stats().client_output_limit_disconnections, 1u);
}

TEST_F(PubSubTest, MessagesGoToReplicasAndNotToFiles) {
  UnitRecorder file, replicas;
  replicas.kind = kEffectToReplicas;
  executor_.effects().add_sink(&file);
  executor_.effects().add_sink(&replicas);
  run("SET k v");
  file.units.clear();
  replicas.units.clear();
  run("PUBLISH a 1");
  EXPECT_TRUE(file.units.empty());
  EXPECT_EQ(replicas.units, std::vector<std::string>{resp("PUBLISH a 1")});
  EXPECT_EQ(executor_.dirty(), 1u);

  replicas.units.clear();
  for (const char* request : {"MULTI", "PUBLISH a 1", "SET k v", "SPUBLISH b 2", "EXEC"}) {
    run(request);
  }
  const std::string multi = resp("MULTI"), set = resp("SET k v"), exec = resp("EXEC");
  EXPECT_EQ(replicas.units, std::vector<std::string>{multi + resp("PUBLISH a 1") + set +
                                                     resp("SPUBLISH b 2") + exec});
  EXPECT_EQ(file.units, std::vector<std::string>{multi + set + exec});
  executor_.effects().remove_sink(&file);
  executor_.effects().remove_sink(&replicas);
}

}  // namespace
}  // namespace tandem
