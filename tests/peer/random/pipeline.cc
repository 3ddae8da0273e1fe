#include "tests/peer/random/pipeline.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "tests/support/await.h"

namespace tandem::peer {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// The first byte after the value at `start`, npos while it is incomplete.
size_t value_end(std::string_view bytes, size_t start) {
  size_t missing = 1;
  while (missing > 0) {
    const size_t line_end = bytes.find("\r\n", start);
    if (line_end == std::string_view::npos) return line_end;
    const long long number = std::strtoll(bytes.data() + start + 1, nullptr, 10);
    size_t next = line_end + 2;
    --missing;
    switch (bytes[start]) {
      case '$':
      case '=':
      case '!':
        if (number >= 0) next += static_cast<size_t>(number) + 2;
        break;
      case '*':
      case '~':
      case '>':
        if (number > 0) missing += static_cast<size_t>(number);
        break;
      case '%':
        missing += 2 * static_cast<size_t>(number);
        break;
      default:
        break;
    }
    if (next > bytes.size()) return std::string_view::npos;
    start = next;
  }
  return start;
}

}  // namespace

Pipeline::Pipeline(int port) : port_(port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) fail("socket");
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

Pipeline::~Pipeline() { ::close(fd_); }

void Pipeline::send(std::string requests, size_t replies) {
  output_ = std::move(requests);
  sent_ = 0;
  input_.clear();
  expected_ = replies;
  starts_.assign(1, 0);
}

short Pipeline::wanted_events() const {
  if (done() && sent_ == output_.size()) return 0;
  return static_cast<short>(sent_ < output_.size() ? POLLIN | POLLOUT : POLLIN);
}

void Pipeline::advance(short events) {
  if ((events & POLLOUT) != 0) {
    const ssize_t sent = ::send(fd_, output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) fail("send");
    if (sent > 0) sent_ += static_cast<size_t>(sent);
  }
  if ((events & (POLLIN | POLLHUP | POLLERR)) == 0) return;
  constexpr size_t kPiece = 256 << 10;
  const size_t held = input_.size();
  input_.resize(held + kPiece);
  const ssize_t got = recv(fd_, input_.data() + held, kPiece, 0);
  const int reason = errno;
  input_.resize(held + (got > 0 ? static_cast<size_t>(got) : 0));
  if (got == 0) throw std::runtime_error("the server closed the connection");
  errno = reason;
  if (got < 0 && errno != EAGAIN && errno != EINTR) fail("receive");
  find_replies();
}

void Pipeline::find_replies() {
  while (!done()) {
    const size_t end = value_end(input_, starts_.back());
    if (end == std::string_view::npos) return;
    starts_.push_back(end);
  }
  if (starts_.back() != input_.size()) throw std::runtime_error("more replies than requests");
}

void Pipeline::give_up() const {
  throw std::runtime_error("the server on port " + std::to_string(port_) + " has answered only " +
                           std::to_string(starts_.size() - 1) + " of " + std::to_string(expected_) +
                           " requests, then " + input_.substr(starts_.back(), 100));
}

void Pipeline::exchange(Pipeline& one, Pipeline& other) {
  Pipeline* both[] = {&one, &other};
  while (true) {
    pollfd fds[2];
    for (int i = 0; i < 2; ++i) {
      const short events = both[i]->wanted_events();
      fds[i] = {.fd = events != 0 ? both[i]->fd_ : -1, .events = events, .revents = 0};
    }
    if (fds[0].fd < 0 && fds[1].fd < 0) return;
    const auto patience = std::chrono::milliseconds(kPatience);
    const int ready = poll(fds, 2, static_cast<int>(patience.count()));
    if (ready < 0 && errno != EINTR) fail("poll");
    if (ready == 0) (one.done() ? other : one).give_up();
    for (int i = 0; i < 2; ++i) {
      if (fds[i].revents != 0) both[i]->advance(fds[i].revents);
    }
  }
}

std::string Pipeline::call(const std::vector<std::string>& words) {
  std::string request = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    request += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  send(std::move(request), 1);
  while (short events = wanted_events()) {
    pollfd fd = {.fd = fd_, .events = events, .revents = 0};
    const auto patience = std::chrono::milliseconds(kPatience);
    if (poll(&fd, 1, static_cast<int>(patience.count())) == 0) {
      give_up();
    }
    advance(fd.revents);
  }
  return std::string(reply(0));
}

}  // namespace tandem::peer
