#include "replication/digest_value.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "server/base/stable_hash.h"
#include "server/store/hash_value.h"
#include "server/store/keyspace.h"
#include "server/store/list_value.h"
#include "server/store/set_value.h"
#include "server/store/sorted_set_value.h"
#include "server/store/stream_value.h"

namespace tandem {
namespace {

constexpr uint64_t kSalt = 5;

class DigestValueTest : public testing::Test {
 protected:
  Database& db() { return keyspace_.database(0); }
  const Entry& set(std::unique_ptr<Value> value) {
    return *db().set_value("key", std::move(value));
  }
  uint64_t digest(uint64_t salt = kSalt, std::span<const std::string_view> named = {}) {
    return key_digest(*db().peek("key"), salt, named);
  }
  uint64_t digest_of(std::unique_ptr<Value> value) {
    set(std::move(value));
    return digest();
  }
  uint64_t digest_of(std::string_view text) {
    db().set_string("key", text);
    return digest();
  }
  // Whether a digest with any of `salts` salts tells `changed` from `value`.
  bool tells(const std::function<std::unique_ptr<Value>(bool changed)>& make, int salts) {
    set(make(false));
    std::vector<uint64_t> before;
    for (int i = 0; i < salts; ++i)
      before.push_back(digest(join_hashes(1, static_cast<uint64_t>(i))));
    set(make(true));
    for (int i = 0; i < salts; ++i) {
      if (digest(join_hashes(1, static_cast<uint64_t>(i))) != before[static_cast<size_t>(i)])
        return true;
    }
    return false;
  }

  Keyspace keyspace_{1};
};

std::unique_ptr<HashValue> hash_of(int fields, const HashLimits& limits, int changed = -1) {
  auto hash = std::make_unique<HashValue>();
  for (int i = 0; i < fields; ++i) {
    hash->set("field" + std::to_string(i), i == changed ? "other" : std::to_string(i), limits);
  }
  return hash;
}

TEST_F(DigestValueTest, StringsCountWithTheirExpiry) {
  const uint64_t hello = digest_of("hello");
  EXPECT_NE(digest_of("world"), hello);
  EXPECT_EQ(digest_of("hello"), hello);
  db().set_expiry(db().peek("key"), 5000);
  const uint64_t until_5000 = digest();
  EXPECT_NE(until_5000, hello);
  db().set_expiry(db().peek("key"), 5001);
  EXPECT_NE(digest(), until_5000);
  // An integer and its text are the same value.
  db().set_integer("key", 12);
  const uint64_t twelve = digest();
  db().set_string("key", "12");
  db().make_raw(db().peek("key"));
  EXPECT_EQ(digest(), twelve);
}

TEST_F(DigestValueTest, EncodingsDoNotCount) {
  EXPECT_EQ(digest_of(hash_of(50, {512, 64})), digest_of(hash_of(50, {0, 64})));
  EXPECT_NE(digest_of(hash_of(50, {512, 64})), digest_of(hash_of(50, {512, 64}, 7)));

  const auto members = [](const SetLimits& limits) {
    auto set = std::make_unique<SetValue>();
    for (int i = 0; i < 40; ++i) set->add(std::to_string(i * 1000), limits);
    return set;
  };
  const uint64_t integers = digest_of(members({512, 128, 64}));
  EXPECT_EQ(digest_of(members({0, 128, 64})), integers);
  EXPECT_EQ(digest_of(members({0, 0, 64})), integers);

  const auto ranked = [](const SortedSetLimits& limits) {
    auto set = std::make_unique<SortedSetValue>();
    for (int i = 0; i < 40; ++i) set->set("m" + std::to_string(i), i * 0.5 - 3, limits);
    set->set("zero", -0.0, limits);
    return set;
  };
  EXPECT_EQ(digest_of(ranked({128, 64})), digest_of(ranked({0, 64})));
}

TEST_F(DigestValueTest, FieldsCountWithTheirExpiry) {
  auto hash = hash_of(3, {0, 64});
  hash->set_expiry("field1", 1000);
  const uint64_t first = digest_of(hash->clone());
  EXPECT_NE(first, digest_of(hash_of(3, {0, 64})));
  hash->set_expiry("field1", 1001);
  EXPECT_NE(digest_of(std::move(hash)), first);
}

TEST_F(DigestValueTest, OrderCountsInListsOnly) {
  const auto list = [](bool changed) {
    auto value = std::make_unique<ListValue>();
    value->push(ListEnd::kTail, changed ? "b" : "a", ListLimits());
    value->push(ListEnd::kTail, changed ? "a" : "b", ListLimits());
    return value;
  };
  EXPECT_TRUE(tells(list, 1));
  const auto set = [](bool changed) {
    auto value = std::make_unique<SetValue>();
    for (const char* member : {"a", "b"})
      value->add(changed ? (*member == 'a' ? "b" : "a") : member, SetLimits());
    return value;
  };
  EXPECT_FALSE(tells(set, 1));
}

TEST_F(DigestValueTest, OtherSaltsShowOtherPartsOfWhatIsLarge) {
  EXPECT_TRUE(tells(
      [](bool changed) {
        auto list = std::make_unique<ListValue>();
        for (int i = 0; i < 3000; ++i) {
          list->push(ListEnd::kTail, changed && i == 2998 ? "x" : "y", ListLimits());
        }
        return list;
      },
      100));
  EXPECT_TRUE(tells(
      [](bool changed) {
        auto set = std::make_unique<SortedSetValue>();
        for (int i = 0; i < 3000; ++i) {
          set->set("m" + std::to_string(i), changed && i == 1500 ? 1500.5 : i, SortedSetLimits());
        }
        return set;
      },
      100));
  EXPECT_TRUE(tells(
      [](bool changed) {
        auto stream = std::make_unique<StreamValue>();
        for (uint64_t i = 1; i <= 3000; ++i) {
          const std::string_view pair[] = {"field", changed && i == 2000 ? "x" : "y"};
          stream->append({i, 1}, pair, StreamLimits());
        }
        return stream;
      },
      100));
  std::string text(1'000'000, 'x');
  std::set<uint64_t> digests;
  db().set_string("key", text);
  for (uint64_t salt = 0; salt < 100; ++salt) digests.insert(digest(salt));
  text[999'999] = 'y';
  db().set_string("key", text);
  bool told = false;
  for (uint64_t salt = 0; salt < 100; ++salt) told = told || !digests.contains(digest(salt));
  EXPECT_TRUE(told);
}

TEST_F(DigestValueTest, MembersOfLargeHashesAreNamed) {
  Random random(1);
  set(hash_of(1000, {512, 64}));
  EXPECT_EQ(digest_windows(*db().peek("key")), 4u);
  const std::vector<std::string> names = name_members(*db().peek("key"), random);
  EXPECT_GE(names.size(), 100u);
  const std::vector<std::string_view> views(names.begin(), names.end());
  const uint64_t before = digest(kSalt, views);
  const int named = std::stoi(names[3].substr(5));
  set(hash_of(1000, {512, 64}, named));
  EXPECT_NE(digest(kSalt, views), before);
  // One that has as many fields under other names.
  auto other = hash_of(999, {512, 64});
  other->erase(names[0]);
  other->set("extra", "1", {512, 64});
  EXPECT_NE(digest_of(std::move(other)), before);
  set(hash_of(10, {512, 64}));
  EXPECT_TRUE(name_members(*db().peek("key"), random).empty());
}

TEST_F(DigestValueTest, GroupsOfStreamsCount) {
  const std::string_view pair[] = {"field", "value"};
  const auto stream = [&](uint64_t delivered, bool pending) {
    auto value = std::make_unique<StreamValue>();
    value->append({1, 1}, pair, StreamLimits());
    StreamGroup* group = value->create_group("readers", {delivered, 0}, 0);
    StreamConsumer* ada = group->create_consumer("ada", 1234 + static_cast<int64_t>(delivered));
    if (pending) group->assign({1, 1}, ada)->deliveries = 1;
    return value;
  };
  const uint64_t none_pending = digest_of(stream(1, false));
  EXPECT_EQ(digest_of(stream(1, false)), none_pending);
  EXPECT_NE(digest_of(stream(2, false)), none_pending);
  EXPECT_NE(digest_of(stream(1, true)), none_pending);
}

}  // namespace
}  // namespace tandem
