#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "replication/replication.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/result.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"

namespace tandem {

// The end of a server, from the request to the moment when it leaves.
//
// While a replica lags behind it waits, for up to `shutdown-timeout`: writes are held back, expiry
// and eviction stand still, everything else is served, and who said SHUTDOWN has no reply. Then the
// server saves and leaves. When it cannot, or is told not to, it goes on as if nothing had been,
// and all who said SHUTDOWN get an error.
class Shutdown {
 public:
  using Options = ServerControl::ShutdownOptions;
  // What it works with; all of it outlives it.
  struct Parts {
    const Config& config;
    Clock& clock;
    Executor& executor;
    Replication& replication;
    // Saves what the options ask for and leaves the loop; or says why not, and has done nothing.
    std::function<Status(const Options& options)> leave;
    // The server stays after all.
    std::function<void()> on_cancelled;
  };
  explicit Shutdown(Parts parts) : parts_(std::move(parts)) {}

  // See ServerControl::shutdown(). While one is pending, another asks for nothing new.
  Status start(const Options& options, Client* client);
  // False when none is pending.
  bool abort();
  // At the end of each turn of the loop: ends the wait if it is over. The turns of the server's
  // cron are those that notice the deadline.
  void check() {
    if (deadline_ms_) end_wait_if_over();
  }
  // This server has become a replica: the clients that wait for its end get this error and are
  // closed. The shutdown goes on.
  void refuse_clients(std::string_view error);

  // How long a pending shutdown still waits for replicas at the most.
  std::optional<int64_t> left_ms() const;

 private:
  void begin_wait();
  void end_wait_if_over();
  Status finish();
  void cancel();
  void report_replicas() const;

  Parts parts_;
  Options options_;
  std::optional<int64_t> deadline_ms_;  // monotonic; none: nothing is pending
  std::vector<uint64_t> clients_;       // that said SHUTDOWN; some may be gone
};

}  // namespace tandem
