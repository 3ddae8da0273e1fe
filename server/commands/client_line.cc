#include "server/commands/client_line.h"

#include <algorithm>
#include <type_traits>

#include "replication/replication.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

// The letters of CLIENT LIST's `flags`.
std::string flags_of(const Client& client) {
  std::string flags;
  if (client.kind == ClientKind::kReplica) flags += 'S';
  if (client.monitor) flags += 'O';
  if (client.kind == ClientKind::kPrimary) flags += 'M';
  if (client.subscriptions != nullptr) flags += 'P';
  if (client.transaction.active) flags += 'x';
  if (client.blocked()) flags += 'b';
  if (client.tracking != nullptr) {
    flags += 't';
    if (client.tracking->redirection_broken) flags += 'R';
    if (client.tracking->broadcast) flags += 'B';
  }
  if (client.watch_broken) flags += 'd';
  if (client.closing()) flags += 'c';
  if (client.link() != nullptr && client.link()->is_unix()) flags += 'U';
  if (client.no_evict) flags += 'e';
  if (client.no_touch) flags += 'T';
  if (client.import_source) flags += 'I';
  return flags.empty() ? "N" : flags;
}

class ClientLine {
 public:
  template <typename T>
  ClientLine& add(std::string_view name, const T& value) {
    if (!text_.empty()) text_ += ' ';
    text_ += name;
    text_ += '=';
    if constexpr (std::is_arithmetic_v<T>) {
      text_ += std::to_string(value);
    } else {
      text_ += value;
    }
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

int64_t redirection_of(const Client& client) {
  return client.tracking == nullptr ? -1 : static_cast<int64_t>(client.tracking->redirect_to);
}

size_t subscription_count(const Client& client, SubscriptionKind kind) {
  return client.subscriptions == nullptr ? 0 : client.subscriptions->count(kind);
}

size_t argument_bytes(const Call& call, const Client& client) {
  if (&client != &call.client) return 0;
  size_t bytes = 0;
  for (std::string_view arg : call.args) bytes += arg.size();
  return bytes;
}

StreamMemory stream_memory(const Call& call, const Client& client) {
  const Replication* replication = call.services.replication;
  return replication == nullptr ? StreamMemory() : replication->stream_memory(client);
}

void add_buffers(const Call& call, Client& client, ClientLine* line) {
  Link* link = client.link();
  const size_t queued = link != nullptr ? link->input_buffered() : 0;
  const size_t room = link != nullptr ? link->input_capacity() : 0;
  const size_t output = link != nullptr ? link->output().own_size() : 0;
  const StreamMemory shared = stream_memory(call, client);
  const size_t output_room = link != nullptr ? link->output().capacity() : 0;
  const size_t args = argument_bytes(call, client);
  line->add("qbuf", queued)
      .add("qbuf-free", room - std::min(room, queued))
      .add("argv-mem", args)
      .add("multi-mem", client.transaction.queued_bytes)
      .add("rbs", output_room)
      .add("rbp", output_room)
      .add("obl", output)
      .add("oll", shared.blocks)
      .add("omem", shared.bytes)
      .add("tot-mem", client.memory_usage() + shared.bytes);
}

}  // namespace

std::string describe_client(const Call& call, Client& client) {
  Link* link = client.link();
  const int64_t now = call.now_ms();
  std::string events;
  if (link != nullptr && !client.blocked()) events += 'r';
  if (link != nullptr && !link->output().empty() && &client != &call.client) events += 'w';
  ClientLine line;
  line.add("id", client.id)
      .add("addr", link != nullptr ? link->peer_address() : "")
      .add("laddr", link != nullptr ? link->local_address() : "")
      .add("fd", link != nullptr ? link->fd() : -1)
      .add("name", client.name)
      .add("age", std::max<int64_t>(0, now - client.created_ms) / 1000)
      .add("idle", std::max<int64_t>(0, now - client.last_interaction_ms) / 1000)
      .add("flags", flags_of(client))
      .add("capa", client.capabilities)
      .add("db", client.db)
      .add("sub", subscription_count(client, SubscriptionKind::kChannel))
      .add("psub", subscription_count(client, SubscriptionKind::kPattern))
      .add("ssub", subscription_count(client, SubscriptionKind::kShardChannel))
      .add("multi", client.transaction.active
                        ? static_cast<int64_t>(client.transaction.queue.size())
                        : int64_t{-1})
      .add("watch", client.watched.size());
  add_buffers(call, client, &line);
  line.add("events", events)
      .add("cmd", client.last_command != nullptr ? client.last_command->name : "NULL")
      // What a primary sends is under no user's rights.
      .add("user", client.kind == ClientKind::kPrimary ? "(superuser)" : client.user)
      .add("redir", redirection_of(client))
      .add("resp", client.protocol())
      .add("lib-name", client.library_name)
      .add("lib-ver", client.library_version)
      .add("tot-net-in", client.bytes_in)
      .add("tot-net-out", client.bytes_out)
      .add("tot-cmds", client.commands_processed);
  return line.take();
}

}  // namespace tandem
