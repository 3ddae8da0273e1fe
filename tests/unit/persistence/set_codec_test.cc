#include <gtest/gtest.h>

#include <set>
#include <string>

#include "persistence/command_writer.h"
#include "persistence/dump_payload.h"
#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/store/set_value.h"
#include "tests/unit/persistence/test_snapshot.h"

namespace tandem {
namespace {

using namespace std::string_literals;

std::unique_ptr<SetValue> set_of(int count, const std::string& prefix) {
  auto set = std::make_unique<SetValue>(prefix + "0", static_cast<size_t>(count), SetLimits());
  for (int i = 0; i < count; ++i) set->add(prefix + std::to_string(i), {});
  return set;
}

std::set<std::string> contents(const Value& value) {
  std::set<std::string> members;
  SetValue::Scratch scratch;
  static_cast<const SetValue&>(value).for_each(
      [&](const SetValue::Member& member) { members.emplace(member.text(scratch)); });
  return members;
}

Result<RdbValue> read(uint8_t type, std::string_view bytes, const EncodingLimits& limits = {}) {
  StringSource source(bytes);
  RdbDecoder in(&source);
  return read_rdb_value(in, type, "key", limits);
}

std::string error_of(uint8_t type, std::string_view bytes) {
  const auto value = read(type, bytes);
  return value.ok() ? "" : value.error().to_string();
}

std::string written(const SetValue& set, int version) {
  std::string bytes;
  StringSink sink(&bytes);
  RdbEncoder out(&sink, /*compress=*/false);
  kSetCodec.write(out, set, version);
  EXPECT_TRUE(out.flush().ok());
  return bytes;
}

TEST(SetCodec, EachEncodingComesBackInEachVersion) {
  const struct {
    std::unique_ptr<SetValue> set;
    uint8_t type_10, type_11;
  } rows[] = {{set_of(5, ""), rdb::kSetIntset, rdb::kSetIntset},
              {set_of(5, "w"), rdb::kSet, rdb::kSetListpack},
              {set_of(500, "w"), rdb::kSet, rdb::kSet},
              {set_of(600, ""), rdb::kSet, rdb::kSet}};
  for (const auto& row : rows) {
    for (const int version : {10, 11, 80}) {
      SCOPED_TRACE(std::string(row.set->encoding_name()) + " in " + std::to_string(version));
      const uint8_t type = kSetCodec.rdb_type(*row.set, version);
      EXPECT_EQ(type, version == 10 ? row.type_10 : row.type_11);
      const auto value = read(type, written(*row.set, version));
      ASSERT_TRUE(value.ok()) << value.error().to_string();
      const auto& back = std::get<std::unique_ptr<Value>>(value.value());
      EXPECT_EQ(contents(*back), contents(*row.set));
      EXPECT_EQ(back->encoding_name(), row.set->encoding_name());
    }
  }
}

TEST(SetCodec, WhatIsReadObeysTheLimits) {
  const auto list = set_of(5, "w");
  EncodingLimits limits;
  limits.set.max_listpack_entries = 4;
  const auto value = read(rdb::kSetListpack, written(*list, 11), limits);
  EXPECT_EQ(std::get<std::unique_ptr<Value>>(value.value())->encoding_name(), "hashtable");
}

// As servers write sets that knew no listpacks.
TEST(SetCodec, PlainMembersArePacked) {
  const std::string longer(65, 'x');
  const struct {
    std::string bytes;
    std::set<std::string> members;
    std::string_view encoding;
  } rows[] = {{"\3\1a\1b\xc0\7"s, {"a", "b", "7"}, "listpack"},
              {"\3\1a\xc0\7\x40\x41" + longer, {"a", "7", longer}, "hashtable"}};
  for (const auto& row : rows) {
    const auto value = read(rdb::kSet, row.bytes);
    ASSERT_TRUE(value.ok()) << value.error().to_string();
    const auto& set = std::get<std::unique_ptr<Value>>(value.value());
    EXPECT_EQ(contents(*set), row.members);
    EXPECT_EQ(set->encoding_name(), row.encoding);
  }
}

TEST(SetCodec, HostileBytesAreRefusedWithTheKey) {
  EXPECT_EQ(error_of(rdb::kSet, "\0"s), "the collection at key \"key\" is empty at offset 0");
  EXPECT_NE(error_of(rdb::kSet, "\2\1a\1a"s).find("twice"), std::string::npos);
  // "1" as a string and as an integer are one member.
  EXPECT_NE(error_of(rdb::kSet, "\2\1\x31\xc0\1"s).find("twice"), std::string::npos);
  // Also when what comes between turns the set into a table.
  const std::string longer(65, 'x');
  for (const std::string& members : {"\1a\1a\x40\x41" + longer, "\1a\x40\x41" + longer + "\1a"}) {
    EXPECT_NE(error_of(rdb::kSet, "\3" + members).find("twice"), std::string::npos);
  }
  EXPECT_NE(error_of(rdb::kSet, "\x80\xff\xff\xff\xff\1a"s), "");
  EXPECT_NE(error_of(rdb::kSet, "\2\1a"s), "");
  EXPECT_NE(error_of(rdb::kSetIntset, "\x0a\2\0\0\0\2\0\0\0\1\0"s), "");
  EXPECT_NE(error_of(rdb::kSetIntset, "\x08\2\0\0\0\0\0\0\0"s), "");
  EXPECT_NE(error_of(rdb::kSetIntset, "\x0c\2\0\0\0\2\0\0\0\2\0\1\0"s), "");
  EXPECT_NE(error_of(rdb::kSetListpack, "\7\7\0\0\0\0\0\xff"s).find("is empty"), std::string::npos);
  EXPECT_NE(error_of(rdb::kSetListpack, "\x0b\x0b\0\0\0\2\0\1\1\1\1\xff"s).find("twice"),
            std::string::npos);
}

TEST(SetCodec, NoDamagedByteHarms) {
  for (const auto& set : {set_of(20, ""), set_of(20, "w"), set_of(200, "w")}) {
    const std::string bytes = written(*set, 11);
    const uint8_t type = kSetCodec.rdb_type(*set, 11);
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (const int change : {1, 0x80, 0xff}) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ change);
        const auto value = read(type, damaged);
        if (!value.ok()) continue;
        const auto& back = std::get<std::unique_ptr<Value>>(value.value());
        EXPECT_EQ(contents(*back).size(), back->size()) << i;
      }
    }
  }
}

TEST(SetCodec, CommandsRebuildIt) {
  std::string bytes;
  StringSink sink(&bytes);
  CommandWriter out(&sink);
  kSetCodec.write_commands(out, "s", *set_of(70, ""));
  ASSERT_TRUE(out.flush().ok());
  EXPECT_EQ(bytes.substr(0, 29), "*66\r\n$4\r\nSADD\r\n$1\r\ns\r\n$1\r\n0\r\n");
  EXPECT_NE(bytes.find("*8\r\n$4\r\nSADD\r\n$1\r\ns\r\n$2\r\n64\r\n"), std::string::npos);
}

}  // namespace
}  // namespace tandem
