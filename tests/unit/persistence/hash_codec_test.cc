#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "persistence/command_writer.h"
#include "persistence/dump_payload.h"
#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/store/hash_value.h"
#include "tests/unit/persistence/test_snapshot.h"

namespace tandem {
namespace {

using namespace std::string_literals;

constexpr int64_t kTime = 1'800'000'000'000;

std::unique_ptr<HashValue> expiring_hash() {
  auto hash = std::make_unique<HashValue>();
  for (const char* field : {"a", "b", "c"}) hash->set(field, "v", {});
  hash->set_expiry("a", kTime);
  hash->set_expiry("c", kTime + 5);
  return hash;
}

std::map<std::string, int64_t> expiries(const Value& value) {
  std::map<std::string, int64_t> all;
  static_cast<const HashValue&>(value).for_each_expiring(
      [&](std::string_view field, int64_t at_ms) { all.emplace(field, at_ms); });
  return all;
}

Result<RdbValue> read(uint8_t type, std::string_view bytes) {
  StringSource source(bytes);
  RdbDecoder in(&source);
  return read_rdb_value(in, type, "key", {});
}

std::string written(const HashValue& hash, int version) {
  std::string bytes;
  StringSink sink(&bytes);
  RdbEncoder out(&sink, /*compress=*/false);
  kHashCodec.write(out, hash, version);
  EXPECT_TRUE(out.flush().ok());
  return bytes;
}

TEST(HashCodec, FieldsKeepTheirExpiryFromVersion80On) {
  const auto hash = expiring_hash();
  EXPECT_EQ(kHashCodec.rdb_type(*hash, 80), rdb::kHashFieldExpiry);
  const auto value = read(rdb::kHashFieldExpiry, written(*hash, 80));
  ASSERT_TRUE(value.ok()) << value.error().to_string();
  const auto& back = std::get<std::unique_ptr<Value>>(value.value());
  EXPECT_EQ(back->size(), 3u);
  EXPECT_EQ(expiries(*back), (std::map<std::string, int64_t>{{"a", kTime}, {"c", kTime + 5}}));

  EXPECT_EQ(kHashCodec.rdb_type(*hash, 11), rdb::kHash);
  const auto older = read(rdb::kHash, written(*hash, 11));
  ASSERT_TRUE(older.ok());
  EXPECT_EQ(expiries(*std::get<std::unique_ptr<Value>>(older.value())).size(), 0u);
}

TEST(HashCodec, ReadsAFieldWithExpiryAsValkeyWritesIt) {
  const auto value = read(rdb::kHashFieldExpiry,
                          "\2\1f\1v" + little_endian(kTime, 8) + "\1g\1w" + std::string(8, '\xff'));
  ASSERT_TRUE(value.ok()) << value.error().to_string();
  EXPECT_EQ(expiries(*std::get<std::unique_ptr<Value>>(value.value())),
            (std::map<std::string, int64_t>{{"f", kTime}}));
  EXPECT_FALSE(read(rdb::kHashFieldExpiry, "\1\1f\1v" + little_endian(kTime, 7)).ok());
  EXPECT_FALSE(read(rdb::kHashFieldExpiry, "\1\1f\1v\0\0\0\0\0\0\0\x80"s).ok()) << "negative";
  EXPECT_FALSE(read(rdb::kHashFieldExpiry, "\0"s).ok());
  EXPECT_FALSE(read(rdb::kHashFieldExpiry,
                    "\2\1f\1v" + std::string(8, '\xff') + "\1f\1w" + std::string(8, '\xff'))
                   .ok())
      << "a field twice";
}

TEST(HashCodec, ASnapshotIsOfTheVersionThatHoldsItsFields) {
  Keyspace keyspace(1);
  keyspace.set_time(kTime - 1000);
  keyspace.database(0).set_string("text", "x");
  EXPECT_EQ(version_for(keyspace), 11);
  keyspace.database(0).set_value("h", expiring_hash());
  ASSERT_EQ(version_for(keyspace), 80);
  const std::string bytes = snapshot_of({.keyspace = &keyspace}, {.version = 80});
  EXPECT_EQ(bytes.substr(0, 9), "VALKEY080");
  Keyspace loaded(1);
  KeyspaceLoader loader(&loaded, {.now_ms = kTime - 1000});
  StringSource source(bytes);
  const auto end = read_snapshot(&source, {}, &loader);
  ASSERT_TRUE(end.ok()) << end.error().to_string();
  EXPECT_EQ(expiries(*loaded.database(0).peek("h")->value()).size(), 2u);
  EXPECT_TRUE(loaded.has_expiring_fields());
}

TEST(HashCodec, ADumpKeepsTheExpiryOfFields) {
  Keyspace keyspace(1);
  const Entry* entry = keyspace.database(0).set_value("h", expiring_hash());
  std::string text;
  const auto value = decode_value_payload(dump_value(*entry), {}, &text);
  ASSERT_TRUE(value.ok()) << value.error().to_string();
  EXPECT_EQ(expiries(*std::get<std::unique_ptr<Value>>(value.value())).size(), 2u);
}

TEST(HashCodec, CommandsRebuildTheExpiry) {
  std::string bytes;
  StringSink sink(&bytes);
  CommandWriter out(&sink);
  kHashCodec.write_commands(out, "h", *expiring_hash());
  ASSERT_TRUE(out.flush().ok());
  EXPECT_NE(bytes.find("$10\r\nHPEXPIREAT\r\n$1\r\nh\r\n$13\r\n1800000000005\r\n$6\r\nFIELDS\r\n"
                       "$1\r\n1\r\n$1\r\nc\r\n"),
            std::string::npos);
}

}  // namespace
}  // namespace tandem
