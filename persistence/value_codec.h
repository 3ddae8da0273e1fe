#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "persistence/command_writer.h"
#include "persistence/rdb_strings.h"
#include "server/base/result.h"
#include "server/base/settings.h"
#include "server/store/hash_value.h"
#include "server/store/list_value.h"
#include "server/store/set_value.h"
#include "server/store/sorted_set_value.h"
#include "server/store/value.h"

namespace tandem {

// A decoded value: a string, which the decoder holds until it is used again; a string that is an
// integer; or a value of another type.
using RdbValue = std::variant<std::string_view, int64_t, std::unique_ptr<Value>>;

// The configured sizes up to which collections stay packed.
struct EncodingLimits {
  HashLimits hash;
  ListLimits list;
  SetLimits set;
  SortedSetLimits sorted_set;
};
EncodingLimits encoding_limits(const Settings& settings);

// What persistence knows of one value type. Each type defines its codec in a file of its own; the
// table of RDB types in value_codec.cc names them.
struct ValueCodec {
  // The RDB type that write() produces for this value in a file of this version.
  uint8_t (*rdb_type)(const Value& value, int version);
  // The value as it follows the key.
  void (*write)(RdbEncoder& out, const Value& value, int version);
  // The commands that rebuild the key, without its expiry.
  void (*write_commands)(CommandWriter& out, std::string_view key, const Value& value);
  // A value of one of the RDB types that the table gives to this codec. Nothing is believed: an
  // error is of kind kCorrupt, names the key, and carries the offset. An empty collection is
  // refused with empty_collection().
  Result<RdbValue> (*read)(RdbDecoder& in, uint8_t rdb_type, std::string_view key,
                           const EncodingLimits& limits);
};

extern const ValueCodec kHashCodec;
extern const ValueCodec kListCodec;
extern const ValueCodec kSetCodec;
extern const ValueCodec kStreamCodec;
extern const ValueCodec kSortedSetCodec;

// The codec of a type that is not a string.
const ValueCodec& codec_of(ValueType type);

// Shared by readers: `at` is the offset where the value began.
Error empty_collection(const RdbDecoder& in, std::string_view key, uint64_t at);

// One value of the given type, as in a snapshot behind its key and in a DUMP payload. `key` is for
// messages.
Result<RdbValue> read_rdb_value(RdbDecoder& in, uint8_t type, std::string_view key,
                                const EncodingLimits& limits);

// "list", "hash (listpack)", …; "unknown" for a number without meaning.
std::string_view rdb_type_name(uint8_t type);

}  // namespace tandem
