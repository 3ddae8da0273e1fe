// The Executor's side of clients: who may connect, who has to go, who has to wait.

#include <algorithm>
#include <string>
#include <utility>

#include "server/base/log.h"
#include "server/exec/blocked_clients.h"
#include "server/exec/client_memory.h"
#include "server/exec/executor.h"
#include "server/exec/monitors.h"
#include "server/exec/pubsub.h"
#include "server/exec/standstill.h"
#include "server/exec/watched_keys.h"

namespace tandem {

namespace {

constexpr std::string_view kProtectedModeDenial =
    "-DENIED Tandem is running in protected mode because protected mode is enabled and no password "
    "is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. If you "
    "want to connect from "
    "external computers, set a password with requirepass, or set protected-mode to no, and "
    "restrict the addresses that "
    "the server listens on with bind.\r\n";

void refuse(Link* link, std::string_view reply) {
  link->output().append(reply);
  link->close_after_flush();
}

}  // namespace

Client* Executor::accept(Link* link) {
  const Settings& settings = config_.settings();
  if (clients_.size() >= static_cast<size_t>(settings.maxclients)) {
    ++stats_.connections_rejected;
    refuse(link, "-ERR max number of clients reached\r\n");
    return nullptr;
  }
  if (settings.protected_mode && settings.requirepass.empty() && !link->peer_is_loopback()) {
    ++stats_.connections_rejected;
    refuse(link, kProtectedModeDenial);
    return nullptr;
  }
  ++stats_.connections_received;
  return adopt_link(link, ClientKind::kNormal);
}

Client* Executor::adopt_link(Link* link, ClientKind kind) {
  const uint64_t id = next_client_id_++;
  auto client = std::make_unique<Client>(this, id, kind);
  client->attach(link);
  client->authenticated = kind != ClientKind::kNormal || config_.settings().requirepass.empty();
  client->created_ms = client->last_interaction_ms = clock_.wall_ms();
  Client* raw = client.get();
  clients_.emplace(id, std::move(client));
  return raw;
}

std::unique_ptr<Client> Executor::make_internal_client(ClientKind kind) {
  auto client = std::make_unique<Client>(this, next_client_id_++, kind);
  client->authenticated = true;
  client->created_ms = clock_.wall_ms();
  return client;
}

Client* Executor::find_client(uint64_t id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.get();
}

void Executor::remove_client(Client& client) {
  for (ClientObserver* observer : client_observers_) observer->client_closed(client);
  watched_->remove(client);
  blocked_->remove(client);
  pubsub_->remove(client);
  client_memory_->remove(client);
  monitors_->remove(client);
  tracking_->remove(client);
  clients_.erase(client.id);
}

OutputBufferLimit Executor::output_limit(ClientClass of) const {
  const Settings& settings = config_.settings();
  OutputBufferLimit limit = settings.client_output_buffer_limit[static_cast<size_t>(of)];
  if (of != ClientClass::kReplica) return limit;
  // A replica that resumes may be sent the whole backlog at once: it must not be closed for that.
  const auto backlog = static_cast<decltype(limit.hard_bytes)>(settings.repl_backlog_size);
  if (limit.hard_bytes > 0) limit.hard_bytes = std::max(limit.hard_bytes, backlog);
  return limit;
}

size_t Executor::harmless_output(ClientClass of) const {
  const OutputBufferLimit limit = output_limit(of);
  const auto least = [](auto bytes) { return bytes > 0 ? static_cast<size_t>(bytes) : SIZE_MAX; };
  return std::min(least(limit.hard_bytes), least(limit.soft_bytes));
}

void Executor::check_output_limit(Client& client) {
  const OutputBuffer& output = client.link()->output();
  // A snapshot on its way to a replica is held back by its sender: the limit is about the stream.
  const size_t pending = client.kind == ClientKind::kReplica ? output.source_size() : output.size();
  const OutputBufferLimit limit = output_limit(client.output_class());
  const bool hard = limit.hard_bytes > 0 && pending > limit.hard_bytes;
  bool soft = limit.soft_bytes > 0 && pending > limit.soft_bytes;
  if (!soft) {
    client.soft_limit_since_ms = 0;
  } else if (client.soft_limit_since_ms == 0) {
    client.soft_limit_since_ms = keyspace_.now_ms();
    soft = false;
  } else {
    soft = keyspace_.now_ms() - client.soft_limit_since_ms > limit.soft_seconds * 1000;
  }
  if (!hard && !soft) return;
  ++stats_.client_output_limit_disconnections;
  log_warning("Client id=" + std::to_string(client.id) + " addr=" + client.link()->peer_address() +
              " closed: " + std::to_string(pending) +
              " bytes of output passed client-output-buffer-limit");
  client.close_now();
}

bool Executor::must_wait_for_pause(const Client& client, const Command& command, Args args) const {
  if (client.kind != ClientKind::kNormal || !paused()) return false;
  if (client.keeps_off_keys()) return false;
  // Who paused must be able to end it; Valkey lets these wait with all else.
  if (command.name == "client|unpause" || command.name == "client|pause") return false;
  if (clients_paused() && !state_.pause_writes_only) return true;
  const uint32_t flags =
      command.is(kRunsTransaction) ? client.transaction.queued_flags : flags_of(command, args);
  return (flags & (kWrite | kMayReplicate)) != 0;
}

void Executor::resume_paused_clients() {
  follow_pause(*this);
  for (uint64_t id : std::exchange(paused_clients_, {})) {
    Client* client = find_client(id);
    if (client != nullptr && !blocked_->run_paused(*client)) client->resume();
  }
}

}  // namespace tandem
