#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/exec/database_key.h"

namespace tandem {

class Client;

// Which clients WATCH which keys. A client's own list (Client::watched) names the same keys.
class WatchedKeys {
 public:
  bool empty() const { return watchers_.empty(); }
  void add(Client& client, int db, std::string_view key);
  // Forgets all keys of the client.
  void remove(Client& client);
  // Breaks the watch of every client that watches the key.
  void touch(int db, std::string_view key);
  // Calls visit(key) for the name of every watched key, whatever its database.
  template <typename Visit>
  void for_each_key(Visit&& visit) const {
    for (const auto& [watched, clients] : watchers_) visit(std::string_view(watched.key));
  }
  // The same as touch() for all watched keys of a database that satisfy `concerned`.
  template <typename Concerned>
  void touch_if(int db, Concerned&& concerned) {
    for (const auto& [watched, clients] : watchers_) {
      if (watched.db == db && concerned(std::string_view(watched.key))) break_watches(clients);
    }
  }

 private:
  static void break_watches(const std::vector<Client*>& clients);

  std::unordered_map<DatabaseKey, std::vector<Client*>, DatabaseKeyHash, DatabaseKeyEqual>
      watchers_;
};

}  // namespace tandem
