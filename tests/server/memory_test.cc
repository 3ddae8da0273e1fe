// Limits of memory in a real process: which keys go, who hears of it, and which clients.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "server/base/memory.h"
#include "tests/support/await.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

int64_t number(const ServerProcess& server, std::string_view field) {
  return std::stoll(server.info(field));
}

// A limit that leaves room for `more` bytes.
std::string limit_above_use(const ServerProcess& server, int64_t more) {
  return std::to_string(number(server, "used_memory") + more);
}

void fill(const ServerProcess& server, int keys) {
  RespClient client = server.connect();
  const std::string value(1000, 'v');
  // In pieces: requests that wait to be read take memory too.
  constexpr int kPiece = 100;
  for (int done = 0; done < keys; done += kPiece) {
    for (int i = 0; i < kPiece; ++i) client.send("SET", "key" + std::to_string(done + i), value);
    for (int i = 0; i < kPiece; ++i) ASSERT_EQ(client.read().text, "OK");
  }
}

TEST(Maxmemory, EvictedKeysGoFromTheReplicaAndTheAofToo) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  Pair pair({"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"});
  ASSERT_TRUE(eventually([&] { return caught_up(pair.primary, pair.replica); }));
  // Enough for keys beside the backlog, which counts.
  pair.primary.run("CONFIG", "SET", "maxmemory", limit_above_use(pair.primary, 6'000'000));
  fill(pair.primary, 10'000);
  EXPECT_GT(number(pair.primary, "evicted_keys"), 1000);
  const auto used = [&] { return number(pair.primary, "used_memory"); };
  EXPECT_TRUE(eventually([&] {
    return used() - number(pair.primary, "mem_not_counted_for_evict") <=
           number(pair.primary, "maxmemory") + 100'000;
  }));
  // Every request may evict: what is compared must stand still.
  pair.primary.run("CONFIG", "SET", "maxmemory", "0");
  expect_same_dataset(pair.primary, pair.replica);
  const std::string digest = pair.primary.run("DEBUG", "DIGEST");
  ASSERT_EQ(pair.primary.terminate().code, 0);
  pair.primary.start();
  EXPECT_EQ(pair.primary.run("DEBUG", "DIGEST"), digest);
}

// Replies do not wait for a slow disk, and keys do not make room for what does.
TEST(Maxmemory, WhatWaitsForTheDiskEvictsNothing) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  FaultyDisk disk;
  ServerProcess server({"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"},
                       disk.program());
  fill(server, 3000);
  disk.delay_syncs(60'000);
  ASSERT_TRUE(eventually([&] {
    server.run("SET", "key0", "again");
    return server.info("aof_pending_bio_fsync") == "1";
  }));
  server.run("CONFIG", "SET", "maxmemory", limit_above_use(server, 3'000'000));
  for (int i = 0; i < 6; ++i) fill(server, 3000);
  EXPECT_EQ(number(server, "evicted_keys"), 0);
}

TEST(Maxmemory, ALoweredLimitIsReachedWithoutRequests) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  ServerProcess server({"--maxmemory-policy", "allkeys-random"});
  fill(server, 20'000);
  const int64_t keys = server.connect().call("DBSIZE").integer;
  server.run("CONFIG", "SET", "maxmemory", limit_above_use(server, -10'000'000));
  EXPECT_TRUE(eventually(
      [&] { return number(server, "used_memory") <= number(server, "maxmemory") + 100'000; }));
  EXPECT_LT(server.connect().call("DBSIZE").integer, keys - 5000);
  EXPECT_TRUE(server.logged("is smaller than the current memory usage"));
}

TEST(Maxmemory, WithoutAPolicyWritesAreRefusedAndReadsAreNot) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  ServerProcess server;
  fill(server, 100);
  ASSERT_EQ(server.text("FUNCTION", "LOAD",
                        "#!lua name=lib\n"
                        "local function write(keys) return server.call('SET', keys[1], 1) end\n"
                        "server.register_function('write', write)\n"
                        "server.register_function{function_name='force', callback=write, "
                        "flags={'allow-oom'}}"),
            "lib");
  server.run("CONFIG", "SET", "maxmemory", "1");
  EXPECT_THAT(server.run("SET", "more", "1"), HasSubstr("OOM command not allowed"));
  EXPECT_EQ(server.run("STRLEN", "key1"), "(integer) 1000");
  EXPECT_EQ(server.run("DEL", "key1"), "(integer) 1");
  EXPECT_THAT(server.run("FCALL", "write", "1", "k"), HasSubstr("OOM"));
  EXPECT_EQ(server.run("FCALL", "force", "1", "k"), "OK");
}

TEST(Maxmemory, ClientsWithLargeBuffersAreClosed) {
  ServerProcess server({"--maxmemory-clients", "2mb"});
  RespClient quiet = server.connect();
  quiet.call("PING");
  RespClient greedy = server.connect();
  // A request that never gets complete, and may be cut off while it is sent.
  EXPECT_THROW(
      {
        greedy.send_raw("*2\r\n$4\r\nECHO\r\n$50000000\r\n" + std::string(40'000'000, 'x'));
        greedy.read();
      },
      std::runtime_error);
  EXPECT_TRUE(eventually([&] { return number(server, "evicted_clients") == 1; }));
  EXPECT_EQ(quiet.run("PING"), "PONG");
  EXPECT_TRUE(server.logged("Evicting client"));
}

// Freed elsewhere: neither the reply nor the other clients wait for it.
TEST(LazyFree, DeletingALargeKeyDoesNotHoldUpTheLoop) {
  constexpr int kFields = 1'000'000;
  ServerProcess server;
  RespClient client = server.connect();
  for (int i = 0; i < kFields; i += 1000) {
    std::vector<std::string> fields;
    for (int j = i; j < i + 1000; ++j) fields.push_back("field" + std::to_string(j));
    std::vector<std::string_view> request{"HSET", "big"};
    for (const std::string& field : fields) request.insert(request.end(), {field, "value"});
    client.send_words(request);
    ASSERT_EQ(client.read().integer, 1000);
  }
  client.call("SET", "bytes", std::string(100'000'000, 'x'));
  int deleted = 0;
  for (const char* key : {"big", "bytes"}) {
    // Freed here it takes more than a hundred milliseconds and twenty, every time; and on a busy
    // machine anything may take that long, once.
    EXPECT_TRUE(eventually([&] {
      EXPECT_EQ(client.run("COPY", key, "copy"), "(integer) 1");
      const auto started = std::chrono::steady_clock::now();
      EXPECT_EQ(client.run("DEL", "copy"), "(integer) 1");
      ++deleted;
      return std::chrono::steady_clock::now() - started < std::chrono::milliseconds(15);
    })) << key;
  }
  EXPECT_TRUE(eventually([&] { return number(server, "lazyfree_pending_objects") == 0; }));
  EXPECT_EQ(number(server, "lazyfreed_objects"), deleted);
}

}  // namespace
}  // namespace tandem
