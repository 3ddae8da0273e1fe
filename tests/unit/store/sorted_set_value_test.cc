#include "server/store/sorted_set_value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/store/real_values.h"

namespace tandem {
namespace {

using Outcome = SortedSetValue::Outcome;
using Pairs = std::vector<std::pair<std::string, double>>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Pairs pairs_of(const SortedSetValue& set) {
  Pairs pairs;
  set.for_each([&](std::string_view member, double score) { pairs.emplace_back(member, score); });
  return pairs;
}

std::string members_of(const SortedSetValue& set, RankRange range, bool reversed = false) {
  std::string text;
  bool is_first = true;
  const auto visit = [&](std::string_view member, double) {
    if (!is_first) text += ' ';
    is_first = false;
    text += member;
  };
  if (reversed) {
    set.for_range_reversed(range, visit);
  } else {
    set.for_range(range, visit);
  }
  return text;
}

std::string packed(std::initializer_list<Listpack::Item> items) {
  Listpack list;
  for (const auto& item : items) list.append(item);
  return std::string(list.bytes());
}

// Each test of it runs on both encodings.
class SortedSetValueTest : public ::testing::TestWithParam<bool> {
 protected:
  SortedSetValueTest() {
    if (GetParam()) limits_.max_listpack_entries = 0;
  }
  SortedSetValue::Update update(std::string_view member, double score,
                                const SortedSetValue::Conditions& conditions = {}) {
    return set_.update(member, score, conditions, limits_);
  }
  void fill(std::initializer_list<std::pair<std::string_view, double>> pairs) {
    for (const auto& [member, score] : pairs) set_.set(member, score, limits_);
    EXPECT_EQ(set_.encoding_name(), GetParam() ? "skiplist" : "listpack");
  }

  SortedSetLimits limits_;
  SortedSetValue set_;
};

INSTANTIATE_TEST_SUITE_P(Encodings, SortedSetValueTest, ::testing::Bool(),
                         [](const auto& encoding) { return encoding.param ? "Large" : "Packed"; });

TEST_P(SortedSetValueTest, KeepsTheOrder) {
  fill({{"b", 2}, {"a", 2}, {"c", -1.5}, {"z", -kInfinity}, {"d", kInfinity}, {"12", 2}});
  EXPECT_EQ(
      pairs_of(set_),
      (Pairs{{"z", -kInfinity}, {"c", -1.5}, {"12", 2}, {"a", 2}, {"b", 2}, {"d", kInfinity}}));
  EXPECT_EQ(members_of(set_, {1, 3}), "c 12 a");
  EXPECT_EQ(members_of(set_, {1, 3}, true), "a 12 c");
  EXPECT_EQ(members_of(set_, {0, 6}, true), "d b a 12 c z");
  EXPECT_EQ(set_.score("12"), 2);
  EXPECT_EQ(set_.score("none"), std::nullopt);
  EXPECT_EQ(set_.rank("b")->rank, 4u);
  EXPECT_EQ(set_.rank("b")->score, 2);
  EXPECT_FALSE(set_.rank("none"));
}

TEST_P(SortedSetValueTest, ScoresSurviveExactly) {
  const double scores[] = {0.1,   1e300, 5e-324,  -123.456,           4611686018427387904.0,
                           1e-10, -0.0,  1.0 / 3, 9007199254740993.0, 1e22};
  for (const double score : scores) {
    fill({{"m", 7}, {"m", score}});
    EXPECT_EQ(set_.score("m"), score);
  }
}

TEST_P(SortedSetValueTest, Conditions) {
  EXPECT_EQ(update("a", 5, {.only_existing = true}).outcome, Outcome::kRefused);
  EXPECT_EQ(set_.size(), 0u);
  EXPECT_EQ(update("a", 5, {.only_new = true}).outcome, Outcome::kAdded);
  EXPECT_EQ(update("a", 6, {.only_new = true}).outcome, Outcome::kRefused);
  EXPECT_EQ(update("a", 5).outcome, Outcome::kSame);
  EXPECT_EQ(update("a", 5, {.only_greater = true}).outcome, Outcome::kRefused);
  EXPECT_EQ(update("a", 4, {.only_greater = true}).outcome, Outcome::kRefused);
  EXPECT_EQ(update("a", 6, {.only_less = true}).outcome, Outcome::kRefused);
  EXPECT_EQ(update("a", 6, {.only_greater = true}).outcome, Outcome::kChanged);
  EXPECT_EQ(update("b", 1, {.only_greater = true}).outcome, Outcome::kAdded);
  const auto sum = update("a", 1.5, {.increment = true});
  EXPECT_EQ(sum.outcome, Outcome::kChanged);
  EXPECT_EQ(sum.score, 7.5);
  EXPECT_EQ(update("a", -1, {.only_greater = true, .increment = true}).outcome, Outcome::kRefused);
  EXPECT_EQ(update("i", kInfinity, {.increment = true}).outcome, Outcome::kAdded);
  EXPECT_EQ(update("i", -kInfinity, {.increment = true}).outcome, Outcome::kNotANumber);
  EXPECT_EQ(set_.score("i"), kInfinity);
  EXPECT_EQ(set_.score("a"), 7.5);
}

TEST_P(SortedSetValueTest, MovesWhenAScoreChanges) {
  fill({{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}});
  update("a", 2.5);
  EXPECT_EQ(members_of(set_, {0, 4}), "b a c d");
  update("d", -7);
  EXPECT_EQ(members_of(set_, {0, 4}), "d b a c");
  update("c", 100);  // stays the last
  update("d", -6);   // stays the first
  EXPECT_EQ(pairs_of(set_), (Pairs{{"d", -6}, {"b", 2}, {"a", 2.5}, {"c", 100}}));
  update("b", 2.5);
  EXPECT_EQ(members_of(set_, {0, 4}), "d a b c");
}

TEST_P(SortedSetValueTest, AVisitorMayStop) {
  fill({{"a", 1}, {"b", 2}, {"c", 3}});
  for (const size_t enough : {1u, 2u, 3u}) {
    size_t seen = 0;
    set_.for_each([&](std::string_view, double) { return ++seen < enough; });
    EXPECT_EQ(seen, enough);
    seen = 0;
    set_.for_range_reversed({0, 3}, [&](std::string_view, double) { return ++seen < enough; });
    EXPECT_EQ(seen, enough);
  }
}

TEST_P(SortedSetValueTest, RangesOfScores) {
  fill({{"a", 1}, {"b", 2}, {"c", 2}, {"d", 3}, {"e", 10}});
  const auto members = [this](ScoreRange range) { return members_of(set_, set_.range(range)); };
  EXPECT_EQ(members({.min = 2, .max = 3}), "b c d");
  EXPECT_EQ(members({.min = 2, .max = 3, .min_excluded = true}), "d");
  EXPECT_EQ(members({.min = 2, .max = 3, .max_excluded = true}), "b c");
  EXPECT_EQ(members({.min = -kInfinity, .max = kInfinity}), "a b c d e");
  EXPECT_EQ(members({.min = 3, .max = 2}), "");
  EXPECT_EQ(members({.min = 2, .max = 2, .min_excluded = true, .max_excluded = true}), "");
  EXPECT_EQ(members({.min = 4, .max = 9}), "");
  EXPECT_EQ(members({.min = 11, .max = 12}), "");
}

TEST_P(SortedSetValueTest, RangesOfMembers) {
  using Kind = MemberBound::Kind;
  fill({{"a", 0}, {"b", 0}, {"ba", 0}, {"c", 0}, {"", 0}});
  const auto members = [this](MemberBound min, MemberBound max) {
    return members_of(set_, set_.range(MemberRange{min, max}));
  };
  EXPECT_EQ(members({Kind::kLowest}, {Kind::kHighest}), " a b ba c");
  EXPECT_EQ(members({Kind::kIncluded, "b"}, {Kind::kHighest}), "b ba c");
  EXPECT_EQ(members({Kind::kExcluded, "b"}, {Kind::kExcluded, "c"}), "ba");
  EXPECT_EQ(members({Kind::kExcluded, "a"}, {Kind::kIncluded, "b"}), "b");
  EXPECT_EQ(members({Kind::kHighest}, {Kind::kLowest}), "");
  EXPECT_EQ(members({Kind::kIncluded, "c"}, {Kind::kIncluded, "a"}), "");
  EXPECT_EQ(members({Kind::kExcluded, "b"}, {Kind::kIncluded, "b"}), "");
  EXPECT_EQ(members({Kind::kHighest}, {Kind::kHighest}), "");
}

TEST_P(SortedSetValueTest, Erases) {
  fill({{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}});
  EXPECT_TRUE(set_.erase("c"));
  EXPECT_FALSE(set_.erase("c"));
  set_.erase_range({1, 2});
  EXPECT_EQ(pairs_of(set_), (Pairs{{"a", 1}, {"e", 5}}));
  EXPECT_EQ(set_.score("b"), std::nullopt);
  set_.erase_range({1, 0});
  set_.erase_range({0, 2});
  EXPECT_EQ(set_.size(), 0u);
  EXPECT_EQ(set_.range(ScoreRange{.min = -kInfinity, .max = kInfinity}).count, 0u);
  EXPECT_TRUE(set_.set("x", 1, limits_));
}

TEST_P(SortedSetValueTest, ClonesAndChoosesAtRandom) {
  for (int i = 0; i < 100; ++i)
    set_.set("m" + std::to_string(i), i / 2, {.max_listpack_entries = GetParam() ? 0u : 128u});
  auto copy = set_.clone();
  const auto& copied = static_cast<const SortedSetValue&>(*copy);
  EXPECT_EQ(pairs_of(copied), pairs_of(set_));
  EXPECT_EQ(copied.encoding_name(), set_.encoding_name());
  EXPECT_GT(set_.memory_usage(), 100u * 4);
  set_.erase("m0");
  EXPECT_EQ(copied.score("m0"), 0);

  Random random(5);
  for (const size_t count : {1u, 10u, 60u, 99u, 1000u}) {
    std::set<std::string> seen;
    set_.random_distinct(random, count, [&](std::string_view member, double score) {
      EXPECT_EQ(set_.score(member), score);
      seen.emplace(member);
    });
    EXPECT_EQ(seen.size(), std::min<size_t>(count, 99));
  }
  size_t visited = 0;
  std::set<std::string> seen;
  set_.random_with_repeats(random, 3000, [&](std::string_view member, double) {
    ++visited;
    seen.emplace(member);
  });
  EXPECT_EQ(visited, 3000u);
  EXPECT_EQ(seen.size(), 99u);
}

TEST(SortedSetLimitsTest, ALargeSetStaysLarge) {
  const SortedSetLimits limits = {.max_listpack_entries = 3, .max_listpack_value = 5};
  SortedSetValue many;
  for (int i = 0; i < 3; ++i) many.set(std::to_string(i), i, limits);
  many.set("1", 7, limits);
  EXPECT_EQ(many.encoding_name(), "listpack");
  many.set("3", 3, limits);
  EXPECT_EQ(many.encoding_name(), "skiplist");
  EXPECT_EQ(pairs_of(many), (Pairs{{"0", 0}, {"2", 2}, {"3", 3}, {"1", 7}}));
  many.erase_range({0, 3});
  EXPECT_EQ(many.encoding_name(), "skiplist");

  SortedSetValue wide;
  wide.set("12345", 1, limits);
  EXPECT_EQ(wide.encoding_name(), "listpack");
  // One that is not added changes nothing.
  wide.update("123456", 1, {.only_existing = true}, limits);
  EXPECT_EQ(wide.encoding_name(), "listpack");
  wide.set("123456", 1, limits);
  EXPECT_EQ(wide.encoding_name(), "skiplist");

  SortedSetValue expected;
  expected.prepare(3, limits);
  EXPECT_EQ(expected.encoding_name(), "listpack");
  expected.prepare(4, limits);
  EXPECT_EQ(expected.encoding_name(), "skiplist");
  EXPECT_EQ(SortedSetValue(3, 5, limits).encoding_name(), "listpack");
  EXPECT_EQ(SortedSetValue(4, 5, limits).encoding_name(), "skiplist");
  EXPECT_EQ(SortedSetValue(3, 6, limits).encoding_name(), "skiplist");
}

TEST(SortedSetLimitsTest, FromElements) {
  const SortedSetLimits limits = {.max_listpack_entries = 2, .max_listpack_value = 5};
  for (const char* longest : {"short", "longer"}) {
    std::vector<SortedSetElementOwner> elements;
    elements.emplace_back(SortedSetElement::create(longest, 2));
    elements.emplace_back(SortedSetElement::create("b", 1));
    sort_elements(&elements);
    const auto set = SortedSetValue::from_elements(std::move(elements), limits);
    EXPECT_EQ(pairs_of(*set), (Pairs{{"b", 1}, {longest, 2}}));
    EXPECT_EQ(set->encoding_name(), longest == std::string("short") ? "listpack" : "skiplist");
  }
}

// The listpack is what Valkey would have written: integers as integers, other scores as the
// shortest text.
TEST(SortedSetPackedTest, BytesAreValkeys) {
  SortedSetValue set;
  set.set("b", 0.1, {});
  set.set("a", 3, {});
  set.set("c", -0.0, {});
  set.set("d", 1e20, {});
  EXPECT_EQ(set.listpack()->bytes(),
            packed({"c", int64_t{0}, "b", "0.1", "a", int64_t{3}, "d", "1e+20"}));
}

TEST(SortedSetPackedTest, RealListpacks) {
  struct Real {
    const char* file;
    const char* key;
    size_t size;
  };
  for (const Real& real : {Real{"valkey81-all-types.rdb", "zset:small", 50},
                           Real{"valkey81-all-types.rdb", "zset:inf", 5}}) {
    const auto bytes = real_packed_value(real.file, 17, real.key);
    if (!bytes) GTEST_SKIP() << "the files of real servers are not here";
    auto set = SortedSetValue::from_listpack(*bytes, {});
    ASSERT_TRUE(set.ok()) << set.error().to_string();
    EXPECT_EQ(set.value()->size(), real.size);
    // What we make of the same elements are the same bytes.
    SortedSetValue again;
    set.value()->for_range_reversed({0, real.size}, [&](std::string_view member, double score) {
      again.set(member, score, {});
    });
    EXPECT_EQ(again.listpack()->bytes(), *bytes);
  }
}

TEST(SortedSetPackedTest, RefusesWhatIsNoSortedSet) {
  const auto refused = [](const std::string& bytes) {
    return !SortedSetValue::from_listpack(bytes, {}).ok();
  };
  EXPECT_FALSE(refused(packed({"a", int64_t{1}, "b", "1.5", "c", "inf"})));
  EXPECT_TRUE(refused(packed({"a", int64_t{1}, "b"})));
  EXPECT_TRUE(refused(packed({"a", "x"})));
  EXPECT_TRUE(refused(packed({"a", "nan"})));
  EXPECT_TRUE(refused(packed({"a", ""})));
  EXPECT_TRUE(refused(packed({"a", int64_t{2}, "b", int64_t{1}})));
  EXPECT_TRUE(refused(packed({"b", int64_t{1}, "a", int64_t{1}})));
  EXPECT_TRUE(refused(packed({"a", int64_t{1}, "a", int64_t{1}})));
  EXPECT_TRUE(refused(packed({"a", int64_t{1}, "b", int64_t{2}, "a", int64_t{3}})));
  EXPECT_TRUE(refused("short"));
}

TEST(SortedSetPackedTest, PastTheLimitsItIsLarge) {
  Listpack list;
  for (int i = 0; i < 200; ++i) list.append_pair("m" + std::to_string(1000 + i), int64_t{i});
  auto set = SortedSetValue::from_listpack(list.bytes(), {});
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set.value()->encoding_name(), "skiplist");
  EXPECT_EQ(set.value()->size(), 200u);
  EXPECT_EQ(set.value()->rank("m1150")->rank, 150u);
}

TEST(SortedSetScanTest, VisitsWhatStaysThroughResizes) {
  const SortedSetLimits limits;
  SortedSetValue set;
  for (int i = 0; i < 3000; ++i) set.set("stays" + std::to_string(i), i, limits);
  for (const bool growing : {true, false}) {
    std::set<std::string> seen;
    uint64_t cursor = 0;
    int step = 0;
    do {
      cursor = set.scan(cursor, [&](std::string_view member, double) { seen.emplace(member); });
      for (int i = 0; i < 20; ++i, ++step) {
        const std::string member = "comes" + std::to_string(step);
        if (growing) {
          set.set(member, step, limits);
        } else {
          set.erase(member);
        }
      }
    } while (cursor != 0);
    size_t stayed = 0;
    for (const std::string& member : seen) stayed += member.starts_with("stays") ? 1 : 0;
    EXPECT_EQ(stayed, 3000u);
  }
}

}  // namespace
}  // namespace tandem
