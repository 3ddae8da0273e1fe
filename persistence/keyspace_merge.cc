#include "persistence/keyspace_merge.h"

#include <optional>
#include <utility>
#include <vector>

#include "server/base/strings.h"

namespace tandem {

namespace {

std::vector<std::string> keys_of(const Database& db) {
  std::vector<std::string> keys;
  keys.reserve(db.size());
  db.for_each([&](const Entry* entry) { keys.emplace_back(entry->key()); });
  return keys;
}

}  // namespace

Status check_no_common_key(Keyspace& a, Keyspace& b) {
  for (int i = 0; i < a.database_count(); ++i) {
    std::optional<std::string> common;
    b.database(i).for_each([&](const Entry* entry) {
      if (!common && a.database(i).peek(entry->key()) != nullptr) common = entry->key();
    });
    if (common) {
      return make_error(ErrorKind::kInvalid, "there is a key " + quote(*common) + " in database " +
                                                 std::to_string(i) + " already");
    }
  }
  return {};
}

void move_keys(Keyspace& from, Keyspace& to) {
  for (int i = 0; i < from.database_count(); ++i) {
    Database& source = from.database(i);
    for (const std::string& key : keys_of(source)) {
      to.database(i).erase(key);
      to.database(i).adopt(source.detach(key), key);
    }
  }
}

}  // namespace tandem
