#include "server/exec/watched_keys.h"

#include <algorithm>
#include <string>

#include "server/exec/client.h"

namespace tandem {

void WatchedKeys::add(Client& client, int db, std::string_view key) {
  const auto found = watchers_.find(DatabaseKeyView{db, key});
  if (found != watchers_.end()) {
    const std::vector<bool*>& watches = found->second;
    if (std::find(watches.begin(), watches.end(), &client.watch_broken) != watches.end()) return;
  }
  add(db, key, &client.watch_broken);
  client.watched.emplace_back(db, std::string(key));
}

void WatchedKeys::add(int db, std::string_view key, bool* broken) {
  auto found = watchers_.find(DatabaseKeyView{db, key});
  if (found == watchers_.end()) {
    found = watchers_.emplace(DatabaseKey{db, std::string(key)}, std::vector<bool*>()).first;
  }
  found->second.push_back(broken);
}

void WatchedKeys::remove(Client& client) {
  for (const auto& [db, key] : client.watched) remove(db, key, &client.watch_broken);
  client.watched.clear();
}

void WatchedKeys::remove(int db, std::string_view key, const bool* broken) {
  const auto found = watchers_.find(DatabaseKeyView{db, key});
  if (found == watchers_.end()) return;
  std::erase(found->second, broken);
  if (found->second.empty()) watchers_.erase(found);
}

void WatchedKeys::touch(int db, std::string_view key) {
  const auto found = watchers_.find(DatabaseKeyView{db, key});
  if (found != watchers_.end()) break_all(found->second);
}

void WatchedKeys::break_all(const std::vector<bool*>& watches) {
  for (bool* broken : watches) *broken = true;
}

}  // namespace tandem
