#include <algorithm>
#include <string>
#include <vector>

#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/dump.h"
#include "server/commands/families.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

void reply_count(Call& call, size_t count) { call.reply.integer(static_cast<int64_t>(count)); }

// DEL and UNLINK: what is expensive to free is freed in the background either way.
void del_command(Call& call) {
  size_t deleted = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    // A key whose time has come is not deleted but gone.
    if (call.db().find_for_write(key) == nullptr || !call.db().erase(key)) continue;
    ++deleted;
    call.notify(kEventGeneric, "del", key);
  }
  if (deleted > 0) call.changed(deleted);
  reply_count(call, deleted);
}

void exists_command(Call& call) {
  size_t found = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    if (call.db().find_untouched(key) != nullptr) ++found;
  }
  reply_count(call, found);
}

void touch_command(Call& call) {
  size_t found = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    if (call.db().find(key) != nullptr) ++found;
  }
  reply_count(call, found);
}

void type_command(Call& call) {
  const Entry* entry = call.db().find_untouched(call.args[1]);
  call.reply.simple(entry == nullptr ? "none" : type_name(entry->type()));
}

enum class Renaming : uint8_t { kDone, kSameName, kTargetExists, kNoSource };

Renaming rename_key(Call& call, bool replace) {
  const std::string_view from = call.args[1], to = call.args[2];
  Database& db = call.db();
  // The target first: looking at it may remove it, and entries do not outlive a change.
  const bool target_exists = db.find_for_write(to) != nullptr;
  if (db.find_for_write(from) == nullptr) return Renaming::kNoSource;
  if (from == to) return Renaming::kSameName;
  if (target_exists) {
    if (!replace) return Renaming::kTargetExists;
    db.erase(to);
  }
  db.adopt(db.detach(from), to);
  call.changed();
  call.notify(kEventGeneric, "rename_from", from);
  call.notify(kEventGeneric, "rename_to", to);
  return Renaming::kDone;
}

void rename_command(Call& call) {
  if (rename_key(call, true) == Renaming::kNoSource) {
    call.reply.error("ERR no such key");
  } else {
    call.reply.ok();
  }
}

void renamenx_command(Call& call) {
  const Renaming result = rename_key(call, false);
  if (result == Renaming::kNoSource) {
    call.reply.error("ERR no such key");
  } else {
    call.reply.integer(result == Renaming::kDone ? 1 : 0);
  }
}

constexpr std::string_view kSameObject = "ERR source and destination objects are the same";

void move_command(Call& call) {
  const auto target = read_database(call, call.args[2]);
  if (!target) return;
  if (*target == call.client.db) {
    call.reply.error(kSameObject);
    return;
  }
  const std::string_view key = call.args[1];
  Database& to = call.keyspace.database(*target);
  if (call.db().find_for_write(key) == nullptr || to.find_for_write(key) != nullptr) {
    call.reply.integer(0);
    return;
  }
  to.adopt(call.db().detach(key), key);
  call.changed();
  call.notify(kEventGeneric, "move_from", key);
  call.executor.notify(*target, kEventGeneric, "move_to", key);
  call.reply.integer(1);
}

struct CopyOptions {
  int database = 0;
  bool replace = false;
};

bool read_copy_options(Call& call, CopyOptions* options) {
  const Args args = call.args;
  options->database = call.client.db;
  for (size_t i = 3; i < args.size(); ++i) {
    if (equals_ignore_case(args[i], "replace")) {
      options->replace = true;
    } else if (equals_ignore_case(args[i], "db") && i + 1 < args.size()) {
      const auto database = read_database(call, args[++i]);
      if (!database) return false;
      options->database = *database;
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

void copy_entry(const Entry& source, Database& to, std::string_view key) {
  const int64_t expires_at_ms = source.expires_at_ms();
  Entry* copied = nullptr;
  if (source.type() == ValueType::kString) {
    char scratch[kMaxInt64Digits];
    const bool raw = source.string_encoding() == StringEncoding::kRaw;
    copied = to.set_string(key, source.string(scratch));
    // A copy says "raw" where its source does, however short it is.
    if (raw && copied->string_encoding() != StringEncoding::kRaw) copied = to.make_raw(copied);
  } else {
    copied = to.set_value(key, source.value()->clone());
  }
  if (expires_at_ms != kNoExpiry) to.set_expiry(copied, expires_at_ms);
}

void copy_command(Call& call) {
  CopyOptions options;
  if (!read_copy_options(call, &options)) return;
  const std::string_view from = call.args[1], to_key = call.args[2];
  if (options.database == call.client.db && from == to_key) {
    call.reply.error(kSameObject);
    return;
  }
  Database& to = call.keyspace.database(options.database);
  const bool target_exists = to.find_for_write(to_key) != nullptr;
  const Entry* source = call.db().find(from);
  if (source == nullptr || (target_exists && !options.replace)) {
    call.reply.integer(0);
    return;
  }
  if (target_exists) {
    // The copy is a new key.
    to.erase(to_key);
    source = call.db().peek(from);
  }
  copy_entry(*source, to, to_key);
  call.changed();
  call.executor.notify(options.database, kEventGeneric, "copy_to", to_key);
  call.reply.integer(1);
}

void keys_command(Call& call) {
  ScanOptions filter;
  if (call.args[1] != "*") filter.match = call.args[1];
  std::vector<const Entry*> found;
  const Database& db = call.db();
  db.for_each([&](const Entry* entry) {
    if (filter.matches(entry->key()) && !db.expired(entry)) found.push_back(entry);
  });
  call.reply.array(found.size());
  for (const Entry* entry : found) call.reply.bulk(entry->key());
}

void scan_command(Call& call) {
  ScanOptions options;
  const auto cursor = read_cursor(call, call.args[1]);
  if (!cursor || !read_scan_options(call, 2, ScanOf::kKeys, &options)) return;
  std::vector<const Entry*> found;
  size_t looked_at = 0;
  size_t steps = 0;
  const Database& db = call.db();
  uint64_t next = *cursor;
  do {
    next = db.scan(next, [&](const Entry* entry) {
      ++looked_at;
      if (!options.matches(entry->key()) || db.expired(entry)) return;
      if (options.type.data() != nullptr &&
          !equals_ignore_case(options.type, type_name(entry->type()))) {
        return;
      }
      found.push_back(entry);
    });
  } while (next != 0 && looked_at < options.count && ++steps < options.max_steps());
  call.reply.array(2);
  call.reply.bulk(std::to_string(next));
  call.reply.array(found.size());
  for (const Entry* entry : found) call.reply.bulk(entry->key());
}

void randomkey_command(Call& call) {
  const Entry* entry = call.db().random(call.keyspace.random());
  if (entry == nullptr) {
    call.reply.null();
  } else {
    call.reply.bulk(entry->key());
  }
}

void dbsize_command(Call& call) { reply_count(call, call.db().size()); }

// FLUSHDB and FLUSHALL take SYNC or ASYNC; the memory is given back in the background either way.
bool read_flush_options(Call& call) {
  const Args args = call.args;
  const bool known =
      args.size() == 1 || (args.size() == 2 && (equals_ignore_case(args[1], "sync") ||
                                                equals_ignore_case(args[1], "async")));
  if (!known) call.syntax_error();
  return known;
}

// A flush travels even when there was nothing to flush: a replica may have more than its primary.
void flushed(Call& call, size_t keys) {
  call.changed(std::max<size_t>(1, keys));
  call.reply.ok();
}

void flushdb_command(Call& call) {
  if (!read_flush_options(call)) return;
  const size_t keys = call.db().size();
  call.db().clear();
  flushed(call, keys);
}

void flushall_command(Call& call) {
  if (!read_flush_options(call)) return;
  const size_t keys = call.keyspace.total_size();
  call.keyspace.clear();
  flushed(call, keys);
}

std::optional<int64_t> read_swap_index(Call& call, std::string_view text, std::string_view error) {
  const auto index = parse_int64(text);
  if (index && *index >= INT32_MIN && *index <= INT32_MAX) return index;
  call.reply.error(error);
  return std::nullopt;
}

void swapdb_command(Call& call) {
  const auto a = read_swap_index(call, call.args[1], "ERR invalid first DB index");
  if (!a) return;
  const auto b = read_swap_index(call, call.args[2], "ERR invalid second DB index");
  if (!b) return;
  const int64_t count = call.keyspace.database_count();
  if (*a < 0 || *a >= count || *b < 0 || *b >= count) {
    call.reply.error("ERR DB index is out of range");
    return;
  }
  call.keyspace.swap_databases(static_cast<int>(*a), static_cast<int>(*b));
  call.changed();
  call.reply.ok();
}

constexpr CommandRow kRows[] = {
    {.name = "copy",
     .handler = copy_command,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,2,1",
     .categories = "@keyspace,@slow,@write",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0] [OW+UPDATE "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Copies a key's value to another key.",
     .since = "6.2.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of elements copied; O(1) for strings"},
    {.name = "dbsize",
     .handler = dbsize_command,
     .arity = 1,
     .flags = "fast,readonly",
     .categories = "@fast,@keyspace,@read",
     .tips = "request_policy:all_shards;response_policy:agg_sum",
     .summary = "Returns the number of keys in the database.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "del",
     .handler = del_command,
     .arity = -2,
     .flags = "write",
     .keys = "1,-1,1",
     .categories = "@keyspace,@slow,@write",
     .tips = "request_policy:multi_shard;response_policy:agg_sum",
     .key_specs = "[DELETE+RM index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Deletes keys.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of keys given"},
    {.name = "dump",
     .handler = dump_command,
     .arity = 2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@keyspace,@read,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the value of a key as a payload for RESTORE.",
     .since = "2.6.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of elements of the value"},
    {.name = "exists",
     .handler = exists_command,
     .arity = -2,
     .flags = "fast,readonly",
     .keys = "1,-1,1",
     .categories = "@fast,@keyspace,@read",
     .tips = "request_policy:multi_shard;response_policy:agg_sum",
     .key_specs = "[RO index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Counts how many of the keys exist.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of keys given"},
    {.name = "flushall",
     .handler = flushall_command,
     .arity = -1,
     .flags = "write",
     .categories = "@dangerous,@keyspace,@slow,@write",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Removes all keys of all databases.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of keys"},
    {.name = "flushdb",
     .handler = flushdb_command,
     .arity = -1,
     .flags = "write",
     .categories = "@dangerous,@keyspace,@slow,@write",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Removes all keys of the database.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of keys"},
    {.name = "keys",
     .handler = keys_command,
     .arity = 2,
     .flags = "readonly",
     .categories = "@dangerous,@keyspace,@read,@slow",
     .tips = "request_policy:all_shards;nondeterministic_output_order",
     .summary = "Returns the names of all keys that match a pattern.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of keys in the database"},
    {.name = "move",
     .handler = move_command,
     .arity = 3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Moves a key to another database.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "randomkey",
     .handler = randomkey_command,
     .arity = 1,
     .flags = "readonly",
     .categories = "@keyspace,@read,@slow",
     .tips = "request_policy:all_shards;response_policy:special;nondeterministic_output",
     .summary = "Returns the name of a key chosen at random.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "rename",
     .handler = rename_command,
     .arity = 3,
     .flags = "write",
     .keys = "1,2,1",
     .categories = "@keyspace,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0] [OW+UPDATE "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Gives a key another name, in place of the key that had it.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "renamenx",
     .handler = renamenx_command,
     .arity = 3,
     .flags = "fast,write",
     .keys = "1,2,1",
     .categories = "@fast,@keyspace,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0] [INSERT+OW "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Gives a key another name if no key has it.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "restore",
     .handler = restore_command,
     .arity = -4,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@dangerous,@keyspace,@slow,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Creates a key from a payload of DUMP.",
     .since = "2.6.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of elements of the value"},
    {.name = "restore-asking",
     .handler = restore_command,
     .arity = -4,
     .flags = "asking,denyoom,write",
     .keys = "1,1,1",
     .categories = "@dangerous,@keyspace,@slow,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "RESTORE, for keys on their way from node to node.",
     .since = "2.6.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of elements of the value"},
    {.name = "scan",
     .handler = scan_command,
     .arity = -2,
     .flags = "readonly",
     .categories = "@keyspace,@read,@slow",
     .tips = "nondeterministic_output;request_policy:special;response_policy:special",
     .summary = "Goes through the names of the keys step by step.",
     .since = "2.8.0",
     .group = "generic",
     .complexity = "O(1) for each step, O(N) for all of them, where N is the number of keys"},
    {.name = "swapdb",
     .handler = swapdb_command,
     .arity = 3,
     .flags = "fast,write",
     .categories = "@dangerous,@fast,@keyspace,@write",
     .summary = "Exchanges two databases.",
     .since = "4.0.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of watched keys"},
    {.name = "touch",
     .handler = touch_command,
     .arity = -2,
     .flags = "fast,readonly",
     .keys = "1,-1,1",
     .categories = "@fast,@keyspace,@read",
     .tips = "request_policy:multi_shard;response_policy:agg_sum",
     .key_specs = "[RO index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Counts how many of the keys exist and marks them as just used.",
     .since = "3.2.1",
     .group = "generic",
     .complexity = "O(N), where N is the number of keys given"},
    {.name = "type",
     .handler = type_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@keyspace,@read",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the type of a key's value.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "unlink",
     .handler = del_command,
     .arity = -2,
     .flags = "fast,write",
     .keys = "1,-1,1",
     .categories = "@fast,@keyspace,@write",
     .tips = "request_policy:multi_shard;response_policy:agg_sum",
     .key_specs = "[DELETE+RM index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Deletes keys and frees their values in the background.",
     .since = "4.0.0",
     .group = "generic",
     .complexity = "O(N), where N is the number of keys given"},
};

}  // namespace

std::span<const CommandRow> key_commands() { return kRows; }

}  // namespace tandem
