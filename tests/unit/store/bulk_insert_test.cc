#include "server/store/bulk_insert.h"

#include <gtest/gtest.h>

#include <string>

#include "server/store/hash_value.h"

namespace tandem {
namespace {

std::string name_of(size_t i) { return "key:" + std::to_string(i); }

EntryOwner numbered(size_t i) {
  return Database::make_integer(name_of(i), static_cast<int64_t>(i), kNoExpiry, 0);
}

TEST(BulkInsert, BringsEveryKey) {
  Keyspace keyspace(1);
  Database& db = keyspace.database(0);
  BulkInsert bulk;
  constexpr size_t kKeys = 5 * BulkInsert::kMost / 2;
  for (size_t i = 0; i < kKeys; ++i) {
    if (bulk.full()) {
      ASSERT_FALSE(bulk.insert_into(&db));
      EXPECT_TRUE(bulk.empty());
    }
    bulk.add(numbered(i), i);
  }
  ASSERT_FALSE(bulk.insert_into(&db));
  EXPECT_EQ(db.size(), kKeys);
  for (size_t i = 0; i < kKeys; ++i) {
    const Entry* entry = db.peek(name_of(i));
    ASSERT_NE(entry, nullptr) << i;
    EXPECT_EQ(entry->integer(), static_cast<int64_t>(i));
  }
}

TEST(BulkInsert, KnowsWhatExpires) {
  Keyspace keyspace(1);
  keyspace.set_time(100);
  Database& db = keyspace.database(0);
  auto hash = std::make_unique<HashValue>();
  hash->set("field", "text", {});
  hash->set_expiry("field", 200);
  BulkInsert bulk;
  bulk.add(Database::make_string("short", "text", 150, 0), 1);
  bulk.add(Database::make_value("hash", std::move(hash), kNoExpiry, 0), 2);
  bulk.add(Database::make_string("stays", "text", kNoExpiry, 0), 3);
  ASSERT_FALSE(bulk.insert_into(&db));
  EXPECT_EQ(db.volatile_size(), 1u);
  EXPECT_EQ(db.keys_with_expiring_fields(), 1u);
  keyspace.set_time(300);
  EXPECT_EQ(db.peek("short"), nullptr);
  EXPECT_EQ(db.expire_fields(10), 1u);
  EXPECT_NE(db.peek("stays"), nullptr);
}

TEST(BulkInsert, HandsBackTheSecondOfTwo) {
  Keyspace keyspace(1);
  BulkInsert bulk;
  for (size_t i = 0; i < 100; ++i) bulk.add(numbered(i), i);
  bulk.add(numbered(42), 1000);
  const auto twice = bulk.insert_into(&keyspace.database(0));
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->tag, 1000u);
  EXPECT_EQ(twice->entry->key(), name_of(42));
}

TEST(BulkInsert, HandsBackWhatTheDatabaseHas) {
  Keyspace keyspace(1);
  keyspace.database(0).set_string(name_of(7), "there");
  BulkInsert bulk;
  bulk.add(numbered(6), 6);
  bulk.add(numbered(7), 7);
  const auto twice = bulk.insert_into(&keyspace.database(0));
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->tag, 7u);
  EXPECT_EQ(keyspace.database(0).peek(name_of(7))->encoding_name(), "embstr");
}

}  // namespace
}  // namespace tandem
