#include "server/exec/watched_keys.h"

#include <algorithm>
#include <string>

#include "server/exec/client.h"

namespace tandem {

void WatchedKeys::add(Client& client, int db, std::string_view key) {
  auto found = watchers_.find(DatabaseKeyView{db, key});
  if (found == watchers_.end()) {
    found = watchers_.emplace(DatabaseKey{db, std::string(key)}, std::vector<Client*>()).first;
  }
  std::vector<Client*>& clients = found->second;
  if (std::find(clients.begin(), clients.end(), &client) != clients.end()) return;
  clients.push_back(&client);
  client.watched.emplace_back(db, std::string(key));
}

void WatchedKeys::remove(Client& client) {
  for (const auto& [db, key] : client.watched) {
    const auto found = watchers_.find(DatabaseKeyView{db, key});
    if (found == watchers_.end()) continue;
    std::erase(found->second, &client);
    if (found->second.empty()) watchers_.erase(found);
  }
  client.watched.clear();
}

void WatchedKeys::touch(int db, std::string_view key) {
  const auto found = watchers_.find(DatabaseKeyView{db, key});
  if (found != watchers_.end()) break_watches(found->second);
}

void WatchedKeys::break_watches(const std::vector<Client*>& clients) {
  for (Client* client : clients) client->watch_broken = true;
}

}  // namespace tandem
