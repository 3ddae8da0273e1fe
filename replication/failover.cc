#include "replication/failover.h"

#include <utility>

#include "server/base/log.h"

namespace tandem {

namespace {

std::string address_of(const std::string& host, int port) {
  return host + ":" + std::to_string(port);
}

}  // namespace

std::optional<std::string> Failover::start(Request request) {
  if (parts_.replicas.empty()) return "ERR FAILOVER requires connected replicas.";
  if (request.force && (request.timeout_ms == 0 || request.host.empty())) {
    return "ERR FAILOVER with force option requires both a timeout and target HOST and IP options.";
  }
  request_ = std::move(request);
  if (!request_.host.empty()) {
    const Replica* target = find(false);
    if (target == nullptr) return "ERR FAILOVER target HOST and PORT is not a replica.";
    if (target->state != Replica::State::kOnline) {
      return "ERR FAILOVER target replica is not online.";
    }
  }
  log_notice("FAILOVER requested to " +
             (request_.host.empty() ? "any replica" : address_of(request_.host, request_.port)) +
             ".");
  state_ = State::kWaitsForSync;
  parts_.executor.state().failing_over = true;
  if (request_.timeout_ms > 0) {
    timer_ = parts_.loop.after(static_cast<uint64_t>(request_.timeout_ms), [this] { time_out(); });
  }
  return std::nullopt;
}

bool Failover::is_target(const Replica& replica) const {
  return request_.host.empty() ||
         (replica.ip() == request_.host && replica.handshake.listening_port == request_.port);
}

const Replica* Failover::find(bool up_to_date) const {
  const Replica* found = nullptr;
  parts_.replicas.for_each([&](const Replica& replica) {
    if (found != nullptr || !is_target(replica)) return;
    const bool has_all =
        replica.state == Replica::State::kOnline && replica.acknowledged >= parts_.history.offset();
    if (has_all || !up_to_date) found = &replica;
  });
  return found;
}

void Failover::check() {
  if (state_ != State::kWaitsForSync) return;
  if (const Replica* ready = find(true)) hand_over(*ready);
}

void Failover::time_out() {
  timer_ = 0;
  const Replica* target = request_.force ? find(false) : nullptr;
  if (target == nullptr) return abort("Replica never caught up before timeout");
  log_notice("Failover to " + target->name() + " is forced: the time to wait is over.");
  hand_over(*target);
}

void Failover::hand_over(const Replica& replica) {
  parts_.loop.cancel(std::exchange(timer_, 0));
  state_ = State::kInProgress;
  log_notice("Failover target is " + replica.name() + ": handing over.");
  const std::string host = replica.ip();
  parts_.hand_over(host, replica.handshake.listening_port);
}

void Failover::answered(bool accepted) {
  if (state_ != State::kInProgress) return;
  if (!accepted) return abort("Failover target rejected psync request");
  log_notice("Failover complete: this server is a replica now.");
  end();
}

void Failover::abort(std::string_view why) {
  if (!active()) return;
  log_notice("Aborting failover while " + std::string(state_name()) + ": " + std::string(why));
  if (handing_over()) parts_.take_back();
  end();
}

void Failover::end() {
  parts_.loop.cancel(std::exchange(timer_, 0));
  state_ = State::kNone;
  parts_.executor.state().failing_over = false;
  parts_.executor.resume_paused_clients();
}

std::string_view Failover::state_name() const {
  constexpr std::string_view kNames[] = {"no-failover", "waiting-for-sync", "failover-in-progress"};
  return kNames[static_cast<size_t>(state_)];
}

}  // namespace tandem
