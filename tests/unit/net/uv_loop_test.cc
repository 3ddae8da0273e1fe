// The loop on real loopback sockets, in one thread: a turn of the loop, a step of the other end.

#include "server/net/uv_loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/base/log.h"
#include "tests/support/process.h"
#include "tests/unit/net/uv_loop_fixture.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(UvLoopTest, DeliversAndSends) {
  auto [peer, handler] = open();
  EXPECT_TRUE(handler->link->peer_is_loopback());
  EXPECT_EQ(handler->link->local_address(), "127.0.0.1:" + std::to_string(listener_port_));
  EXPECT_THAT(handler->link->peer_address(), ::testing::StartsWith("127.0.0.1:"));
  peer->send("hello");
  run_until([&, h = handler] { return h->received == "hello"; });
  handler->write("world");
  run_until([&, p = peer.get()] {
    p->read();
    return p->received == "world";
  });
  peer->close();
  run_until([h = handler] { return h->closed; });
  EXPECT_EQ(handler->close_reason, "connection closed by peer");
}

int socket_option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  getsockopt(fd, level, name, &value, &length);
  return value;
}

TEST_F(UvLoopTest, AnAcceptedConnectionIsProbedAndSendsAtOnce) {
  loop_.set_tcp_keepalive(120);
  const int fd = open().second->link->fd();
  EXPECT_EQ(socket_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(socket_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 120);
  EXPECT_EQ(socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 40);
  EXPECT_EQ(socket_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
}

TEST_F(UvLoopTest, AKeepAliveOfZeroProbesNobody) {
  loop_.set_tcp_keepalive(0);
  EXPECT_EQ(socket_option(open().second->link->fd(), SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST_F(UvLoopTest, OutputOfOnInputNeedsNoAsking) {
  auto [peer, handler] = open();
  handler->consume = [h = handler](std::string_view input) {
    h->link->output().append(input);
    return input.size();
  };
  peer->send("echo");
  run_until([p = peer.get()] {
    p->read();
    return p->received == "echo";
  });
}

TEST_F(UvLoopTest, ShowsUnconsumedInputAgain) {
  auto [peer, handler] = open();
  std::vector<std::string> shown;
  handler->consume = [&shown](std::string_view input) -> size_t {
    shown.emplace_back(input);
    const size_t line = input.find('\n');
    return line == std::string_view::npos ? 0 : line + 1;
  };
  for (const char* piece : {"ab", "c", "\nde", "\n"}) {
    const size_t before = shown.size();
    peer->send(piece);
    run_until([&] { return shown.size() > before; });
  }
  EXPECT_THAT(shown, ElementsAre("ab", "abc", "abc\nde", "de\n"));
  EXPECT_EQ(handler->link->input_buffered(), 0u);
}

TEST_F(UvLoopTest, GathersARequestOfAnySize) {
  auto [peer, handler] = open();
  const std::string request = pattern(5'000'000);
  handler->wanted = request.size();
  std::string whole;
  handler->consume = [&](std::string_view input) -> size_t {
    if (input.size() < request.size()) return 0;
    whole = input;
    return input.size();
  };
  size_t sent = 0;
  run_until([&, p = peer.get()] {
    sent += p->send(std::string_view(request).substr(sent));
    return !whole.empty();
  });
  EXPECT_TRUE(whole == request);
  handler->wanted = 0;
  EXPECT_LE(handler->link->input_capacity(), 64u * 1024);
}

TEST_F(UvLoopTest, AnnouncedBytesTakeNoMemoryBeforeTheyCome) {
  auto [peer, handler] = open();
  handler->wanted = size_t{512} << 20;
  handler->consume = [](std::string_view) { return size_t{0}; };
  peer->send("$536870912");
  run_until([h = handler] { return h->inputs == 1; });
  EXPECT_LE(handler->link->input_capacity(), size_t{2} << 20);
}

TEST_F(UvLoopTest, SendsMuchToASlowReader) {
  auto [peer, handler] = open(4096);
  const std::string bytes = pattern(kMuch);
  handler->write(bytes);
  size_t step = 1;
  run_until([&, p = peer.get()] {
    p->read(step);
    step = std::min<size_t>(step * 2, 1 << 20);
    return p->received.size() == bytes.size();
  });
  EXPECT_TRUE(peer->received == bytes);
  run_until([h = handler] { return h->drained == 1; });
  EXPECT_TRUE(handler->link->output().empty());
}

// Bytes that lie elsewhere, in pieces.
class Pieces final : public OutputSource {
 public:
  explicit Pieces(std::string_view bytes) : left_(bytes) {}
  size_t size() const override { return left_.size(); }
  bool sendable() const override { return !left_.empty(); }
  std::string_view front() override { return left_.substr(0, kPiece - sent_ % kPiece); }
  void consume(size_t length) override {
    left_.remove_prefix(length);
    sent_ += length;
  }

 private:
  static constexpr size_t kPiece = 1000;
  std::string_view left_;
  size_t sent_ = 0;
};

TEST_F(UvLoopTest, SendsWhatASourceHasBehindItsOwnBytes) {
  auto [peer, handler] = open(4096);
  const std::string bytes = pattern(kMuch);
  handler->link->output().set_source(std::make_shared<Pieces>(bytes));
  handler->write("first ");
  run_until([&, p = peer.get()] {
    p->read();
    return p->received.size() == bytes.size() + 6;
  });
  EXPECT_TRUE(peer->received == "first " + bytes);
  EXPECT_TRUE(handler->link->output().empty());
}

TEST_F(UvLoopTest, CloseAfterFlushDeliversEverything) {
  auto [peer, handler] = open(4096);
  const std::string bytes = pattern(kMuch);
  handler->write(bytes);
  handler->link->close_after_flush();
  peer->send("nobody reads this, and it must not reset the connection");
  run_until([&, p = peer.get()] {
    p->read();
    return p->ended || p->broken;
  });
  EXPECT_FALSE(peer->broken);
  EXPECT_TRUE(peer->received == bytes);
  run_until([h = handler] { return h->closed; });
  EXPECT_EQ(handler->inputs, 0);
}

// As `printf ... | nc -N` does.
TEST_F(UvLoopTest, AnswersWhoHasFinishedSending) {
  auto [peer, handler] = open(4096);
  const std::string bytes = pattern(kMuch);
  handler->consume = [&, h = handler](std::string_view input) {
    h->link->output().append(bytes);
    return input.size();
  };
  peer->send("GET");
  peer->finish_sending();
  run_until([p = peer.get()] {
    p->read();
    return p->ended || p->broken;
  });
  EXPECT_TRUE(peer->received == bytes);
  run_until([h = handler] { return h->closed; });
}

TEST_F(UvLoopTest, CloseNowDropsTheOutput) {
  auto [peer, handler] = open();
  handler->consume = [h = handler](std::string_view input) {
    h->link->output().append("reply");
    h->link->close_now();
    EXPECT_FALSE(h->closed);  // not from inside the call
    return input.size();
  };
  peer->send("x");
  run_until([h = handler] { return h->closed; });
  run_until([p = peer.get()] {
    p->read();
    return p->ended || p->broken;
  });
  EXPECT_EQ(peer->received, "");
}

TEST_F(UvLoopTest, HoldsOutputBack) {
  auto [peer, handler] = open();
  handler->sendable = 0;
  handler->write("held");
  run_turns(5);
  peer->read();
  EXPECT_EQ(peer->received, "");
  // Who finishes sending meanwhile still gets its reply.
  peer->finish_sending();
  handler->link->pause_input(true);
  run_turns(5);
  EXPECT_FALSE(handler->closed);
  handler->sendable = OutputBuffer::kAll;
  handler->link->schedule_flush();
  handler->link->pause_input(false);
  run_until([p = peer.get()] {
    p->read();
    return p->ended;
  });
  EXPECT_EQ(peer->received, "held");
  run_until([h = handler] { return h->closed; });
}

TEST_F(UvLoopTest, SendsWhatMayGoOutAndNoMore) {
  auto [peer, handler] = open();
  handler->sendable = 5;
  handler->write("firstsecond");
  run_until([p = peer.get()] {
    p->read();
    return p->received == "first";
  });
  handler->write("third");
  run_turns(5);
  peer->read();
  EXPECT_EQ(peer->received, "first");
  // Requests are read meanwhile.
  peer->send("request");
  run_until([h = handler] { return h->received == "request"; });
  handler->sendable = OutputBuffer::kAll;
  handler->link->schedule_flush();
  run_until([p = peer.get()] {
    p->read();
    return p->received == "firstsecondthird";
  });
}

TEST_F(UvLoopTest, PausedInputIsNeitherReadNorShown) {
  auto [peer, handler] = open();
  handler->link->pause_input(true);
  peer->send("abc");
  run_turns(5);
  EXPECT_EQ(handler->inputs, 0);
  handler->link->pause_input(false);
  run_until([h = handler] { return h->received == "abc"; });
}

TEST_F(UvLoopTest, PausingInsideOnInputKeepsTheRest) {
  auto [peer, handler] = open();
  std::vector<std::string> shown;
  handler->consume = [&, h = handler](std::string_view input) {
    shown.emplace_back(input);
    h->link->pause_input(true);
    return size_t{1};
  };
  peer->send("abc");
  run_until([&] { return shown.size() == 1; });
  run_turns(5);
  EXPECT_EQ(shown.size(), 1u);
  EXPECT_EQ(handler->link->input_buffered(), 2u);
  // The rest comes again without anything new from the other end, from a timer as well.
  loop_.after(1, [h = handler] { h->link->pause_input(false); });
  run_until([&] { return shown.size() == 2; });
  handler->link->pause_input(false);
  run_until([&] { return shown.size() == 3; });
  EXPECT_THAT(shown, ElementsAre("abc", "bc", "c"));
}

TEST_F(UvLoopTest, PausingAndResumingInsideOnInput) {
  auto [peer, handler] = open();
  std::vector<std::string> shown;
  handler->consume = [&, h = handler](std::string_view input) {
    shown.emplace_back(input);
    h->link->pause_input(true);
    h->link->pause_input(false);
    return size_t{1};
  };
  peer->send("ab");
  run_until([&] { return shown.size() == 2; });
  EXPECT_THAT(shown, ElementsAre("ab", "b"));
}

TEST_F(UvLoopTest, NoticesThatABlockedPeerLeaves) {
  auto [peer, handler] = open();
  handler->link->pause_input(true);
  run_turns(2);
  peer->close();
  run_until([h = handler] { return h->closed; });
  auto [other, second] = open();
  second->link->pause_input(true);
  run_turns(2);
  other->abort();
  run_until([h = second] { return h->closed; });
}

TEST_F(UvLoopTest, ReadsWhatCameBeforeAReset) {
  auto [peer, handler] = open();
  peer->send("SET a 1");
  peer->abort();
  run_until([h = handler] { return h->closed; });
  EXPECT_EQ(handler->received, "SET a 1");
}

TEST_F(UvLoopTest, AClosedLinkMayCloseOthers) {
  auto [first_peer, first] = open();
  auto [second_peer, second] = open();
  first->at_close = [h = second] { h->link->close_now(); };
  second->write("still scheduled");
  first->link->close_now();
  run_until([a = first, b = second] { return a->closed && b->closed; });
  run_turns(3);
}

TEST_F(UvLoopTest, RefusedConnectionsGetTheirMessage) {
  listener_port_ = free_port();
  ASSERT_TRUE(loop_
                  .listen_tcp("127.0.0.1", listener_port_, 10,
                              [](Link* link) -> LinkHandler* {
                                link->output().append("-ERR max number of clients reached\r\n");
                                link->close_after_flush();
                                return nullptr;
                              })
                  .ok());
  auto peer = dial();
  peer->send("PING\r\n");
  run_until([p = peer.get()] {
    p->read();
    return p->ended || p->broken;
  });
  EXPECT_EQ(peer->received, "-ERR max number of clients reached\r\n");
  EXPECT_FALSE(peer->broken);
}

TEST_F(UvLoopTest, ListensOnAUnixSocket) {
  const std::string path = ::testing::TempDir() + "uv_loop_test_" + std::to_string(getpid());
  Handler handler;
  ASSERT_TRUE(loop_
                  .listen_unix(path, 0700, 10,
                               [&](Link* link) {
                                 handler.link = link;
                                 return &handler;
                               })
                  .ok());
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  Peer peer(fd);
  peer.send("hi");
  run_until([&] { return handler.received == "hi"; });
  EXPECT_TRUE(handler.link->is_unix());
  EXPECT_TRUE(handler.link->peer_is_loopback());
  EXPECT_EQ(handler.link->peer_address(), path + ":0");
  unlink(path.c_str());
}

TEST_F(UvLoopTest, SaysWhyItCannotListen) {
  const int port = listen();
  const Status taken = loop_.listen_tcp("127.0.0.1", port, 10, [](Link*) { return nullptr; });
  ASSERT_FALSE(taken.ok());
  EXPECT_THAT(taken.error().message, HasSubstr("Address already in use"));
  EXPECT_FALSE(loop_.listen_unix("/no/such/folder/s", 0, 10, [](Link*) { return nullptr; }).ok());
}

// Nothing to accept a connection with: the loop must wait, not spin, and go on later.
TEST_F(UvLoopTest, RestsWhenDescriptorsRunOut) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own checks need a descriptor";
#endif
  listen();
  run_turns(2);
  auto peer = dial();
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const int highest = dup(0);
  ::close(highest);
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(highest);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  int turns = 0;
  loop_.set_before_flush([&] { ++turns; });
  bool waited = false;
  loop_.after(250, [&] { waited = true; });
  while (!waited) {
    loop_.after(50, [this] { loop_.stop(); });
    loop_.run();
  }
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_LT(turns, 50);
  EXPECT_TRUE(handlers_.empty());
  run_until([&] { return handlers_.size() == 1; });
}

TEST_F(UvLoopTest, ConnectsByAddressAndByName) {
  const int port = listen();
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Handler handler;
    loop_.connect(host, port, [&](Result<std::unique_ptr<Link>> result) {
      ASSERT_TRUE(result.ok()) << result.error().message;
      handler.link = result.value().get();
      loop_.attach(std::move(result).value(), &handler);
      handler.write("PING");
    });
    run_until([&] { return !handlers_.empty() && handlers_.back()->received == "PING"; });
    handlers_.back()->write("PONG");
    run_until([&] { return handler.received == "PONG"; });
    EXPECT_EQ(handler.link->peer_address(), "127.0.0.1:" + std::to_string(port));
    handler.link->close_now();
    run_until([&] { return handler.closed && handlers_.back()->closed; });
    handlers_.clear();
  }
}

TEST_F(UvLoopTest, SaysWhyItCannotConnect) {
  std::vector<std::string> failures;
  const auto note = [&](Result<std::unique_ptr<Link>> result) {
    failures.push_back(result.ok() ? "connected" : result.error().message);
  };
  const int port = free_port();
  loop_.connect("127.0.0.1", port, note);
  EXPECT_TRUE(failures.empty());  // never from inside the call
  run_until([&] { return failures.size() == 1; });
  EXPECT_EQ(failures[0],
            "connecting to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
  loop_.connect("no such name", 1, note);
  run_until([&] { return failures.size() == 2; });
  EXPECT_THAT(failures[1], ::testing::StartsWith("resolving no such name:1: "));
}

TEST_F(UvLoopTest, ALinkThatNobodyWantsIsClosed) {
  const int port = listen();
  loop_.connect("127.0.0.1", port, [](Result<std::unique_ptr<Link>>) {});
  run_until([&] { return !handlers_.empty() && handlers_[0]->closed; });
}

TEST(UvLoop, MayEndWhileItConnects) {
  bool told = false;
  {
    UvLoop loop;
    loop.connect("127.0.0.1", 1, [&](auto) { told = true; });
    loop.after(0, [&] { told = true; });
    loop.after(1000, [&] { told = true; });
  }
  EXPECT_FALSE(told);
}

TEST_F(UvLoopTest, TimersRunOnceInTheirOrder) {
  std::string ran;
  // Due in this order, however long the process is stopped between the calls.
  loop_.after(1, [&] { ran += 'a'; });
  const TimerId cancelled = loop_.after(2, [&] { ran += 'x'; });
  loop_.after(3, [&] { ran += 'b'; });
  loop_.after(20, [&] { ran += 'c'; });
  loop_.cancel(cancelled);
  run_until([&] { return ran.size() >= 3; });
  run_turns(3);
  EXPECT_EQ(ran, "abc");
}

TEST_F(UvLoopTest, AShorterTimerOvertakesALongerOne) {
  using Clock = std::chrono::steady_clock;
  std::string ran;
  const auto before = Clock::now();
  loop_.after(50, [&] { ran += 'b'; });
  loop_.after(1, [&] { ran += 'a'; });
  // A process that was stopped between the calls may find both due in the other order.
  const bool at_once = Clock::now() - before < std::chrono::milliseconds(40);
  bool next_turn = false;
  loop_.after(0, [&] { next_turn = true; });
  EXPECT_FALSE(next_turn);  // not from inside the call
  run_until([&] { return ran.size() >= 2 && next_turn; });
  EXPECT_EQ(ran, at_once ? "ab" : ran);
}

TEST_F(UvLoopTest, ATimerMayCancelOthersAndItself) {
  for (const uint64_t delay_ms : {0, 1}) {
    std::string ran;
    TimerId self = 0, other = 0;
    self = loop_.after(delay_ms, [&] {
      ran += 'a';
      loop_.cancel(self);
      loop_.cancel(other);
      loop_.cancel(12345);
    });
    other = loop_.after(delay_ms, [&] { ran += 'x'; });
    loop_.after(delay_ms, [&] { ran += 'b'; });
    run_until([&] { return ran.ends_with('b'); });
    EXPECT_EQ(ran, "ab");
  }
}

// A chain of "on the next turn" must leave room for the sockets.
TEST_F(UvLoopTest, NextTurnsDoNotStarveTheSockets) {
  auto [peer, handler] = open();
  int turns = 0;
  std::function<void()> again = [&] {
    ++turns;
    loop_.after(0, again);
  };
  loop_.after(0, again);
  peer->send("x");
  run_until([h = handler] { return h->received == "x"; });
  EXPECT_GT(turns, 0);
}

TEST_F(UvLoopTest, WhatATimerWritesGoesOut) {
  auto [peer, handler] = open();
  loop_.after(5, [h = handler] { h->write("tick"); });
  run_until([p = peer.get()] {
    p->read();
    return p->received == "tick";
  });
}

TEST_F(UvLoopTest, WhatTheFlushHookSchedulesDoesNotWait) {
  auto [peer, handler] = open();
  std::vector<std::string> shown;
  handler->consume = [&, h = handler](std::string_view input) {
    shown.emplace_back(input);
    h->link->pause_input(true);
    return size_t{1};
  };
  loop_.set_before_flush([&, h = handler] {
    if (shown.size() == 1) h->link->pause_input(false);
  });
  peer->send("ab");
  // One run without a timer that would wake the loop.
  handler->at_close = [this] { loop_.stop(); };
  bool waited = false;
  loop_.after(30'000, [&] {
    waited = true;
    loop_.stop();
  });
  std::function<void()> stop_when_done = [&, h = handler] {
    if (shown.size() == 2) h->link->close_now();
  };
  auto consume = handler->consume;
  handler->consume = [&](std::string_view input) {
    const size_t consumed = consume(input);
    stop_when_done();
    return consumed;
  };
  loop_.run();
  EXPECT_EQ(shown.size(), 2u);
  EXPECT_FALSE(waited);
  loop_.set_before_flush({});
}

TEST_F(UvLoopTest, ReadsAPipeToItsEnd) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  std::string received;
  bool ended = false;
  const PipeId id = loop_.read_pipe(fds[0], [&](std::string_view data) {
    received.append(data);
    ended = data.empty();
  });
  ASSERT_EQ(write(fds[1], "abc", 3), 3);
  run_until([&] { return received == "abc"; });
  loop_.pause_pipe(id, true);
  ASSERT_EQ(write(fds[1], "def", 3), 3);
  run_turns(3);
  EXPECT_EQ(received, "abc");
  loop_.pause_pipe(id, false);
  ::close(fds[1]);
  run_until([&] { return ended; });
  EXPECT_EQ(received, "abcdef");
  loop_.pause_pipe(id, true);
  EXPECT_EQ(fcntl(fds[0], F_GETFD), -1);  // the loop has closed it
}

TEST_F(UvLoopTest, RunsWhatOtherThreadsPost) {
  constexpr int kThreads = 4, kPosts = 500;
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kPosts; ++i) loop_.post([&ran] { ++ran; });
    });
  }
  run_until([&] { return ran == kThreads * kPosts; });
  for (std::thread& thread : threads) thread.join();
  // A job may post another one.
  bool chained = false;
  loop_.post([&] { loop_.post([&] { chained = true; }); });
  run_until([&] { return chained; });
}

TEST_F(UvLoopTest, HandlesSignals) {
  int received = 0;
  loop_.on_signal(SIGUSR1, [&] { ++received; });
  kill(getpid(), SIGUSR1);
  run_until([&] { return received == 1; });
}

}  // namespace
}  // namespace tandem
