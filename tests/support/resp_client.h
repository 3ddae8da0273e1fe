#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/reply_reader.h"
#include "tests/support/reply_text.h"

namespace tandem {

// A small blocking client. Whatever goes wrong on the connection, and a reply that does not come in
// time, throws std::runtime_error, which fails the test.
class RespClient {
 public:
  explicit RespClient(int port);  // 127.0.0.1
  explicit RespClient(const std::string& unix_socket);
  // Takes over a connected socket, also one that was accepted: requests read like replies.
  static RespClient adopt(int fd);
  ~RespClient();
  RespClient(RespClient&& other) noexcept;
  RespClient& operator=(RespClient&& other) noexcept;

  // Sends a request and returns its reply.
  template <typename... Words>
  ReplyValue call(const Words&... words) {
    send(words...);
    return read();
  }
  // The same, the reply as text on one line (see reply_text).
  template <typename... Words>
  std::string run(const Words&... words) {
    return reply_text(call(words...));
  }
  // A bulk, status or error reply's own text.
  template <typename... Words>
  std::string text(const Words&... words) {
    return call(words...).text;
  }

  template <typename... Words>
  void send(const Words&... words) {
    send_words({std::string_view(words)...});
  }
  void send_words(const std::vector<std::string_view>& words);
  void send_raw(std::string_view bytes);
  ReplyValue read();
  // The next value that is no reply but replication traffic or another raw byte stream.
  std::string read_raw(size_t bytes);

  // Awaits the server's end of the connection. False when it sends something else first or stays.
  bool closed_by_server();
  // Ends this side.
  void close();

 private:
  RespClient() = default;
  // False at the end of the stream.
  bool receive();

  int fd_ = -1;
  ReplyReader reader_;
};

// A listening port on which a test plays a server.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }
  // The next connection; throws when none comes in time.
  RespClient accept();

 private:
  int fd_ = -1;
  int port_ = 0;
};

// `words` as a request.
std::string encode_request(const std::vector<std::string_view>& words);

}  // namespace tandem
