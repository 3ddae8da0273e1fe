#include "server/commands/hash_access.h"

#include <memory>

#include "server/commands/arguments.h"

namespace tandem {
namespace {

HashValue* hash_of(const Entry* entry) { return static_cast<HashValue*>(entry->value()); }

}  // namespace

std::optional<const HashValue*> find_hash(Call& call) {
  const Entry* entry = call.db().find(call.args[1]);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kHash)) return std::nullopt;
  return hash_of(entry);
}

std::optional<HashValue*> find_hash_for_write(Call& call) {
  const Entry* entry = call.db().find_for_write(call.args[1]);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kHash)) return std::nullopt;
  return hash_of(entry);
}

HashValue* create_hash(Call& call) {
  return hash_of(call.db().set_value(call.args[1], std::make_unique<HashValue>()));
}

void reply_field(Call& call, const HashValue* hash, std::string_view field) {
  HashValue::Scratch scratch;
  const auto value = hash != nullptr ? hash->get(field, scratch, field_time(call)) : std::nullopt;
  if (value) {
    call.reply.bulk(*value);
  } else {
    call.reply.null();
  }
}

bool set_field(Call& call, HashValue* hash, std::string_view field, std::string_view value,
               const HashLimits& limits, Overwritten* overwritten, bool keep_expiry) {
  if (!hash->has_expiring_fields()) return hash->set(field, value, limits);
  const bool expired = hash->expires_at_ms(field) <= field_time(call);
  if (expired) ++overwritten->expired;
  return hash->set(field, value, limits, keep_expiry && !expired) || expired;
}

void note_overwritten(Call& call, const Overwritten& overwritten) {
  if (overwritten.expired == 0) return;
  call.keyspace.stats().expired_fields += overwritten.expired;
  call.notify(kEventHash, "hexpired", call.args[1]);
}

void fields_removed(Call& call, const HashValue& hash, std::string_view event) {
  const bool empty = hash.size() == 0;
  if (empty) {
    call.db().erase(call.args[1]);
  } else {
    call.db().modified(call.args[1]);
  }
  call.notify(kEventHash, event, call.args[1]);
  if (empty) call.notify(kEventGeneric, "del", call.args[1]);
}

}  // namespace tandem
