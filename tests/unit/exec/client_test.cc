// A client's side of its connection: what arrives, what is answered, when it has to go.

#include "server/exec/client.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class ClientTest : public ExecFixture {};

TEST_F(ClientTest, AnswersAPipelineInOrder) {
  Peer& peer = connect();
  EXPECT_EQ(
      send(peer, "PING\r\n" + resp("SET a 1") + "*0\r\n\r\n" + resp("GET a") + "ECHO 'x y'\n"),
      "+PONG|+OK|$1|1|$3|x y|");
  EXPECT_EQ(peer.pending, "");
}

TEST_F(ClientTest, LeavesHalfARequestInTheInput) {
  Peer& peer = connect();
  const std::string set = resp("SET a 12345678901234567890");
  EXPECT_EQ(send(peer, resp("PING") + set.substr(0, 30)), "+PONG|");
  EXPECT_EQ(peer.pending, set.substr(0, 30));
  EXPECT_EQ(peer.client->input_wanted(), set.size());
  EXPECT_EQ(send(peer, set.substr(30)), "+OK|");
}

// Requests are parsed ahead of their turn: what the one before them changes must hold for them.
TEST_F(ClientTest, SplitsOfAPipelineDoNotMatter) {
  configure("requirepass", "secret");
  const std::string pipeline =
      resp("PING") + resp("AUTH secret") + resp("ECHO " + std::string(20000, 'x')) + "SET i 1\r\n" +
      resp("INCR i") + resp("SELECT 1") + resp("GET i") + resp("MULTI") + resp("SET i 5") +
      resp("GET i") + resp("EXEC") + resp("HELLO 3") + resp("GET none") + resp("HELLO 2") +
      resp("CLIENT REPLY SKIP") + resp("PING") + resp("GET i") + resp("RESET") + resp("GET i") +
      "*1\r\n$x\r\n" + resp("PING");
  const std::string whole = send(connect(), pipeline);
  EXPECT_TRUE(whole.starts_with("-NOAUTH Authentication required.|+OK|$20000|")) << whole;
  EXPECT_TRUE(
      whole.ends_with("+RESET|-NOAUTH Authentication required.|"
                      "-ERR Protocol error: invalid bulk length|"))
      << whole;
  // HELLO tells the connection's id.
  const auto without_ids = [](std::string replies) {
    constexpr std::string_view kId = "$2|id|:";
    for (size_t at = 0; (at = replies.find(kId, at)) != std::string::npos; at += kId.size()) {
      replies.erase(at + kId.size(), replies.find('|', at + kId.size()) - at - kId.size());
    }
    return replies;
  };
  for (size_t piece : {1u, 2u, 3u, 7u, 50u, 333u, 20100u}) {
    keyspace_.clear();
    Peer& peer = connect();
    std::string replies;
    for (size_t at = 0; at < pipeline.size(); at += piece) {
      replies += send(peer, std::string_view(pipeline).substr(at, piece));
    }
    EXPECT_TRUE(without_ids(replies) == without_ids(whole))
        << piece << ": " << replies.substr(20050);
  }
}

// The loop reads into one buffer for all: what was looked up of a request that could not run must
// not be taken for another one's at the same place.
TEST_F(ClientTest, ARequestLookedUpAheadIsNotAnothers) {
  Peer& admin = connect();
  Peer& first = connect();
  Peer& second = connect();
  run(admin, "CLIENT PAUSE 1000 WRITE");
  std::string buffer = resp("SET a b") + resp("GET a");
  first.client->on_input(buffer);
  EXPECT_TRUE(first.client->blocked());
  buffer.replace(buffer.find("GET"), 3, "TTL");
  buffer.replace(buffer.find("SET"), 3, "GET");
  second.client->on_input(buffer);
  EXPECT_EQ(take_output(second), "-ERR wrong number of arguments for 'get' command|:-2|");
}

TEST_F(ClientTest, ClosesAfterAProtocolError) {
  Peer& peer = connect();
  EXPECT_EQ(send(peer, "PING\r\n*1\r\n!\r\nPING\r\n"),
            "+PONG|-ERR Protocol error: expected '$', got '!'|");
  EXPECT_TRUE(peer.link.closing_after_flush);
  EXPECT_EQ(send(peer, "PING\r\n"), "");
}

TEST_F(ClientTest, ClosesOnAnAttackThroughABrowser) {
  for (const char* request :
       {"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n", "Host: a\r\nSET a 1\r\n"}) {
    Peer& peer = connect();
    EXPECT_EQ(send(peer, request), "");
    EXPECT_TRUE(peer.link.closed);
  }
  EXPECT_EQ(keyspace_.database(0).size(), 0u);
}

TEST_F(ClientTest, QuitsAfterTheReply) {
  Peer& peer = connect();
  EXPECT_EQ(send(peer, "QUIT\r\nPING\r\n"), "+OK|");
  EXPECT_TRUE(peer.link.closing_after_flush);
}

TEST_F(ClientTest, BoundsWhatIsReceivedOfOneRequest) {
  configure("client-query-buffer-limit", "1mb");
  Peer& peer = connect();
  send(peer, "*2\r\n$4\r\nECHO\r\n$3000000\r\n" + std::string(1 << 19, 'x'));
  EXPECT_FALSE(peer.link.closed);
  send(peer, std::string(1 << 19, 'x'));
  EXPECT_TRUE(peer.link.closed);
  EXPECT_EQ(executor_.stats().client_query_limit_disconnections, 1u);
  // Many whole requests may be more than the limit together.
  Peer& other = connect();
  std::string pings;
  while (pings.size() <= 1 << 20) pings += "PING\r\n";
  send(other, pings);
  EXPECT_FALSE(other.link.closed);
}

TEST_F(ClientTest, BoundsWhatATransactionQueues) {
  configure("client-query-buffer-limit", "1mb");
  Peer& peer = connect();
  run(peer, "MULTI");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(peer, "ECHO " + std::string(300'000, 'x')), "+QUEUED|");
    EXPECT_FALSE(peer.link.closed);
  }
  run(peer, "ECHO " + std::string(300'000, 'x'));
  EXPECT_TRUE(peer.link.closed);
}

TEST_F(ClientTest, BoundsItsOutput) {
  configure("client-output-buffer-limit", "normal 100000 0 0");
  Peer& peer = connect();
  run(peer, "SET big " + std::string(60'000, 'x'));
  send(peer, resp("GET big"));
  EXPECT_FALSE(peer.link.closed);
  send(peer, resp("GET big") + resp("GET big") + resp("SET never 1"));
  EXPECT_TRUE(peer.link.closed);
  EXPECT_EQ(keyspace_.database(0).size(), 1u);
  EXPECT_EQ(executor_.stats().client_output_limit_disconnections, 1u);
}

TEST_F(ClientTest, BoundsTheTimeAboveTheSoftOutputLimit) {
  configure("client-output-buffer-limit", "normal 0 1000 10");
  Peer& peer = connect();
  const auto without_reading = [&](const std::string& words) {
    const std::string bytes = resp(words);
    peer.client->on_input(bytes);
  };
  without_reading("ECHO " + std::string(2000, 'x'));
  advance_ms(10'000);
  without_reading("PING");
  EXPECT_FALSE(peer.link.closed);
  // Below the limit in between: the time starts again.
  take_output(peer);
  without_reading("PING");
  without_reading("ECHO " + std::string(2000, 'x'));
  advance_ms(10'000);
  without_reading("PING");
  EXPECT_FALSE(peer.link.closed);
  advance_ms(1001);
  without_reading("PING");
  EXPECT_TRUE(peer.link.closed);
}

TEST_F(ClientTest, RepliesAreSwitchedOffAndSkipped) {
  const struct {
    const char* requests;
    const char* replies;
  } cases[] = {
      {"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n", "+OK|+PONG|"},
      {"CLIENT REPLY SKIP\r\nPING\r\nPING\r\n", "+PONG|"},
      {"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n", "+PONG|"},
      {"CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n",
       "+OK|+PONG|"},
      {"CLIENT REPLY SKIP\r\nGET\r\nPING\r\n", "+PONG|"},
      {"CLIENT REPLY SKIP\r\nfoo\r\nPING\r\n", "+PONG|"},
      {"CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n", "+OK|+PONG|"},
      {"CLIENT REPLY SKIP\r\nCLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\n", "+OK|"},
      {"CLIENT REPLY OFF\r\nRESET\r\nPING\r\n", "+RESET|+PONG|"},
      {"CLIENT REPLY OFF\r\n*x\r\n", ""},
      {"MULTI\r\nCLIENT REPLY SKIP\r\nPING\r\nEXEC\r\nPING\r\nPING\r\n",
       "+OK|+QUEUED|+QUEUED|*2|+PONG|+PONG|"},
  };
  for (const auto& c : cases) EXPECT_EQ(send(connect(), c.requests), c.replies) << c.requests;
}

// The request that waits is not the one after it.
TEST_F(ClientTest, APausedRequestDoesNotUseUpASkippedReply) {
  Peer& admin = connect();
  Peer& peer = connect();
  run(admin, "CLIENT PAUSE 1000 WRITE");
  EXPECT_EQ(send(peer, "CLIENT REPLY SKIP\r\nSET a 1\r\nPING\r\n"), "");
  run(admin, "CLIENT UNPAUSE");
  EXPECT_EQ(redeliver(peer), "+PONG|");
}

TEST_F(ClientTest, ABlockedClientReadsOnAfterItIsResumed) {
  Peer& peer = connect();
  peer.client->block();
  EXPECT_TRUE(peer.link.paused);
  EXPECT_EQ(send(peer, "PING\r\n"), "");
  peer.client->reply().integer(1);
  peer.client->resume();
  EXPECT_FALSE(peer.link.paused);
  EXPECT_GT(peer.link.flushes, 0);
  EXPECT_EQ(redeliver(peer), ":1|+PONG|");
  peer.client->resume();
}

class ClosedClients final : public ClientObserver {
 public:
  void client_closed(Client& client) override { ids.push_back(client.id); }
  std::vector<uint64_t> ids;
};

TEST_F(ClientTest, MayLeaveWhileItIsBlocked) {
  ClosedClients observer;
  executor_.add_client_observer(&observer);
  Peer& admin = connect();
  Peer& peer = connect();
  const uint64_t id = peer.client->id;
  run(admin, "CLIENT PAUSE 1000");
  run(peer, "PING");
  peer.client->on_closed("connection closed by peer");
  EXPECT_EQ(observer.ids, std::vector<uint64_t>{id});
  EXPECT_EQ(executor_.find_client(id), nullptr);
  EXPECT_EQ(run(admin, "CLIENT UNPAUSE"), "+OK|");
}

TEST_F(ClientTest, GivesItsInputAway) {
  class Stream final : public LinkHandler {
   public:
    size_t on_input(std::string_view input) override {
      received.append(input);
      return input.size();
    }
    size_t input_wanted() const override { return 4711; }
    void on_closed(std::string_view) override { closed = true; }
    std::string received;
    bool closed = false;
  } stream;
  Peer& peer = connect();
  peer.client->redirect_input(&stream);
  EXPECT_EQ(send(peer, "+CONTINUE\r\n"), "");
  EXPECT_EQ(stream.received, "+CONTINUE\r\n");
  EXPECT_EQ(peer.client->input_wanted(), 4711u);
  peer.client->on_closed("gone");
  EXPECT_TRUE(stream.closed);
}

TEST_F(ClientTest, IsRefusedWhenThereAreTooMany) {
  configure("maxclients", "1");
  connect();
  Peer& second = connect();
  EXPECT_EQ(second.client, nullptr);
  EXPECT_EQ(take_output(second), "-ERR max number of clients reached|");
  EXPECT_TRUE(second.link.closing_after_flush);
  EXPECT_EQ(executor_.stats().connections_rejected, 1u);
}

TEST_F(ClientTest, IsRefusedFromOutsideInProtectedMode) {
  MemoryLink link;
  link.peer = "192.0.2.1:4000";
  EXPECT_EQ(executor_.accept(&link), nullptr);
  EXPECT_TRUE(link.output().view().starts_with("-DENIED "));
  EXPECT_TRUE(link.output().view().ends_with("\r\n"));
  EXPECT_TRUE(link.closing_after_flush);
  configure("requirepass", "secret");
  MemoryLink other;
  other.peer = "192.0.2.1:4001";
  EXPECT_NE(executor_.accept(&other), nullptr);
}

}  // namespace
}  // namespace tandem
