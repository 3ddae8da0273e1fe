#include "server/store/intset.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "server/base/random.h"
#include "tests/unit/store/real_values.h"

namespace tandem {
namespace {

std::vector<int64_t> members(const Intset& set) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < set.size(); ++i) out.push_back(set.at(i));
  return out;
}

TEST(Intset, WidensForTheValuesItHolds) {
  Intset set;
  EXPECT_EQ(set.bytes(), std::string_view("\x02\0\0\0\0\0\0\0", 8));
  EXPECT_TRUE(set.add(32767));
  EXPECT_EQ(set.bytes().size(), 8 + 2u);
  EXPECT_TRUE(set.add(-32769));
  EXPECT_EQ(set.bytes().size(), 8 + 8u);
  EXPECT_TRUE(set.add(int64_t{1} << 31));
  EXPECT_EQ(set.bytes().size(), 8 + 24u);
  EXPECT_EQ(members(set), (std::vector<int64_t>{-32769, 32767, int64_t{1} << 31}));
  EXPECT_FALSE(set.add(32767));
  EXPECT_FALSE(set.contains(0));
  EXPECT_FALSE(set.erase(1));
}

TEST(Intset, RandomEditsAgreeWithASet) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Intset set;
    std::set<int64_t> model;
    for (int step = 0; step < 500; ++step) {
      const uint64_t magnitude = step < 200 ? 6 : random.below(63);
      const int64_t value =
          static_cast<int64_t>(random.below(uint64_t{2} << magnitude)) - (int64_t{1} << magnitude);
      if (random.below(3) == 0) {
        ASSERT_EQ(set.erase(value), model.erase(value) == 1);
      } else {
        ASSERT_EQ(set.add(value), model.insert(value).second);
      }
      ASSERT_EQ(set.contains(value), model.count(value) == 1);
      ASSERT_EQ(set.size(), model.size());
    }
    ASSERT_EQ(members(set), std::vector<int64_t>(model.begin(), model.end()));
    ASSERT_TRUE(Intset::check(set.bytes()).ok());
    ASSERT_EQ(set.clone().bytes(), set.bytes());
  }
}

TEST(Intset, RefusesMalformedBytes) {
  const auto refused = [](std::string bytes) { return !Intset::check(bytes).ok(); };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(std::string("\x02\0\0\0\0\0\0\0", 8)));
  EXPECT_TRUE(refused(std::string("\x03\0\0\0\x01\0\0\0\x01\0\0", 11)));
  EXPECT_TRUE(refused(std::string("\x02\0\0\0\x02\0\0\0\x01\0", 10)));
  EXPECT_TRUE(refused(std::string("\x02\0\0\0\x01\0\0\0\x01\0\x02\0", 12)));
  EXPECT_TRUE(refused(std::string("\x02\0\0\0\x02\0\0\0\x01\0\x01\0", 12)));
  EXPECT_TRUE(refused(std::string("\x02\0\0\0\x02\0\0\0\x01\0\xFF\xFF", 12)));
  EXPECT_FALSE(refused(std::string("\x02\0\0\0\x02\0\0\0\x01\0\x02\0", 12)));
}

TEST(Intset, RebuildsRealOnesByteForByte) {
  for (const char* key : {"set:int", "set:int64"}) {
    const auto bytes = real_packed_value("valkey81-all-types.rdb", 11, key);
    if (!bytes) GTEST_SKIP() << "no file";
    const auto set = Intset::validate(*bytes);
    ASSERT_TRUE(set.ok()) << set.error().to_string();
    Intset rebuilt;
    const auto values = members(set.value());
    for (size_t i = values.size(); i-- > 0;) rebuilt.add(values[i]);
    EXPECT_EQ(rebuilt.bytes(), *bytes);
  }
}

}  // namespace
}  // namespace tandem
