#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "replication/history.h"
#include "replication/replica_set.h"
#include "server/base/link.h"
#include "server/exec/executor.h"

namespace tandem {

// FAILOVER: a primary hands its role to a replica that has all of its data.
//
// Writes wait from the start. Once a replica has acknowledged the whole stream this server becomes
// its replica, and asks it with PSYNC to take over. The writes that waited are then refused as a
// replica refuses them: their clients look for the primary anew.
class Failover {
 public:
  struct Request {
    std::string host;  // of the replica to promote; empty: the first one that is ready
    int port = 0;
    bool force = false;      // at the timeout, hand over though the target has not everything
    int64_t timeout_ms = 0;  // of the wait for the replica; 0: none
  };
  // What it works with; all of it outlives it.
  struct Parts {
    Loop& loop;
    Executor& executor;
    ReplicaSet& replicas;
    const ReplicationHistory& history;
    // Become the replica of this server, asking it to take over; be a primary again.
    std::function<void(const std::string& host, int port)> hand_over;
    std::function<void()> take_back;
  };
  explicit Failover(Parts parts) : parts_(std::move(parts)) {}
  ~Failover() { parts_.loop.cancel(timer_); }
  Failover(const Failover&) = delete;
  Failover& operator=(const Failover&) = delete;

  // False: the error is what FAILOVER answers, and nothing has changed.
  std::optional<std::string> start(Request request);
  void abort(std::string_view why);
  // Replicas have acknowledged more, or come online.
  void check();
  // The target has answered PSYNC.
  void answered(bool accepted);

  bool active() const { return state_ != State::kNone; }
  bool handing_over() const { return state_ == State::kInProgress; }
  // As INFO names it.
  std::string_view state_name() const;

 private:
  enum class State : uint8_t { kNone, kWaitsForSync, kInProgress };

  bool is_target(const Replica& replica) const;
  const Replica* find(bool up_to_date) const;
  void time_out();
  void hand_over(const Replica& replica);
  void end();

  Parts parts_;
  State state_ = State::kNone;
  Request request_;
  TimerId timer_ = 0;
};

}  // namespace tandem
