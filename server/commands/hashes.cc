#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/exec/call.h"
#include "server/store/hash_value.h"

namespace tandem {
namespace {

HashValue* hash_of(const Entry* entry) { return static_cast<HashValue*>(entry->value()); }

// The hash at args[1], null for a missing key. Empty when it is of another type: WRONGTYPE has been
// replied.
std::optional<const HashValue*> find_hash(Call& call) {
  const Entry* entry = call.db().find(call.args[1]);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kHash)) return std::nullopt;
  return hash_of(entry);
}

// As find_hash(), for changing it.
std::optional<HashValue*> find_hash_for_write(Call& call) {
  const Entry* entry = call.db().find_for_write(call.args[1]);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kHash)) return std::nullopt;
  return hash_of(entry);
}

HashValue* create_hash(Call& call) {
  return hash_of(call.db().set_value(call.args[1], std::make_unique<HashValue>()));
}

// Sets all pairs from args[2] on and returns how many fields are new; nothing when the key holds
// another type.
std::optional<size_t> set_fields(Call& call) {
  const auto found = find_hash_for_write(call);
  if (!found) return std::nullopt;
  HashValue* hash = *found != nullptr ? *found : create_hash(call);
  const Args pairs = call.args.subspan(2);
  const HashLimits limits = hash_limits(call);
  if (pairs.size() > 2) hash->prepare(pairs, limits);
  size_t added = 0;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    if (hash->set(pairs[i], pairs[i + 1], limits)) ++added;
  }
  call.db().modified(call.args[1]);
  call.changed(pairs.size() / 2);
  call.notify(kEventHash, "hset", call.args[1]);
  return added;
}

void hset_command(Call& call) {
  if (call.args.size() % 2 != 0) {
    call.wrong_arg_count();
    return;
  }
  if (const auto added = set_fields(call)) call.reply.integer(static_cast<int64_t>(*added));
}

void hmset_command(Call& call) {
  if (call.args.size() % 2 != 0) {
    call.wrong_arg_count();
    return;
  }
  if (set_fields(call)) call.reply.ok();
}

void hsetnx_command(Call& call) {
  const auto found = find_hash_for_write(call);
  if (!found) return;
  if (*found != nullptr && (*found)->contains(call.args[2])) {
    call.reply.integer(0);
    return;
  }
  HashValue* hash = *found != nullptr ? *found : create_hash(call);
  hash->set(call.args[2], call.args[3], hash_limits(call));
  call.db().modified(call.args[1]);
  call.changed();
  call.notify(kEventHash, "hset", call.args[1]);
  call.reply.integer(1);
}

void reply_field(Reply& reply, const HashValue* hash, std::string_view field) {
  HashValue::Scratch scratch;
  const auto value = hash != nullptr ? hash->get(field, scratch) : std::nullopt;
  if (value) {
    reply.bulk(*value);
  } else {
    reply.null();
  }
}

void hget_command(Call& call) {
  if (const auto hash = find_hash(call)) reply_field(call.reply, *hash, call.args[2]);
}

void hmget_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.array(call.args.size() - 2);
  for (const std::string_view field : call.args.subspan(2)) reply_field(call.reply, *hash, field);
}

void hexists_command(Call& call) {
  const auto hash = find_hash(call);
  if (hash) call.reply.integer(*hash != nullptr && (*hash)->contains(call.args[2]) ? 1 : 0);
}

void hlen_command(Call& call) {
  const auto hash = find_hash(call);
  if (hash) call.reply.integer(*hash != nullptr ? static_cast<int64_t>((*hash)->size()) : 0);
}

void hstrlen_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  const size_t length = *hash != nullptr ? (*hash)->value_length(call.args[2]) : 0;
  call.reply.integer(static_cast<int64_t>(length));
}

void hdel_command(Call& call) {
  const auto found = find_hash_for_write(call);
  if (!found) return;
  HashValue* hash = *found;
  size_t deleted = 0;
  if (hash != nullptr) {
    for (const std::string_view field : call.args.subspan(2)) {
      if (!hash->erase(field)) continue;
      ++deleted;
      if (hash->size() == 0) break;
    }
  }
  if (deleted > 0) {
    const std::string_view key = call.args[1];
    const bool emptied = hash->size() == 0;
    if (emptied) {
      call.db().erase(key);
    } else {
      call.db().modified(key);
    }
    call.changed(deleted);
    call.notify(kEventHash, "hdel", key);
    if (emptied) call.notify(kEventGeneric, "del", key);
  }
  call.reply.integer(static_cast<int64_t>(deleted));
}

// Writes the new value of the field at args[2] of a found or missing hash.
void store_field(Call& call, HashValue* hash, std::string_view value) {
  if (hash == nullptr) hash = create_hash(call);
  hash->set(call.args[2], value, hash_limits(call));
  call.db().modified(call.args[1]);
}

void hincrby_command(Call& call) {
  const auto by = read_integer(call, call.args[3]);
  if (!by) return;
  const auto hash = find_hash_for_write(call);
  if (!hash) return;
  int64_t number = 0;
  HashValue::Scratch scratch;
  if (const auto value = *hash != nullptr ? (*hash)->get(call.args[2], scratch) : std::nullopt) {
    const auto current = parse_int64(*value);
    if (!current) {
      call.reply.error("ERR hash value is not an integer");
      return;
    }
    number = *current;
  }
  if (__builtin_add_overflow(number, *by, &number)) {
    call.reply.error("ERR increment or decrement would overflow");
    return;
  }
  char digits[kMaxInt64Digits];
  store_field(call, *hash, format_int64(number, std::span(digits)));
  call.changed();
  call.notify(kEventHash, "hincrby", call.args[1]);
  call.reply.integer(number);
}

void hincrbyfloat_command(Call& call) {
  const auto by = read_float(call, call.args[3]);
  if (!by) return;
  if (!std::isfinite(*by)) {
    call.reply.error("ERR value is NaN or Infinity");
    return;
  }
  const auto hash = find_hash_for_write(call);
  if (!hash) return;
  long double number = 0;
  HashValue::Scratch scratch;
  if (const auto value = *hash != nullptr ? (*hash)->get(call.args[2], scratch) : std::nullopt) {
    const auto current = parse_long_double(*value);
    if (!current) {
      call.reply.error("ERR hash value is not a float");
      return;
    }
    number = *current;
  }
  number += *by;
  if (!std::isfinite(number)) {
    call.reply.error("ERR increment would produce NaN or Infinity");
    return;
  }
  const std::string text = format_long_double_human(number);
  store_field(call, *hash, text);
  // The result travels, so that differences between machines' arithmetic do not.
  call.emit({"HSET", call.args[1], call.args[2], text});
  call.notify(kEventHash, "hincrbyfloat", call.args[1]);
  call.reply.bulk(text);
}

void hgetall_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.map(*hash != nullptr ? (*hash)->size() : 0);
  if (*hash == nullptr) return;
  (*hash)->for_each([&](std::string_view field, std::string_view value) {
    call.reply.bulk(field);
    call.reply.bulk(value);
  });
}

void hkeys_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.array(*hash != nullptr ? (*hash)->size() : 0);
  if (*hash == nullptr) return;
  (*hash)->for_each([&](std::string_view field, std::string_view) { call.reply.bulk(field); });
}

void hvals_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.array(*hash != nullptr ? (*hash)->size() : 0);
  if (*hash == nullptr) return;
  (*hash)->for_each([&](std::string_view, std::string_view value) { call.reply.bulk(value); });
}

// HRANDFIELD with a count: different fields for a positive one, repeats allowed for a negative one.
void reply_random_fields(Call& call, int64_t count, bool with_values) {
  const auto hash = find_hash(call);
  if (!hash) return;
  if (*hash == nullptr || count == 0) {
    call.reply.array(0);
    return;
  }
  const bool repeats = count < 0;
  auto fields = static_cast<size_t>(repeats ? -count : count);
  if (!repeats) fields = std::min(fields, (*hash)->size());
  const bool in_pairs = with_values && call.reply.protocol() >= 3;
  call.reply.array(with_values && !in_pairs ? 2 * fields : fields);
  const auto visit = [&](std::string_view field, std::string_view value) {
    if (in_pairs) call.reply.array(2);
    call.reply.bulk(field);
    if (with_values) call.reply.bulk(value);
  };
  if (repeats) {
    (*hash)->random_with_repeats(call.keyspace.random(), fields, visit);
  } else {
    (*hash)->random_distinct(call.keyspace.random(), fields, visit);
  }
}

void hrandfield_command(Call& call) {
  const Args args = call.args;
  if (args.size() == 2) {
    const auto hash = find_hash(call);
    if (!hash) return;
    if (*hash == nullptr) {
      call.reply.null();
      return;
    }
    (*hash)->random_with_repeats(
        call.keyspace.random(), 1,
        [&](std::string_view field, std::string_view) { call.reply.bulk(field); });
    return;
  }
  const auto count = read_sample_count(call, args[2]);
  if (!count) return;
  if (args.size() > 4 || (args.size() == 4 && !equals_ignore_case(args[3], "withvalues"))) {
    call.syntax_error();
    return;
  }
  const bool with_values = args.size() == 4;
  if (with_values && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2)) {
    call.reply.error("ERR value is out of range");
    return;
  }
  reply_random_fields(call, *count, with_values);
}

void hscan_command(Call& call) {
  const auto cursor = read_cursor(call, call.args[2]);
  if (!cursor) return;
  const auto found = find_hash(call);
  if (!found) return;
  if (*found == nullptr) return reply_empty_scan(call);
  ScanOptions options;
  if (!read_scan_options(call, 3, ScanOf::kFields, &options)) return;
  const HashValue& hash = **found;
  // Twice over the same positions: what a listpack shows lives only until the next field, and the
  // length of the reply comes first.
  size_t looked_at = 0, matching = 0, steps = 0;
  uint64_t next = *cursor;
  do {
    next = hash.scan(next, [&](std::string_view field, std::string_view) {
      ++looked_at;
      if (options.matches(field)) ++matching;
    });
    ++steps;
  } while (next != 0 && looked_at < options.count && steps < options.max_steps());
  call.reply.array(2);
  call.reply.bulk(std::to_string(next));
  call.reply.array(options.no_values ? matching : 2 * matching);
  next = *cursor;
  while (steps-- > 0) {
    next = hash.scan(next, [&](std::string_view field, std::string_view value) {
      if (!options.matches(field)) return;
      call.reply.bulk(field);
      if (!options.no_values) call.reply.bulk(value);
    });
  }
}

constexpr CommandRow kRows[] = {
    {.name = "hdel",
     .handler = hdel_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Deletes fields of a hash, and the hash with its last field.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hexists",
     .handler = hexists_command,
     .arity = 3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Tells whether a hash has a field.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)"},
    {.name = "hget",
     .handler = hget_command,
     .arity = 3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the value of a field.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)"},
    {.name = "hgetall",
     .handler = hgetall_command,
     .arity = 2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@hash,@read,@slow",
     .tips = "nondeterministic_output_order",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns all fields of a hash with their values.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the size of the hash"},
    {.name = "hincrby",
     .handler = hincrby_command,
     .arity = 4,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds a number to the integer of a field.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)"},
    {.name = "hincrbyfloat",
     .handler = hincrbyfloat_command,
     .arity = 4,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds a number to the floating-point number of a field.",
     .since = "2.6.0",
     .group = "hash",
     .complexity = "O(1)"},
    {.name = "hkeys",
     .handler = hkeys_command,
     .arity = 2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@hash,@read,@slow",
     .tips = "nondeterministic_output_order",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the names of all fields of a hash.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the size of the hash"},
    {.name = "hlen",
     .handler = hlen_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the number of fields of a hash.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)"},
    {.name = "hmget",
     .handler = hmget_command,
     .arity = -3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the values of several fields.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hmset",
     .handler = hmset_command,
     .arity = -4,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets several fields of a hash; HSET does the same.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hrandfield",
     .handler = hrandfield_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@hash,@read,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns fields of a hash chosen at random.",
     .since = "6.2.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields returned"},
    {.name = "hscan",
     .handler = hscan_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@hash,@read,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Goes through the fields of a hash step by step.",
     .since = "2.8.0",
     .group = "hash",
     .complexity = "O(1) for each step, O(N) for all of them, where N is the size of the hash"},
    {.name = "hset",
     .handler = hset_command,
     .arity = -4,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets fields of a hash.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the number of fields given"},
    {.name = "hsetnx",
     .handler = hsetnx_command,
     .arity = 4,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets a field of a hash if the hash does not have it.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)"},
    {.name = "hstrlen",
     .handler = hstrlen_command,
     .arity = 3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@hash,@read",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the length of a field's value.",
     .since = "3.2.0",
     .group = "hash",
     .complexity = "O(1)"},
    {.name = "hvals",
     .handler = hvals_command,
     .arity = 2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@hash,@read,@slow",
     .tips = "nondeterministic_output_order",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the values of all fields of a hash.",
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N), where N is the size of the hash"},
};

}  // namespace

std::span<const CommandRow> hash_commands() { return kRows; }

}  // namespace tandem
