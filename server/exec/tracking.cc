#include "server/exec/tracking.h"

#include <algorithm>
#include <utility>

#include "server/exec/executor.h"
#include "server/resp/resp_format.h"

namespace tandem {

namespace {

constexpr std::string_view kPushHead = ">2\r\n$10\r\ninvalidate\r\n";
// What a RESP2 client that has subscribed gets in its place.
constexpr std::string_view kMessageHead = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
constexpr std::string_view kBrokenHead = ">2\r\n$21\r\ntracking-redir-broken\r\n";

void append_header(char type, uint64_t number, std::string* out) {
  char header[kRespHeaderBytes];
  out->append(header, static_cast<size_t>(write_resp_header(header, type, number) - header));
}

void append_bulk(std::string_view bytes, std::string* out) {
  append_header('$', bytes.size(), out);
  out->append(bytes).append("\r\n");
}

std::string encode_key(std::string_view key) {
  std::string keys = "*1\r\n";
  append_bulk(key, &keys);
  return keys;
}

// All names but those that `except` has changed; empty when there is none.
std::string encode_changed(const std::map<std::string, uint64_t, std::less<>>& changed,
                           uint64_t except) {
  std::string names;
  uint64_t count = 0;
  for (const auto& [key, client] : changed) {
    if (except != 0 && client == except) continue;
    append_bulk(key, &names);
    ++count;
  }
  if (count == 0) return {};
  std::string keys;
  append_header('*', count, &keys);
  return keys.append(names);
}

}  // namespace

// A key and the ids of the clients that may have it in their caches, in order. A client that has
// gone stays until the key changes: ids are not used again.
struct Tracking::TrackedKey {
  std::string key;
  std::vector<uint64_t> clients;
};

std::string_view Tracking::TrackedKeyTraits::key(const TrackedKey* tracked) { return tracked->key; }

Tracking::~Tracking() {
  table_.for_each([](TrackedKey* tracked) { delete tracked; });
}

void Tracking::enable(Client& client, ClientTracking how) {
  std::vector<std::string> prefixes = std::exchange(how.prefixes, {});
  if (client.tracking == nullptr) {
    client.tracking = std::make_unique<ClientTracking>();
    clients_.emplace(client.id, &client);
  }
  how.prefixes = std::move(client.tracking->prefixes);
  how.caching_given = client.tracking->caching_given;
  *client.tracking = std::move(how);
  if (!client.tracking->broadcast) return;
  if (prefixes.empty()) prefixes.emplace_back();
  for (std::string& prefix : prefixes) add_prefix(client, std::move(prefix));
}

void Tracking::disable(Client& client) {
  if (client.tracking == nullptr) return;
  leave_prefixes(client);
  clients_.erase(client.id);
  client.tracking.reset();
}

void Tracking::remove(Client& client) { disable(client); }

void Tracking::add_prefix(Client& client, std::string prefix) {
  const auto [place, fresh] = prefixes_.try_emplace(prefix);
  if (fresh) ++prefix_lengths_[prefix.size()];
  if (!place->second.clients.emplace(client.id, &client).second) return;
  client.tracking->prefixes.push_back(std::move(prefix));
}

void Tracking::leave_prefixes(Client& client) {
  for (const std::string& name : client.tracking->prefixes) {
    const auto prefix = prefixes_.find(name);
    prefix->second.clients.erase(client.id);
    if (!prefix->second.clients.empty()) continue;
    const auto length = prefix_lengths_.find(name.size());
    if (--length->second == 0) prefix_lengths_.erase(length);
    prefixes_.erase(prefix);
  }
}

void Tracking::remember(Client& reader, const Command& command, Args args) {
  const ClientTracking& how = *reader.tracking;
  if (how.broadcast || command.is(kPubSub)) return;
  if ((how.opt_in && !how.caching_given) || (how.opt_out && how.caching_given)) return;
  const auto keys = find_keys(command, args);
  if (!keys.ok()) return;
  for (const KeyPosition& position : keys.value()) {
    const std::string_view key = args[position.index];
    const uint64_t hash = hash_bytes(key);
    TrackedKey** found = table_.find(key, hash);
    if (found == nullptr) {
      table_.insert(new TrackedKey{std::string(key), {reader.id}}, hash);
      ++items_;
      continue;
    }
    std::vector<uint64_t>& clients = (*found)->clients;
    const auto place = std::lower_bound(clients.begin(), clients.end(), reader.id);
    if (place != clients.end() && *place == reader.id) continue;
    clients.insert(place, reader.id);
    ++items_;
  }
  keep_within_limit();
}

// Random keys leave a table that is too large: who has them is told that they may have changed.
void Tracking::keep_within_limit() {
  constexpr int kMostAtOnce = 100;
  const int64_t limit = executor_.config().settings().tracking_table_max_keys;
  for (int i = 0; limit > 0 && table_.size() > static_cast<size_t>(limit) && i < kMostAtOnce; ++i) {
    const TrackedKey* victim = table_.random(executor_.keyspace().random());
    forget(std::unique_ptr<TrackedKey>(table_.erase(victim->key)));
  }
}

void Tracking::invalidate_key(std::string_view key) {
  if (!prefixes_.empty()) note_for_broadcast(key);
  if (TrackedKey* tracked = table_.erase(key, hash_bytes(key)); tracked != nullptr) {
    forget(std::unique_ptr<TrackedKey>(tracked));
  }
}

void Tracking::note_for_broadcast(std::string_view key) {
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > key.size()) return;
    const auto prefix = prefixes_.find(key.substr(0, length));
    if (prefix == prefixes_.end()) continue;
    auto& changed = prefix->second.changed;
    const auto known = changed.find(key);
    if (known != changed.end()) {
      known->second = changing_client();
    } else {
      changed.emplace(key, changing_client());
    }
  }
}

uint64_t Tracking::changing_client() const {
  return executor_.serving() != nullptr ? executor_.serving()->id : 0;
}

// Tells the clients of a key that has left the table.
void Tracking::forget(std::unique_ptr<TrackedKey> tracked) {
  items_ -= tracked->clients.size();
  std::string keys;
  for (uint64_t id : tracked->clients) {
    Client* client = executor_.find_client(id);
    if (client == nullptr || client->tracking == nullptr || client->tracking->broadcast) continue;
    if (client->tracking->no_loop && client == executor_.serving()) continue;
    if (keys.empty()) keys = encode_key(tracked->key);
    send(*client, keys);
  }
}

void Tracking::send(Client& client, std::string_view keys) {
  const uint64_t redirect_to = client.tracking->redirect_to;
  Client* const target = redirect_to == 0 ? &client : executor_.find_client(redirect_to);
  if (target == nullptr) {
    client.tracking->redirection_broken = true;
    if (client.protocol() < 3) return;
    client.push(kBrokenHead, ":" + std::to_string(redirect_to) + "\r\n");
  } else if (target->protocol() > 2) {
    target->push(kPushHead, keys);
  } else if (redirect_to != 0 && target->subscriptions != nullptr) {
    target->push(kMessageHead, keys);
  }
  // A RESP2 client cannot be told on its own connection.
}

void Tracking::database_cleared() {
  flushed_ = !clients_.empty();
  if (table_.empty()) return;
  auto old = std::make_shared<Table<TrackedKey, TrackedKeyTraits>>(std::move(table_));
  table_ = {};
  items_ = 0;
  executor_.keyspace().free_in_background(
      [old] { old->for_each([](TrackedKey* tracked) { delete tracked; }); }, old->size(),
      old->memory_usage());
}

void Tracking::tell_flushed() {
  flushed_ = false;
  for (const auto& [id, client] : clients_) {
    send(*client, client->protocol() == 2 ? "$-1\r\n" : "_\r\n");
  }
}

void Tracking::broadcast() {
  for (auto& [name, prefix] : prefixes_) {
    if (!prefix.changed.empty()) send_broadcast(prefix);
  }
}

void Tracking::send_broadcast(Prefix& prefix) {
  const std::string all = encode_changed(prefix.changed, 0);
  for (const auto& [id, client] : prefix.clients) {
    if (!client->tracking->no_loop) {
      send(*client, all);
    } else if (const std::string keys = encode_changed(prefix.changed, id); !keys.empty()) {
      send(*client, keys);
    }
  }
  prefix.changed.clear();
}

}  // namespace tandem
