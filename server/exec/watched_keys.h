#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/exec/database_key.h"

namespace tandem {

class Client;

// Who is to know that which keys have changed: clients that WATCH them, whose own list
// (Client::watched) names the same keys, and what works on keys while the loop goes on.
class WatchedKeys {
 public:
  bool empty() const { return watchers_.empty(); }
  void add(Client& client, int db, std::string_view key);
  // Forgets all keys of the client.
  void remove(Client& client);
  // Sets `*broken` when the key changes; it stays in place until it is removed. A key that is there
  // and whose time has come must have been looked at before.
  void add(int db, std::string_view key, bool* broken);
  void remove(int db, std::string_view key, const bool* broken);
  // Breaks every watch of the key.
  void touch(int db, std::string_view key);
  // Calls visit(key) for the name of every watched key, whatever its database.
  template <typename Visit>
  void for_each_key(Visit&& visit) const {
    for (const auto& [watched, watches] : watchers_) visit(std::string_view(watched.key));
  }
  // The same as touch() for all watched keys of a database that satisfy `concerned`.
  template <typename Concerned>
  void touch_if(int db, Concerned&& concerned) {
    for (const auto& [watched, watches] : watchers_) {
      if (watched.db == db && concerned(std::string_view(watched.key))) break_all(watches);
    }
  }

 private:
  static void break_all(const std::vector<bool*>& watches);

  std::unordered_map<DatabaseKey, std::vector<bool*>, DatabaseKeyHash, DatabaseKeyEqual> watchers_;
};

}  // namespace tandem
