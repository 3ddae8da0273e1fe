#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/base/result.h"
#include "server/resp/reply_reader.h"
#include "server/server.h"

namespace tandem::cli {

// Sends what servers of this process log (server.log() of functions, say) to standard error.
void log_to_standard_error();

// A whole server in this process, without sockets, files or threads, with one client. Everything
// but its clock is a server's; the same requests get the same replies in every run.
//
// Its wall clock stands still until advance(); timers (expiry in the background, among others) run
// when the clock passes them. Monotonic time goes on, so that a function which never ends can be
// found out.
class InProcessServer {
 public:
  static constexpr int64_t kStart_ms = 1'700'000'000'000;  // 2023-11-14T22:13:20Z

  InProcessServer();
  ~InProcessServer();
  InProcessServer(const InProcessServer&) = delete;
  InProcessServer& operator=(const InProcessServer&) = delete;

  Server& server();

  // Runs a request as a client does. A command that would wait replies as if its time had run out.
  // A command that sends no reply gives null; of several replies, the first.
  ReplyValue run(const std::vector<std::string_view>& words);

  int64_t now_us() const;
  // Moves the clock, back as well, and runs what was due by then.
  void advance_us(int64_t by_us);

 private:
  struct World;
  std::unique_ptr<World> world_;
};

}  // namespace tandem::cli
