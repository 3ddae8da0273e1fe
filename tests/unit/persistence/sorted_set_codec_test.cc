#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/byte_stream.h"
#include "server/store/sorted_set_value.h"

namespace tandem {
namespace {

using Pairs = std::vector<std::pair<std::string, double>>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::unique_ptr<SortedSetValue> make_set(const Pairs& pairs, const SortedSetLimits& limits = {}) {
  auto set = std::make_unique<SortedSetValue>();
  for (const auto& [member, score] : pairs) set->set(member, score, limits);
  return set;
}

Pairs pairs_of(const SortedSetValue& set) {
  Pairs pairs;
  set.for_each([&](std::string_view member, double score) { pairs.emplace_back(member, score); });
  return pairs;
}

// A value of this type, written by `write`.
template <typename Write>
std::string encode(Write&& write) {
  std::string bytes;
  StringSink sink(&bytes);
  RdbEncoder out(&sink, false);
  write(out);
  EXPECT_TRUE(out.flush().ok());
  return bytes;
}

std::string encode_set(const SortedSetValue& set) {
  return encode([&](RdbEncoder& out) { kSortedSetCodec.write(out, set, rdb::kVersion); });
}

Result<std::unique_ptr<SortedSetValue>> decode(uint8_t type, std::string_view bytes,
                                               const EncodingLimits& limits = {}) {
  StringSource source(bytes);
  RdbDecoder in(&source);
  Result<RdbValue> value = read_rdb_value(in, type, "key", limits);
  if (!value.ok()) return value.error();
  EXPECT_EQ(in.offset(), bytes.size());
  auto& owned = std::get<std::unique_ptr<Value>>(value.value());
  return std::unique_ptr<SortedSetValue>(static_cast<SortedSetValue*>(owned.release()));
}

std::string message_of(uint8_t type, std::string_view bytes) {
  auto set = decode(type, bytes);
  return set.ok() ? "read" : set.error().message;
}

const Pairs kPairs = {{"low", -kInfinity}, {"", -1.5},         {"tenth", 0.1}, {"a", 7},
                      {"12", 7.0},         {"high", kInfinity}};

TEST(SortedSetCodec, SmallOnesAreListpacks) {
  const auto set = make_set(kPairs);
  EXPECT_EQ(kSortedSetCodec.rdb_type(*set, rdb::kVersion), rdb::kSortedSetListpack);
  auto read = decode(rdb::kSortedSetListpack, encode_set(*set));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(pairs_of(*read.value()), pairs_of(*set));
  EXPECT_EQ(read.value()->encoding_name(), "listpack");
}

TEST(SortedSetCodec, LargeOnesCarryBinaryScores) {
  const auto set = make_set(kPairs, {.max_listpack_entries = 0});
  EXPECT_EQ(kSortedSetCodec.rdb_type(*set, rdb::kVersion), rdb::kSortedSet2);
  const std::string bytes = encode_set(*set);
  auto small = decode(rdb::kSortedSet2, bytes);
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(pairs_of(*small.value()), pairs_of(*set));
  EXPECT_EQ(small.value()->encoding_name(), "listpack");
  EncodingLimits limits;
  limits.sorted_set.max_listpack_entries = 2;
  auto large = decode(rdb::kSortedSet2, bytes, limits);
  ASSERT_TRUE(large.ok());
  EXPECT_EQ(pairs_of(*large.value()), pairs_of(*set));
  EXPECT_EQ(large.value()->encoding_name(), "skiplist");
}

TEST(SortedSetCodec, OldOnesCarryTextScores) {
  const std::string bytes = encode([](RdbEncoder& out) {
    out.length(5);
    out.string("a");
    out.string("1.5");  // a length and the text, as it happens
    out.string("b");
    out.byte(254);
    out.string("c");
    out.byte(255);
    out.string("d");
    out.byte(2);
    out.raw("17");
    out.string("e");
    out.byte(22);
    out.raw("0.10000000000000000555");
  });
  auto set = decode(rdb::kSortedSet, bytes);
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(pairs_of(*set.value()),
            (Pairs{{"c", -kInfinity}, {"e", 0.1}, {"a", 1.5}, {"d", 17}, {"b", kInfinity}}));
}

TEST(SortedSetCodec, ReadsZiplists) {
  // a 1, b "2.5"
  const std::string ziplist(
      "\x15\0\0\0\x0e\0\0\0\x04\0\0\x01"
      "a\x03\xf2\x02\x01"
      "b\x03\x03"
      "2.5\xff",
      24);
  std::string fixed = ziplist;
  fixed[0] = static_cast<char>(fixed.size());
  fixed[4] = 18;
  const auto bytes = encode([&](RdbEncoder& out) { out.string(fixed); });
  auto set = decode(rdb::kSortedSetZiplist, bytes);
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(pairs_of(*set.value()), (Pairs{{"a", 1}, {"b", 2.5}}));
}

TEST(SortedSetCodec, RefusesWhatIsNoSortedSet) {
  const auto binary = [](std::initializer_list<std::pair<std::string_view, double>> pairs) {
    return encode([&](RdbEncoder& out) {
      out.length(pairs.size());
      for (const auto& [member, score] : pairs) {
        out.string(member);
        out.little_endian(std::bit_cast<uint64_t>(score), 8);
      }
    });
  };
  EXPECT_EQ(message_of(rdb::kSortedSet2, binary({{"b", 2}, {"a", 1}})), "read");
  EXPECT_EQ(message_of(rdb::kSortedSet2, binary({{"a", NAN}})), "a score is not a number");
  EXPECT_EQ(message_of(rdb::kSortedSet2, binary({{"a", 1}, {"b", 2}, {"a", 3}})),
            "the member \"a\" is twice in the sorted set \"key\"");
  EXPECT_EQ(message_of(rdb::kSortedSet2, binary({})), "the collection at key \"key\" is empty");
  EXPECT_EQ(message_of(rdb::kSortedSet, std::string("\x01\x01"
                                                    "a\xfd",
                                                    4)),
            "a score is not a number");
  EXPECT_EQ(message_of(rdb::kSortedSet, std::string("\x01\x01"
                                                    "a\x02"
                                                    "1x",
                                                    6)),
            "a score is not a number");
  EXPECT_EQ(message_of(rdb::kSortedSet, std::string("\x01\x01"
                                                    "a\0",
                                                    4)),
            "a score is not a number");
  // A number of members that what is left cannot hold.
  EXPECT_NE(message_of(rdb::kSortedSet2, std::string("\x81\0\0\0\x7f\xff\xff\xff\xff", 9)), "read");
  const auto empty = encode([](RdbEncoder& out) { out.string(Listpack().bytes()); });
  EXPECT_EQ(message_of(rdb::kSortedSetListpack, empty), "the collection at key \"key\" is empty");
}

TEST(SortedSetCodec, EveryCutIsNoticed) {
  for (const size_t entries : {0u, 128u}) {
    const auto set = make_set(kPairs, {.max_listpack_entries = entries});
    const std::string bytes = encode_set(*set);
    const uint8_t type = kSortedSetCodec.rdb_type(*set, rdb::kVersion);
    for (size_t length = 0; length < bytes.size(); ++length) {
      StringSource source(std::string_view(bytes).substr(0, length));
      RdbDecoder in(&source);
      EXPECT_FALSE(read_rdb_value(in, type, "key", {}).ok()) << length;
    }
  }
}

TEST(SortedSetCodec, CommandsThatRebuildIt) {
  for (const size_t entries : {0u, 128u}) {
    const auto set =
        make_set({{"a", 0.1}, {"b", kInfinity}, {"c", 1e20}}, {.max_listpack_entries = entries});
    std::string bytes;
    StringSink sink(&bytes);
    CommandWriter out(&sink);
    kSortedSetCodec.write_commands(out, "key", *set);
    ASSERT_TRUE(out.flush().ok());
    EXPECT_EQ(bytes,
              "*8\r\n$4\r\nZADD\r\n$3\r\nkey\r\n$3\r\n0.1\r\n$1\r\na\r\n$5\r\n1e+20\r\n$1\r\nc\r\n"
              "$3\r\ninf\r\n$1\r\nb\r\n");
  }
}

}  // namespace
}  // namespace tandem
