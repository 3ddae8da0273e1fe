#include "tests/support/partition_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace tandem {
namespace {

// What waits inside the proxy, and about what its sockets hold: little, so that a slow network
// makes itself felt at the sender.
constexpr size_t kPiece = 64 * 1024;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);
}

void prepare(int fd) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

size_t index_of(PartitionProxy::Direction direction) { return static_cast<size_t>(direction); }

}  // namespace

PartitionProxy::PartitionProxy(int server_port) : server_port_(server_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (listener_ < 0 || wake_ < 0) fail("socket");
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  set_option(listener_, SOL_SOCKET, SO_SNDBUF, kPiece);
  if (bind(listener_, generic, length) != 0 || listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, generic, &length) != 0) {
    fail("listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

PartitionProxy::~PartitionProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  for (Link& link : links_) link.broken = true;
  forget_broken();
  close(listener_);
  close(wake_);
}

void PartitionProxy::wake() {
  const uint64_t one = 1;
  if (write(wake_, &one, sizeof one) < 0 && !would_block()) fail("eventfd");
}

void PartitionProxy::cut() {
  const std::lock_guard lock(mutex_);
  for (Link& link : links_) link.broken = true;
  wake();
}

void PartitionProxy::cut_after(Direction direction, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  cut_at_[index_of(direction)] = passed_[index_of(direction)] + bytes;
  hold_after_cut_ = false;
}

void PartitionProxy::cut_and_hold_after(Direction direction, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  cut_at_[index_of(direction)] = passed_[index_of(direction)] + bytes;
  hold_after_cut_ = true;
}

bool PartitionProxy::cut_is_due() const {
  const std::lock_guard lock(mutex_);
  return cut_at_[0] != 0 || cut_at_[1] != 0;
}

void PartitionProxy::hold(bool held) {
  const std::lock_guard lock(mutex_);
  held_ = held;
  wake();
}

void PartitionProxy::slow_down(uint64_t bytes_per_ms) {
  const std::lock_guard lock(mutex_);
  bytes_per_ms_ = bytes_per_ms;
  wake();
}

uint64_t PartitionProxy::passed(Direction direction) const {
  const std::lock_guard lock(mutex_);
  return passed_[index_of(direction)];
}

int PartitionProxy::links() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(links_.size());
}

void PartitionProxy::run() {
  while (true) {
    step();
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
}

void PartitionProxy::step() {
  std::vector<pollfd> polled;
  bool slow = false;
  {
    const std::lock_guard lock(mutex_);
    polled.push_back({wake_, POLLIN, 0});
    polled.push_back({held_ ? -1 : listener_, POLLIN, 0});
    slow = bytes_per_ms_ > 0 && !links_.empty();
    for (const Link& link : links_) {
      for (const Pipe* pipe : {&link.up, &link.down}) {
        const bool reads = !held_ && !pipe->ended && pipe->pending.size() < kPiece;
        const bool writes = !held_ && !pipe->pending.empty() && !(slow && pipe == &link.down);
        polled.push_back({reads ? pipe->from : -1, POLLIN, 0});
        polled.push_back({writes ? pipe->to : -1, POLLOUT, 0});
      }
    }
  }
  constexpr int kSlowTickMs = 1;
  poll(polled.data(), polled.size(), slow ? kSlowTickMs : -1);

  const std::lock_guard lock(mutex_);
  uint64_t wakes = 0;
  if (read(wake_, &wakes, sizeof wakes) < 0 && !would_block()) fail("eventfd");
  const auto now = std::chrono::steady_clock::now();
  if (now - refilled_ >= std::chrono::milliseconds(kSlowTickMs)) {
    slow_allowance_ = bytes_per_ms_;
    refilled_ = now;
  }
  if (!held_) {
    size_t next = 2;
    // Only this thread adds and removes links: they are the ones that were polled.
    for (Link& link : links_) {
      if (polled[next].revents != 0) read_more(&link.up);
      if (polled[next + 2].revents != 0) read_more(&link.down);
      next += 4;
      pass_on(&link, Direction::kUp);
      pass_on(&link, Direction::kDown);
    }
    if (polled[1].revents != 0 && !held_) accept_link();
  }
  forget_broken();
}

void PartitionProxy::accept_link() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0) fail("socket");
  set_option(server, SOL_SOCKET, SO_RCVBUF, kPiece);
  const sockaddr_in address = loopback(server_port_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(client);
    close(server);
    return;
  }
  prepare(client);
  prepare(server);
  links_.push_back({.up = {.from = client, .to = server}, .down = {.from = server, .to = client}});
}

void PartitionProxy::read_more(Pipe* pipe) {
  char buffer[kPiece];
  const ssize_t count = recv(pipe->from, buffer, sizeof buffer, 0);
  if (count > 0) {
    pipe->pending.append(buffer, static_cast<size_t>(count));
  } else if (count == 0 || !would_block()) {
    pipe->ended = true;
  }
}

uint64_t PartitionProxy::allowance(Direction direction, size_t pending) const {
  const size_t index = index_of(direction);
  uint64_t allowed = pending;
  if (direction == Direction::kDown && bytes_per_ms_ > 0) {
    allowed = std::min(allowed, slow_allowance_);
  }
  if (cut_at_[index] != 0) allowed = std::min(allowed, cut_at_[index] - passed_[index]);
  return allowed;
}

void PartitionProxy::pass_on(Link* link, Direction direction) {
  Pipe& pipe = direction == Direction::kUp ? link->up : link->down;
  const uint64_t allowed = allowance(direction, pipe.pending.size());
  if (allowed > 0 && !link->broken) {
    const ssize_t count = send(pipe.to, pipe.pending.data(), allowed, MSG_NOSIGNAL);
    if (count > 0) {
      const auto taken = static_cast<uint64_t>(count);
      pipe.pending.erase(0, taken);
      passed_[index_of(direction)] += taken;
      if (direction == Direction::kDown) slow_allowance_ -= std::min(slow_allowance_, taken);
    } else if (!would_block()) {
      link->broken = true;
    }
  }
  // What one side has sent before it ended reaches the other one.
  if (pipe.ended && pipe.pending.empty()) link->broken = true;
  uint64_t& cut_at = cut_at_[index_of(direction)];
  if (cut_at != 0 && passed_[index_of(direction)] >= cut_at) {
    cut_at = 0;
    held_ = held_ || hold_after_cut_;
    for (Link& each : links_) each.broken = true;
  }
}

void PartitionProxy::forget_broken() {
  links_.remove_if([](const Link& link) {
    if (!link.broken) return false;
    close(link.up.from);
    close(link.up.to);
    return true;
  });
}

}  // namespace tandem
