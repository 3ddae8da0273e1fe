#include "server/exec/eviction.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

constexpr char kOom[] = "-OOM command not allowed when used memory > 'maxmemory'.|";
constexpr size_t kKeyBytes = 100;

// Every key takes a hundred bytes here, so that maxmemory 1000 is room for ten.
class EvictionTest : public ExecFixture {
 protected:
  EvictionTest() {
    eviction_.used_bytes = [this] {
      clock_.now_us += step_us_;
      return keyspace_.total_size() * kKeyBytes + other_bytes_;
    };
    eviction_.on_unfinished = [this] { ++unfinished_; };
    executor_.effects().add_sink(&recorder_);
    // Of so few keys all are sampled.
    configure("maxmemory-samples", "64");
  }
  ~EvictionTest() override { executor_.effects().remove_sink(&recorder_); }

  void evict_to(int keys, std::string_view policy) {
    configure("maxmemory-policy", policy);
    configure("maxmemory", std::to_string(keys * static_cast<int>(kKeyBytes)));
    recorder_.units.clear();
    EXPECT_EQ(run("ping"), "+PONG|");
  }
  std::string keys() {
    std::set<std::string> names;
    keyspace_.database(0).for_each([&](Entry* entry) { names.emplace(entry->key()); });
    std::string text;
    for (const std::string& name : names) text += name + " ";
    return text;
  }

  Eviction& eviction_ = executor_.eviction();
  UnitRecorder recorder_;
  size_t other_bytes_ = 0;
  int64_t step_us_ = 0;
  int unfinished_ = 0;
};

TEST_F(EvictionTest, WithoutAPolicyWritesAreRefused) {
  run("mset a 1 b 2");
  configure("maxmemory", "150");
  EXPECT_EQ(run("set c 3"), kOom);
  EXPECT_EQ(run("get a"), "$1|1|");
  EXPECT_EQ(run("del a"), ":1|");
  EXPECT_EQ(run("set b 3"), "+OK|");
  EXPECT_EQ(executor_.stats().evicted_keys, 0u);
}

TEST_F(EvictionTest, LruTakesWhatWasUsedLongestAgo) {
  run("set a 1");
  for (const char* name : {"b", "c", "d", "e"}) {
    advance_ms(2000);
    run(std::string("set ") + name + " 1");
  }
  run("get a");
  evict_to(3, "allkeys-lru");
  EXPECT_EQ(keys(), "a d e ");
  EXPECT_EQ(executor_.stats().evicted_keys, 2u);
  ASSERT_EQ(recorder_.units.size(), 2u);
  EXPECT_EQ(recorder_.units[0], resp("DEL b"));
  EXPECT_EQ(recorder_.units[1], resp("DEL c"));
}

TEST_F(EvictionTest, RoomIsMadeBeforeTheCommandRuns) {
  run("set a 1");
  advance_ms(1000);
  run("set b 1");
  configure("maxmemory-policy", "allkeys-lru");
  configure("maxmemory", "150");
  EXPECT_EQ(run("get a"), "$-1|");
  EXPECT_EQ(run("set c 1"), "+OK|");
  EXPECT_EQ(keys(), "b c ");
}

TEST_F(EvictionTest, VolatilePoliciesSpareKeysWithoutExpiry) {
  run("mset a 1 b 1 c 1");
  run("set v 1 ex 100");
  evict_to(3, "volatile-lru");
  EXPECT_EQ(keys(), "a b c ");
  configure("maxmemory", "200");
  EXPECT_EQ(run("set d 1"), kOom);
  EXPECT_EQ(keys(), "a b c ");
}

TEST_F(EvictionTest, TtlTakesWhatExpiresFirst) {
  run("set later 1 ex 300");
  run("set soon 1 ex 100");
  run("set middle 1 ex 200");
  run("set never 1");
  evict_to(3, "volatile-ttl");
  EXPECT_EQ(keys(), "later middle never ");
  evict_to(2, "volatile-ttl");
  EXPECT_EQ(keys(), "later never ");
}

TEST_F(EvictionTest, LfuTakesWhatIsUsedLeast) {
  configure("maxmemory-policy", "allkeys-lfu");
  configure("lfu-log-factor", "0");
  run("mset often 1 seldom 1 never 1");
  for (int i = 0; i < 9; ++i) run("get often");
  run("get seldom");
  advance_ms(1000);
  EXPECT_EQ(run("object freq often"), ":14|");
  EXPECT_EQ(run("object freq seldom"), ":6|");
  evict_to(2, "allkeys-lfu");
  EXPECT_EQ(keys(), "often seldom ");
  evict_to(1, "volatile-lfu");
  EXPECT_EQ(keys(), "often seldom ");
  run("expire often 100");
  run("ping");
  EXPECT_EQ(keys(), "seldom ");
}

TEST_F(EvictionTest, FrequencyDecaysWithTime) {
  configure("maxmemory-policy", "allkeys-lfu");
  run("set a 1");
  EXPECT_EQ(run("object freq a"), ":5|");
  advance_ms(180'000);
  EXPECT_EQ(run("object freq a"), ":2|");
  EXPECT_TRUE(run("object idletime a").starts_with("-ERR An LFU maxmemory policy is selected"));
  configure("maxmemory-policy", "allkeys-lru");
  EXPECT_TRUE(run("object freq a").starts_with("-ERR An LFU maxmemory policy is not selected"));
}

TEST_F(EvictionTest, ClientsWithNoTouchLeaveTheClockAlone) {
  run("set a 1");
  advance_ms(5000);
  Peer& shy = connect();
  run(shy, "client no-touch on");
  run(shy, "get a");
  EXPECT_EQ(run("object idletime a"), ":5|");
  run(shy, "touch a");
  EXPECT_EQ(run("object idletime a"), ":0|");
}

TEST_F(EvictionTest, RandomPoliciesTakeTurnsAmongDatabases) {
  for (int db = 0; db < 3; ++db) {
    run("select " + std::to_string(db));
    run("mset a 1 b 1");
  }
  evict_to(3, "allkeys-random");
  for (int db = 0; db < 3; ++db) EXPECT_EQ(keyspace_.database(db).size(), 1u);
  run("expire a 100");
  run("expire b 100");
  evict_to(2, "volatile-random");
  EXPECT_EQ(keyspace_.database(2).size(), 0u);
}

TEST_F(EvictionTest, SampledPoliciesLookIntoEveryDatabase) {
  run("select 5");
  run("set old 1");
  advance_ms(5000);
  run("select 0");
  run("set young 1");
  evict_to(1, "allkeys-lru");
  EXPECT_EQ(keys(), "young ");
  ASSERT_EQ(recorder_.units.size(), 1u);
  EXPECT_EQ(recorder_.units[0], resp("SELECT 5") + resp("DEL old"));
}

TEST_F(EvictionTest, AStepEndsInTimeAndALaterOneGoesOn) {
  for (int i = 0; i < 50; ++i) run("set key" + std::to_string(i) + " 1");
  step_us_ = 100;
  evict_to(10, "allkeys-lru");
  EXPECT_GE(unfinished_, 1);
  const size_t left = keyspace_.total_size();
  EXPECT_GT(left, 40u);
  EXPECT_EQ(run("set more 1"), "+OK|") << "an unfinished step refuses nothing";
  for (int i = 0; i < 100 && keyspace_.total_size() > 10; ++i) executor_.make_room();
  EXPECT_EQ(keyspace_.total_size(), 10u);
  EXPECT_GT(eviction_.exceeded_ms(), 0);
  executor_.make_room();
  EXPECT_EQ(eviction_.exceeded_ms(), 0);
  EXPECT_GT(eviction_.total_exceeded_ms(), 0);
}

TEST_F(EvictionTest, TenacityBuysTime) {
  for (int i = 0; i < 50; ++i) run("set key" + std::to_string(i) + " 1");
  configure("maxmemory-eviction-tenacity", "100");
  step_us_ = 100'000;
  evict_to(10, "allkeys-lru");
  EXPECT_EQ(keyspace_.total_size(), 10u);
}

TEST_F(EvictionTest, WhatDoesNotCountEvictsNothing) {
  run("mset a 1 b 1");
  other_bytes_ = 5000;
  eviction_.uncounted_bytes = [this] { return other_bytes_; };
  evict_to(2, "allkeys-lru");
  EXPECT_EQ(keys(), "a b ");
}

TEST_F(EvictionTest, WhatIsBeingFreedElsewhereCountsAsFree) {
  std::vector<std::function<void()>> works;
  keyspace_.set_background([&](std::function<void()> work) { works.push_back(std::move(work)); });
  run("set big " + std::string(3'000'000, 'x'));
  run("mset a 1 b 1");
  other_bytes_ = 3'000'000;
  run("del big");
  ASSERT_EQ(works.size(), 1u);
  EXPECT_EQ(keyspace_.background_counts().pending_objects, 1u);
  evict_to(2, "allkeys-lru");
  EXPECT_EQ(keys(), "a b ");
  works[0]();
  EXPECT_EQ(keyspace_.background_counts().pending_bytes, 0u);
  EXPECT_EQ(keyspace_.background_counts().freed_objects, 1u);
  run("ping");
  EXPECT_EQ(keys(), "");
  EXPECT_EQ(run("set c 1"), kOom);
}

TEST_F(EvictionTest, NothingIsEvictedInsideATransactionOrWhilePaused) {
  run("multi");
  run("mset a 1 b 1 c 1");
  run("get a");
  configure("maxmemory-policy", "allkeys-lru");
  configure("maxmemory", "200");
  EXPECT_EQ(run("exec"), "*2|+OK|$1|1|");
  EXPECT_EQ(keyspace_.total_size(), 3u);
  run("client pause 1000 write");
  EXPECT_EQ(keyspace_.total_size(), 2u);
  configure("maxmemory", "100");
  run("ping");
  EXPECT_EQ(keyspace_.total_size(), 2u);
  run("client unpause");
  run("ping");
  EXPECT_EQ(keyspace_.total_size(), 1u);
}

TEST_F(EvictionTest, AReplicaLeavesItToItsPrimaryUnlessToldOtherwise) {
  run("mset a 1 b 1");
  executor_.state().is_replica = true;
  evict_to(1, "allkeys-lru");
  EXPECT_EQ(keys(), "a b ");
  configure("replica-ignore-maxmemory", "no");
  run("ping");
  EXPECT_EQ(keyspace_.total_size(), 1u);
}

TEST_F(EvictionTest, LoweringTheLimitAsksForAStep) {
  run("mset a 1 b 1");
  configure("maxmemory-policy", "allkeys-lru");
  configure("maxmemory", "500");
  EXPECT_EQ(unfinished_, 0);
  configure("maxmemory", "100");
  EXPECT_EQ(unfinished_, 1);
}

TEST_F(EvictionTest, AWatchBreaksWhenItsKeyIsEvicted) {
  run("set a 1");
  run("watch a");
  run("multi");
  configure("maxmemory-policy", "allkeys-lru");
  configure("maxmemory", "1");
  EXPECT_EQ(run("exec"), "*-1|");
}

// With few samples the choice is near the best, not the best.
TEST_F(EvictionTest, SamplingFindsOldKeysAmongMany) {
  configure("maxmemory-samples", "5");
  constexpr int kKeys = 4000;
  for (int i = 0; i < kKeys; ++i) {
    if (i % 2 == 0) advance_ms(1000);
    run("set " + std::to_string(i) + " 1");
  }
  configure("maxmemory-eviction-tenacity", "100");
  evict_to(kKeys / 2, "allkeys-lru");
  int old_left = 0;
  keyspace_.database(0).for_each(
      [&](Entry* entry) { old_left += std::stoi(std::string(entry->key())) < kKeys / 4 ? 1 : 0; });
  EXPECT_LT(old_left, kKeys / 4 / 10);
}

}  // namespace
}  // namespace tandem
