#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "server/exec/call.h"
#include "server/store/hash_value.h"

namespace tandem {

// What the commands of hashes and of their fields' expiry share.

// The hash at args[1], null for a missing key. Empty when it is of another type: WRONGTYPE has been
// replied.
std::optional<const HashValue*> find_hash(Call& call);
// As find_hash(), for changing it.
std::optional<HashValue*> find_hash_for_write(Call& call);
// An empty hash at args[1].
HashValue* create_hash(Call& call);

// The time to read hashes at. To a primary's stream, and while loading, every field is there.
inline int64_t field_time(const Call& call) {
  return call.keyspace.expiry_policy() == ExpiryPolicy::kIgnore ? HashValue::kAnyTime
                                                                : call.now_ms();
}

// The value of a field, or null.
void reply_field(Call& call, const HashValue* hash, std::string_view field);

// Counts the fields that one command found expired when it overwrote them.
struct Overwritten {
  size_t expired = 0;
};
// Sets a field to a value; it no longer expires unless `keep_expiry`. Returns whether it is new: a
// field whose time had come is.
bool set_field(Call& call, HashValue* hash, std::string_view field, std::string_view value,
               const HashLimits& limits, Overwritten* overwritten, bool keep_expiry = false);
// To be called after the change and before its own event.
void note_overwritten(Call& call, const Overwritten& overwritten);

// To be called when fields have been taken out of the hash at args[1]: tells of it, and removes the
// key with its last field.
void fields_removed(Call& call, const HashValue& hash, std::string_view event);

}  // namespace tandem
