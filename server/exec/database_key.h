#pragma once

#include <string>
#include <string_view>

#include "server/base/hash.h"

namespace tandem {

// The name of a key in one of the databases, as what is noted per key is found by.
struct DatabaseKey {
  int db;
  std::string key;
};

struct DatabaseKeyView {
  int db;
  std::string_view key;
};

struct DatabaseKeyHash {
  using is_transparent = void;
  size_t operator()(const DatabaseKey& k) const { return (*this)(DatabaseKeyView{k.db, k.key}); }
  size_t operator()(const DatabaseKeyView& k) const {
    return hash_bytes(k.key) + static_cast<size_t>(k.db);
  }
};

struct DatabaseKeyEqual {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return a.db == b.db && std::string_view(a.key) == std::string_view(b.key);
  }
};

}  // namespace tandem
