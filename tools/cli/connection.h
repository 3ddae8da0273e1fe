#pragma once

#include <csignal>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/base/result.h"
#include "server/resp/reply_reader.h"

namespace tandem::cli {

struct Endpoint {
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string socket_path;  // when set, it is used instead of host and port

  // As messages name it: the path, or host:port with an IPv6 address in brackets.
  std::string to_string() const;
};

// `arguments` as a request: an array of bulk strings.
std::string encode_request(std::span<const std::string> arguments);

// Turns signals into something a blocking read can wait for: while it lives, SIGINT (and, if
// `termination_too`, SIGTERM and SIGHUP) does not end the process but interrupts reads of the
// connections that watch it.
class InterruptWatch {
 public:
  explicit InterruptWatch(bool termination_too);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  int fd() const { return fd_; }
  // True if a signal has come; takes it.
  bool take();

 private:
  int fd_ = -1;
  sigset_t saved_mask_;
};

// A blocking connection to a server. Errors: kIo with the system's words (and "Server closed the
// connection" at its end), kTimeout, and kCorrupt from the reply parser.
class Connection {
 public:
  // `timeout_seconds` bounds the connecting; 0 waits as long as the system does.
  static Result<std::unique_ptr<Connection>> open(const Endpoint& endpoint, double timeout_seconds);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The watch must outlive its use; null ends it.
  void watch(InterruptWatch* watch) { watch_ = watch; }
  // A read for which nothing comes for so long fails with kTimeout.
  void limit_waiting(double seconds) { waiting_ms_ = static_cast<int>(seconds * 1000); }
  // Whether the last failed read failed because of the watch.
  bool interrupted() const { return interrupted_; }

  Status send(std::span<const std::string> arguments);
  Result<ReplyValue> read_reply();
  Result<ReplyValue> call(std::span<const std::string> arguments);

  // Up to `length` bytes (at least one) that follow the last reply, for what is not RESP.
  Result<size_t> read_raw(char* out, size_t length);

 private:
  explicit Connection(int fd) : fd_(fd) {}

  Status wait_readable();
  Result<size_t> receive(char* out, size_t length);

  int fd_;
  ReplyReader reader_;
  std::string raw_;  // taken from the reader, not yet read as raw bytes
  InterruptWatch* watch_ = nullptr;
  bool interrupted_ = false;
  int waiting_ms_ = -1;
};

}  // namespace tandem::cli
