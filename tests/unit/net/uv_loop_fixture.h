#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/net/uv_loop.h"
#include "tests/support/process.h"

namespace tandem {

// What the loop's side of a connection does is up to the test.
class Handler final : public LinkHandler {
 public:
  size_t on_input(std::string_view input) override {
    ++inputs;
    if (consume) return consume(input);
    received.append(input);
    return input.size();
  }
  size_t input_wanted() const override { return wanted; }
  size_t sendable_output() override {
    return sendable == OutputBuffer::kAll ? sendable : sendable - link->output().own_consumed();
  }
  void on_drained() override { ++drained; }
  void on_closed(std::string_view reason) override {
    closed = true;
    close_reason = reason;
    if (at_close) at_close();
  }

  void write(std::string_view bytes) {
    link->output().append(bytes);
    link->schedule_flush();
  }

  Link* link = nullptr;
  std::function<size_t(std::string_view)> consume;
  std::function<void()> at_close;
  std::string received, close_reason;
  size_t wanted = 0;
  size_t sendable = OutputBuffer::kAll;  // of all that was ever written
  int inputs = 0, drained = 0;
  bool closed = false;
};

// The other end: a plain non-blocking socket.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) { fcntl(fd_, F_SETFL, O_NONBLOCK); }
  Peer(const Peer&) = delete;
  ~Peer() { close(); }

  // How many of the bytes the socket took.
  size_t send(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  // Reads what there is, at most `most`.
  void read(size_t most = SIZE_MAX) {
    std::vector<char> buffer(64 * 1024);
    while (most > 0) {
      const ssize_t n = recv(fd_, buffer.data(), std::min(most, buffer.size()), 0);
      if (n == 0) ended = true;
      if (n < 0 && errno != EAGAIN) broken = true;
      if (n <= 0) return;
      received.append(buffer.data(), static_cast<size_t>(n));
      most -= static_cast<size_t>(n);
    }
  }
  void finish_sending() { shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // The connection ends with a reset.
  void abort() {
    const linger at_once{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

  std::string received;
  bool ended = false, broken = false;

 private:
  int fd_;
};

class UvLoopTest : public ::testing::Test {
 protected:
  // Runs the loop until the condition holds; fails after a minute.
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never held";
      loop_.after(1, [this] { loop_.stop(); });
      loop_.run();
    }
  }
  void run_turns(int turns) {
    for (int i = 0; i < turns; ++i) {
      loop_.after(0, [this] { loop_.stop(); });
      loop_.run();
    }
  }

  // Listens on a free port of the loopback interface; each connection gets a Handler.
  int listen() {
    listener_port_ = free_port();
    const Status listening = loop_.listen_tcp("127.0.0.1", listener_port_, 128, [this](Link* link) {
      handlers_.push_back(std::make_unique<Handler>());
      handlers_.back()->link = link;
      return handlers_.back().get();
    });
    EXPECT_TRUE(listening.ok()) << listening.error().message;
    return listener_port_;
  }

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  // One that nobody else uses while the test runs.
  int free_port() const { return lease_.port(); }

  // A connection that waits to be accepted. A small buffer makes for a slow reader.
  std::unique_ptr<Peer> dial(int receive_buffer = 0) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const sockaddr_in address = loopback(listener_port_);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return std::make_unique<Peer>(fd);
  }

  // Both ends of an accepted connection.
  std::pair<std::unique_ptr<Peer>, Handler*> open(int receive_buffer = 0) {
    if (listener_port_ == 0) listen();
    const size_t before = handlers_.size();
    auto peer = dial(receive_buffer);
    run_until([&] { return handlers_.size() > before; });
    return {std::move(peer), handlers_.back().get()};
  }

  PortLease lease_;
  UvLoop loop_;
  int listener_port_ = 0;
  std::vector<std::unique_ptr<Handler>> handlers_;
};

inline constexpr size_t kMuch = 20'000'000;  // more than the sockets' buffers hold

inline std::string pattern(size_t length) {
  std::string bytes(length, 0);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

}  // namespace tandem
