#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"
#include "server/store/bit_string.h"

namespace tandem {
namespace {

using Scratch = char[kMaxInt64Digits];

// The position of a bit; with `width`, "#7" stands for the start of the seventh field of that many
// bits.
std::optional<uint64_t> read_bit_offset(Call& call, std::string_view text, unsigned width = 0) {
  const bool counts_fields = width > 0 && text.starts_with('#');
  const std::optional<int64_t> number = parse_int64(text.substr(counts_fields ? 1 : 0));
  int64_t offset = number.value_or(-1);
  const bool overflow =
      counts_fields && __builtin_mul_overflow(offset, static_cast<int64_t>(width), &offset);
  if (!overflow && offset >= 0 &&
      (offset >> 3 < call.executor.config().settings().proto_max_bulk_len || must_obey(call))) {
    return static_cast<uint64_t>(offset);
  }
  call.reply.error("ERR bit offset is not an integer or out of range");
  return std::nullopt;
}

// The string at the key as something to read, empty when there is none. Nothing when the key holds
// another type: WRONGTYPE has been replied.
struct FoundString {
  bool exists = false;
  std::string_view bytes;
};
std::optional<FoundString> find_string(Call& call, std::string_view key, char* scratch) {
  const Entry* entry = call.db().find(key);
  if (entry == nullptr) return FoundString{};
  if (!check_type(call, entry, ValueType::kString)) return std::nullopt;
  return FoundString{true, entry->string(scratch)};
}

// The string at args[1], whose entry is `entry` or null, for changing it: so long that it has the
// bit, and created if need be.
std::span<char> edit_up_to(Call& call, Entry* entry, uint64_t bit) {
  const size_t length = entry == nullptr ? 0 : entry->string_length();
  const size_t needed = std::max<size_t>(length, bit / 8 + 1);
  if (entry == nullptr) entry = call.db().set_string(call.args[1], {});
  return {call.db().edit_string(entry, needed), needed};
}

void setbit_command(Call& call) {
  const auto offset = read_bit_offset(call, call.args[2]);
  if (!offset) return;
  const std::optional<int64_t> bit = parse_int64(call.args[3]);
  if (!bit || (*bit != 0 && *bit != 1)) {
    call.reply.error("ERR bit is not an integer or out of range");
    return;
  }
  const std::string_view key = call.args[1];
  Entry* entry = call.db().find_for_write(key);
  uint64_t before = 0;
  if (entry != nullptr) {
    if (!check_type(call, entry, ValueType::kString)) return;
    Scratch scratch;
    const std::string_view bytes = entry->string(scratch);
    before = read_bits(bytes, *offset, 1);
    if (*offset / 8 < bytes.size() && before == static_cast<uint64_t>(*bit)) {
      call.db().make_raw(entry);
      call.reply.integer(*bit);
      return;
    }
  }
  write_bits(edit_up_to(call, entry, *offset), *offset, 1, static_cast<uint64_t>(*bit));
  call.changed();
  call.notify(kEventString, "setbit", key);
  call.reply.integer(static_cast<int64_t>(before));
}

void getbit_command(Call& call) {
  const auto offset = read_bit_offset(call, call.args[2]);
  if (!offset) return;
  Scratch scratch;
  const auto found = find_string(call, call.args[1], scratch);
  if (found) call.reply.integer(static_cast<int64_t>(read_bits(found->bytes, *offset, 1)));
}

// A range as BITCOUNT and BITPOS take it from args[first] on: start [end [BYTE|BIT]], in bytes
// unless it says otherwise, counted from the end when negative.
struct BitRange {
  int64_t start = 0;
  int64_t end = -1;
  bool in_bits = false;
  bool has_end = false;

  // The first and the last bit of the range in a string of `length` bytes; nothing when it is
  // empty.
  struct Bits {
    uint64_t first, last;
  };
  std::optional<Bits> within(size_t length) const {
    const auto units = static_cast<int64_t>(in_bits ? length * 8 : length);
    const int64_t from = std::max<int64_t>(0, start < 0 ? units + start : start);
    const int64_t to = std::min(units - 1, std::max<int64_t>(0, end < 0 ? units + end : end));
    if (from > to) return std::nullopt;
    const auto first = static_cast<uint64_t>(from), last = static_cast<uint64_t>(to);
    return in_bits ? Bits{first, last} : Bits{8 * first, 8 * last + 7};
  }
};

bool read_bit_range(Call& call, size_t first, BitRange* range) {
  const Args args = call.args;
  if (args.size() <= first) return true;
  if (args.size() > first + 3) {
    call.syntax_error();
    return false;
  }
  const auto start = read_integer(call, args[first]);
  if (!start) return false;
  range->start = *start;
  if (args.size() == first + 3) {
    range->in_bits = equals_ignore_case(args[first + 2], "bit");
    if (!range->in_bits && !equals_ignore_case(args[first + 2], "byte")) {
      call.syntax_error();
      return false;
    }
  }
  if (args.size() == first + 1) return true;
  const auto end = read_integer(call, args[first + 1]);
  if (!end) return false;
  range->end = *end;
  range->has_end = true;
  return true;
}

void bitcount_command(Call& call) {
  BitRange range;
  if (!read_bit_range(call, 2, &range)) return;
  Scratch scratch;
  const auto found = find_string(call, call.args[1], scratch);
  if (!found) return;
  // Ends before the start on both sides of the end of the string: empty, though both would be
  // moved to the first byte of a short one.
  const bool reversed = range.start < 0 && range.end < 0 && range.start > range.end;
  const auto bits = reversed ? std::nullopt : range.within(found->bytes.size());
  const uint64_t count = bits ? count_bits(found->bytes, bits->first, bits->last) : 0;
  call.reply.integer(static_cast<int64_t>(count));
}

void bitpos_command(Call& call) {
  const auto bit = read_integer(call, call.args[2]);
  if (!bit) return;
  if (*bit != 0 && *bit != 1) {
    call.reply.error("ERR The bit argument must be 1 or 0.");
    return;
  }
  BitRange range;
  if (!read_bit_range(call, 3, &range)) return;
  Scratch scratch;
  const auto found = find_string(call, call.args[1], scratch);
  if (!found) return;
  if (!found->exists) {
    // As if it were endless zeros.
    call.reply.integer(*bit == 1 ? -1 : 0);
    return;
  }
  const auto bits = range.within(found->bytes.size());
  if (!bits) {
    call.reply.integer(-1);
    return;
  }
  const auto position = find_bit(found->bytes, *bit == 1, bits->first, bits->last);
  if (position) {
    call.reply.integer(static_cast<int64_t>(*position));
  } else if (*bit == 0 && !range.has_end) {
    // Without an end the string counts as followed by zeros.
    call.reply.integer(static_cast<int64_t>(bits->last + 1));
  } else {
    call.reply.integer(-1);
  }
}

std::optional<BitOperation> parse_operation(std::string_view name) {
  if (equals_ignore_case(name, "and")) return BitOperation::kAnd;
  if (equals_ignore_case(name, "or")) return BitOperation::kOr;
  if (equals_ignore_case(name, "xor")) return BitOperation::kXor;
  if (equals_ignore_case(name, "not")) return BitOperation::kNot;
  return std::nullopt;
}

void bitop_command(Call& call) {
  const auto operation = parse_operation(call.args[1]);
  if (!operation) {
    call.syntax_error();
    return;
  }
  if (operation == BitOperation::kNot && call.args.size() != 4) {
    call.reply.error("ERR BITOP NOT must be called with a single source key.");
    return;
  }
  const std::string_view target = call.args[2];
  const Args keys = call.args.subspan(3);
  // Looking at a key may remove it, and another's entry must not move once it has been read.
  for (const std::string_view key : keys) call.db().peek(key);
  std::vector<std::array<char, kMaxInt64Digits>> scratch(keys.size());
  std::vector<std::string_view> sources;
  sources.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = find_string(call, keys[i], scratch[i].data());
    if (!found) return;
    sources.push_back(found->bytes);
  }
  const std::string result = combine_bits(*operation, sources);
  if (!result.empty()) {
    set_raw_string(call.db(), target, result);
    call.changed();
    call.notify(kEventString, "set", target);
  } else if (call.db().find_for_write(target) != nullptr && call.db().erase(target)) {
    call.changed();
    call.notify(kEventGeneric, "del", target);
  }
  call.reply.integer(static_cast<int64_t>(result.size()));
}

// "u8" or "i16": a field's width, and whether its highest bit is a sign.
struct FieldType {
  unsigned width = 0;
  bool is_signed = false;
};

std::optional<FieldType> read_field_type(Call& call, std::string_view text) {
  const bool is_signed = text.starts_with('i');
  if (is_signed || text.starts_with('u')) {
    const std::optional<int64_t> width = parse_int64(text.substr(1));
    // A reply's integer is signed: 64 unsigned bits do not fit.
    if (width && *width >= 1 && *width <= (is_signed ? 64 : 63)) {
      return FieldType{static_cast<unsigned>(*width), is_signed};
    }
  }
  call.reply.error(
      "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
      "i64 is.");
  return std::nullopt;
}

enum class OnOverflow : uint8_t { kWrap, kSaturate, kFail };

struct FieldOperation {
  enum class Kind : uint8_t { kGet, kSet, kIncrement };
  Kind kind = Kind::kGet;
  OnOverflow on_overflow = OnOverflow::kWrap;
  FieldType type;
  uint64_t offset = 0;
  int64_t operand = 0;  // kSet: the value; kIncrement: what to add

  uint64_t last_bit() const { return offset + type.width - 1; }
};

// A number of either sign that may be one step outside what a field can hold.
using Wide = __int128;

Wide lowest(FieldType type) { return type.is_signed ? -(Wide{1} << (type.width - 1)) : 0; }
Wide highest(FieldType type) {
  return (Wide{1} << (type.is_signed ? type.width - 1 : type.width)) - 1;
}

// The number that `width` bits stand for.
int64_t decode_field(FieldType type, uint64_t bits) {
  if (!type.is_signed) return static_cast<int64_t>(bits);
  const unsigned unused = 64 - type.width;
  return static_cast<int64_t>(bits << unused) >> unused;
}

int64_t read_field(std::string_view bytes, const FieldOperation& operation) {
  return decode_field(operation.type, read_bits(bytes, operation.offset, operation.type.width));
}

// What the field holds after kSet or kIncrement; nothing when that overflows and is to fail.
std::optional<int64_t> new_field_value(const FieldOperation& operation, int64_t before) {
  const FieldType type = operation.type;
  Wide value = operation.operand;
  // To a field without a sign, a negative number is one beyond its highest.
  const bool set = operation.kind == FieldOperation::Kind::kSet;
  if (set && !type.is_signed) value = static_cast<uint64_t>(operation.operand);
  if (!set) value += before;
  if (value >= lowest(type) && value <= highest(type)) return static_cast<int64_t>(value);
  switch (operation.on_overflow) {
    case OnOverflow::kWrap: {
      const uint64_t mask = ~uint64_t{0} >> (64 - type.width);
      return decode_field(type, static_cast<uint64_t>(value) & mask);
    }
    case OnOverflow::kSaturate: {
      // A SET so far below a narrow field that the distance overflows 64 bits counts as above it
      // for Redis and Valkey, and the strings of a primary and its replica must agree.
      const bool above = value > highest(type) || (set && highest(type) - value > INT64_MAX);
      return static_cast<int64_t>(above ? highest(type) : lowest(type));
    }
    case OnOverflow::kFail:
      break;
  }
  return std::nullopt;
}

std::optional<OnOverflow> read_overflow(Call& call, std::string_view name) {
  if (equals_ignore_case(name, "wrap")) return OnOverflow::kWrap;
  if (equals_ignore_case(name, "sat")) return OnOverflow::kSaturate;
  if (equals_ignore_case(name, "fail")) return OnOverflow::kFail;
  call.reply.error("ERR Invalid OVERFLOW type specified");
  return std::nullopt;
}

// The operations from args[2] on; replies and returns false when they are wrong.
bool read_field_operations(Call& call, std::vector<FieldOperation>* operations) {
  using Kind = FieldOperation::Kind;
  const Args args = call.args;
  OnOverflow on_overflow = OnOverflow::kWrap;
  for (size_t i = 2; i < args.size();) {
    const size_t left = args.size() - i - 1;
    if (left >= 1 && equals_ignore_case(args[i], "overflow")) {
      const auto chosen = read_overflow(call, args[i + 1]);
      if (!chosen) return false;
      on_overflow = *chosen;
      i += 2;
      continue;
    }
    FieldOperation operation{.on_overflow = on_overflow};
    if (left >= 3 && equals_ignore_case(args[i], "set")) {
      operation.kind = Kind::kSet;
    } else if (left >= 3 && equals_ignore_case(args[i], "incrby")) {
      operation.kind = Kind::kIncrement;
    } else if (left < 2 || !equals_ignore_case(args[i], "get")) {
      call.syntax_error();
      return false;
    }
    const auto type = read_field_type(call, args[i + 1]);
    if (!type) return false;
    operation.type = *type;
    const auto offset = read_bit_offset(call, args[i + 2], type->width);
    if (!offset) return false;
    operation.offset = *offset;
    i += 3;
    if (operation.kind != Kind::kGet) {
      const auto operand = read_integer(call, args[i++]);
      if (!operand) return false;
      operation.operand = *operand;
    }
    operations->push_back(operation);
  }
  return true;
}

void reply_fields(Call& call, std::span<const FieldOperation> operations) {
  Scratch scratch;
  const auto found = find_string(call, call.args[1], scratch);
  if (!found) return;
  call.reply.array(operations.size());
  for (const FieldOperation& operation : operations) {
    call.reply.integer(read_field(found->bytes, operation));
  }
}

// A string that a series of operations reads and may change. It is made ready for changing when
// the first change comes, unless it must grow anyway: a key that stays as it was must not look
// modified.
class FieldString {
 public:
  // Up to `last_bit` will be written.
  FieldString(Call& call, Entry* entry, uint64_t last_bit)
      : call_(call), entry_(entry), last_bit_(last_bit) {
    if (entry != nullptr) {
      entry_ = call.db().make_raw(entry);
      bytes_ = entry_->string(nullptr);
    }
    grown_ = entry == nullptr || bytes_.size() <= last_bit / 8;
    if (grown_) edit();
  }

  bool grown() const { return grown_; }
  std::string_view bytes() const { return bytes_; }
  void write(const FieldOperation& operation, int64_t value) {
    if (editable_.empty()) edit();
    write_bits(editable_, operation.offset, operation.type.width, static_cast<uint64_t>(value));
  }

 private:
  void edit() {
    editable_ = edit_up_to(call_, entry_, last_bit_);
    bytes_ = {editable_.data(), editable_.size()};
  }

  Call& call_;
  Entry* entry_;
  uint64_t last_bit_;
  bool grown_ = false;
  std::string_view bytes_;
  std::span<char> editable_;
};

// Runs the operations, at least one of which writes, up to the bit `last_bit`.
void change_fields(Call& call, std::span<const FieldOperation> operations, uint64_t last_bit) {
  using Kind = FieldOperation::Kind;
  const std::string_view key = call.args[1];
  Entry* entry = call.db().find_for_write(key);
  if (entry != nullptr && !check_type(call, entry, ValueType::kString)) return;
  FieldString string(call, entry, last_bit);
  uint64_t changes = 0;
  call.reply.array(operations.size());
  for (const FieldOperation& operation : operations) {
    const int64_t before = read_field(string.bytes(), operation);
    if (operation.kind == Kind::kGet) {
      call.reply.integer(before);
      continue;
    }
    const auto after = new_field_value(operation, before);
    if (!after) {
      call.reply.null();
      continue;
    }
    if (*after != before) string.write(operation, *after);
    if (*after != before || string.grown()) ++changes;
    call.reply.integer(operation.kind == Kind::kSet ? before : *after);
  }
  if (changes > 0) {
    call.changed(changes);
    call.notify(kEventString, "setbit", key);
  } else if (string.grown()) {
    // Every write failed, but the string has become longer: replicas must see that too.
    call.changed();
  }
}

void bitfield(Call& call, bool only_read) {
  std::vector<FieldOperation> operations;
  if (!read_field_operations(call, &operations)) return;
  std::optional<uint64_t> last_bit;
  for (const FieldOperation& operation : operations) {
    if (operation.kind == FieldOperation::Kind::kGet) continue;
    last_bit = std::max(last_bit.value_or(0), operation.last_bit());
  }
  if (!last_bit) {
    reply_fields(call, operations);
  } else if (only_read) {
    call.reply.error("ERR BITFIELD_RO only supports the GET subcommand");
  } else {
    change_fields(call, operations, *last_bit);
  }
}

void bitfield_command(Call& call) { bitfield(call, false); }
void bitfield_ro_command(Call& call) { bitfield(call, true); }

constexpr CommandRow kRows[] = {
    {.name = "bitcount",
     .handler = bitcount_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@bitmap,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Counts the set bits of a string or of a part of it.",
     .since = "2.6.0",
     .group = "bitmap",
     .complexity = "O(N), where N is the length of the part"},
    {.name = "bitfield",
     .handler = bitfield_command,
     .arity = -2,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@bitmap,@slow,@write",
     .key_specs =
         "[ACCESS+RW+UPDATE+VARIABLE_FLAGS index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Reads and changes integers of any width within a string.",
     .since = "3.2.0",
     .group = "bitmap",
     .complexity = "O(1) for each operation"},
    {.name = "bitfield_ro",
     .handler = bitfield_ro_command,
     .arity = -2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@bitmap,@fast,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Reads integers of any width from a string.",
     .since = "6.0.0",
     .group = "bitmap",
     .complexity = "O(1) for each operation"},
    {.name = "bitop",
     .handler = bitop_command,
     .arity = -4,
     .flags = "denyoom,write",
     .keys = "2,-1,1",
     .categories = "@bitmap,@slow,@write",
     .key_specs = "[OW+UPDATE index:index=2 range:lastkey=0,keystep=1,limit=0] "
                  "[ACCESS+RO index:index=3 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Combines strings bit by bit and stores the result.",
     .since = "2.6.0",
     .group = "bitmap",
     .complexity = "O(N), where N is the length of the longest string"},
    {.name = "bitpos",
     .handler = bitpos_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@bitmap,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Finds the first set or clear bit of a string or of a part of it.",
     .since = "2.8.7",
     .group = "bitmap",
     .complexity = "O(N), where N is the length of the part"},
    {.name = "getbit",
     .handler = getbit_command,
     .arity = 3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@bitmap,@fast,@read",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns a bit of a string.",
     .since = "2.2.0",
     .group = "bitmap",
     .complexity = "O(1)"},
    {.name = "setbit",
     .handler = setbit_command,
     .arity = 4,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@bitmap,@slow,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets or clears a bit of a string and returns what it was before.",
     .since = "2.2.0",
     .group = "bitmap",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> bitmap_commands() { return kRows; }

}  // namespace tandem
