#include "server/net/sockets.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem {

namespace {

std::string name_of(const sockaddr_storage& address, const char* unix_path) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(in.sin6_port));
  }
  return std::string(unix_path) + ":0";
}

std::string unix_path_of(int fd) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "";
  return address.sun_path;
}

Error socket_error(const std::string& what) {
  return make_error(ErrorKind::kIo, what + ": " + std::strerror(errno));
}

}  // namespace

std::string socket_peer_name(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "?:0";
  // The connecting end of a unix socket has no name; it is known by the listener's.
  if (address.ss_family == AF_UNIX) return unix_path_of(fd) + ":0";
  return name_of(address, "");
}

std::string socket_local_name(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "?:0";
  if (address.ss_family == AF_UNIX) return unix_path_of(fd) + ":0";
  return name_of(address, "");
}

Result<int> bind_tcp(const std::string& address, int port) {
  const std::string where = "bind " + address + ":" + std::to_string(port);
  const bool any = address == "*" || address == "::*";
  addrinfo hints{};
  hints.ai_family = address == "*" ? AF_INET : address == "::*" ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int code = getaddrinfo(any ? nullptr : address.c_str(), service.c_str(), &hints, &found);
  if (code != 0) return make_error(ErrorKind::kIo, where + ": " + gai_strerror(code));
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  int failed = fd < 0;
  if (!failed) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // IPv4 has a socket of its own.
    if (found->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    failed = bind(fd, found->ai_addr, found->ai_addrlen) != 0;
  }
  freeaddrinfo(found);
  if (!failed) return fd;
  Error error = socket_error(where);
  if (fd >= 0) close(fd);
  return error;
}

Result<int> bind_unix(const std::string& path, unsigned mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return make_error(ErrorKind::kInvalid, "unix socket path too long: " + path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  unlink(path.c_str());  // left over from an earlier run
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return socket_error("socket " + path);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    Error error = socket_error("bind " + path);
    close(fd);
    return error;
  }
  if (mode != 0) chmod(path.c_str(), mode);
  return fd;
}

void tune_tcp(int fd, int keepalive_seconds) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (keepalive_seconds <= 0) return;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  const int interval = std::max(1, keepalive_seconds / 3), count = 3;
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_seconds, sizeof keepalive_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace tandem
