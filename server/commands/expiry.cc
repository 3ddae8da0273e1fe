#include <string>

#include "server/base/numbers.h"
#include "server/commands/arguments.h"
#include "server/commands/expire_conditions.h"
#include "server/commands/families.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

// As EXPIRE takes it: of either sign, since a time in the past deletes the key.
std::optional<int64_t> read_expire_deadline(Call& call, TimeUnit unit, bool absolute) {
  const auto amount = read_integer(call, call.args[2]);
  if (!amount) return std::nullopt;
  int64_t deadline_ms = 0;
  if (__builtin_mul_overflow(*amount, static_cast<int64_t>(unit), &deadline_ms) ||
      (!absolute && __builtin_add_overflow(deadline_ms, call.now_ms(), &deadline_ms))) {
    reply_invalid_expiry(call);
    return std::nullopt;
  }
  return deadline_ms;
}

void expire(Call& call, TimeUnit unit, bool absolute) {
  ExpireConditions conditions;
  if (!read_conditions(call, call.args.subspan(3), &conditions)) return;
  const auto deadline_ms = read_expire_deadline(call, unit, absolute);
  if (!deadline_ms) return;
  const std::string_view key = call.args[1];
  Entry* entry = call.db().find_for_write(key);
  if (entry == nullptr || !conditions.hold(entry->expires_at_ms(), *deadline_ms)) {
    call.reply.integer(0);
    return;
  }
  if (already_expired(call, *deadline_ms)) {
    call.db().erase(key);
    call.emit({"DEL", key});
    call.notify(kEventGeneric, "del", key);
  } else {
    // Where the past does not delete, a negative time must still not read as "no expiry".
    call.db().set_expiry(entry, std::max<int64_t>(0, *deadline_ms));
    char digits[kMaxInt64Digits];
    call.emit({"PEXPIREAT", key, format_int64(*deadline_ms, std::span(digits))});
    call.notify(kEventGeneric, "expire", key);
  }
  call.reply.integer(1);
}

void expire_command(Call& call) { expire(call, TimeUnit::kSeconds, false); }
void pexpire_command(Call& call) { expire(call, TimeUnit::kMilliseconds, false); }
void expireat_command(Call& call) { expire(call, TimeUnit::kSeconds, true); }
void pexpireat_command(Call& call) { expire(call, TimeUnit::kMilliseconds, true); }

// Replies when the key expires, counted from `since_ms`; -1 without an expiry, -2 without the key.
void reply_expiry(Call& call, TimeUnit unit, int64_t since_ms) {
  const Entry* entry = call.db().find_untouched(call.args[1]);
  if (entry == nullptr || !entry->has_expiry()) {
    call.reply.integer(entry == nullptr ? -2 : -1);
    return;
  }
  const int64_t time_ms = std::max<int64_t>(0, entry->expires_at_ms() - since_ms);
  const bool rounds = unit == TimeUnit::kSeconds;
  call.reply.integer(rounds ? time_ms / 1000 + (time_ms % 1000 >= 500 ? 1 : 0) : time_ms);
}

void ttl_command(Call& call) { reply_expiry(call, TimeUnit::kSeconds, call.now_ms()); }
void pttl_command(Call& call) { reply_expiry(call, TimeUnit::kMilliseconds, call.now_ms()); }
void expiretime_command(Call& call) { reply_expiry(call, TimeUnit::kSeconds, 0); }
void pexpiretime_command(Call& call) { reply_expiry(call, TimeUnit::kMilliseconds, 0); }

void persist_command(Call& call) {
  Entry* entry = call.db().find_for_write(call.args[1]);
  if (entry == nullptr || !entry->has_expiry()) {
    call.reply.integer(0);
    return;
  }
  call.db().set_expiry(entry, kNoExpiry);
  call.changed();
  call.notify(kEventGeneric, "persist", call.args[1]);
  call.reply.integer(1);
}

constexpr CommandRow kRows[] = {
    {.name = "expire",
     .handler = expire_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets a key expire after so many seconds.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "expireat",
     .handler = expireat_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets a key expire at a Unix time in seconds.",
     .since = "1.2.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "expiretime",
     .handler = expiretime_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the Unix time in seconds at which a key expires.",
     .since = "7.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "persist",
     .handler = persist_command,
     .arity = 2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes the expiry of a key.",
     .since = "2.2.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "pexpire",
     .handler = pexpire_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets a key expire after so many milliseconds.",
     .since = "2.6.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "pexpireat",
     .handler = pexpireat_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets a key expire at a Unix time in milliseconds.",
     .since = "2.6.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "pexpiretime",
     .handler = pexpiretime_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the Unix time in milliseconds at which a key expires.",
     .since = "7.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "pttl",
     .handler = pttl_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@read",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the milliseconds until a key expires.",
     .since = "2.6.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "ttl",
     .handler = ttl_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@read",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the seconds until a key expires.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> expiry_commands() { return kRows; }

}  // namespace tandem
