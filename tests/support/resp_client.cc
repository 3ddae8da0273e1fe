#include "tests/support/resp_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "tests/support/await.h"

namespace tandem {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void set_patience(int fd) {
  const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

// A connect() that a stop of the process has interrupted goes on by itself.
bool await_connected(int fd) {
  pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
  while (poll(&writable, 1, -1) < 0) {
    if (errno != EINTR) return false;
  }
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return false;
  errno = error;
  return error == 0;
}

int connect_to(int family, const sockaddr* address, socklen_t length, const std::string& name) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  set_patience(fd);
  if (connect(fd, address, length) != 0 && !(errno == EINTR && await_connected(fd))) {
    const int reason = errno;
    ::close(fd);
    errno = reason;
    fail("connect to " + name);
  }
  return fd;
}

}  // namespace

RespClient::RespClient(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd_ = connect_to(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address,
                   std::to_string(port));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

RespClient::RespClient(const std::string& unix_socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (unix_socket.size() >= sizeof address.sun_path) throw std::runtime_error("path too long");
  std::memcpy(address.sun_path, unix_socket.data(), unix_socket.size());
  fd_ =
      connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, unix_socket);
}

RespClient RespClient::adopt(int fd) {
  set_patience(fd);
  RespClient client;
  client.fd_ = fd;
  return client;
}

RespClient::RespClient(RespClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), reader_(std::move(other.reader_)) {}

RespClient& RespClient::operator=(RespClient&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(reader_, other.reader_);
  return *this;
}

RespClient::~RespClient() { close(); }

void RespClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RespClient::send_words(const std::vector<std::string_view>& words) {
  send_raw(encode_request(words));
}

void RespClient::send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) fail("send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

bool RespClient::receive() {
  char buffer[16 * 1024];
  while (true) {
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("receive");
    reader_.feed({buffer, static_cast<size_t>(got)});
    return got > 0;
  }
}

ReplyValue RespClient::read() {
  while (true) {
    Result<std::optional<ReplyValue>> value = reader_.next();
    if (!value.ok()) throw std::runtime_error("malformed reply: " + value.error().to_string());
    if (value.value()) return *std::move(value).value();
    if (!receive()) throw std::runtime_error("the server closed the connection");
  }
}

std::string RespClient::read_raw(size_t bytes) {
  std::string got = reader_.take_rest();
  while (got.size() < bytes) {
    if (!receive()) throw std::runtime_error("the server closed the connection");
    got += reader_.take_rest();
  }
  reader_.feed(std::string_view(got).substr(bytes));
  got.resize(bytes);
  return got;
}

bool RespClient::closed_by_server() {
  char byte;
  ssize_t got;
  do {
    got = recv(fd_, &byte, 1, 0);
  } while (got < 0 && errno == EINTR);
  return reader_.idle() && (got == 0 || (got < 0 && errno == ECONNRESET));
}

Listener::Listener() {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (fd_ < 0 || bind(fd_, generic, length) != 0 || listen(fd_, 16) != 0) fail("listen");
  getsockname(fd_, generic, &length);
  port_ = ntohs(address.sin_port);
  set_patience(fd_);
}

Listener::~Listener() { ::close(fd_); }

RespClient Listener::accept() {
  int fd;
  do {
    fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) fail("accept");
  return RespClient::adopt(fd);
}

std::string encode_request(const std::vector<std::string_view>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    bytes.append("$").append(std::to_string(word.size())).append("\r\n");
    bytes.append(word).append("\r\n");
  }
  return bytes;
}

}  // namespace tandem
