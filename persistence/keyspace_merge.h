#pragma once

#include <string>

#include "server/base/result.h"
#include "server/store/keyspace.h"

namespace tandem {

// Both keyspaces have the same number of databases.

// kInvalid, naming the key, when some key is in the same database of both.
Status check_no_common_key(Keyspace& a, Keyspace& b);
// Moves all keys of `from` into `to`, each in the place of one of its name.
void move_keys(Keyspace& from, Keyspace& to);

}  // namespace tandem
