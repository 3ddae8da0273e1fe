#include "tools/cli/connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "server/base/numbers.h"

namespace tandem::cli {
namespace {

constexpr size_t kReadChunk = 64 * 1024;

Error system_error(int number) { return make_error(ErrorKind::kIo, std::strerror(number)); }

// A connect() on a non-blocking socket, waited for at most `timeout_ms` (-1: forever).
Status finish_connect(int fd, const sockaddr* address, socklen_t length, int timeout_ms) {
  if (connect(fd, address, length) == 0) return {};
  if (errno != EINPROGRESS) return system_error(errno);
  pollfd waited{fd, POLLOUT, 0};
  int ready;
  do {
    ready = poll(&waited, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return system_error(errno);
  if (ready == 0) return make_error(ErrorKind::kTimeout, std::strerror(ETIMEDOUT));
  int error = 0;
  socklen_t error_length = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_length);
  return error == 0 ? Status() : Status(system_error(error));
}

Result<int> connect_address(int family, const sockaddr* address, socklen_t length, int timeout_ms) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return system_error(errno);
  Status connected = finish_connect(fd, address, length, timeout_ms);
  if (!connected) {
    close(fd);
    return connected.error();
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return fd;
}

Result<int> connect_unix(const std::string& path, int timeout_ms) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return system_error(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  return connect_address(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address),
                         timeout_ms);
}

Result<int> connect_tcp(const std::string& host, int port, int timeout_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return make_error(ErrorKind::kIo, gai_strerror(code));
  Result<int> fd = make_error(ErrorKind::kIo, "no address");
  for (addrinfo* one = found; one != nullptr && !fd; one = one->ai_next) {
    fd = connect_address(one->ai_family, one->ai_addr, one->ai_addrlen, timeout_ms);
  }
  freeaddrinfo(found);
  if (fd) {
    int on = 1;
    setsockopt(fd.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd.value(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    int idle_seconds = 15;
    setsockopt(fd.value(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds));
  }
  return fd;
}

}  // namespace

std::string Endpoint::to_string() const {
  if (!socket_path.empty()) return socket_path;
  bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string encode_request(std::span<const std::string> arguments) {
  std::string out = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    out += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  return out;
}

InterruptWatch::InterruptWatch(bool termination_too) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  if (termination_too) {
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
  }
  sigprocmask(SIG_BLOCK, &signals, &saved_mask_);
  fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

InterruptWatch::~InterruptWatch() {
  if (fd_ >= 0) close(fd_);
  sigprocmask(SIG_SETMASK, &saved_mask_, nullptr);
}

bool InterruptWatch::take() {
  signalfd_siginfo info;
  return read(fd_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
}

Result<std::unique_ptr<Connection>> Connection::open(const Endpoint& endpoint,
                                                     double timeout_seconds) {
  int timeout_ms = -1;
  if (timeout_seconds > 0) {
    timeout_ms = static_cast<int>(std::min(std::ceil(timeout_seconds * 1000), 2e9));
  }
  Result<int> fd = endpoint.socket_path.empty()
                       ? connect_tcp(endpoint.host, endpoint.port, timeout_ms)
                       : connect_unix(endpoint.socket_path, timeout_ms);
  if (!fd) return fd.error();
  return std::unique_ptr<Connection>(new Connection(fd.value()));
}

Connection::~Connection() { close(fd_); }

Status Connection::send(std::span<const std::string> arguments) {
  std::string request = encode_request(arguments);
  size_t sent = 0;
  while (sent < request.size()) {
    ssize_t written = ::send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno);
    sent += static_cast<size_t>(written);
  }
  return {};
}

Result<ReplyValue> Connection::read_reply() {
  char chunk[kReadChunk];
  for (;;) {
    Result<std::optional<ReplyValue>> next = reader_.next();
    if (!next) return next.error();
    if (next.value()) return std::move(*next.value());
    Result<size_t> received = receive(chunk, sizeof(chunk));
    if (!received) return received.error();
    reader_.feed({chunk, received.value()});
  }
}

Result<ReplyValue> Connection::call(std::span<const std::string> arguments) {
  Status sent = send(arguments);
  if (!sent) return sent.error();
  return read_reply();
}

Result<size_t> Connection::read_raw(char* out, size_t length) {
  if (raw_.empty()) raw_ = reader_.take_rest();
  if (raw_.empty()) return receive(out, length);
  size_t taken = raw_.copy(out, length);
  raw_.erase(0, taken);
  return taken;
}

Status Connection::wait_readable() {
  interrupted_ = false;
  if (watch_ == nullptr && waiting_ms_ < 0) return {};
  // poll() passes over negative descriptors.
  pollfd waited[2] = {{fd_, POLLIN, 0}, {watch_ != nullptr ? watch_->fd() : -1, POLLIN, 0}};
  int ready = 0;
  while ((ready = poll(waited, 2, waiting_ms_)) < 0) {
    if (errno != EINTR) return system_error(errno);
  }
  if (ready == 0) return make_error(ErrorKind::kTimeout, "No answer in time");
  if ((waited[1].revents & POLLIN) != 0 && watch_->take()) {
    interrupted_ = true;
    return make_error(ErrorKind::kIo, "Interrupted");
  }
  return {};
}

Result<size_t> Connection::receive(char* out, size_t length) {
  Status ready = wait_readable();
  if (!ready) return ready.error();
  for (;;) {
    ssize_t received = recv(fd_, out, length, 0);
    if (received > 0) return static_cast<size_t>(received);
    if (received == 0) return make_error(ErrorKind::kIo, "Server closed the connection");
    if (errno != EINTR) return system_error(errno);
  }
}

}  // namespace tandem::cli
