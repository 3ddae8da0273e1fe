#include "server/store/hash_value.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/base/random.h"
#include "tests/unit/store/real_values.h"

namespace tandem {
namespace {

using namespace std::string_literals;
using Model = std::map<std::string, std::string>;

constexpr HashLimits kPacked{.max_listpack_entries = 100000, .max_listpack_value = 100000};
constexpr HashLimits kTable{.max_listpack_entries = 0, .max_listpack_value = 0};

Model contents(const HashValue& hash) {
  Model out;
  hash.for_each([&out](std::string_view field, std::string_view value) {
    EXPECT_TRUE(out.emplace(field, value).second) << field;
  });
  return out;
}

std::optional<std::string> get(const HashValue& hash, std::string_view field) {
  HashValue::Scratch scratch;
  const auto value = hash.get(field, scratch);
  return value ? std::optional<std::string>(*value) : std::nullopt;
}

void fill(HashValue& hash, int count, const HashLimits& limits) {
  for (int i = 0; i < count; ++i) {
    hash.set("field:" + std::to_string(i), std::to_string(i), limits);
  }
}

TEST(HashValue, SetsGetsAndErases) {
  for (const HashLimits& limits : {kPacked, kTable}) {
    HashValue hash;
    EXPECT_TRUE(hash.set("name", "Ada", limits));
    EXPECT_TRUE(hash.set("12", "-7", limits));
    EXPECT_FALSE(hash.set("name", "Grace", limits));
    EXPECT_EQ(hash.size(), 2u);
    EXPECT_EQ(get(hash, "name"), "Grace");
    EXPECT_EQ(get(hash, "12"), "-7");
    EXPECT_EQ(get(hash, "nobody"), std::nullopt);
    EXPECT_TRUE(hash.contains("12"));
    EXPECT_FALSE(hash.contains("-7"));
    EXPECT_EQ(hash.value_length("name"), 5u);
    EXPECT_EQ(hash.value_length("12"), 2u);
    EXPECT_EQ(hash.value_length("nobody"), 0u);
    EXPECT_TRUE(hash.erase("name"));
    EXPECT_FALSE(hash.erase("name"));
    EXPECT_TRUE(hash.erase("12"));
    EXPECT_EQ(hash.size(), 0u);
  }
}

TEST(HashValue, BecomesATableAtTheLimits) {
  const HashLimits limits{.max_listpack_entries = 3, .max_listpack_value = 5};
  HashValue by_count;
  fill(by_count, 3, {.max_listpack_entries = 3, .max_listpack_value = 64});
  EXPECT_EQ(by_count.encoding_name(), "listpack");
  by_count.set("field:2", "again", limits);
  EXPECT_EQ(by_count.encoding_name(), "hashtable") << "the field's name is too long";

  HashValue hash;
  hash.set("a", "12345", limits);
  hash.set("12345", "b", limits);
  hash.set("c", "c", limits);
  EXPECT_EQ(hash.encoding_name(), "listpack");
  HashValue longer;
  longer.set("a", "123456", limits);
  EXPECT_EQ(longer.encoding_name(), "hashtable");
  hash.set("d", "d", limits);
  EXPECT_EQ(hash.encoding_name(), "hashtable");
  EXPECT_EQ(hash.listpack(), nullptr);
  EXPECT_EQ(contents(hash), (Model{{"a", "12345"}, {"12345", "b"}, {"c", "c"}, {"d", "d"}}));
  hash.erase("d");
  EXPECT_EQ(hash.encoding_name(), "hashtable") << "it stays one";
}

TEST(HashValue, PreparingLooksAtAllPairsBeforeAnyIsSet) {
  const HashLimits limits{.max_listpack_entries = 2, .max_listpack_value = 5};
  HashValue many;
  many.prepare(std::vector<std::string_view>{"a", "1", "a", "2", "a", "3"}, limits);
  EXPECT_EQ(many.encoding_name(), "hashtable");
  HashValue big;
  big.set("a", "b", limits);
  big.prepare(std::vector<std::string_view>{"a", "123456"}, limits);
  EXPECT_EQ(big.encoding_name(), "hashtable");
  EXPECT_EQ(get(big, "a"), "b");
  HashValue small;
  small.prepare(std::vector<std::string_view>{"a", "1", "b", "2"}, limits);
  EXPECT_EQ(small.encoding_name(), "listpack");
}

std::string random_text(Random& random) {
  if (random.below(2) == 0) return std::to_string(random.below(60));
  return std::string(random.below(random.below(10) == 0 ? 600 : 4),
                     static_cast<char>('a' + random.below(5)));
}

void random_edits(uint64_t seed, const HashLimits& limits) {
  Random random(seed);
  HashValue hash;
  Model model;
  for (int step = 0; step < 1500; ++step) {
    const std::string field = random_text(random);
    const std::string value = random_text(random);
    if (random.below(3) == 0) {
      ASSERT_EQ(hash.erase(field), model.erase(field) == 1);
    } else {
      ASSERT_EQ(hash.set(field, value, limits), model.count(field) == 0);
      model[field] = value;
    }
    ASSERT_EQ(hash.size(), model.size());
    const std::string probe = random_text(random);
    const auto expected = model.find(probe);
    ASSERT_EQ(get(hash, probe),
              expected == model.end() ? std::nullopt : std::optional(expected->second));
    ASSERT_EQ(hash.value_length(probe), expected == model.end() ? 0 : expected->second.size());
  }
  ASSERT_EQ(contents(hash), model);
  const auto copy = hash.clone();
  ASSERT_EQ(contents(static_cast<const HashValue&>(*copy)), model);
  ASSERT_EQ(copy->encoding_name(), hash.encoding_name());
  ASSERT_GT(hash.memory_usage(), sizeof(HashValue));
}

TEST(HashValue, RandomEditsAgreeWithAMap) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(random_edits(seed, kPacked));
    ASSERT_NO_FATAL_FAILURE(random_edits(seed, kTable));
    ASSERT_NO_FATAL_FAILURE(
        random_edits(seed, {.max_listpack_entries = 20, .max_listpack_value = 500}));
  }
}

TEST(HashValue, ScanSeesEveryFieldThatStays) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    HashValue hash;
    for (int i = 0; i < 300; ++i) hash.set("stays:" + std::to_string(i), "v", kTable);
    for (int i = 0; i < 2000; ++i) hash.set("goes:" + std::to_string(i), "v", kTable);
    std::set<std::string> seen;
    uint64_t cursor = 0;
    int added = 0;
    do {
      cursor = hash.scan(
          cursor, [&seen](std::string_view field, std::string_view) { seen.emplace(field); });
      for (uint64_t n = random.below(40); n > 0; --n) {
        if (seed % 2 == 0) {
          hash.erase("goes:" + std::to_string(random.below(2000)));
        } else if (added < 5000) {
          hash.set("new:" + std::to_string(added++), "v", kTable);
        }
      }
    } while (cursor != 0);
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(seen.count("stays:" + std::to_string(i)), 1u) << i;
    }
  }
  HashValue packed;
  fill(packed, 10, kPacked);
  size_t visits = 0;
  EXPECT_EQ(packed.scan(0, [&visits](auto, auto) { ++visits; }), 0u);
  EXPECT_EQ(visits, 10u);
}

TEST(HashValue, RandomFieldsAreDistinctOrFreeAsAsked) {
  for (const HashLimits& limits : {kPacked, kTable}) {
    Random random(11);
    HashValue hash;
    fill(hash, 40, limits);
    std::map<std::string, int> drawn;
    for (size_t count : {1u, 5u, 12u, 30u, 40u, 100u}) {
      for (int round = 0; round < 50; ++round) {
        std::set<std::string> sample;
        hash.random_distinct(random, count, [&](std::string_view field, std::string_view value) {
          EXPECT_EQ(field, "field:" + std::string(value));
          EXPECT_TRUE(sample.emplace(field).second);
          ++drawn[std::string(field)];
        });
        EXPECT_EQ(sample.size(), std::min<size_t>(count, 40));
      }
    }
    EXPECT_EQ(drawn.size(), 40u);
    drawn.clear();
    size_t visits = 0;
    const auto count_field = [&](std::string_view field, std::string_view) {
      ++drawn[std::string(field)];
      ++visits;
    };
    hash.random_with_repeats(random, 4000, count_field);
    hash.random_with_repeats(random, 1, count_field);
    EXPECT_EQ(visits, 4001u);
    EXPECT_EQ(drawn.size(), 40u);
    // A hundred each on average; the seed is fixed.
    for (const auto& [field, times] : drawn) {
      EXPECT_GT(times, 50) << field;
      EXPECT_LT(times, 160) << field;
    }
  }
}

TEST(HashValue, TableFieldsGiveBackTheMemoryOfLongValues) {
  HashValue hash;
  hash.set("f", std::string(100000, 'v'), kTable);
  EXPECT_GT(hash.memory_usage(), 100000u);
  hash.set("f", "short", kTable);
  EXPECT_EQ(get(hash, "f"), "short");
  EXPECT_LT(hash.memory_usage(), 2000u);
  hash.set("f", std::string(254, 'a'), kTable);
  EXPECT_EQ(get(hash, "f"), std::string(254, 'a'));
  hash.set("f", std::string(255, 'b'), kTable);
  EXPECT_EQ(get(hash, "f"), std::string(255, 'b'));
}

std::string packed_bytes(const std::vector<std::string>& texts) {
  Listpack list;
  for (const std::string& text : texts) list.append(text);
  return std::string(list.bytes());
}

TEST(HashValue, LoadsAListpack) {
  const std::string bytes = packed_bytes({"a", "1", "7", "b"});
  auto packed = HashValue::from_listpack(bytes, {});
  ASSERT_TRUE(packed.ok());
  EXPECT_EQ(contents(*packed.value()), (Model{{"a", "1"}, {"7", "b"}}));
  ASSERT_NE(packed.value()->listpack(), nullptr);
  EXPECT_EQ(packed.value()->listpack()->bytes(), bytes);
  auto table = HashValue::from_listpack(bytes, kTable);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table.value()->encoding_name(), "hashtable");
  EXPECT_EQ(contents(*table.value()), (Model{{"a", "1"}, {"7", "b"}}));
}

TEST(HashValue, RefusesAMalformedListpack) {
  for (const HashLimits& limits : {kPacked, kTable}) {
    const auto refused = [&limits](const std::string& bytes) {
      auto result = HashValue::from_listpack(bytes, limits);
      return !result.ok() && result.error().kind == ErrorKind::kCorrupt;
    };
    EXPECT_TRUE(refused("junk"));
    EXPECT_TRUE(refused(packed_bytes({"a", "1", "b"})));
    EXPECT_TRUE(refused(packed_bytes({"a", "1", "b", "2", "a", "3"})));
    EXPECT_TRUE(refused(packed_bytes({"10", "1", "b", "2", "10", "3"})));
  }
  // The number 5 and the text "5", which only a strange writer would produce.
  const std::string mixed = "\x10\0\0\0\x04\0\x05\x01\x01\x01\x81\x35\x02\x01\x01\xFF"s;
  ASSERT_TRUE(Listpack::check(mixed).ok());
  EXPECT_FALSE(HashValue::from_listpack(mixed, kPacked).ok());
  EXPECT_FALSE(HashValue::from_listpack(mixed, kTable).ok());
}

TEST(HashValue, LoadsTheForerunners) {
  const std::string ziplist = "\x0F\0\0\0\x0C\0\0\0\x02\0\0\xF3\x02\xF6\xFF"s;
  const auto from_ziplist = HashValue::from_ziplist(ziplist, {});
  ASSERT_TRUE(from_ziplist.ok());
  EXPECT_EQ(contents(*from_ziplist.value()), (Model{{"2", "5"}}));
  EXPECT_EQ(from_ziplist.value()->encoding_name(), "listpack");
  const std::string odd = "\x0D\0\0\0\x0A\0\0\0\x01\0\0\xF3\xFF"s;
  EXPECT_FALSE(HashValue::from_ziplist(odd, {}).ok());

  const std::string zipmap =
      "\x02\x03"
      "foo\x03\0"
      "bar\x01k\x02\0vv\xFF"s;
  const auto from_zipmap = HashValue::from_zipmap(zipmap, kTable);
  ASSERT_TRUE(from_zipmap.ok());
  EXPECT_EQ(contents(*from_zipmap.value()), (Model{{"foo", "bar"}, {"k", "vv"}}));
  EXPECT_EQ(from_zipmap.value()->encoding_name(), "hashtable");
  const std::string twice = "\x02\x01k\x01\0a\x01k\x01\0b\xFF"s;
  EXPECT_FALSE(HashValue::from_zipmap(twice, {}).ok());
}

TEST(HashValue, LoadsARealHash) {
  const auto bytes = real_packed_value("valkey81-all-types.rdb", 16, "hash:small");
  if (!bytes) GTEST_SKIP() << "no file";
  Model expected;
  for (int i = 0; i < 40; ++i) expected["f" + std::to_string(i)] = "v" + std::to_string(i);
  const auto hash = HashValue::from_listpack(*bytes, {});
  ASSERT_TRUE(hash.ok()) << hash.error().to_string();
  EXPECT_EQ(contents(*hash.value()), expected);
}

// What a hash with expiring fields must be at `now_ms`.
struct Timed {
  std::string value;
  int64_t at_ms = Value::kNever;
};

void expect_equal(const HashValue& hash, const std::map<std::string, Timed>& model,
                  int64_t now_ms) {
  Model visible;
  int64_t earliest_ms = Value::kNever;
  for (const auto& [field, timed] : model) {
    const bool there = timed.at_ms > now_ms;
    if (there) visible.emplace(field, timed.value);
    earliest_ms = std::min(earliest_ms, timed.at_ms);
    EXPECT_EQ(hash.contains(field, now_ms), there) << field;
    EXPECT_EQ(hash.expires_at_ms(field), timed.at_ms) << field;
    EXPECT_EQ(hash.value_length(field, now_ms), there ? timed.value.size() : 0) << field;
  }
  Model seen;
  hash.for_each(
      [&seen](std::string_view field, std::string_view value) { seen.emplace(field, value); },
      now_ms);
  EXPECT_EQ(seen, visible);
  EXPECT_EQ(hash.visible_size(now_ms), visible.size());
  EXPECT_EQ(hash.size(), model.size());
  EXPECT_EQ(hash.next_expiry_ms(), earliest_ms);
}

void random_expiries(uint64_t seed) {
  Random random(seed);
  HashValue hash;
  std::map<std::string, Timed> model;
  int64_t now_ms = 1000;
  for (int step = 0; step < 2000; ++step) {
    const std::string field = random_text(random);
    const auto found = model.find(field);
    const int64_t at_ms = now_ms + static_cast<int64_t>(random.below(200)) - 50;
    switch (random.below(6)) {
      case 0:
        ASSERT_EQ(hash.erase(field), model.erase(field) == 1);
        break;
      case 1: {
        const bool keep = random.below(2) == 0;
        const std::string value = random_text(random);
        hash.set(field, value, {}, keep);
        const int64_t kept = keep && found != model.end() ? found->second.at_ms : Value::kNever;
        model[field] = {value, kept};
        break;
      }
      case 2:
        ASSERT_EQ(hash.remove_expiry(field),
                  found != model.end() && found->second.at_ms != Value::kNever);
        if (found != model.end()) found->second.at_ms = Value::kNever;
        break;
      case 3:
        now_ms += static_cast<int64_t>(random.below(10));
        while (const auto expired = hash.expired_field(now_ms)) {
          const std::string name(*expired);
          ASSERT_LE(model.at(name).at_ms, now_ms);
          model.erase(name);
          hash.erase(name);
        }
        break;
      default:
        ASSERT_EQ(hash.set_expiry(field, at_ms), found != model.end());
        if (found != model.end()) found->second.at_ms = at_ms;
    }
    if (step % 20 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_equal(hash, model, now_ms));
  }
  expect_equal(hash, model, now_ms);
  expect_equal(static_cast<const HashValue&>(*hash.clone()), model, now_ms);
}

TEST(HashValue, RandomExpiriesAgreeWithAMap) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(random_expiries(seed));
  }
}

TEST(HashValue, OnlyATableHasFieldsThatExpire) {
  HashValue hash;
  fill(hash, 3, kPacked);
  EXPECT_FALSE(hash.set_expiry("none", 5));
  EXPECT_EQ(hash.encoding_name(), "listpack") << "nothing to expire";
  EXPECT_TRUE(hash.set_expiry("field:1", 5));
  EXPECT_EQ(hash.encoding_name(), "hashtable");
  EXPECT_EQ(get(hash, "field:1"), "1");
  EXPECT_FALSE(hash.contains("field:1", 5));
  EXPECT_TRUE(hash.contains("field:1", 4));
}

TEST(HashValue, RandomFieldsAreVisibleOnes) {
  Random random(3);
  HashValue hash;
  fill(hash, 40, kTable);
  for (int i = 0; i < 30; ++i) hash.set_expiry("field:" + std::to_string(i), 5);
  for (const size_t count : {1u, 5u, 10u, 100u}) {
    std::set<std::string> sample;
    const auto visit = [&](std::string_view field, std::string_view value) {
      EXPECT_GE(std::stoi(std::string(value)), 30);
      EXPECT_TRUE(sample.emplace(field).second);
    };
    hash.random_distinct(random, count, visit, 5);
    EXPECT_EQ(sample.size(), std::min<size_t>(count, 10));
  }
  hash.random_with_repeats(
      random, 50,
      [](std::string_view, std::string_view value) {
        EXPECT_GE(std::stoi(std::string(value)), 30);
      },
      5);
}

TEST(HashValue, TextsOfEveryLengthAreKept) {
  HashValue hash;
  for (const size_t length : {0u, 1u, 253u, 254u, 255u, 256u, 70000u}) {
    const std::string text(length, 'x');
    hash.set(text, text, kTable);
    hash.set_expiry(text, 7);
    EXPECT_EQ(get(hash, text), text) << length;
    EXPECT_EQ(hash.expires_at_ms(text), 7) << length;
    hash.remove_expiry(text);
    EXPECT_EQ(get(hash, text), text) << length;
  }
}

}  // namespace
}  // namespace tandem
