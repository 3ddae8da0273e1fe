#include "server/exec/tracking.h"

#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class TrackingTest : public ExecFixture {
 protected:
  TrackingTest() : cache_(connect()), writer_(connect()) { run(cache_, "HELLO 3"); }

  // What has been pushed to the caching client.
  std::string pushed() { return take_output(cache_); }
  static std::string invalidated(std::string_view key) {
    return ">2|$10|invalidate|*1|$" + std::to_string(key.size()) + "|" + std::string(key) + "|";
  }

  Peer& cache_;
  Peer& writer_;
};

TEST_F(TrackingTest, TellsOnceOfEachKeyThatWasRead) {
  run(cache_, "CLIENT TRACKING ON");
  run(cache_, "MGET a b");
  EXPECT_EQ(executor_.tracking().key_count(), 2u);
  EXPECT_EQ(executor_.tracking().item_count(), 2u);
  run(writer_, "SET other 1");
  EXPECT_EQ(pushed(), "");
  run(writer_, "SET a 1");
  EXPECT_EQ(pushed(), invalidated("a"));
  run(writer_, "SET a 2");
  EXPECT_EQ(pushed(), "");
  run(writer_, "MSET b 1 a 1");
  EXPECT_EQ(pushed(), invalidated("b"));
  EXPECT_EQ(executor_.tracking().item_count(), 0u);
}

TEST_F(TrackingTest, DatabasesDoNotMatter) {
  run(cache_, "CLIENT TRACKING ON");
  run(cache_, "GET a");
  run(writer_, "SELECT 5");
  run(writer_, "SET a 1");
  EXPECT_EQ(pushed(), invalidated("a"));
}

TEST_F(TrackingTest, OwnChangesFollowTheReply) {
  run(cache_, "CLIENT TRACKING ON");
  run(cache_, "GET a");
  EXPECT_EQ(run(cache_, "SET a 1"), "+OK|" + invalidated("a"));
  run(cache_, "MULTI");
  run(cache_, "GET b");
  run(cache_, "SET b 1");
  run(cache_, "PING");
  EXPECT_EQ(run(cache_, "EXEC"), "*3|_|+OK|+PONG|" + invalidated("b"));
  run(cache_, "CLIENT TRACKING ON NOLOOP");
  run(cache_, "GET a");
  EXPECT_EQ(run(cache_, "SET a 2"), "+OK|");
  run(writer_, "SET a 3");
  EXPECT_EQ(pushed(), "");  // it was forgotten with its own change
  run(cache_, "GET a");
  run(writer_, "SET a 3");
  EXPECT_EQ(pushed(), invalidated("a"));
}

TEST_F(TrackingTest, ExpiryAndDeletionAreChanges) {
  run(writer_, "SET a 1 PX 100");
  run(writer_, "SET b 1");
  run(cache_, "CLIENT TRACKING ON");
  run(cache_, "MGET a b");
  advance_ms(200);
  run(writer_, "GET a");
  EXPECT_EQ(pushed(), invalidated("a"));
  run(writer_, "DEL b");
  EXPECT_EQ(pushed(), invalidated("b"));
}

TEST_F(TrackingTest, FlushingIsToldOnce) {
  run(cache_, "CLIENT TRACKING ON");
  run(cache_, "MGET a b");
  run(writer_, "FLUSHALL");
  EXPECT_EQ(pushed(), ">2|$10|invalidate|_|");
  EXPECT_EQ(executor_.tracking().key_count(), 0u);
  EXPECT_EQ(run(cache_, "FLUSHDB"), "+OK|>2|$10|invalidate|_|");
}

TEST_F(TrackingTest, OptInAndOptOut) {
  run(cache_, "CLIENT TRACKING ON OPTIN");
  run(cache_, "GET a");
  EXPECT_EQ(run(cache_, "CLIENT CACHING YES"), "+OK|");
  run(cache_, "GET b");
  run(cache_, "GET c");
  EXPECT_EQ(executor_.tracking().key_count(), 1u);
  run(writer_, "MSET a 1 b 1 c 1");
  EXPECT_EQ(pushed(), invalidated("b"));
  // For a whole transaction too.
  for (const char* request : {"CLIENT CACHING YES", "MULTI", "GET x", "GET y", "EXEC", "GET z"}) {
    run(cache_, request);
  }
  EXPECT_EQ(executor_.tracking().key_count(), 2u);
  run(cache_, "CLIENT TRACKING OFF");
  run(writer_, "MSET x 1 y 1");
  EXPECT_EQ(pushed(), "");

  run(cache_, "CLIENT TRACKING ON OPTOUT");
  run(cache_, "CLIENT CACHING NO");
  run(cache_, "GET a");
  run(cache_, "GET b");
  run(writer_, "MSET a 2 b 2");
  EXPECT_EQ(pushed(), invalidated("b"));
}

TEST_F(TrackingTest, BroadcastsByPrefix) {
  run(cache_, "CLIENT TRACKING ON BCAST PREFIX p: PREFIX q");
  EXPECT_EQ(executor_.tracking().prefix_count(), 2u);
  run(writer_, "MSET p:2 1 q 1 p:1 1 r 1 p 1");
  run(writer_, "SET p:2 1");
  EXPECT_EQ(pushed(), "");
  executor_.tracking().broadcast();
  EXPECT_EQ(pushed(), ">2|$10|invalidate|*2|$3|p:1|$3|p:2|>2|$10|invalidate|*1|$1|q|");
  executor_.tracking().broadcast();
  EXPECT_EQ(pushed(), "");
  cache_.client->on_closed("test");
  EXPECT_EQ(executor_.tracking().prefix_count(), 0u);
  run(writer_, "SET p:2 1");
  executor_.tracking().broadcast();
}

TEST_F(TrackingTest, BroadcastsEveryKeyWithoutAPrefixAndNotToTheirWriter) {
  run(cache_, "CLIENT TRACKING ON BCAST NOLOOP");
  run(cache_, "MSET a 1 b 1");
  run(writer_, "SET b 2");
  executor_.tracking().broadcast();
  EXPECT_EQ(pushed(), invalidated("b"));
  run(cache_, "SET a 1");
  executor_.tracking().broadcast();
  EXPECT_EQ(pushed(), "");
}

TEST_F(TrackingTest, RedirectsToASubscriber) {
  Peer& subscriber = connect();
  Peer& old = connect();
  run(subscriber, "SUBSCRIBE __redis__:invalidate");
  const std::string id = std::to_string(subscriber.client->id);
  EXPECT_EQ(run(old, "CLIENT TRACKING ON REDIRECT " + id), "+OK|");
  EXPECT_EQ(run(old, "CLIENT GETREDIR"), ":" + id + "|");
  run(old, "GET k");
  run(writer_, "SET k 1");
  EXPECT_EQ(take_output(subscriber), "*3|$7|message|$20|__redis__:invalidate|*1|$1|k|");
  EXPECT_EQ(take_output(old), "");
  run(old, "FLUSHALL");
  EXPECT_EQ(take_output(subscriber), "*3|$7|message|$20|__redis__:invalidate|$-1|");

  run(cache_, "CLIENT TRACKING ON REDIRECT " + id);
  run(cache_, "GET k");
  subscriber.client->on_closed("test");
  run(writer_, "SET k 1");
  EXPECT_EQ(pushed(), ">2|$21|tracking-redir-broken|:" + id + "|");
  EXPECT_EQ(run(cache_, "CLIENT TRACKINGINFO"),
            "%3|$5|flags|~2|$2|on|$15|broken_redirect|$8|redirect|:" + id + "|$8|prefixes|*0|");
  EXPECT_NE(run(cache_, "CLIENT LIST").find(" flags=tR "), std::string::npos);
}

TEST_F(TrackingTest, TheTableIsBounded) {
  configure("tracking-table-max-keys", "10");
  run(cache_, "CLIENT TRACKING ON");
  for (int i = 0; i < 30; ++i) run(cache_, "GET key:" + std::to_string(i));
  EXPECT_EQ(executor_.tracking().key_count(), 10u);
  EXPECT_EQ(executor_.tracking().item_count(), 10u);
  EXPECT_EQ(run(writer_, "GET k"), "$-1|");  // who does not track leaves nothing
  EXPECT_EQ(executor_.tracking().key_count(), 10u);
}

TEST_F(TrackingTest, ClientsThatAreGoneAreNotTold) {
  Peer& second = connect();
  run(second, "HELLO 3");
  for (Peer* peer : {&cache_, &second}) {
    run(*peer, "CLIENT TRACKING ON");
    run(*peer, "GET k");
  }
  EXPECT_EQ(executor_.tracking().item_count(), 2u);
  cache_.client->on_closed("test");
  EXPECT_EQ(executor_.tracking().client_count(), 1u);
  run(writer_, "SET k 1");
  EXPECT_EQ(take_output(second), invalidated("k"));
  run(second, "GET k");
  EXPECT_EQ(run(second, "RESET"), "+RESET|");
  run(writer_, "SET k 1");
  EXPECT_EQ(take_output(second), "");
}

TEST_F(TrackingTest, Refusals) {
  constexpr const char* kMode =
      " before disabling tracking for this client, and then re-enabling it with a different "
      "mode.|";
  EXPECT_EQ(run("CLIENT TRACKING ON PREFIX a"),
            "-ERR PREFIX option requires BCAST mode to be enabled|");
  EXPECT_EQ(run("CLIENT TRACKING ON OPTIN OPTOUT"),
            "-ERR You can't specify both OPTIN mode and OPTOUT mode|");
  EXPECT_EQ(run("CLIENT TRACKING ON BCAST OPTIN"),
            "-ERR OPTIN and OPTOUT are not compatible with BCAST|");
  EXPECT_EQ(run("CLIENT TRACKING ON BCAST PREFIX ab PREFIX a"),
            "-ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single "
            "client must not overlap.|");
  EXPECT_EQ(run("CLIENT TRACKING ON REDIRECT 99"),
            "-ERR The client ID you want redirect to does not exist|");
  EXPECT_EQ(run("CLIENT TRACKING ON REDIRECT x"), "-ERR value is not an integer or out of range|");
  EXPECT_EQ(run("CLIENT TRACKING ON REDIRECT 1 REDIRECT 2"),
            "-ERR A client can only redirect to a single other client|");
  EXPECT_EQ(run("CLIENT TRACKING ON FOO"), "-ERR syntax error|");
  EXPECT_EQ(run("CLIENT TRACKING FOO"), "-ERR syntax error|");
  EXPECT_EQ(run("CLIENT CACHING YES"),
            "-ERR CLIENT CACHING can be called only when the client is in tracking mode with "
            "OPTIN or OPTOUT mode enabled|");
  EXPECT_EQ(run("CLIENT GETREDIR"), ":-1|");
  run("CLIENT TRACKING ON BCAST PREFIX ab");
  EXPECT_EQ(run("CLIENT TRACKING ON BCAST PREFIX a"),
            "-ERR Prefix 'a' overlaps with an existing prefix 'ab'. Prefixes for a single client "
            "must not overlap.|");
  EXPECT_EQ(run("CLIENT TRACKING ON"),
            std::string("-ERR You can't switch BCAST mode on/off") + kMode);
  run("CLIENT TRACKING OFF");
  run("CLIENT TRACKING ON OPTIN");
  EXPECT_EQ(run("CLIENT TRACKING ON OPTOUT"),
            std::string("-ERR You can't switch OPTIN/OPTOUT mode") + kMode);
  EXPECT_EQ(run("CLIENT CACHING NO"),
            "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.|");
}

}  // namespace
}  // namespace tandem
