#include "server/store/set_value.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace tandem {
namespace {

using Model = std::set<std::string>;
using Member = SetValue::Member;

constexpr SetLimits kDefault;
constexpr SetLimits kList{
    .max_intset_entries = 0, .max_listpack_entries = 100000, .max_listpack_value = 100000};
constexpr SetLimits kTable{
    .max_intset_entries = 0, .max_listpack_entries = 0, .max_listpack_value = 0};

Model contents(const SetValue& set) {
  Model out;
  SetValue::Scratch scratch;
  set.for_each([&](const Member& member) {
    EXPECT_TRUE(out.emplace(member.text(scratch)).second) << member.text(scratch);
  });
  return out;
}

std::unique_ptr<SetValue> set_of(const Model& members, const SetLimits& limits = kDefault) {
  auto set = std::make_unique<SetValue>(*members.begin(), members.size(), limits);
  for (const std::string& member : members) set->add(member, limits);
  return set;
}

Model numbers(int count, const std::string& prefix = "") {
  Model out;
  for (int i = 0; i < count; ++i) out.insert(prefix + std::to_string(i));
  return out;
}

TEST(SetValue, AddsAndErasesInEveryEncoding) {
  for (const SetLimits& limits : {kDefault, kList, kTable}) {
    SetValue set("name", 1, limits);
    EXPECT_TRUE(set.add("name", limits));
    EXPECT_FALSE(set.add("name", limits));
    EXPECT_TRUE(set.add("12", limits));
    EXPECT_FALSE(set.add(Member(12), limits)) << "the same member as a number";
    EXPECT_TRUE(set.contains(Member(12)));
    EXPECT_FALSE(set.contains("012"));
    EXPECT_TRUE(set.add("012", limits));
    EXPECT_EQ(contents(set), (Model{"name", "12", "012"}));
    EXPECT_TRUE(set.erase(Member(12)));
    EXPECT_FALSE(set.erase("12"));
    EXPECT_TRUE(set.erase("name"));
    EXPECT_TRUE(set.erase("012"));
    EXPECT_EQ(set.size(), 0u);
  }
}

TEST(SetValue, StartsInTheEncodingOfItsFirstMemberAndSize) {
  const SetLimits limits{
      .max_intset_entries = 4, .max_listpack_entries = 3, .max_listpack_value = 64};
  EXPECT_EQ(SetValue("1", 4, limits).encoding_name(), "intset");
  EXPECT_EQ(SetValue("1", 5, limits).encoding_name(), "hashtable");
  EXPECT_EQ(SetValue("a", 3, limits).encoding_name(), "listpack");
  EXPECT_EQ(SetValue("a", 4, limits).encoding_name(), "hashtable");
  EXPECT_EQ(SetValue("-0", 1, limits).encoding_name(), "listpack") << "not an integer";
}

TEST(SetValue, ConvertsAtTheLimits) {
  const auto integers = set_of(numbers(512));
  EXPECT_EQ(integers->encoding_name(), "intset");
  integers->add("511", kDefault);
  EXPECT_EQ(integers->encoding_name(), "intset") << "no new member";
  integers->add("512", kDefault);
  EXPECT_EQ(integers->encoding_name(), "hashtable");
  EXPECT_EQ(contents(*integers), numbers(513));
  integers->erase("512");
  EXPECT_EQ(integers->encoding_name(), "hashtable") << "it stays one";

  const auto few = set_of(numbers(127));
  few->add("word", kDefault);
  EXPECT_EQ(few->encoding_name(), "listpack");
  EXPECT_EQ(few->size(), 128u);
  few->add("128", kDefault);
  EXPECT_EQ(few->encoding_name(), "hashtable");
  const auto many = set_of(numbers(128));
  many->add("word", kDefault);
  EXPECT_EQ(many->encoding_name(), "hashtable") << "no listpack in between";
  EXPECT_TRUE(many->contains("word"));
  EXPECT_EQ(many->size(), 129u);

  for (const size_t length : {64, 65}) {
    const auto words = set_of({"a", "b"});
    words->add(std::string(length, 'x'), kDefault);
    EXPECT_EQ(words->encoding_name(), length == 64 ? "listpack" : "hashtable");
    const auto one = set_of({"7"});
    one->add(std::string(length, 'x'), kDefault);
    EXPECT_EQ(one->encoding_name(), length == 64 ? "listpack" : "hashtable");
  }
  // An integer of too many digits for a listpack's members.
  const SetLimits narrow{
      .max_intset_entries = 512, .max_listpack_entries = 128, .max_listpack_value = 3};
  const auto wide = set_of({"-100"});
  wide->add("a", narrow);
  EXPECT_EQ(wide->encoding_name(), "hashtable");
}

TEST(SetValue, PreparingConvertsForAsManyMembers) {
  const auto integers = set_of({"1"});
  integers->prepare(512, kDefault);
  EXPECT_EQ(integers->encoding_name(), "intset");
  integers->prepare(513, kDefault);
  EXPECT_EQ(integers->encoding_name(), "hashtable");
  const auto words = set_of({"a"});
  words->prepare(128, kDefault);
  EXPECT_EQ(words->encoding_name(), "listpack");
  words->prepare(129, kDefault);
  EXPECT_EQ(words->encoding_name(), "hashtable");
  EXPECT_TRUE(words->contains("a"));
}

TEST(SetValue, PacksIntegersThatFit) {
  for (const SetLimits& limits : {kList, kTable}) {
    const auto set = set_of(numbers(100), limits);
    set->pack_integers({.max_intset_entries = 99});
    EXPECT_NE(set->encoding_name(), "intset");
    set->pack_integers(kDefault);
    EXPECT_EQ(set->encoding_name(), "intset");
    EXPECT_EQ(contents(*set), numbers(100));
  }
}

std::string random_text(Random& random) {
  if (random.below(2) == 0) return std::to_string(random.below(60));
  return std::string(random.below(random.below(10) == 0 ? 600 : 4),
                     static_cast<char>('a' + random.below(5)));
}

void random_edits(uint64_t seed, const SetLimits& limits) {
  Random random(seed);
  SetValue set;
  Model model;
  for (int step = 0; step < 1500; ++step) {
    const std::string member = random_text(random);
    if (random.below(3) == 0) {
      ASSERT_EQ(set.erase(member), model.erase(member) == 1);
    } else {
      ASSERT_EQ(set.add(member, limits), model.insert(member).second);
    }
    ASSERT_EQ(set.size(), model.size());
    const std::string probe = random_text(random);
    ASSERT_EQ(set.contains(probe), model.count(probe) == 1);
  }
  ASSERT_EQ(contents(set), model);
  const auto copy = set.clone();
  ASSERT_EQ(contents(static_cast<const SetValue&>(*copy)), model);
  ASSERT_EQ(copy->encoding_name(), set.encoding_name());
  ASSERT_GT(set.memory_usage(), sizeof(SetValue));
}

TEST(SetValue, RandomEditsAgreeWithASet) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(random_edits(seed, kDefault));
    ASSERT_NO_FATAL_FAILURE(random_edits(seed, kList));
    ASSERT_NO_FATAL_FAILURE(random_edits(seed, kTable));
  }
}

TEST(SetValue, ScanSeesEveryMemberThatStays) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    SetValue set;
    for (int i = 0; i < 300; ++i) set.add("stays:" + std::to_string(i), kDefault);
    for (int i = 0; i < 2000; ++i) set.add("goes:" + std::to_string(i), kDefault);
    Model seen;
    uint64_t cursor = 0;
    int added = 0;
    do {
      cursor = set.scan(cursor, [&seen](const Member& m) { seen.emplace(m.string()); });
      for (uint64_t n = random.below(40); n > 0; --n) {
        if (seed % 2 == 0) {
          set.erase("goes:" + std::to_string(random.below(2000)));
        } else if (added < 5000) {
          set.add("new:" + std::to_string(added++), kDefault);
        }
      }
    } while (cursor != 0);
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(seen.count("stays:" + std::to_string(i)), 1u) << i;
    }
  }
  for (const Model& members : {numbers(10), numbers(10, "w")}) {
    size_t visits = 0;
    EXPECT_EQ(set_of(members)->scan(0, [&visits](const Member&) { ++visits; }), 0u);
    EXPECT_EQ(visits, 10u);
  }
}

TEST(SetValue, RandomMembersAreDistinctOrFreeAsAsked) {
  const Model members = numbers(40);
  for (const SetLimits& limits : {kDefault, kList, kTable}) {
    Random random(11);
    const auto set = set_of(members, limits);
    SetValue::Scratch scratch;
    std::map<std::string, int> drawn;
    for (size_t count : {1u, 5u, 12u, 30u, 40u, 100u}) {
      for (int round = 0; round < 50; ++round) {
        Model sample;
        set->random_distinct(random, count, [&](const Member& member) {
          const std::string text(member.text(scratch));
          EXPECT_TRUE(members.count(text) == 1 && sample.insert(text).second) << text;
          ++drawn[text];
        });
        EXPECT_EQ(sample.size(), std::min<size_t>(count, 40));
      }
    }
    EXPECT_EQ(drawn.size(), 40u);
    drawn.clear();
    size_t visits = 0;
    const auto count_member = [&](const Member& member) {
      ++drawn[std::string(member.text(scratch))];
      ++visits;
    };
    set->random_with_repeats(random, 2000, count_member);
    set->random_with_repeats(random, 1, count_member);
    EXPECT_EQ(visits, 2001u);
    EXPECT_EQ(drawn.size(), 40u);
    for (const auto& [member, times] : drawn) EXPECT_LT(times, 150) << member;
  }
}

TEST(SetValue, TakesRandomMembersOut) {
  for (const Model& members : {numbers(300), numbers(100, "w"), numbers(300, "w")}) {
    for (const size_t count : {size_t{1}, members.size() / 2, members.size() - 1}) {
      SCOPED_TRACE(std::to_string(count) + " of " + std::to_string(members.size()));
      Random random(count);
      const auto set = set_of(members);
      const auto taken = set->take_random(random, count, kDefault);
      EXPECT_EQ(taken->size(), count);
      EXPECT_EQ(set->size(), members.size() - count);
      Model together = contents(*set);
      together.merge(contents(*taken));
      EXPECT_EQ(together, members);
    }
  }
  Random random(5);
  const auto set = set_of(numbers(300, "w"));
  set->take_random(random, 100, kDefault);
  EXPECT_EQ(set->encoding_name(), "hashtable");
  set->take_random(random, 180, kDefault);
  EXPECT_EQ(set->encoding_name(), "listpack") << "the few that are left are packed";
}

TEST(SetValue, PackedBytesAreChecked) {
  const auto intset = set_of(numbers(300));
  const std::string integers(intset->intset()->bytes());
  auto loaded = SetValue::from_intset(integers, kDefault);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(contents(*loaded.value()), numbers(300));
  auto large = SetValue::from_intset(integers, {.max_intset_entries = 299});
  EXPECT_EQ(large.value()->encoding_name(), "hashtable");
  EXPECT_EQ(contents(*large.value()), numbers(300));
  EXPECT_FALSE(SetValue::from_intset(integers.substr(1), kDefault).ok());

  const auto list = set_of(numbers(100, "w"));
  auto words = SetValue::from_listpack(list->listpack()->bytes(), kDefault);
  ASSERT_TRUE(words.ok());
  EXPECT_EQ(contents(*words.value()), numbers(100, "w"));
  auto table = SetValue::from_listpack(list->listpack()->bytes(), {.max_listpack_entries = 99});
  EXPECT_EQ(table.value()->encoding_name(), "hashtable");
  EXPECT_FALSE(SetValue::from_listpack(list->listpack()->bytes().substr(1), kDefault).ok());

  Listpack twice;
  for (const char* member : {"a", "7", "b", "7"}) twice.append(member);
  for (const SetLimits& limits : {kDefault, kTable}) {
    const auto refused = SetValue::from_listpack(twice.bytes(), limits);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::kCorrupt);
  }
}

TEST(SetValue, ALargeOneTakesLittleMoreThanItsMembers) {
  const auto set = set_of(numbers(100000, "member:"));
  // 7 + 5 characters and a length fit 16 bytes; a slot of a bucket is 8, and buckets are not full.
  EXPECT_LT(set->memory_usage(), 100000u * 40);
  EXPECT_EQ(set->free_effort(), 100000u);
  EXPECT_EQ(set_of(numbers(500))->free_effort(), 1u);
}

}  // namespace
}  // namespace tandem
