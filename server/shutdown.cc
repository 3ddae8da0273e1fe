#include "server/shutdown.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/base/log.h"

namespace tandem {

Status Shutdown::start(const Options& options, Client* client) {
  if (!deadline_ms_) {
    log_warning("User requested shutdown...");
    options_ = options;
    const bool waits = !options.now && parts_.config.settings().shutdown_timeout > 0 &&
                       !parts_.executor.state().loading && !parts_.replication.replicas_in_sync();
    if (!waits) {
      const Status left = finish();
      if (left.ok() && client != nullptr) client->close_now();
      return left;
    }
    begin_wait();
  }
  if (client != nullptr) {
    client->block();
    clients_.push_back(client->id);
  }
  return {};
}

void Shutdown::begin_wait() {
  const int64_t timeout_ms = parts_.config.settings().shutdown_timeout * 1000;
  deadline_ms_ = parts_.clock.monotonic_ms() + timeout_ms;
  // Who has paused the clients may count on a stream that stands still.
  if (!parts_.executor.paused()) parts_.replication.ask_for_acknowledgements();
  parts_.executor.state().shutting_down = true;
  log_notice("Waiting for replicas before shutting down.");
}

void Shutdown::end_wait_if_over() {
  // A dataset in the middle of a function's writes is not for saving.
  if (!parts_.executor.state().busy.empty() && !options_.no_save) return;
  if (left_ms() > 0 && !parts_.replication.replicas_in_sync()) return;
  if (!finish().ok()) return;
  // Nothing is written any more: the pause stays.
  deadline_ms_.reset();
  for (uint64_t id : std::exchange(clients_, {})) {
    if (Client* client = parts_.executor.find_client(id)) client->close_now();
  }
}

Status Shutdown::finish() {
  report_replicas();
  const Status left = parts_.leave(options_);
  if (left.ok()) return left;
  log_warning("Errors trying to shut down the server: " + left.error().to_string());
  cancel();
  return left;
}

bool Shutdown::abort() {
  if (!deadline_ms_) return false;
  cancel();
  log_notice("Shutdown manually aborted.");
  return true;
}

void Shutdown::cancel() {
  deadline_ms_.reset();
  parts_.on_cancelled();
  for (uint64_t id : std::exchange(clients_, {})) {
    Client* client = parts_.executor.find_client(id);
    if (client == nullptr || client->closing()) continue;
    client->answer_blocked([](Reply& reply) { reply.error(kShutdownFailed); });
  }
  if (std::exchange(parts_.executor.state().shutting_down, false)) {
    parts_.executor.resume_paused_clients();
  }
}

void Shutdown::refuse_clients(std::string_view error) {
  for (uint64_t id : std::exchange(clients_, {})) {
    Client* client = parts_.executor.find_client(id);
    if (client == nullptr || client->closing()) continue;
    client->reply().error(error);
    client->close_after_reply();
  }
}

std::optional<int64_t> Shutdown::left_ms() const {
  if (!deadline_ms_) return std::nullopt;
  return std::max<int64_t>(0, *deadline_ms_ - parts_.clock.monotonic_ms());
}

void Shutdown::report_replicas() const {
  const ReplicationInfo info = parts_.replication.info();
  size_t lagging = 0;
  for (const ReplicaInfo& replica : info.replicas) {
    if (replica.offset >= info.offset) continue;
    ++lagging;
    const std::string port =
        replica.port != 0 ? std::to_string(replica.port) : "<unknown-replica-port>";
    log_warning("Lagging replica " + replica.ip + ":" + port + " reported offset " +
                std::to_string(info.offset - replica.offset) + " behind master, lag=" +
                std::to_string(replica.lag_s) + ", state=" + std::string(replica.state) + ".");
  }
  const size_t count = info.replicas.size();
  if (count == 0) return;
  log_notice(std::to_string(count - lagging) + " of " + std::to_string(count) +
             " replicas are in sync when shutting down.");
}

}  // namespace tandem
