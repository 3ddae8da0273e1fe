#include <utility>

#include "persistence/rdb_reader.h"
#include "server/base/strings.h"
#include "server/store/hash_value.h"

namespace tandem {

namespace {

// One reader a value type; the table below names them. A type without one is refused by name.
using ValueReader = Result<RdbValue> (*)(RdbDecoder& in, std::string_view key,
                                         const EncodingLimits& limits);

Result<RdbValue> read_string(RdbDecoder& in, std::string_view, const EncodingLimits&) {
  std::string text;
  int64_t integer = 0;
  bool is_integer = false;
  Status status = in.string_or_integer(&text, &integer, &is_integer, "a string");
  if (!status.ok()) return status.error();
  if (is_integer) return RdbValue(integer);
  return RdbValue(std::move(text));
}

Error empty_collection(const RdbDecoder& in, std::string_view key, uint64_t at) {
  return in.corrupt("the collection at key " + quote(key) + " is empty", at);
}

Result<RdbValue> read_hash(RdbDecoder& in, std::string_view key, const EncodingLimits& limits) {
  const uint64_t began = in.offset();
  Result<uint64_t> fields = in.count(2, "the number of a hash's fields");
  if (!fields.ok()) return fields.error();
  if (fields.value() == 0) return empty_collection(in, key, began);
  auto hash = std::make_unique<HashValue>();
  std::string field, value;
  for (uint64_t i = 0; i < fields.value(); ++i) {
    const uint64_t at = in.offset();
    if (Status status = in.string(&field, "a hash field"); !status.ok()) return status.error();
    if (Status status = in.string(&value, "a hash value"); !status.ok()) return status.error();
    if (!hash->set(field, value, limits.hash)) {
      return in.corrupt("the field " + quote(field) + " is twice in the hash " + quote(key), at);
    }
  }
  return RdbValue(std::unique_ptr<Value>(std::move(hash)));
}

using PackedHashReader = Result<std::unique_ptr<HashValue>> (*)(std::string_view,
                                                                const HashLimits&);

template <PackedHashReader kReader>
Result<RdbValue> read_packed_hash(RdbDecoder& in, std::string_view key,
                                  const EncodingLimits& limits) {
  const uint64_t began = in.offset();
  std::string bytes;
  if (Status status = in.string(&bytes, "a packed hash"); !status.ok()) return status.error();
  Result<std::unique_ptr<HashValue>> hash = kReader(bytes, limits.hash);
  if (!hash.ok()) {
    return in.corrupt(
        "the hash at key " + quote(key) + ": " + hash.error().to_string() + " of its bytes", began);
  }
  if (hash.value()->size() == 0) return empty_collection(in, key, began);
  return RdbValue(std::unique_ptr<Value>(std::move(hash).value()));
}

struct TypeRow {
  std::string_view name;
  ValueReader read = nullptr;
};

// Indexed by type number.
constexpr TypeRow kTypes[] = {
    {"string", read_string},
    {"list"},
    {"set"},
    {"sorted set"},
    {"hash", read_hash},
    {"sorted set (binary scores)"},
    {"module value"},
    {"module value"},
    {},
    {"hash (zipmap)", read_packed_hash<HashValue::from_zipmap>},
    {"list (ziplist)"},
    {"set (intset)"},
    {"sorted set (ziplist)"},
    {"hash (ziplist)", read_packed_hash<HashValue::from_ziplist>},
    {"list (quicklist)"},
    {"stream"},
    {"hash (listpack)", read_packed_hash<HashValue::from_listpack>},
    {"sorted set (listpack)"},
    {"list (quicklist of listpacks)"},
    {"stream"},
    {"set (listpack)"},
    {"stream"},
    {"hash with field expiry"},
};
static_assert(std::size(kTypes) == rdb::kLastType + 1);

}  // namespace

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
  const TypeRow& row = kTypes[type];
  if (row.read == nullptr) {
    return make_error(ErrorKind::kUnsupported,
                      "type " + std::to_string(type) + " (" + std::string(row.name) + ") of key " +
                          quote(key) + " is not supported by this server yet");
  }
  return row.read(in, key, limits);
}

}  // namespace tandem
