#include <utility>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/strings.h"
#include "server/store/hash_value.h"

namespace tandem {

namespace {

const HashValue& hash_of(const Value& value) { return static_cast<const HashValue&>(value); }

uint8_t rdb_type(const Value& value, int) {
  return hash_of(value).listpack() != nullptr ? rdb::kHashListpack : rdb::kHash;
}

void write(RdbEncoder& out, const Value& value, int) {
  const HashValue& hash = hash_of(value);
  if (const Listpack* listpack = hash.listpack()) {
    out.string(listpack->bytes());
    return;
  }
  out.length(hash.size());
  hash.for_each([&](std::string_view field, std::string_view text) {
    out.string(field);
    out.string(text);
  });
}

void write_commands(CommandWriter& out, std::string_view key, const Value& value) {
  ItemCommands items(&out, "HSET", key, 2);
  hash_of(value).for_each([&](std::string_view field, std::string_view text) {
    items.add(field);
    items.add(text);
  });
  items.finish();
}

Result<RdbValue> read_fields(RdbDecoder& in, std::string_view key, const EncodingLimits& limits) {
  const uint64_t began = in.offset();
  Result<uint64_t> fields = in.count(2, "the number of a hash's fields");
  if (!fields.ok()) return fields.error();
  if (fields.value() == 0) return empty_collection(in, key, began);
  auto hash = std::make_unique<HashValue>();
  std::string field, text;
  for (uint64_t i = 0; i < fields.value(); ++i) {
    const uint64_t at = in.offset();
    if (Status status = in.string(&field, "a hash field"); !status.ok()) return status.error();
    if (Status status = in.string(&text, "a hash value"); !status.ok()) return status.error();
    if (!hash->set(field, text, limits.hash)) {
      return in.corrupt("the field " + quote(field) + " is twice in the hash " + quote(key), at);
    }
  }
  return RdbValue(std::unique_ptr<Value>(std::move(hash)));
}

using PackedReader = Result<std::unique_ptr<HashValue>> (*)(std::string_view, const HashLimits&);

Result<RdbValue> read_packed(RdbDecoder& in, std::string_view key, const EncodingLimits& limits,
                             PackedReader reader) {
  const uint64_t began = in.offset();
  std::string bytes;
  if (Status status = in.string(&bytes, "a packed hash"); !status.ok()) return status.error();
  Result<std::unique_ptr<HashValue>> hash = reader(bytes, limits.hash);
  if (!hash.ok()) {
    return in.corrupt(
        "the hash at key " + quote(key) + ": " + hash.error().to_string() + " of its bytes", began);
  }
  if (hash.value()->size() == 0) return empty_collection(in, key, began);
  return RdbValue(std::unique_ptr<Value>(std::move(hash).value()));
}

Result<RdbValue> read(RdbDecoder& in, uint8_t type, std::string_view key,
                      const EncodingLimits& limits) {
  switch (type) {
    case rdb::kHashZipmap:
      return read_packed(in, key, limits, HashValue::from_zipmap);
    case rdb::kHashZiplist:
      return read_packed(in, key, limits, HashValue::from_ziplist);
    case rdb::kHashListpack:
      return read_packed(in, key, limits, HashValue::from_listpack);
    default:
      return read_fields(in, key, limits);
  }
}

}  // namespace

const ValueCodec kHashCodec = {rdb_type, write, write_commands, read};

}  // namespace tandem
