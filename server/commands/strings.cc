#include <string>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/lcs.h"
#include "server/commands/string_options.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

using Scratch = char[kMaxInt64Digits];

// Replies the value of a string key, or null for a missing one. False when it has another type.
bool reply_string(Call& call, const Entry* entry) {
  if (entry == nullptr) {
    call.reply.null();
    return true;
  }
  if (!check_type(call, entry, ValueType::kString)) return false;
  Scratch scratch;
  call.reply.bulk(entry->string(scratch));
  return true;
}

// What subscribers of events see of a string that was set, and of its expiry.
void notify_set(Call& call, std::string_view key) { call.notify(kEventString, "set", key); }
void notify_set_until(Call& call, std::string_view key) {
  notify_set(call, key);
  call.notify(kEventGeneric, "expire", key);
}

void emit_set_until(Call& call, std::string_view key, std::string_view value, int64_t deadline_ms) {
  Scratch digits;
  call.emit({"SET", key, value, "PXAT", format_int64(deadline_ms, std::span(digits))});
}

// GET is a reader's wish: what travels is the command without it.
void emit_without_get(Call& call) {
  std::vector<std::string_view> effect;
  effect.reserve(call.args.size());
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (i < 3 || !equals_ignore_case(call.args[i], "get")) effect.push_back(call.args[i]);
    // IFEQ's comparison may itself be "get".
    if (i >= 3 && equals_ignore_case(call.args[i], "ifeq")) effect.push_back(call.args[++i]);
  }
  call.emit(effect);
}

// Whether SET's condition lets it go on; `entry` is the key's present one or null, and a string
// when the condition compares it.
bool condition_holds(const StringOptions& options, const Entry* entry) {
  using Condition = StringOptions::Condition;
  switch (options.condition) {
    case Condition::kNone:
      return true;
    case Condition::kIfAbsent:
      return entry == nullptr;
    case Condition::kIfPresent:
      return entry != nullptr;
    case Condition::kIfEqual: {
      if (entry == nullptr) return false;
      Scratch scratch;
      return entry->string(scratch) == options.comparison;
    }
  }
  return false;
}

void set_with_options(Call& call) {
  using Condition = StringOptions::Condition;
  using Expiry = StringOptions::Expiry;
  StringOptions options;
  if (!read_set_options(call, &options) || !options.read_deadline(call)) return;
  const std::string_view key = call.args[1], value = call.args[2];
  Database& db = call.db();
  if (options.get || options.condition != Condition::kNone || options.expiry == Expiry::kKeep) {
    // To reply the old value is to read it.
    const Entry* entry = options.get ? db.find(key) : db.find_for_write(key);
    const bool compares = options.condition == Condition::kIfEqual && entry != nullptr;
    if (options.get) {
      if (!reply_string(call, entry)) return;
    } else if (compares && !check_type(call, entry, ValueType::kString)) {
      return;
    }
    if (!condition_holds(options, entry)) {
      if (!options.get) call.reply.null();
      return;
    }
  }
  if (options.expiry == Expiry::kDeadline) {
    db.set_string_until(key, value, options.deadline_ms);
    if (options.is_pxat()) {
      call.changed();
    } else {
      emit_set_until(call, key, value, options.deadline_ms);
    }
    notify_set_until(call, key);
  } else {
    db.set_string(key, value, options.expiry == Expiry::kKeep);
    if (options.get) {
      emit_without_get(call);
    } else {
      call.changed();
    }
    notify_set(call, key);
  }
  if (!options.get) call.reply.ok();
}

void set_command(Call& call) {
  if (call.args.size() > 3) {
    set_with_options(call);
    return;
  }
  call.db().set_string(call.args[1], call.args[2]);
  call.changed();
  notify_set(call, call.args[1]);
  call.reply.ok();
}

void setnx_command(Call& call) {
  Database& db = call.db();
  if (db.find_for_write(call.args[1]) != nullptr) {
    call.reply.integer(0);
    return;
  }
  db.set_string(call.args[1], call.args[2]);
  call.changed();
  notify_set(call, call.args[1]);
  call.reply.integer(1);
}

void set_expiring(Call& call, TimeUnit unit) {
  const auto deadline_ms = read_deadline(call, call.args[2], unit, false);
  if (!deadline_ms) return;
  call.db().set_string_until(call.args[1], call.args[3], *deadline_ms);
  emit_set_until(call, call.args[1], call.args[3], *deadline_ms);
  notify_set_until(call, call.args[1]);
  call.reply.ok();
}

void setex_command(Call& call) { set_expiring(call, TimeUnit::kSeconds); }
void psetex_command(Call& call) { set_expiring(call, TimeUnit::kMilliseconds); }

void get_command(Call& call) { reply_string(call, call.db().find(call.args[1])); }

void getset_command(Call& call) {
  const std::string_view key = call.args[1], value = call.args[2];
  if (!reply_string(call, call.db().find(key))) return;
  call.db().set_string(key, value);
  call.emit({"SET", key, value});
  notify_set(call, key);
}

void getdel_command(Call& call) {
  const std::string_view key = call.args[1];
  const Entry* entry = call.db().find(key);
  if (!reply_string(call, entry) || entry == nullptr) return;
  call.db().erase(key);
  call.emit({"DEL", key});
  call.notify(kEventGeneric, "del", key);
}

void getex_command(Call& call) {
  using Expiry = StringOptions::Expiry;
  StringOptions options;
  if (!read_getex_options(call, &options)) return;
  const std::string_view key = call.args[1];
  Database& db = call.db();
  Entry* entry = db.find(key);
  if (entry == nullptr) {
    call.reply.null();
    return;
  }
  if (!check_type(call, entry, ValueType::kString) || !options.read_deadline(call)) return;
  reply_string(call, entry);
  if (options.expiry == Expiry::kPersist && entry->has_expiry()) {
    db.set_expiry(entry, kNoExpiry);
    call.emit({"PERSIST", key});
    call.notify(kEventGeneric, "persist", key);
  } else if (options.expiry == Expiry::kDeadline) {
    if (already_expired(call, options.deadline_ms)) {
      db.erase(key);
      call.emit({"DEL", key});
      call.notify(kEventGeneric, "del", key);
      return;
    }
    db.set_expiry(entry, options.deadline_ms);
    Scratch digits;
    call.emit({"PEXPIREAT", key, format_int64(options.deadline_ms, std::span(digits))});
    call.notify(kEventGeneric, "expire", key);
  }
}

void mget_command(Call& call) {
  call.reply.array(call.args.size() - 1);
  for (const std::string_view key : call.args.subspan(1)) {
    const Entry* entry = call.db().find(key);
    if (entry == nullptr || entry->type() != ValueType::kString) {
      call.reply.null();
      continue;
    }
    Scratch scratch;
    call.reply.bulk(entry->string(scratch));
  }
}

void set_pairs(Call& call) {
  const Args pairs = call.args.subspan(1);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    call.db().set_string(pairs[i], pairs[i + 1]);
    notify_set(call, pairs[i]);
  }
  call.changed(pairs.size() / 2);
}

void mset_command(Call& call) {
  if (call.args.size() % 2 == 0) {
    call.wrong_arg_count();
    return;
  }
  set_pairs(call);
  call.reply.ok();
}

void msetnx_command(Call& call) {
  if (call.args.size() % 2 == 0) {
    call.wrong_arg_count();
    return;
  }
  for (size_t i = 1; i < call.args.size(); i += 2) {
    if (call.db().find_for_write(call.args[i]) == nullptr) continue;
    call.reply.integer(0);
    return;
  }
  set_pairs(call);
  call.reply.integer(1);
}

// Whether the condition, NX or XX, lets MSETEX go on: it must hold for all keys.
bool condition_holds_for_all(Call& call, const StringOptions& options, Args pairs) {
  if (options.condition == StringOptions::Condition::kNone) return true;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    if (!condition_holds(options, call.db().find_for_write(pairs[i]))) return false;
  }
  return true;
}

// What travels is what each key became, in words that a replica of any version knows.
void set_pairs_with_options(Call& call, const StringOptions& options, Args pairs) {
  using Expiry = StringOptions::Expiry;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const std::string_view key = pairs[i], value = pairs[i + 1];
    if (options.expiry == Expiry::kDeadline) {
      call.db().set_string_until(key, value, options.deadline_ms);
      emit_set_until(call, key, value, options.deadline_ms);
      notify_set_until(call, key);
    } else {
      const bool keep = options.expiry == Expiry::kKeep;
      call.db().set_string(key, value, keep);
      if (keep) {
        call.emit({"SET", key, value, "KEEPTTL"});
      } else {
        call.emit({"SET", key, value});
      }
      notify_set(call, key);
    }
  }
}

void msetex_command(Call& call) {
  constexpr size_t kFirstKey = 2;
  const std::optional<int64_t> keys = parse_int64(call.args[1]);
  if (!keys || *keys < 1 || *keys > INT32_MAX) {
    call.reply.error("ERR invalid numkeys value");
    return;
  }
  const size_t words = 2 * static_cast<size_t>(*keys);
  if (words > call.args.size() - kFirstKey) {
    call.reply.error("ERR wrong number of key-value pairs");
    return;
  }
  StringOptions options;
  if (!read_msetex_options(call, kFirstKey + words, &options) || !options.read_deadline(call)) {
    return;
  }
  const Args pairs = call.args.subspan(kFirstKey, words);
  if (!condition_holds_for_all(call, options, pairs)) {
    call.reply.integer(0);
    return;
  }
  set_pairs_with_options(call, options, pairs);
  call.reply.integer(1);
}

void delifeq_command(Call& call) {
  const std::string_view key = call.args[1];
  const Entry* entry = call.db().find_for_write(key);
  if (entry != nullptr && !check_type(call, entry, ValueType::kString)) return;
  Scratch scratch;
  if (entry == nullptr || entry->string(scratch) != call.args[2]) {
    call.reply.integer(0);
    return;
  }
  call.db().erase(key);
  call.emit({"DEL", key});
  call.notify(kEventGeneric, "del", key);
  call.reply.integer(1);
}

constexpr CommandRow kRows[] = {
    {.name = "delifeq",
     .handler = delifeq_command,
     .arity = 3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[DELETE+RM index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Deletes a key if its string is the given one.",
     .since = "9.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "get",
     .handler = get_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@string",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the string of a key.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "getdel",
     .handler = getdel_command,
     .arity = 2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the string of a key and deletes the key.",
     .since = "6.2.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "getex",
     .handler = getex_command,
     .arity = -2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the string of a key and sets or removes its expiry.",
     .since = "6.2.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "getset",
     .handler = getset_command,
     .arity = 3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets a string and returns the one before it.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "lcs",
     .handler = lcs_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "1,2,1",
     .categories = "@read,@slow,@string",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=1,keystep=1,limit=0]",
     .summary = "Finds the longest common subsequence of two strings.",
     .since = "7.0.0",
     .group = "string",
     .complexity = "O(N*M), where N and M are the lengths of the strings"},
    {.name = "mget",
     .handler = mget_command,
     .arity = -2,
     .flags = "fast,readonly",
     .keys = "1,-1,1",
     .categories = "@fast,@read,@string",
     .tips = "request_policy:multi_shard",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Returns the strings of several keys.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(N), where N is the number of keys"},
    {.name = "mset",
     .handler = mset_command,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,-1,2",
     .categories = "@slow,@string,@write",
     .tips = "request_policy:multi_shard;response_policy:all_succeeded",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=-1,keystep=2,limit=0]",
     .summary = "Sets several keys to strings.",
     .since = "1.0.1",
     .group = "string",
     .complexity = "O(N), where N is the number of keys"},
    {.name = "msetex",
     .handler = msetex_command,
     .arity = -4,
     .flags = "denyoom,movablekeys,write",
     .keys = "0,0,0",
     .categories = "@slow,@string,@write",
     .tips = "request_policy:multi_shard;response_policy:all_succeeded",
     .key_specs = "[OW+UPDATE index:index=1 keynum:keynumidx=0,firstkey=1,keystep=2]",
     .summary = "Sets several keys to strings, on a condition and with an expiry if asked to.",
     .since = "9.1.0",
     .group = "string",
     .complexity = "O(N), where N is the number of keys"},
    {.name = "msetnx",
     .handler = msetnx_command,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,-1,2",
     .categories = "@slow,@string,@write",
     .key_specs = "[INSERT+OW index:index=1 range:lastkey=-1,keystep=2,limit=0]",
     .summary = "Sets several keys to strings if none of the keys exists.",
     .since = "1.0.1",
     .group = "string",
     .complexity = "O(N), where N is the number of keys"},
    {.name = "psetex",
     .handler = psetex_command,
     .arity = 4,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@slow,@string,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets a string that expires after so many milliseconds.",
     .since = "2.6.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "set",
     .handler = set_command,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@slow,@string,@write",
     .key_specs =
         "[ACCESS+RW+UPDATE+VARIABLE_FLAGS index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets a key to a string, on conditions and with an expiry if asked to.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "setex",
     .handler = setex_command,
     .arity = 4,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@slow,@string,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets a string that expires after so many seconds.",
     .since = "2.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "setnx",
     .handler = setnx_command,
     .arity = 3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[INSERT+OW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets a key to a string if the key does not exist.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> string_commands() { return kRows; }

}  // namespace tandem
