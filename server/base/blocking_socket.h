#pragma once

#include <string>
#include <string_view>

namespace tandem {

// A connected socket, not owned, for one who has nothing else to do than to wait for it. Whether it
// is set to block does not matter.
class BlockingSocket {
 public:
  explicit BlockingSocket(int fd) : fd_(fd) {}

  // Appends what has been received, waiting for at least a byte; false at the end of the stream and
  // on errors.
  bool receive(std::string* into);
  // Sends all of `bytes`, waiting up to `timeout_ms` each time the system takes no more. False when
  // that was not enough, or the connection is broken: a part may have been sent.
  bool send(std::string_view bytes, int timeout_ms);
  // Whether the other end sends nothing more and all that it has sent was received; does not wait.
  bool at_end() const;

 private:
  int fd_;
};

}  // namespace tandem
