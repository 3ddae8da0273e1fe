#include <utility>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/strings.h"
#include "server/store/hash_value.h"

namespace tandem {

namespace {

// Where type kHashFieldExpiry has the expiry of a field that has none.
constexpr int64_t kFieldStays = -1;

const HashValue& hash_of(const Value& value) { return static_cast<const HashValue&>(value); }

uint8_t rdb_type(const Value& value, int version) {
  const HashValue& hash = hash_of(value);
  if (hash.listpack() != nullptr) return rdb::kHashListpack;
  const bool expires = hash.has_expiring_fields() && version >= rdb::kVersionWithFieldExpiry;
  return expires ? rdb::kHashFieldExpiry : rdb::kHash;
}

void write(RdbEncoder& out, const Value& value, int version) {
  const HashValue& hash = hash_of(value);
  const uint8_t type = rdb_type(value, version);
  if (type == rdb::kHashListpack) {
    out.string(hash.listpack()->bytes());
    return;
  }
  out.length(hash.size());
  hash.for_each([&](std::string_view field, std::string_view text) {
    out.string(field);
    out.string(text);
    if (type != rdb::kHashFieldExpiry) return;
    const int64_t at_ms = hash.expires_at_ms(field);
    out.little_endian(static_cast<uint64_t>(at_ms == Value::kNever ? kFieldStays : at_ms), 8);
  });
}

void write_commands(CommandWriter& out, std::string_view key, const Value& value) {
  ItemCommands items(&out, "HSET", key, 2);
  hash_of(value).for_each([&](std::string_view field, std::string_view text) {
    items.add(field);
    items.add(text);
  });
  items.finish();
  hash_of(value).for_each_expiring([&](std::string_view field, int64_t at_ms) {
    out.command({"HPEXPIREAT", key, std::to_string(at_ms), "FIELDS", "1", field});
  });
}

Result<RdbValue> read_fields(RdbDecoder& in, std::string_view key, const EncodingLimits& limits,
                             bool with_expiry) {
  const uint64_t began = in.offset();
  Result<uint64_t> fields = in.count(with_expiry ? 10 : 2, "the number of a hash's fields");
  if (!fields.ok()) return fields.error();
  if (fields.value() == 0) return empty_collection(in, key, began);
  auto hash = std::make_unique<HashValue>();
  std::string field;  // its value follows
  for (uint64_t i = 0; i < fields.value(); ++i) {
    const uint64_t at = in.offset();
    if (Status status = in.string(&field, "a hash field"); !status.ok()) return status.error();
    const Result<std::string_view> text = in.text("a hash value");
    if (!text.ok()) return text.error();
    if (!hash->set(field, text.value(), limits.hash)) {
      return in.corrupt("the field " + quote(field) + " is twice in the hash " + quote(key), at);
    }
    if (!with_expiry) continue;
    Result<uint64_t> expiry = in.little_endian(8, "the expiry of a hash field");
    if (!expiry.ok()) return expiry.error();
    const auto at_ms = static_cast<int64_t>(expiry.value());
    if (at_ms < kFieldStays) {
      return in.corrupt("the field " + quote(field) + " of the hash " + quote(key) +
                            " expires at " + std::to_string(at_ms),
                        at);
    }
    if (at_ms != kFieldStays) hash->set_expiry(field, at_ms);
  }
  return RdbValue(std::unique_ptr<Value>(std::move(hash)));
}

using PackedReader = Result<std::unique_ptr<HashValue>> (*)(std::string_view, const HashLimits&);

Result<RdbValue> read_packed(RdbDecoder& in, std::string_view key, const EncodingLimits& limits,
                             PackedReader reader) {
  const uint64_t began = in.offset();
  const Result<std::string_view> bytes = in.text("a packed hash");
  if (!bytes.ok()) return bytes.error();
  Result<std::unique_ptr<HashValue>> hash = reader(bytes.value(), limits.hash);
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
      return read_fields(in, key, limits, type == rdb::kHashFieldExpiry);
  }
}

}  // namespace

const ValueCodec kHashCodec = {rdb_type, write, write_commands, read};

}  // namespace tandem
