#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "server/base/numbers.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

using Scratch = char[kMaxInt64Digits];

void increment(Call& call, int64_t by) {
  const std::string_view key = call.args[1];
  Database& db = call.db();
  Entry* entry = db.find_for_write(key);
  int64_t number = 0;
  if (entry != nullptr) {
    if (!check_type(call, entry, ValueType::kString)) return;
    if (entry->is_integer()) {
      number = entry->integer();
    } else {
      Scratch scratch;
      const auto current = read_integer(call, entry->string(scratch));
      if (!current) return;
      number = *current;
    }
  }
  if (__builtin_add_overflow(number, by, &number)) {
    call.reply.error("ERR increment or decrement would overflow");
    return;
  }
  if (entry != nullptr && entry->is_integer()) {
    db.update_integer(entry, number);
  } else {
    db.set_integer(key, number, true);
  }
  call.changed();
  call.notify(kEventString, "incrby", key);
  call.reply.integer(number);
}

void incr_command(Call& call) { increment(call, 1); }
void decr_command(Call& call) { increment(call, -1); }

void incrby_command(Call& call) {
  if (const auto by = read_integer(call, call.args[2])) increment(call, *by);
}

void decrby_command(Call& call) {
  const auto by = read_integer(call, call.args[2]);
  if (!by) return;
  if (*by == INT64_MIN) {
    call.reply.error("ERR decrement would overflow");
    return;
  }
  increment(call, -*by);
}

void incrbyfloat_command(Call& call) {
  const std::string_view key = call.args[1];
  Database& db = call.db();
  const Entry* entry = db.find_for_write(key);
  long double number = 0;
  if (entry != nullptr) {
    if (!check_type(call, entry, ValueType::kString)) return;
    Scratch scratch;
    const auto current = read_float(call, entry->string(scratch));
    if (!current) return;
    number = *current;
  }
  const auto by = read_float(call, call.args[2]);
  if (!by) return;
  number += *by;
  if (!std::isfinite(number)) {
    call.reply.error("ERR increment would produce NaN or Infinity");
    return;
  }
  const std::string text = format_long_double_human(number);
  db.set_string(key, text, true);
  // The result travels, so that differences between machines' arithmetic do not.
  call.emit({"SET", key, text, "KEEPTTL"});
  call.notify(kEventString, "incrbyfloat", key);
  call.reply.bulk(text);
}

void append_command(Call& call) {
  const std::string_view key = call.args[1], tail = call.args[2];
  Database& db = call.db();
  Entry* entry = db.find_for_write(key);
  size_t length = 0;
  if (entry == nullptr) {
    db.set_string(key, tail);
  } else {
    if (!check_type(call, entry, ValueType::kString)) return;
    length = entry->string_length();
    if (!check_string_length(call, length, tail.size())) return;
    char* bytes = db.edit_string(entry, length + tail.size());
    std::memcpy(bytes + length, tail.data(), tail.size());
  }
  call.changed();
  call.notify(kEventString, "append", key);
  call.reply.integer(static_cast<int64_t>(length + tail.size()));
}

void strlen_command(Call& call) {
  const Entry* entry = call.db().find(call.args[1]);
  if (entry != nullptr && !check_type(call, entry, ValueType::kString)) return;
  call.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(entry->string_length()));
}

void setrange_command(Call& call) {
  const std::string_view key = call.args[1], patch = call.args[3];
  const auto offset = read_integer(call, call.args[2]);
  if (!offset) return;
  if (*offset < 0) {
    call.reply.error("ERR offset is out of range");
    return;
  }
  Database& db = call.db();
  Entry* entry = db.find_for_write(key);
  if (entry != nullptr && !check_type(call, entry, ValueType::kString)) return;
  const size_t length = entry == nullptr ? 0 : entry->string_length();
  if (patch.empty()) {
    call.reply.integer(static_cast<int64_t>(length));
    return;
  }
  const auto start = static_cast<uint64_t>(*offset);
  if (!check_string_length(call, start, patch.size())) return;
  if (entry == nullptr) entry = db.set_string(key, {});
  const size_t new_length = std::max<size_t>(length, start + patch.size());
  char* bytes = db.edit_string(entry, new_length);
  std::memcpy(bytes + start, patch.data(), patch.size());
  call.changed();
  call.notify(kEventString, "setrange", key);
  call.reply.integer(static_cast<int64_t>(new_length));
}

// The part of `text` between two inclusive indexes, which count from the end when negative.
std::string_view slice(std::string_view text, int64_t start, int64_t end) {
  const auto length = static_cast<int64_t>(text.size());
  if (start < 0 && end < 0 && start > end) return {};
  if (start < 0) start = std::max<int64_t>(0, length + start);
  if (end < 0) end = std::max<int64_t>(0, length + end);
  end = std::min(end, length - 1);
  if (length == 0 || start > end) return {};
  return text.substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1));
}

void getrange_command(Call& call) {
  const auto start = read_integer(call, call.args[2]);
  if (!start) return;
  const auto end = read_integer(call, call.args[3]);
  if (!end) return;
  const Entry* entry = call.db().find(call.args[1]);
  if (entry == nullptr) {
    call.reply.bulk({});
    return;
  }
  if (!check_type(call, entry, ValueType::kString)) return;
  Scratch scratch;
  call.reply.bulk(slice(entry->string(scratch), *start, *end));
}

constexpr CommandRow kRows[] = {
    {.name = "append",
     .handler = append_command,
     .arity = 3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds bytes to the end of a string, which it creates if need be.",
     .since = "2.0.0",
     .group = "string",
     .complexity = "O(1), amortized"},
    {.name = "decr",
     .handler = decr_command,
     .arity = 2,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Subtracts one from the integer of a key.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "decrby",
     .handler = decrby_command,
     .arity = 3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Subtracts a number from the integer of a key.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "getrange",
     .handler = getrange_command,
     .arity = 4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@string",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns a part of a string.",
     .since = "2.4.0",
     .group = "string",
     .complexity = "O(N), where N is the length of the part"},
    {.name = "incr",
     .handler = incr_command,
     .arity = 2,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds one to the integer of a key.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "incrby",
     .handler = incrby_command,
     .arity = 3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds a number to the integer of a key.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "incrbyfloat",
     .handler = incrbyfloat_command,
     .arity = 3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@string,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds a number to the floating-point number of a key.",
     .since = "2.6.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "setrange",
     .handler = setrange_command,
     .arity = 4,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@slow,@string,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Overwrites a part of a string, padding with zero bytes up to it.",
     .since = "2.2.0",
     .group = "string",
     .complexity = "O(1) for a short part, otherwise O(N), where N is its length"},
    {.name = "strlen",
     .handler = strlen_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@string",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the length of a string.",
     .since = "2.2.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "substr",
     .handler = getrange_command,
     .arity = 4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@string",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns a part of a string; the older name of GETRANGE.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(N), where N is the length of the part"},
};

}  // namespace

std::span<const CommandRow> string_edit_commands() { return kRows; }

}  // namespace tandem
