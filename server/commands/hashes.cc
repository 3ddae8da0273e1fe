#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/hash_access.h"
#include "server/exec/call.h"
#include "server/store/hash_value.h"

namespace tandem {
namespace {

// Sets all pairs from args[2] on and returns how many fields are new; nothing when the key holds
// another type.
std::optional<size_t> set_fields(Call& call) {
  const auto found = find_hash_for_write(call);
  if (!found) return std::nullopt;
  HashValue* hash = *found != nullptr ? *found : create_hash(call);
  const Args pairs = call.args.subspan(2);
  const HashLimits limits = hash_limits(call);
  if (pairs.size() > 2) hash->prepare(pairs, limits);
  Overwritten overwritten;
  size_t added = 0;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    if (set_field(call, hash, pairs[i], pairs[i + 1], limits, &overwritten)) ++added;
  }
  call.db().modified(call.args[1]);
  call.changed(pairs.size() / 2);
  note_overwritten(call, overwritten);
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
  if (*found != nullptr && (*found)->contains(call.args[2], field_time(call))) {
    call.reply.integer(0);
    return;
  }
  HashValue* hash = *found != nullptr ? *found : create_hash(call);
  // To whoever applies this, an expired field may still be there.
  const bool expiring = hash->has_expiring_fields();
  Overwritten overwritten;
  set_field(call, hash, call.args[2], call.args[3], hash_limits(call), &overwritten);
  call.db().modified(call.args[1]);
  call.changed();
  if (expiring) call.emit({"HSET", call.args[1], call.args[2], call.args[3]});
  note_overwritten(call, overwritten);
  call.notify(kEventHash, "hset", call.args[1]);
  call.reply.integer(1);
}

void hget_command(Call& call) {
  if (const auto hash = find_hash(call)) reply_field(call, *hash, call.args[2]);
}

void hmget_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.array(call.args.size() - 2);
  for (const std::string_view field : call.args.subspan(2)) reply_field(call, *hash, field);
}

void hexists_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  const bool there = *hash != nullptr && (*hash)->contains(call.args[2], field_time(call));
  call.reply.integer(there ? 1 : 0);
}

void hlen_command(Call& call) {
  const auto hash = find_hash(call);
  if (hash) call.reply.integer(*hash != nullptr ? static_cast<int64_t>((*hash)->size()) : 0);
}

void hstrlen_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  const size_t length =
      *hash != nullptr ? (*hash)->value_length(call.args[2], field_time(call)) : 0;
  call.reply.integer(static_cast<int64_t>(length));
}

void hdel_command(Call& call) {
  const auto found = find_hash_for_write(call);
  if (!found) return;
  HashValue* hash = *found;
  size_t deleted = 0;
  if (hash != nullptr) {
    for (const std::string_view field : call.args.subspan(2)) {
      // One whose time has come is not there, but is left to be removed with its own event.
      if (hash->expires_at_ms(field) <= field_time(call) || !hash->erase(field)) continue;
      ++deleted;
      if (hash->size() == 0) break;
    }
  }
  if (deleted > 0) {
    call.changed(deleted);
    fields_removed(call, *hash, "hdel");
  }
  call.reply.integer(static_cast<int64_t>(deleted));
}

// Writes the sum that the field at args[2] of a found or missing hash now has.
void store_sum(Call& call, HashValue* hash, std::string_view sum, bool always_by_value,
               std::string_view event) {
  if (hash == nullptr) hash = create_hash(call);
  const std::string_view key = call.args[1], field = call.args[2];
  const bool expiring = hash->has_expiring_fields();
  Overwritten overwritten;
  set_field(call, hash, field, sum, hash_limits(call), &overwritten, /*keep_expiry=*/true);
  call.db().modified(key);
  call.changed();
  // By value when whoever applies this could come to another sum, because an expired field is still
  // there.
  const int64_t expires_at_ms = hash->expires_at_ms(field);
  if (expires_at_ms != Value::kNever) {
    char digits[kMaxInt64Digits];
    call.emit({"HSETEX", key, "PXAT", format_int64(expires_at_ms, std::span(digits)), "FIELDS", "1",
               field, sum});
  } else if (expiring || always_by_value) {
    call.emit({"HSET", key, field, sum});
  }
  note_overwritten(call, overwritten);
  call.notify(kEventHash, event, key);
}

void hincrby_command(Call& call) {
  const auto by = read_integer(call, call.args[3]);
  if (!by) return;
  const auto hash = find_hash_for_write(call);
  if (!hash) return;
  int64_t number = 0;
  HashValue::Scratch scratch;
  if (const auto value =
          *hash != nullptr ? (*hash)->get(call.args[2], scratch, field_time(call)) : std::nullopt) {
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
  store_sum(call, *hash, format_int64(number, std::span(digits)), false, "hincrby");
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
  if (const auto value =
          *hash != nullptr ? (*hash)->get(call.args[2], scratch, field_time(call)) : std::nullopt) {
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
  // The result travels, so that differences between machines' arithmetic do not.
  store_sum(call, *hash, text, true, "hincrbyfloat");
  call.reply.bulk(text);
}

// How many fields of a found or missing hash can be seen.
size_t visible_size(const Call& call, const HashValue* hash) {
  return hash != nullptr ? hash->visible_size(field_time(call)) : 0;
}

void hgetall_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.map(visible_size(call, *hash));
  if (*hash == nullptr) return;
  (*hash)->for_each(
      [&](std::string_view field, std::string_view value) {
        call.reply.bulk(field);
        call.reply.bulk(value);
      },
      field_time(call));
}

void hkeys_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.array(visible_size(call, *hash));
  if (*hash == nullptr) return;
  (*hash)->for_each([&](std::string_view field, std::string_view) { call.reply.bulk(field); },
                    field_time(call));
}

void hvals_command(Call& call) {
  const auto hash = find_hash(call);
  if (!hash) return;
  call.reply.array(visible_size(call, *hash));
  if (*hash == nullptr) return;
  (*hash)->for_each([&](std::string_view, std::string_view value) { call.reply.bulk(value); },
                    field_time(call));
}

// HRANDFIELD with a count: different fields for a positive one, repeats allowed for a negative one.
void reply_random_fields(Call& call, int64_t count, bool with_values) {
  const auto hash = find_hash(call);
  if (!hash) return;
  const size_t visible = visible_size(call, *hash);
  if (visible == 0 || count == 0) {
    call.reply.array(0);
    return;
  }
  const bool repeats = count < 0;
  auto fields = static_cast<size_t>(repeats ? -count : count);
  if (!repeats) fields = std::min(fields, visible);
  const bool in_pairs = with_values && call.reply.protocol() >= 3;
  call.reply.array(with_values && !in_pairs ? 2 * fields : fields);
  const auto visit = [&](std::string_view field, std::string_view value) {
    if (in_pairs) call.reply.array(2);
    call.reply.bulk(field);
    if (with_values) call.reply.bulk(value);
  };
  if (repeats) {
    (*hash)->random_with_repeats(call.keyspace.random(), fields, visit, field_time(call));
  } else {
    (*hash)->random_distinct(call.keyspace.random(), fields, visit, field_time(call));
  }
}

void hrandfield_command(Call& call) {
  const Args args = call.args;
  if (args.size() == 2) {
    const auto hash = find_hash(call);
    if (!hash) return;
    if (visible_size(call, *hash) == 0) {
      call.reply.null();
      return;
    }
    (*hash)->random_with_repeats(
        call.keyspace.random(), 1,
        [&](std::string_view field, std::string_view) { call.reply.bulk(field); },
        field_time(call));
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
    next = hash.scan(
        next,
        [&](std::string_view field, std::string_view) {
          ++looked_at;
          if (options.matches(field)) ++matching;
        },
        field_time(call));
    ++steps;
  } while (next != 0 && looked_at < options.count && steps < options.max_steps());
  call.reply.array(2);
  call.reply.bulk(std::to_string(next));
  call.reply.array(options.no_values ? matching : 2 * matching);
  next = *cursor;
  while (steps-- > 0) {
    next = hash.scan(
        next,
        [&](std::string_view field, std::string_view value) {
          if (!options.matches(field)) return;
          call.reply.bulk(field);
          if (!options.no_values) call.reply.bulk(value);
        },
        field_time(call));
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
