#include "persistence/value_codec.h"

#include <cassert>
#include <cstdlib>
#include <utility>

#include "persistence/rdb_format.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

struct TypeRow {
  std::string_view name;
  const ValueCodec* codec = nullptr;  // a type without one is refused by name
};

// Indexed by RDB type.
constexpr TypeRow kTypes[] = {
    {"string"},
    {"list", &kListCodec},
    {"set", &kSetCodec},
    {"sorted set", &kSortedSetCodec},
    {"hash", &kHashCodec},
    {"sorted set (binary scores)", &kSortedSetCodec},
    {"module value"},
    {"module value"},
    {},
    {"hash (zipmap)", &kHashCodec},
    {"list (ziplist)", &kListCodec},
    {"set (intset)", &kSetCodec},
    {"sorted set (ziplist)", &kSortedSetCodec},
    {"hash (ziplist)", &kHashCodec},
    {"list (quicklist)", &kListCodec},
    {"stream", &kStreamCodec},
    {"hash (listpack)", &kHashCodec},
    {"sorted set (listpack)", &kSortedSetCodec},
    {"list (quicklist of listpacks)", &kListCodec},
    {"stream", &kStreamCodec},
    {"set (listpack)", &kSetCodec},
    {"stream", &kStreamCodec},
    {"hash with field expiry", &kHashCodec},
};
static_assert(std::size(kTypes) == rdb::kLastType + 1);

Result<RdbValue> read_string(RdbDecoder& in) {
  const Result<RdbText> text = in.text_or_integer("a string");
  if (!text.ok()) return text.error();
  return std::visit([](auto value) { return RdbValue(value); }, text.value());
}

}  // namespace

EncodingLimits encoding_limits(const Settings& settings) {
  return {.hash = hash_limits(settings),
          .list = list_limits(settings),
          .set = set_limits(settings),
          .sorted_set = sorted_set_limits(settings)};
}

const ValueCodec& codec_of(ValueType type) {
  switch (type) {
    case ValueType::kList:
      return kListCodec;
    case ValueType::kHash:
      return kHashCodec;
    case ValueType::kSet:
      return kSetCodec;
    case ValueType::kStream:
      return kStreamCodec;
    case ValueType::kSortedSet:
      return kSortedSetCodec;
    default:
      break;
  }
  // Types come with their way into files; one without is a programming error that must not end as
  // a file with keys missing.
  assert(false && "a value type that cannot be written");
  std::abort();
}

Error empty_collection(const RdbDecoder& in, std::string_view key, uint64_t at) {
  return in.corrupt("the collection at key " + quote(key) + " is empty", at);
}

std::string_view rdb_type_name(uint8_t type) {
  if (type > rdb::kLastType || kTypes[type].name.empty()) return "unknown";
  return kTypes[type].name;
}

Result<RdbValue> read_rdb_value(RdbDecoder& in, uint8_t type, std::string_view key,
                                const EncodingLimits& limits) {
  if (type > rdb::kLastType || kTypes[type].name.empty()) {
    return make_error(ErrorKind::kCorrupt,
                      "unknown value type " + std::to_string(type) + " at key " + quote(key));
  }
  if (type == rdb::kString) return read_string(in);
  const TypeRow& row = kTypes[type];
  if (row.codec == nullptr) {
    return make_error(ErrorKind::kUnsupported,
                      "type " + std::to_string(type) + " (" + std::string(row.name) + ") of key " +
                          quote(key) + " is not supported by this server yet");
  }
  return row.codec->read(in, type, key, limits);
}

}  // namespace tandem
