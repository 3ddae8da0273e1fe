// The loop while a request runs for long.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tests/unit/net/uv_loop_fixture.h"

namespace tandem {
namespace {

// A request that runs for long: the others are served from inside it.
class ServeWhileBusyTest : public UvLoopTest {
 protected:
  // The busy link's request: calls `inside` from inside on_input(), serving until it holds.
  void run_busy(Peer& peer, Handler* busy, std::function<bool()> inside) {
    busy->consume = [this, busy, inside = std::move(inside)](std::string_view input) {
      if (!std::exchange(busy->received, busy->received + std::string(input)).empty()) {
        return input.size();
      }
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
      while (!inside()) {
        EXPECT_LT(std::chrono::steady_clock::now(), deadline);
        if (std::chrono::steady_clock::now() >= deadline) break;
        loop_.serve_while_busy();
      }
      // The request's own bytes are still where they were.
      EXPECT_EQ(input, "FCALL");
      return input.size();
    };
    peer.send("FCALL");
    run_until([busy] { return !busy->received.empty(); });
  }

  // Answers everything with its echo.
  static void echo(Handler* handler) {
    handler->consume = [handler](std::string_view input) {
      handler->received.append(input);
      handler->link->output().append(input);
      return input.size();
    };
  }
};

TEST_F(ServeWhileBusyTest, OthersAreAnswered) {
  auto [busy_peer, busy] = open();
  auto [peer, handler] = open();
  echo(handler);
  peer->send("KILL");
  run_busy(*busy_peer, busy, [p = peer.get()] {
    p->read();
    return p->received == "KILL";
  });
}

TEST_F(ServeWhileBusyTest, NewConnectionsAreAccepted) {
  auto [busy_peer, busy] = open();
  auto peer = dial();
  run_busy(*busy_peer, busy, [&] { return handlers_.size() == 2; });
}

TEST_F(ServeWhileBusyTest, TheBusyLinkSendsMoreAndCloses) {
  auto [busy_peer, busy] = open();
  auto [peer, handler] = open();
  echo(handler);
  int rounds = 0;
  run_busy(*busy_peer, busy, [&, b = busy_peer.get(), p = peer.get(), h = busy] {
    EXPECT_EQ(h->received, "FCALL");  // what follows waits
    EXPECT_FALSE(h->closed);
    if (++rounds == 1) b->send("MORE");
    if (rounds == 5) b->close();
    if (rounds == 10) p->send("x");
    p->read();
    return p->received == "x";
  });
  run_until([h = busy] { return h->closed; });
  EXPECT_EQ(busy->received, "FCALLMORE");
}

TEST_F(ServeWhileBusyTest, TheBusyLinkIsClosedByAnother) {
  auto [busy_peer, busy] = open();
  auto [peer, handler] = open();
  handler->consume = [b = busy](std::string_view input) {
    b->link->close_now();
    return input.size();
  };
  int rounds = 0;
  run_busy(*busy_peer, busy, [&, p = peer.get(), b = busy, h = handler] {
    EXPECT_FALSE(b->closed);
    if (rounds == 0) p->send("CLIENT KILL");
    return ++rounds > 5 && h->inputs == 1;
  });
  run_until([h = busy] { return h->closed; });
}

TEST_F(ServeWhileBusyTest, OthersComeAndGo) {
  auto [busy_peer, busy] = open();
  auto [peer, handler] = open();
  peer->close();
  run_busy(*busy_peer, busy, [h = handler] { return h->closed; });
}

TEST_F(ServeWhileBusyTest, ServesOneLevelDeep) {
  auto [busy_peer, busy] = open();
  auto [peer, handler] = open();
  handler->consume = [this](std::string_view input) {
    loop_.serve_while_busy();
    return input.size();
  };
  peer->send("x");
  run_busy(*busy_peer, busy, [h = handler] { return h->inputs == 1; });
}

TEST_F(ServeWhileBusyTest, ASlowReaderGetsItsOutput) {
  auto [busy_peer, busy] = open();
  auto [peer, handler] = open(4096);
  const std::string bytes = pattern(kMuch);
  handler->write(bytes);
  run_busy(*busy_peer, busy, [&, p = peer.get()] {
    p->read();
    return p->received.size() == bytes.size();
  });
  EXPECT_TRUE(peer->received == bytes);
}

}  // namespace
}  // namespace tandem
