#include "server/store/keyspace.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "server/base/numbers.h"
#include "server/store/hash_value.h"

namespace tandem {
namespace {

// A value that only counts how many of its kind are alive.
class CountedValue final : public Value {
 public:
  explicit CountedValue(int* alive, size_t effort = 1) : alive_(alive), effort_(effort) {
    ++*alive_;
  }
  ~CountedValue() override { --*alive_; }
  ValueType type() const override { return ValueType::kHash; }
  std::string_view encoding_name() const override { return "counted"; }
  size_t size() const override { return 1; }
  size_t memory_usage() const override { return sizeof *this; }
  std::unique_ptr<Value> clone() const override {
    return std::make_unique<CountedValue>(alive_, effort_);
  }
  size_t free_effort() const override { return effort_; }

 private:
  int* alive_;
  size_t effort_;
};

class RecordingObserver final : public KeyspaceObserver {
 public:
  void key_modified(int db, std::string_view key) override { add("modified", db, key); }
  void key_expired(int db, std::string_view key) override { add("expired", db, key); }
  void fields_expired(int db, std::string_view key, std::span<const std::string> fields,
                      bool key_removed) override {
    add("fields expired", db, key);
    for (const std::string& field : fields) events_.back() += " " + field;
    if (key_removed) events_.back() += ", all";
  }
  void database_replacing(int db) override { add("replacing", db, ""); }
  std::vector<std::string> take() { return std::exchange(events_, {}); }

 private:
  void add(const char* what, int db, std::string_view key) {
    events_.push_back(std::string(what) + " " + std::to_string(db) + " " + std::string(key));
  }
  std::vector<std::string> events_;
};

std::string text(const Entry* entry) {
  char scratch[kMaxInt64Digits];
  return std::string(entry->string(scratch));
}

class KeyspaceTest : public ::testing::Test {
 protected:
  KeyspaceTest() { keyspace_.set_time(kStart); }
  static constexpr int64_t kStart = 1'700'000'000'000;
  Keyspace keyspace_{16};
  Database& db_ = keyspace_.database(0);
};

TEST_F(KeyspaceTest, StringsOfEveryKindComeBack) {
  const std::vector<std::string> values = {
      "",
      "0",
      "-9223372036854775808",
      "9223372036854775807",
      "9223372036854775808",
      "007",
      "-0",
      std::string("a\0b", 3),
      std::string(44, 'e'),
      std::string(45, 'e'),
      std::string(Entry::kMaxEmbedded, 'e'),
      std::string(Entry::kMaxEmbedded + 1, 'r'),
      std::string(1 << 20, 'r'),
  };
  const std::vector<std::string> keys = {"", "k", std::string(255, 'k'), std::string(256, 'k'),
                                         std::string(70000, 'k')};
  for (const std::string& key : keys) {
    for (const std::string& value : values) {
      for (const std::string& before : values) {
        db_.set_string(key, before);
        Entry* entry = db_.set_string(key, value);
        ASSERT_EQ(entry, db_.peek(key));
        ASSERT_EQ(entry->key(), key);
        ASSERT_EQ(text(entry), value);
        ASSERT_EQ(entry->string_length(), value.size());
        entry = db_.set_expiry(entry, kStart + 5000);
        ASSERT_EQ(text(entry), value);
        ASSERT_EQ(entry->key(), key);
        ASSERT_EQ(entry->expires_at_ms(), kStart + 5000);
        entry = db_.set_expiry(entry, kNoExpiry);
        ASSERT_EQ(text(entry), value);
        ASSERT_FALSE(entry->has_expiry());
      }
    }
  }
  EXPECT_EQ(db_.size(), keys.size());
  EXPECT_EQ(db_.volatile_size(), 0u);
}

TEST_F(KeyspaceTest, EncodingsAreNamedAsClientsExpect) {
  EXPECT_EQ(db_.set_string("a", "12")->encoding_name(), "int");
  EXPECT_EQ(db_.set_string("a", "012")->encoding_name(), "embstr");
  EXPECT_EQ(db_.set_string("a", std::string(44, 'x'))->encoding_name(), "embstr");
  EXPECT_EQ(db_.set_string("a", std::string(45, 'x'))->encoding_name(), "raw");
  db_.edit_string(db_.set_string("a", "short"), 6)[5] = '!';
  EXPECT_EQ(text(db_.peek("a")), "short!");
  EXPECT_EQ(db_.peek("a")->encoding_name(), "raw");
  EXPECT_EQ(db_.set_string("a", "short")->encoding_name(), "embstr");
}

TEST_F(KeyspaceTest, EditStringGrowsShrinksAndKeepsTheExpiry) {
  Entry* entry = db_.set_expiry(db_.set_string("k", "12345"), kStart + 1000);
  char* bytes = db_.edit_string(entry, 8);
  EXPECT_EQ(std::string(bytes, 8), std::string("12345\0\0\0", 8));
  entry = db_.peek("k");
  EXPECT_EQ(entry->expires_at_ms(), kStart + 1000);
  EXPECT_EQ(db_.volatile_size(), 1u);
  bytes = db_.edit_string(entry, 3);
  EXPECT_EQ(std::string(bytes, 3), "123");
  bytes = db_.edit_string(db_.peek("k"), 100000);
  EXPECT_EQ(text(db_.peek("k")).substr(0, 4), std::string("123\0", 4));
  EXPECT_EQ(db_.peek("k")->string_length(), 100000u);
}

TEST_F(KeyspaceTest, OverwritingMayTakeTheBytesOfTheKeyItself) {
  db_.set_string("k", std::string(100, 'a') + std::string(60, 'b'));
  char scratch[kMaxInt64Digits];
  const std::string_view own = db_.peek("k")->string(scratch);
  db_.set_string("k", own.substr(40, 100));
  EXPECT_EQ(text(db_.peek("k")), std::string(60, 'a') + std::string(40, 'b'));
}

TEST_F(KeyspaceTest, AnExpiredKeyIsDeletedByWhoLooksAtIt) {
  RecordingObserver observer;
  keyspace_.set_observer(&observer);
  db_.set_expiry(db_.set_string("k", "v"), kStart + 10);
  observer.take();
  keyspace_.set_time(kStart + 9);
  EXPECT_NE(db_.find("k"), nullptr);
  keyspace_.set_time(kStart + 10);
  EXPECT_EQ(db_.find("k"), nullptr);
  EXPECT_EQ(db_.size(), 0u);
  EXPECT_EQ(db_.volatile_size(), 0u);
  EXPECT_EQ(observer.take(), (std::vector<std::string>{"modified 0 k", "expired 0 k"}));
  EXPECT_EQ(db_.find("k"), nullptr);
  EXPECT_TRUE(observer.take().empty());
  EXPECT_EQ(keyspace_.stats().expired, 1u);
  EXPECT_EQ(keyspace_.stats().hits, 1u);
  EXPECT_EQ(keyspace_.stats().misses, 2u);
}

TEST_F(KeyspaceTest, AReplicaHidesExpiredKeysAndALoaderKeepsThem) {
  db_.set_expiry(db_.set_string("k", "v"), kStart + 10);
  keyspace_.set_time(kStart + 10);
  keyspace_.set_expiry_policy(ExpiryPolicy::kHide);
  EXPECT_EQ(db_.find("k"), nullptr);
  EXPECT_EQ(db_.find_for_write("k"), nullptr);
  EXPECT_EQ(db_.size(), 1u);
  size_t looked_at = 0;
  EXPECT_EQ(db_.expire_some(100, &looked_at), 0u);
  keyspace_.set_expiry_policy(ExpiryPolicy::kIgnore);
  EXPECT_NE(db_.find("k"), nullptr);
  keyspace_.set_expiry_policy(ExpiryPolicy::kDelete);
  EXPECT_EQ(db_.expire_some(100, &looked_at), 1u);
  EXPECT_EQ(looked_at, 1u);
  EXPECT_EQ(db_.size(), 0u);
}

TEST_F(KeyspaceTest, ActiveExpiryFindsEveryDueKeyAndNoOther) {
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "k" + std::to_string(i);
    Entry* entry = db_.set_string(key, "v");
    if (i % 3 == 0) db_.set_expiry(entry, kStart + 100);
    if (i % 3 == 1) db_.set_expiry(entry, kStart + 100000);
  }
  keyspace_.set_time(kStart + 100);
  size_t deleted = 0;
  size_t looked_at = 0;
  // The table shrinks while it is gone through, so some keys may only be met in the next round.
  for (int step = 0; step < 5000 && deleted < 1667; ++step) {
    deleted += db_.expire_some(20, &looked_at);
  }
  EXPECT_EQ(deleted, 1667u);
  EXPECT_EQ(db_.size(), 5000u - 1667u);
  EXPECT_EQ(db_.volatile_size(), 1667u);
}

TEST_F(KeyspaceTest, DetachAndAdoptMoveTheEntryWithItsExpiry) {
  db_.set_expiry(db_.set_string("from", std::string(500, 'x')), kStart + 100);
  EntryOwner entry = db_.detach("from");
  EXPECT_EQ(db_.volatile_size(), 0u);
  keyspace_.database(3).adopt(std::move(entry), "to");
  Entry* moved = keyspace_.database(3).peek("to");
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(text(moved), std::string(500, 'x'));
  EXPECT_EQ(moved->expires_at_ms(), kStart + 100);
  EXPECT_EQ(keyspace_.database(3).volatile_size(), 1u);
  EXPECT_EQ(db_.detach("from"), nullptr);
}

TEST_F(KeyspaceTest, ValuesAreFreedOnceWhateverHappensToTheirKey) {
  int alive = 0;
  std::vector<std::function<void()>> background;
  {
    Keyspace keyspace(2);
    keyspace.set_background([&](std::function<void()> work) { background.push_back(work); });
    Database& db = keyspace.database(0);
    db.set_value("replaced", std::make_unique<CountedValue>(&alive));
    db.set_value("replaced", std::make_unique<CountedValue>(&alive));
    EXPECT_EQ(alive, 1);
    db.set_string("replaced", "now a string");
    EXPECT_EQ(alive, 0);
    Entry* entry = db.set_value("large", std::make_unique<CountedValue>(&alive, 1000));
    db.set_expiry(entry, 50);
    EXPECT_EQ(db.peek("large")->value()->encoding_name(), "counted");
    EXPECT_TRUE(db.erase("large"));
    EXPECT_EQ(alive, 1) << "a large value is freed in the background";
    ASSERT_EQ(background.size(), 1u);
    background[0]();
    EXPECT_EQ(alive, 0);
    for (int i = 0; i < 100; ++i) {
      db.set_value(std::to_string(i), std::make_unique<CountedValue>(&alive));
    }
    db.clear();
    EXPECT_EQ(db.size(), 0u);
    ASSERT_EQ(background.size(), 2u);
    background[1]();
    EXPECT_EQ(alive, 0);
    db.set_value("left", std::make_unique<CountedValue>(&alive));
    background.clear();
  }
  EXPECT_EQ(alive, 0);
}

TEST_F(KeyspaceTest, SwappedDatabasesExchangeTheirKeys) {
  RecordingObserver observer;
  db_.set_expiry(db_.set_string("k", "v"), kStart + 10);
  keyspace_.set_observer(&observer);
  keyspace_.swap_databases(0, 1);
  EXPECT_EQ(db_.size(), 0u);
  EXPECT_EQ(keyspace_.database(1).volatile_size(), 1u);
  EXPECT_EQ(observer.take(), (std::vector<std::string>{"replacing 0 ", "replacing 1 ",
                                                       "replacing 0 ", "replacing 1 "}));
  keyspace_.set_time(kStart + 10);
  EXPECT_EQ(keyspace_.database(1).find("k"), nullptr);
  EXPECT_EQ(observer.take(), (std::vector<std::string>{"modified 1 k", "expired 1 k"}));
}

TEST_F(KeyspaceTest, EveryChangeIsAnnouncedOnce) {
  RecordingObserver observer;
  keyspace_.set_observer(&observer);
  const std::vector<std::string> once = {"modified 0 k"};
  Entry* entry = db_.set_string("k", "v");
  EXPECT_EQ(observer.take(), once);
  db_.set_string("k", "w");
  EXPECT_EQ(observer.take(), once);
  entry = db_.set_integer("k", 5);
  EXPECT_EQ(observer.take(), once);
  db_.update_integer(entry, 6);
  EXPECT_EQ(observer.take(), once);
  db_.edit_string(entry, 3);
  EXPECT_EQ(observer.take(), once);
  db_.set_expiry(db_.peek("k"), kStart + 10);
  EXPECT_EQ(observer.take(), once);
  db_.erase("k");
  EXPECT_EQ(observer.take(), once);
  db_.erase("k");
  EXPECT_TRUE(observer.take().empty());
}

TEST_F(KeyspaceTest, RandomNeverReturnsAnExpiredKey) {
  for (int i = 0; i < 200; ++i) {
    db_.set_expiry(db_.set_string(std::to_string(i), "v"), i == 77 ? kStart + 999 : kStart + 1);
  }
  keyspace_.set_time(kStart + 1);
  // A primary deletes the expired ones it meets, so it gets there in the end.
  Entry* entry = nullptr;
  for (int i = 0; i < 10 && entry == nullptr; ++i) entry = db_.random(keyspace_.random());
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->key(), "77");
}

TEST_F(KeyspaceTest, AHundredThousandKeysStayWithinTheMemoryLimit) {
  constexpr int kKeys = 100000;
  const std::string value(64, 'v');
  size_t bytes = 0;
  for (int i = 0; i < kKeys; ++i) {
    char key[17];
    snprintf(key, sizeof key, "key:%012d", i);
    bytes += db_.set_string(key, value)->memory_usage();
  }
  EXPECT_LE((bytes + db_.table_memory()) / kKeys, 110u);
}

// A value of its own must not fall into a larger size class than Valkey's would.
TEST_F(KeyspaceTest, ALargeValueTakesFewBytesMoreThanItsOwn) {
  for (const size_t size : {200, 1018, 1530, 4090, 100000}) {
    const Entry* entry = db_.set_string("key", std::string(size, 'v'));
    void* block = std::malloc(size + 6);
    EXPECT_LE(entry->memory_usage(), malloc_usable_size(block) + 32) << size;
    std::free(block);
  }
}

// Random operations on a few databases, compared after each step with a map of maps.
class KeyspaceModel {
 public:
  explicit KeyspaceModel(uint64_t seed) : random_(seed) { keyspace_.set_time(now_); }

  void step() {
    const int index = static_cast<int>(random_.below(kDatabases));
    Database& db = keyspace_.database(index);
    auto& model = model_[index];
    const std::string key = random_key();
    const bool keep = random_.below(2) == 0;
    drop_expired();
    switch (random_.below(12)) {
      case 0: {
        const std::string value = random_value();
        const int64_t at = now_ + 1 + static_cast<int64_t>(random_.below(300));
        db.set_string_until(key, value, at);
        model[key] = {value, at};
        break;
      }
      case 1:
      case 2: {
        const std::string value = random_value();
        // As SET does with KEEPTTL: an expired key is gone first.
        if (keep) db.peek(key);
        db.set_string(key, value, keep);
        model[key] = {value, keep && model.contains(key) ? model[key].expires : kNoExpiry};
        break;
      }
      case 3: {
        const auto number = static_cast<int64_t>(random_.next());
        if (keep) db.peek(key);
        db.set_integer(key, number, keep);
        model[key] = {std::to_string(number),
                      keep && model.contains(key) ? model[key].expires : kNoExpiry};
        break;
      }
      case 4:
      case 5:
        db.peek(key);
        ASSERT_EQ(db.erase(key), model.erase(key) == 1);
        break;
      case 6:
      case 7:
        if (Entry* entry = db.find_for_write(key)) {
          const int64_t at = keep ? now_ + 1 + static_cast<int64_t>(random_.below(300)) : kNoExpiry;
          entry = db.set_expiry(entry, at);
          ASSERT_EQ(entry, db.peek(key));
          model[key].expires = at;
        }
        break;
      case 8:
        if (Entry* entry = db.find_for_write(key)) {
          const size_t length = random_.below(400);
          std::string& value = model[key].value;
          char* bytes = db.edit_string(entry, length);
          const size_t old = value.size();
          value.resize(length);
          for (size_t i = old; i < length; ++i) {
            ASSERT_EQ(bytes[i], 0);
            bytes[i] = value[i] = 'n';
          }
        }
        break;
      case 9:
        move_key(index, key);
        break;
      case 10:
        now_ += static_cast<int64_t>(random_.below(20));
        keyspace_.set_time(now_);
        break;
      case 11: {
        size_t looked_at = 0;
        db.expire_some(random_.below(30), &looked_at);
        if (random_.below(2000) == 0) {
          db.clear();
          model.clear();
        }
        break;
      }
    }
    drop_expired();
    check_key(index, random_key());
  }

  void check_all() {
    drop_expired();
    for (int index = 0; index < kDatabases; ++index) {
      Database& db = keyspace_.database(index);
      size_t looked_at = 0;
      for (int i = 0; i < 3; ++i) db.expire_some(100000, &looked_at);
      size_t with_expiry = 0;
      for (const auto& [key, expected] : model_[index]) {
        check_key(index, key);
        with_expiry += expected.expires != kNoExpiry ? 1 : 0;
      }
      ASSERT_EQ(db.size(), model_[index].size());
      ASSERT_EQ(db.volatile_size(), with_expiry);
      size_t visited = 0;
      db.for_each([&](const Entry* entry) {
        ASSERT_TRUE(model_[index].contains(std::string(entry->key())));
        ++visited;
      });
      ASSERT_EQ(visited, db.size());
    }
  }

 private:
  static constexpr int kDatabases = 3;
  struct Expected {
    std::string value;
    int64_t expires = kNoExpiry;
  };

  std::string random_key() {
    const uint64_t number = random_.below(300);
    // Some keys are longer than a one-byte length can say.
    return std::string(number % 10 == 0 ? 260 : 1, 'k') + std::to_string(number);
  }
  std::string random_value() {
    if (random_.below(3) == 0) return std::to_string(static_cast<int64_t>(random_.below(1000)));
    return std::string(random_.below(random_.below(4) == 0 ? 600 : 60),
                       static_cast<char>('a' + random_.below(26)));
  }
  void drop_expired() {
    for (auto& model : model_) {
      std::erase_if(model, [&](const auto& item) {
        return item.second.expires != kNoExpiry && item.second.expires <= now_;
      });
    }
  }
  void move_key(int from, const std::string& key) {
    const int to = static_cast<int>(random_.below(kDatabases));
    const std::string new_key = random_key();
    Database& target = keyspace_.database(to);
    if (keyspace_.database(from).peek(key) == nullptr || target.peek(new_key) != nullptr) return;
    target.adopt(keyspace_.database(from).detach(key), new_key);
    const Expected moved = model_[from][key];
    model_[from].erase(key);
    model_[to][new_key] = moved;
  }
  void check_key(int index, const std::string& key) {
    Entry* entry = keyspace_.database(index).peek(key);
    const auto expected = model_[index].find(key);
    ASSERT_EQ(entry != nullptr, expected != model_[index].end()) << key;
    if (entry == nullptr) return;
    ASSERT_EQ(entry->key(), key);
    ASSERT_EQ(text(entry), expected->second.value);
    ASSERT_EQ(entry->expires_at_ms(), expected->second.expires);
  }

  Random random_;
  int64_t now_ = 1'700'000'000'000;
  Keyspace keyspace_{kDatabases};
  std::map<std::string, Expected> model_[kDatabases];
};

TEST(KeyspaceModelTest, AgreesWithTheModelUnderRandomOperations) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    KeyspaceModel model(seed);
    for (int i = 0; i < 4000; ++i) {
      model.step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    model.check_all();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST_F(KeyspaceTest, AKeyMayTakeTheNameOfAHiddenOne) {
  Database& db = keyspace_.database(0);
  db.set_string_until("gone", "old", kStart + 10);
  db.set_string("here", "new");
  keyspace_.set_expiry_policy(ExpiryPolicy::kHide);
  keyspace_.set_time(kStart + 20);
  EXPECT_EQ(db.find_for_write("gone"), nullptr);
  db.adopt(db.detach("here"), "gone");
  EXPECT_EQ(db.size(), 1u);
  EXPECT_EQ(db.volatile_size(), 0u);
  ASSERT_NE(db.peek("gone"), nullptr);
  EXPECT_EQ(text(db.peek("gone")), "new");
  EXPECT_TRUE(db.erase("gone"));
  EXPECT_EQ(db.peek("gone"), nullptr);
}

TEST_F(KeyspaceTest, TellsOfKeysCreatedAndMissed) {
  class Observer final : public KeyspaceObserver {
   public:
    void key_modified(int, std::string_view) override {}
    void key_expired(int, std::string_view) override {}
    void database_replacing(int) override {}
    void key_created(int, std::string_view key) override { add("created", key); }
    void key_missed(int, std::string_view key) override { add("missed", key); }
    void database_cleared(int) override { add("cleared", ""); }
    std::string take() { return std::exchange(events_, {}); }

   private:
    void add(std::string_view what, std::string_view key) {
      events_.append(what).append(" ").append(key).append(";");
    }
    std::string events_;
  } observer;
  keyspace_.set_observer(&observer);
  Database& db = keyspace_.database(0);
  db.set_string("a", "1");
  db.set_string("a", "2");
  db.set_integer("n", 1);
  db.find("a");
  db.find("none");
  db.find_untouched("none");
  db.peek("none");
  db.find_for_write("none");
  EXPECT_EQ(observer.take(), "created a;created n;missed none;missed none;");
  // A value in place of one whose time has come is a new key.
  db.set_string_until("a", "1", kStart + 10);
  keyspace_.set_time(kStart + 20);
  db.set_string("a", "1");
  db.adopt(db.detach("a"), "b");
  EXPECT_EQ(observer.take(), "created a;created b;");
  db.clear();
  EXPECT_EQ(observer.take(), "cleared ;");
  keyspace_.set_observer(nullptr);
}

class FieldExpiryTest : public KeyspaceTest {
 protected:
  // The hash `key` with the fields a and b, of which a expires after `ms`.
  void add(std::string_view key, int64_t ms) {
    auto hash = std::make_unique<HashValue>();
    hash->set("a", "1", {});
    hash->set("b", "2", {});
    hash->set_expiry("a", kStart + ms);
    db().set_value(key, std::move(hash));
  }
  Database& db() { return keyspace_.database(0); }
  HashValue& hash(std::string_view key) {
    return static_cast<HashValue&>(*db().peek(key)->value());
  }
};

TEST_F(FieldExpiryTest, RemovesFieldsWhoseTimeHasCome) {
  RecordingObserver observer;
  add("later", 20);
  add("soon", 10);
  keyspace_.set_observer(&observer);
  EXPECT_EQ(db().expire_fields(10), 0u);
  keyspace_.set_time(kStart + 10);
  EXPECT_EQ(db().expire_fields(10), 1u);
  EXPECT_EQ(observer.take(),
            (std::vector<std::string>{"modified 0 soon", "fields expired 0 soon a"}));
  EXPECT_EQ(hash("soon").size(), 1u);
  EXPECT_EQ(hash("later").size(), 2u);

  hash("soon").set_expiry("b", kStart + 11);
  db().fields_expire(db().peek("soon"));
  keyspace_.set_time(kStart + 50);
  EXPECT_EQ(db().expire_fields(1), 1u) << "no more than asked for";
  EXPECT_EQ(observer.take(),
            (std::vector<std::string>{"modified 0 soon", "fields expired 0 soon b, all"}));
  EXPECT_EQ(db().peek("soon"), nullptr);
  EXPECT_EQ(db().expire_fields(10), 1u);
  EXPECT_EQ(db().keys_with_expiring_fields(), 0u);
  EXPECT_EQ(keyspace_.stats().expired_fields, 3u);
  keyspace_.set_observer(nullptr);
}

TEST_F(FieldExpiryTest, AReplicaRemovesNothing) {
  add("h", 10);
  keyspace_.set_time(kStart + 20);
  keyspace_.set_expiry_policy(ExpiryPolicy::kHide);
  EXPECT_EQ(db().expire_fields(10), 0u);
  EXPECT_EQ(hash("h").size(), 2u);
}

TEST_F(FieldExpiryTest, FollowsTheKeyWhereverItGoes) {
  add("deleted", 10);
  add("replaced", 10);
  add("renamed", 10);
  add("moved", 10);
  EXPECT_TRUE(keyspace_.has_expiring_fields());
  db().erase("deleted");
  db().set_string("replaced", "text");
  db().adopt(db().detach("renamed"), "new name");
  keyspace_.database(1).adopt(db().detach("moved"), "moved");
  EXPECT_EQ(db().keys_with_expiring_fields(), 1u);
  EXPECT_EQ(keyspace_.database(1).keys_with_expiring_fields(), 1u);
  keyspace_.swap_databases(0, 2);
  EXPECT_EQ(db().keys_with_expiring_fields(), 0u);
  keyspace_.set_time(kStart + 20);
  EXPECT_EQ(keyspace_.database(1).expire_fields(10), 1u);
  EXPECT_EQ(keyspace_.database(2).expire_fields(10), 1u);
  EXPECT_FALSE(keyspace_.has_expiring_fields());
  add("flushed", 30);
  keyspace_.clear();
  EXPECT_FALSE(keyspace_.has_expiring_fields());
}

}  // namespace
}  // namespace tandem
