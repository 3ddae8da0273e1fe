// Expiry of single fields of a hash.

#include <string>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/expire_conditions.h"
#include "server/commands/families.h"
#include "server/commands/hash_access.h"
#include "server/commands/string_options.h"
#include "server/exec/call.h"
#include "server/store/hash_value.h"

namespace tandem {
namespace {

using Fields = std::vector<std::string_view>;

// The codes of single fields in a reply.
enum FieldResult : int64_t {
  kNoField = -2,
  kNoFieldExpiry = -1,
  kConditionFailed = 0,
  kDone = 1,
  kRemoved = 2,
};

void reply_bad_field_count(Call& call) {
  call.reply.error(
      "ERR numfields should be greater than 0 and match the provided number of fields");
}

// Where FIELDS stands behind args[first], with an argument behind it; 0 when it does not.
size_t find_fields(Args args, size_t first) {
  for (size_t i = first; i + 1 < args.size(); ++i) {
    if (equals_ignore_case(args[i], "fields")) return i;
  }
  return 0;
}

// The fields behind their number at args[at], each with `words` arguments.
std::optional<Args> read_fields(Call& call, size_t at, size_t words) {
  const auto count = read_integer(call, call.args[at]);
  if (!count) return std::nullopt;
  const Args fields = call.args.subspan(at + 1);
  if (*count <= 0 || fields.size() % words != 0 ||
      static_cast<uint64_t>(*count) != fields.size() / words) {
    reply_bad_field_count(call);
    return std::nullopt;
  }
  return fields;
}

// A time of the past is one, but no negative time.
std::optional<int64_t> read_field_deadline(Call& call, std::string_view text, TimeUnit unit,
                                           bool absolute) {
  const auto amount = read_integer(call, text);
  if (!amount) return std::nullopt;
  int64_t deadline_ms = 0;
  if (*amount < 0 || __builtin_mul_overflow(*amount, static_cast<int64_t>(unit), &deadline_ms) ||
      (!absolute && __builtin_add_overflow(deadline_ms, call.now_ms(), &deadline_ms))) {
    reply_invalid_expiry(call);
    return std::nullopt;
  }
  return deadline_ms;
}

void emit_fields(Call& call, std::vector<std::string_view> effect, const Fields& fields,
                 bool counted) {
  const std::string count = std::to_string(fields.size());
  if (counted) effect.insert(effect.end(), {"FIELDS", count});
  effect.insert(effect.end(), fields.begin(), fields.end());
  call.emit(effect);
}

// Fields have been removed because the time they were given had come.
void expired_at_once(Call& call, const HashValue& hash, const Fields& fields) {
  call.changed(fields.size());
  call.keyspace.stats().expired_fields += fields.size();
  emit_fields(call, {"HDEL", call.args[1]}, fields, false);
  fields_removed(call, hash, "hexpired");
}

// Fields have been given this expiry.
void expiry_was_set(Call& call, const Fields& fields, int64_t deadline_ms) {
  call.changed(fields.size());
  const std::string_view key = call.args[1];
  const std::string time = std::to_string(deadline_ms);
  emit_fields(call, {"HPEXPIREAT", key, time}, fields, true);
  call.db().modified(key);
  call.db().fields_expire(call.db().peek(key));
  call.notify(kEventHash, "hexpire", key);
}

void expiry_was_removed(Call& call, const Fields& fields) {
  call.changed(fields.size());
  emit_fields(call, {"HPERSIST", call.args[1]}, fields, true);
  call.db().modified(call.args[1]);
  call.notify(kEventHash, "hpersist", call.args[1]);
}

int64_t expiry_or_none(const HashValue& hash, std::string_view field) {
  const int64_t at_ms = hash.expires_at_ms(field);
  return at_ms == Value::kNever ? kNoExpiry : at_ms;
}

void hexpire(Call& call, TimeUnit unit, bool absolute) {
  const size_t at = find_fields(call.args, 3);
  if (at == 0) return reply_bad_field_count(call);
  ExpireConditions conditions;
  if (!read_conditions(call, call.args.subspan(3, at - 3), &conditions)) return;
  const auto fields = read_fields(call, at + 1, 1);
  if (!fields) return;
  const auto deadline_ms = read_field_deadline(call, call.args[2], unit, absolute);
  if (!deadline_ms) return;
  const auto found = find_hash_for_write(call);
  if (!found) return;
  HashValue* hash = *found;

  const bool remove = already_expired(call, *deadline_ms);
  std::vector<int64_t> results;
  Fields touched;
  for (const std::string_view field : *fields) {
    if (hash == nullptr || !hash->contains(field, field_time(call))) {
      results.push_back(kNoField);
    } else if (!conditions.hold(expiry_or_none(*hash, field), *deadline_ms)) {
      results.push_back(kConditionFailed);
    } else {
      if (remove) {
        hash->erase(field);
      } else {
        hash->set_expiry(field, *deadline_ms);
      }
      results.push_back(remove ? kRemoved : kDone);
      touched.push_back(field);
    }
  }
  if (!touched.empty()) {
    if (remove) {
      expired_at_once(call, *hash, touched);
    } else {
      expiry_was_set(call, touched, *deadline_ms);
    }
  }
  call.reply.array(results.size());
  for (const int64_t result : results) call.reply.integer(result);
}

void hexpire_command(Call& call) { hexpire(call, TimeUnit::kSeconds, false); }
void hexpireat_command(Call& call) { hexpire(call, TimeUnit::kSeconds, true); }
void hpexpire_command(Call& call) { hexpire(call, TimeUnit::kMilliseconds, false); }
void hpexpireat_command(Call& call) { hexpire(call, TimeUnit::kMilliseconds, true); }

void hpersist_command(Call& call) {
  const auto fields = read_fields(call, 3, 1);
  if (!fields) return;
  const auto found = find_hash_for_write(call);
  if (!found) return;
  HashValue* hash = *found;
  std::vector<int64_t> results;
  Fields persisted;
  for (const std::string_view field : *fields) {
    if (hash == nullptr || !hash->contains(field, field_time(call))) {
      results.push_back(kNoField);
    } else if (hash->remove_expiry(field)) {
      results.push_back(kDone);
      persisted.push_back(field);
    } else {
      results.push_back(kNoFieldExpiry);
    }
  }
  if (!persisted.empty()) expiry_was_removed(call, persisted);
  call.reply.array(results.size());
  for (const int64_t result : results) call.reply.integer(result);
}

// Replies when each field expires, counted from `since_ms`.
void reply_field_expiries(Call& call, TimeUnit unit, int64_t since_ms) {
  const auto count = read_integer(call, call.args[3]);
  if (!count) return;
  const Args fields = call.args.subspan(4);
  if (*count <= 0 || static_cast<uint64_t>(*count) != fields.size()) return call.syntax_error();
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.array(fields.size());
  for (const std::string_view field : fields) {
    if (*hash == nullptr || !(*hash)->contains(field, field_time(call))) {
      call.reply.integer(kNoField);
      continue;
    }
    const int64_t at_ms = (*hash)->expires_at_ms(field);
    if (at_ms == Value::kNever) {
      call.reply.integer(kNoFieldExpiry);
      continue;
    }
    const int64_t time_ms = std::max<int64_t>(0, at_ms - since_ms);
    const bool rounds = unit == TimeUnit::kSeconds;
    call.reply.integer(rounds ? time_ms / 1000 + (time_ms % 1000 >= 500 ? 1 : 0) : time_ms);
  }
}

void httl_command(Call& call) { reply_field_expiries(call, TimeUnit::kSeconds, call.now_ms()); }
void hpttl_command(Call& call) {
  reply_field_expiries(call, TimeUnit::kMilliseconds, call.now_ms());
}
void hexpiretime_command(Call& call) { reply_field_expiries(call, TimeUnit::kSeconds, 0); }
void hpexpiretime_command(Call& call) { reply_field_expiries(call, TimeUnit::kMilliseconds, 0); }

// Values as they were before the fields are changed.
class FieldValues {
 public:
  void add(const Call& call, const HashValue* hash, std::string_view field) {
    HashValue::Scratch scratch;
    const auto value = hash != nullptr ? hash->get(field, scratch, field_time(call)) : std::nullopt;
    values_.push_back(value ? std::optional(std::string(*value)) : std::nullopt);
  }
  bool last_is_there() const { return values_.back().has_value(); }
  void reply(Call& call) const {
    call.reply.array(values_.size());
    for (const auto& value : values_) {
      if (value) {
        call.reply.bulk(*value);
      } else {
        call.reply.null();
      }
    }
  }

 private:
  std::vector<std::optional<std::string>> values_;
};

// The options between args[1] and FIELDS, read by parse(name, options); those that `take_time` are
// followed by one.
template <typename Parse>
bool read_field_options(Call& call, size_t end, StringOptions* options, Parse&& parse) {
  for (size_t i = 2; i < end; ++i) {
    if (parse(call.args[i])) continue;
    if (i + 1 >= end || !parse_expiry_option(call.args[i], options)) {
      call.syntax_error();
      return false;
    }
    options->time = call.args[++i];
  }
  return true;
}

void hgetex_command(Call& call) {
  const size_t at = find_fields(call.args, 2);
  if (at == 0) return reply_bad_field_count(call);
  using Expiry = StringOptions::Expiry;
  StringOptions options;
  const bool readable = read_field_options(call, at, &options, [&](std::string_view name) {
    return equals_ignore_case(name, "persist") && choose_expiry(Expiry::kPersist, &options);
  });
  if (!readable) return;
  const auto fields = read_fields(call, at + 1, 1);
  if (!fields) return;
  const auto found = find_hash_for_write(call);
  if (!found) return;
  HashValue* hash = *found;
  if (options.expiry == Expiry::kDeadline) {
    const auto deadline_ms =
        read_field_deadline(call, options.time, options.unit, options.absolute);
    if (!deadline_ms) return;
    options.deadline_ms = *deadline_ms;
  }

  const bool has_deadline = options.expiry == Expiry::kDeadline;
  const bool remove = has_deadline && already_expired(call, options.deadline_ms);
  FieldValues values;
  Fields touched;
  for (const std::string_view field : *fields) {
    values.add(call, hash, field);
    if (!values.last_is_there()) continue;
    if (remove) {
      hash->erase(field);
    } else if (has_deadline) {
      hash->set_expiry(field, options.deadline_ms);
    } else if (options.expiry != Expiry::kPersist || !hash->remove_expiry(field)) {
      continue;
    }
    touched.push_back(field);
  }
  if (!touched.empty()) {
    if (remove) {
      expired_at_once(call, *hash, touched);
    } else if (has_deadline) {
      expiry_was_set(call, touched, options.deadline_ms);
    } else {
      expiry_was_removed(call, touched);
    }
  }
  values.reply(call);
}

void hgetdel_command(Call& call) {
  const auto fields = read_fields(call, 3, 1);
  if (!fields) return;
  const auto found = find_hash_for_write(call);
  if (!found) return;
  HashValue* hash = *found;
  FieldValues values;
  Fields deleted;
  for (const std::string_view field : *fields) {
    values.add(call, hash, field);
    if (!values.last_is_there()) continue;
    hash->erase(field);
    deleted.push_back(field);
  }
  if (!deleted.empty()) {
    call.changed(deleted.size());
    emit_fields(call, {"HDEL", call.args[1]}, deleted, false);
    fields_removed(call, *hash, "hdel");
  }
  values.reply(call);
}

struct SetOptions : StringOptions {
  bool if_no_field = false;    // FNX
  bool if_all_fields = false;  // FXX

  // Whether `name` is a condition, or KEEPTTL, that contradicts none before it.
  bool parse(std::string_view name) {
    if (equals_ignore_case(name, "keepttl")) return choose_expiry(Expiry::kKeep, this);
    if (equals_ignore_case(name, "fnx")) return if_no_field = !if_all_fields;
    if (equals_ignore_case(name, "fxx")) return if_all_fields = !if_no_field;
    if (equals_ignore_case(name, "nx")) return choose_key(Condition::kIfAbsent);
    return equals_ignore_case(name, "xx") && choose_key(Condition::kIfPresent);
  }
  bool hold(const Call& call, const HashValue* hash, Args pairs) const {
    if (condition == Condition::kIfAbsent && hash != nullptr) return false;
    if (condition == Condition::kIfPresent && hash == nullptr) return false;
    if (!if_no_field && !if_all_fields) return true;
    for (size_t i = 0; i < pairs.size(); i += 2) {
      const bool there = hash != nullptr && hash->contains(pairs[i], field_time(call));
      if (there == if_no_field) return false;
    }
    return true;
  }

 private:
  bool choose_key(Condition chosen) {
    if (condition != Condition::kNone && condition != chosen) return false;
    condition = chosen;
    return true;
  }
};

// HSETEX with a time that has come: the fields are as good as set.
void set_expired_fields(Call& call, HashValue* hash, Args pairs) {
  const std::string_view key = call.args[1];
  Fields removed;
  for (size_t i = 0; hash != nullptr && i < pairs.size(); i += 2) {
    if (hash->erase(pairs[i])) removed.push_back(pairs[i]);
  }
  call.notify(kEventHash, "hset", key);
  call.notify(kEventHash, "hexpire", key);
  if (!removed.empty()) {
    expired_at_once(call, *hash, removed);
  } else {
    call.notify(kEventHash, "hexpired", key);
    if (hash == nullptr) call.notify(kEventGeneric, "del", key);
  }
}

void emit_hsetex(Call& call, const SetOptions& options, Args pairs) {
  const std::string time = std::to_string(options.deadline_ms);
  const std::string count = std::to_string(pairs.size() / 2);
  std::vector<std::string_view> effect = {"HSETEX", call.args[1]};
  if (options.expiry == StringOptions::Expiry::kKeep) effect.push_back("KEEPTTL");
  if (options.expiry == StringOptions::Expiry::kDeadline) {
    effect.insert(effect.end(), {"PXAT", time});
  }
  effect.insert(effect.end(), {"FIELDS", count});
  effect.insert(effect.end(), pairs.begin(), pairs.end());
  call.emit(effect);
}

void set_fields_until(Call& call, HashValue* hash, const SetOptions& options, Args pairs) {
  const std::string_view key = call.args[1];
  const HashLimits limits = hash_limits(call);
  const bool keep = options.expiry == StringOptions::Expiry::kKeep;
  const bool has_deadline = options.expiry == StringOptions::Expiry::kDeadline;
  Overwritten overwritten;
  Fields no_longer_kept;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const size_t expired = overwritten.expired;
    set_field(call, hash, pairs[i], pairs[i + 1], limits, &overwritten, keep);
    if (keep && overwritten.expired > expired) no_longer_kept.push_back(pairs[i]);
    if (has_deadline) hash->set_expiry(pairs[i], options.deadline_ms);
  }
  call.changed(pairs.size() / 2);
  // Whoever applies the effect cannot tell that the old expiry of these is not to be kept.
  if (!no_longer_kept.empty()) emit_fields(call, {"HDEL", key}, no_longer_kept, false);
  emit_hsetex(call, options, pairs);
  call.db().modified(key);
  if (has_deadline) call.db().fields_expire(call.db().peek(key));
  note_overwritten(call, overwritten);
  call.notify(kEventHash, "hset", key);
  if (has_deadline) call.notify(kEventHash, "hexpire", key);
}

void hsetex_command(Call& call) {
  const size_t at = find_fields(call.args, 2);
  if (at == 0) return reply_bad_field_count(call);
  SetOptions options;
  if (!read_field_options(call, at, &options,
                          [&](std::string_view name) { return options.parse(name); })) {
    return;
  }
  const auto pairs = read_fields(call, at + 1, 2);
  if (!pairs) return;
  const auto found = find_hash_for_write(call);
  if (!found) return;
  HashValue* hash = *found;
  const bool has_deadline = options.expiry == StringOptions::Expiry::kDeadline;
  if (has_deadline) {
    const auto deadline_ms =
        read_field_deadline(call, options.time, options.unit, options.absolute);
    if (!deadline_ms) return;
    options.deadline_ms = *deadline_ms;
  }
  if (!options.hold(call, hash, *pairs)) return call.reply.integer(0);
  if (has_deadline && already_expired(call, options.deadline_ms)) {
    set_expired_fields(call, hash, *pairs);
  } else {
    set_fields_until(call, hash != nullptr ? hash : create_hash(call), options, *pairs);
  }
  call.reply.integer(1);
}

constexpr CommandRow kRows[] = {
    {.name = "hexpire",
     .handler = hexpire_command,
     .arity = -6,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets fields of a hash expire after so many seconds.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hexpireat",
     .handler = hexpireat_command,
     .arity = -6,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets fields of a hash expire at a Unix time in seconds.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hexpiretime",
     .handler = hexpiretime_command,
     .arity = -5,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns when fields of a hash expire, as a Unix time in seconds.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hgetdel",
     .handler = hgetdel_command,
     .arity = -5,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the values of fields and deletes them.",
     .since = "9.1.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hgetex",
     .handler = hgetex_command,
     .arity = -5,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[ACCESS+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the values of fields and sets or removes their expiry.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hpersist",
     .handler = hpersist_command,
     .arity = -5,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes the expiry of fields of a hash.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hpexpire",
     .handler = hpexpire_command,
     .arity = -6,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets fields of a hash expire after so many milliseconds.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hpexpireat",
     .handler = hpexpireat_command,
     .arity = -6,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lets fields of a hash expire at a Unix time in milliseconds.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hpexpiretime",
     .handler = hpexpiretime_command,
     .arity = -5,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns when fields of a hash expire, as a Unix time in milliseconds.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hpttl",
     .handler = hpttl_command,
     .arity = -5,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns how many milliseconds fields of a hash have left.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hsetex",
     .handler = hsetex_command,
     .arity = -6,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets fields of a hash, with an expiry if one is given.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "httl",
     .handler = httl_command,
     .arity = -5,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns how many seconds fields of a hash have left.",
     .since = "9.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
};

}  // namespace

std::span<const CommandRow> hash_expiry_commands() { return kRows; }

}  // namespace tandem
