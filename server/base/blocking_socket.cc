#include "server/base/blocking_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace tandem {

namespace {

constexpr int kForEver = -1;

// False when the time has run out.
bool wait_for(int fd, short events, int timeout_ms) {
  pollfd waiting{fd, events, 0};
  int ready;
  do {
    ready = poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

bool BlockingSocket::receive(std::string* into) {
  char buffer[16 * 1024];
  while (true) {
    const ssize_t received = recv(fd_, buffer, sizeof buffer, 0);
    if (received > 0) {
      into->append(buffer, static_cast<size_t>(received));
      return true;
    }
    if (received == 0 || (errno != EAGAIN && errno != EINTR)) return false;
    if (errno == EAGAIN && !wait_for(fd_, POLLIN, kForEver)) return false;
  }
}

bool BlockingSocket::send(std::string_view bytes, int timeout_ms) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(fd_, POLLOUT, timeout_ms)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool BlockingSocket::at_end() const {
  char next;
  const ssize_t waiting = recv(fd_, &next, 1, MSG_PEEK | MSG_DONTWAIT);
  return waiting == 0 || (waiting < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace tandem
