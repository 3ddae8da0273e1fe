#include "server/exec/blocked_clients.h"

#include <algorithm>
#include <iterator>

#include "server/exec/executor.h"

namespace tandem {

BlockedClients::BlockedClients(Executor& executor) : executor_(executor) {}

BlockedClients::~BlockedClients() = default;

void BlockedClients::add(Call& call, std::span<const std::string_view> keys, ValueType type,
                         int64_t deadline_ms, const BlockOptions& options) {
  Client& client = call.client;
  auto found = clients_.find(client.id);
  if (found == clients_.end()) {
    Blocked blocked{.client = &client,
                    .arrival = next_arrival_++,
                    .args = {call.args.begin(), call.args.end()},
                    .type = type,
                    .wake_when_gone = options.wake_when_gone,
                    .deadline_ms = deadline_ms};
    for (const auto& [index, text] : options.replace) blocked.args[index] = text;
    found = clients_.emplace(client.id, std::move(blocked)).first;
  }
  enqueue(found->second, client.db, keys);
  client.block(this);
}

void BlockedClients::enqueue(Blocked& blocked, int db, std::span<const std::string_view> keys) {
  blocked.queues.reserve(keys.size());
  for (std::string_view key : keys) {
    auto found = queues_.find(DatabaseKeyView{db, key});
    if (found == queues_.end())
      found = queues_.emplace(DatabaseKey{db, std::string(key)}, Queue()).first;
    // A key may be named twice.
    if (!found->second.clients.emplace(blocked.arrival, &blocked).second) continue;
    found->second.wake_when_gone += blocked.wake_when_gone ? 1 : 0;
    blocked.queues.push_back(&*found);
  }
  if (blocked.deadline_ms == 0) return;
  const auto place = deadlines_.emplace(blocked.deadline_ms, blocked.client->id).first;
  if (place == deadlines_.begin()) on_earlier_deadline();
}

void BlockedClients::dequeue(Blocked& blocked) {
  for (Queues::value_type* place : blocked.queues) {
    Queue& queue = place->second;
    queue.clients.erase(blocked.arrival);
    queue.wake_when_gone -= blocked.wake_when_gone ? 1 : 0;
    if (queue.clients.empty()) queues_.erase(queues_.find(place->first));
  }
  blocked.queues.clear();
  deadlines_.erase({blocked.deadline_ms, blocked.client->id});
}

void BlockedClients::remove(const Client& client) {
  const auto found = clients_.find(client.id);
  if (found == clients_.end()) return;
  dequeue(found->second);
  clients_.erase(found);
}

void BlockedClients::mark_ready(int db, std::string_view key) {
  const auto found = queues_.find(DatabaseKeyView{db, key});
  if (found != queues_.end()) mark_ready(*found);
}

void BlockedClients::mark_ready(Queues::value_type& queue) {
  if (queue.second.ready) return;
  queue.second.ready = true;
  ready_.push_back(queue.first);
}

void BlockedClients::database_replacing(int db) {
  for (Queues::value_type& queue : queues_) {
    if (queue.first.db == db) mark_ready(queue);
  }
}

void BlockedClients::serve_ready() {
  const EffectStream& effects = executor_.effects();
  if (serving_ || effects.in_unit() || effects.suspended()) return;
  serving_ = true;
  // What runs may make other keys ready.
  while (!ready_.empty()) {
    for (const DatabaseKey& key : std::exchange(ready_, {})) serve_key(key);
  }
  serving_ = false;
}

void BlockedClients::serve_key(const DatabaseKey& key) {
  const uint64_t first_newcomer = next_arrival_;
  if (const auto found = queues_.find(key); found != queues_.end()) found->second.ready = false;
  for (uint64_t served = 0;;) {
    const Entry* entry = executor_.keyspace().database(key.db).peek(key.key);
    // The queue may have gone with the client that ran last.
    const auto found = queues_.find(key);
    if (found == queues_.end()) return;
    const Queue& queue = found->second;
    if (entry == nullptr && queue.wake_when_gone == 0) return;
    const auto next =
        std::find_if(queue.clients.upper_bound(served), queue.clients.end(),
                     [this, entry](const auto& place) { return wanted_by(*place.second, entry); });
    if (next == queue.clients.end() || next->first >= first_newcomer) return;
    served = next->first;
    run(*next->second);
  }
}

bool BlockedClients::wanted_by(const Blocked& blocked, const Entry* entry) const {
  if (blocked.client->closing()) return false;
  return blocked.wake_when_gone || (entry != nullptr && entry->type() == blocked.type);
}

void BlockedClients::run(Blocked& blocked) {
  dequeue(blocked);
  Client& client = *blocked.client;
  const std::vector<std::string_view> args(blocked.args.begin(), blocked.args.end());
  if (client.run_again(args)) clients_.erase(client.id);
}

bool BlockedClients::run_paused(Client& client) {
  const auto found = clients_.find(client.id);
  if (found == clients_.end() || !found->second.queues.empty()) return false;
  run(found->second);
  return true;
}

template <typename Write>
void BlockedClients::answer(Client& client, Write write) {
  remove(client);
  client.answer_blocked(write);
}

void BlockedClients::time_out() {
  const int64_t now_ms = executor_.clock().monotonic_ms();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    Client& client = *clients_.at(deadlines_.begin()->second).client;
    answer(client, [](Reply& reply) { reply.null_array(); });
  }
}

void BlockedClients::unblock(Client& client, std::string_view error) {
  answer(client, [error](Reply& reply) {
    if (error.empty()) {
      reply.null_array();
    } else {
      reply.error(error);
    }
  });
}

void BlockedClients::refuse_all(std::string_view error) {
  std::map<uint64_t, Client*> by_arrival;
  for (const auto& [id, blocked] : clients_) {
    if (!blocked.queues.empty()) by_arrival.emplace(blocked.arrival, blocked.client);
  }
  for (const auto& [arrival, client] : by_arrival) {
    remove(*client);
    client->reply().error(error);
    client->close_after_reply();
  }
}

size_t BlockedClients::wake_when_gone_key_count() const {
  return static_cast<size_t>(std::count_if(queues_.begin(), queues_.end(), [](const auto& queue) {
    return queue.second.wake_when_gone > 0;
  }));
}

}  // namespace tandem
