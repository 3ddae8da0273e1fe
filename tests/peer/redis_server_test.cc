// Tandem and Debian's redis-server as each other's primary and replica, and each other's files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

constexpr const char* kRedisServer = "redis-server";

// Changes of all kinds, sent after the first sync: they travel as a stream.
void write_more(const ServerProcess& primary) {
  RespClient client = primary.connect();
  client.call("FCALL", "put", "1", "by function", "again");
  client.call("INCRBY", "number:5", "37");
  client.call("INCRBYFLOAT", "number:6", "0.25");
  client.call("HINCRBYFLOAT", "small", "one", "1.5");
  client.call("HDEL", "big", "field:1", "field:2");
  client.call("EXPIRE", "key:2", "100000");
  client.call("SETEX", "key:3", "100000", "soon gone");
  client.call("GETEX", "key:4", "EX", "100000");
  client.call("GETDEL", "key:5");
  client.call("RENAME", "key:6", "renamed");
  client.call("COPY", "key:7", "copied", "DB", "3");
  client.call("MOVE", "key:8", "4");
  client.call("SWAPDB", "3", "5");
  client.call("MULTI");
  client.call("SET", "in a transaction", "1");
  client.call("DEL", "key:9");
  client.call("EXEC");
  client.call("FUNCTION", "LOAD",
              "#!lua name=more\nredis.register_function('many', function(keys, args)\n"
              "for i = 1, 20 do redis.call('SET', 'many:' .. i, args[1]) end\nend)");
  client.call("FCALL", "many", "0", "of one call");
}

int count(const ServerProcess& server, std::string_view field) {
  return std::stoi(server.info(field));
}

// Which program is the primary, which the replica.
struct Roles {
  const char* name;
  bool tandem_is_primary;

  friend void PrintTo(const Roles& roles, std::ostream* out) { *out << roles.name; }
};

class RedisServer : public ::testing::TestWithParam<Roles> {
 protected:
  static std::string primary_program() {
    return GetParam().tandem_is_primary ? tandem_server_path() : kRedisServer;
  }
  static std::string replica_program() {
    return GetParam().tandem_is_primary ? kRedisServer : tandem_server_path();
  }
};

TEST_P(RedisServer, ReplicatesAFullSyncAndTheStream) {
  ServerProcess primary({}, primary_program());
  populate(primary);
  ServerProcess replica(replica_of(primary), replica_program());
  expect_same_dataset(primary, replica);
  write_more(primary);
  expect_same_dataset(primary, replica);
  EXPECT_EQ(libraries(replica).size(), 2);
  EXPECT_EQ(replica.run("FCALL_RO", "take", "1", "renamed"), "\"value of 6\"");
}

TEST_P(RedisServer, ReplicatesASyncThroughAFile) {
  ServerProcess primary({"--repl-diskless-sync", "no"}, primary_program());
  populate(primary);
  ServerProcess replica(replica_of(primary), replica_program());
  expect_same_dataset(primary, replica);
}

TEST_P(RedisServer, ResumesAfterALostLink) {
  ServerProcess primary({}, primary_program());
  ServerProcess replica(replica_of(primary), replica_program());
  populate(primary);
  expect_same_dataset(primary, replica);
  ASSERT_EQ(primary.run("CLIENT", "KILL", "TYPE", "replica"), "(integer) 1");
  write_more(primary);
  expect_same_dataset(primary, replica);
  EXPECT_EQ(count(primary, "sync_full"), 1);
  EXPECT_EQ(count(primary, "sync_partial_ok"), 1);
}

TEST_P(RedisServer, ResumesAfterTheReplicasRestart) {
  ServerProcess primary({}, primary_program());
  ServerProcess replica(replica_of(primary), replica_program());
  populate(primary);
  expect_same_dataset(primary, replica);
  replica.connect().send("SHUTDOWN", "SAVE");
  replica.wait();
  write_more(primary);
  replica.start();
  expect_same_dataset(primary, replica);
  EXPECT_EQ(count(primary, "sync_full"), 1);
}

TEST_P(RedisServer, AcknowledgesForWait) {
  ServerProcess primary({}, primary_program());
  ServerProcess replica(replica_of(primary), replica_program());
  ASSERT_TRUE(eventually([&] { return caught_up(primary, replica); }));
  RespClient client = primary.connect();
  client.call("SET", "key", "value");
  EXPECT_EQ(client.run("WAIT", "1", "20000"), "(integer) 1");
}

TEST_P(RedisServer, TakesOverFromItsPrimary) {
  ServerProcess primary({}, primary_program());
  ServerProcess replica(replica_of(primary), replica_program());
  populate(primary);
  ASSERT_TRUE(eventually([&] { return caught_up(primary, replica); }));
  EXPECT_EQ(replica.run("REPLICAOF", "NO", "ONE"), "OK");
  write_more(replica);
  EXPECT_EQ(primary.run("REPLICAOF", "127.0.0.1", replica.port_text()), "OK");
  expect_same_dataset(replica, primary);
}

TEST_P(RedisServer, StandsInTheMiddleOfAChain) {
  ServerProcess primary({}, primary_program());
  ServerProcess middle(replica_of(primary), replica_program());
  ServerProcess last(replica_of(middle), primary_program());
  populate(primary);
  write_more(primary);
  expect_same_dataset(primary, middle);
  expect_same_dataset(primary, last);
}

TEST_P(RedisServer, GivesItsFunctionsToTheOther) {
  ServerProcess source({}, primary_program());
  populate(source);
  TempDir dir;
  const std::string file = dir.file("functions.rdb");
  const Output saved =
      run_program({tandem_cli_path(), "-p", source.port_text(), "--functions-rdb", file});
  ASSERT_EQ(saved.code, 0) << saved.out << saved.err;
  ServerProcess fresh({"--dbfilename", "functions.rdb"}, replica_program(), false);
  std::filesystem::copy_file(file, fresh.file("functions.rdb"));
  fresh.start();
  EXPECT_EQ(libraries(fresh), libraries(source));
  EXPECT_EQ(fresh.run("FCALL", "put", "1", "key", "value"), "\"value\"");
}

INSTANTIATE_TEST_SUITE_P(Roles, RedisServer,
                         ::testing::Values(Roles{"AsReplica", true}, Roles{"AsPrimary", false}),
                         [](const auto& one) { return one.param.name; });

// Files that redis-server wrote, loaded by Tandem.
class FilesOfRedis : public ::testing::Test {
 protected:
  static void expect_loaded(const ServerProcess& redis, ServerProcess& tandem) {
    const std::string digest = redis.run("DEBUG", "DIGEST");
    tandem.start();
    EXPECT_EQ(tandem.run("DEBUG", "DIGEST"), digest);
    EXPECT_EQ(libraries(tandem), libraries(redis));
  }
};

TEST_F(FilesOfRedis, Snapshot) {
  ServerProcess redis({}, kRedisServer);
  populate(redis);
  EXPECT_EQ(redis.run("SAVE"), "OK");
  ServerProcess tandem({}, tandem_server_path(), false);
  std::filesystem::copy_file(redis.file("dump.rdb"), tandem.file("dump.rdb"));
  expect_loaded(redis, tandem);
}

TEST_F(FilesOfRedis, AppendOnlyDirectory) {
  // Otherwise redis may put a write off while it syncs, and the copy would lack it.
  ServerProcess redis({"--appendonly", "yes", "--appendfsync", "always"}, kRedisServer);
  populate(redis);
  EXPECT_EQ(redis.run("BGREWRITEAOF"), "Background append only file rewriting started");
  ASSERT_TRUE(eventually([&] {
    return redis.info("aof_rewrite_in_progress") == "0" &&
           redis.info("aof_rewrite_scheduled") == "0";
  }));
  write_more(redis);
  ServerProcess tandem({"--appendonly", "yes"}, tandem_server_path(), false);
  std::filesystem::copy(redis.file("appendonlydir"), tandem.file("appendonlydir"));
  expect_loaded(redis, tandem);
}

TEST_F(FilesOfRedis, DumpsOfFunctionsAndValues) {
  ServerProcess redis({}, kRedisServer);
  populate(redis);
  ServerProcess tandem;
  EXPECT_EQ(tandem.run("FUNCTION", "RESTORE", redis.text("FUNCTION", "DUMP")), "OK");
  EXPECT_EQ(libraries(tandem), libraries(redis));
  for (const char* key : {"key:7", "number:7", "long", "big"}) {
    EXPECT_EQ(tandem.run("RESTORE", key, "0", redis.text("DUMP", key)), "OK") << key;
    EXPECT_EQ(tandem.run("DEBUG", "DIGEST-VALUE", key), redis.run("DEBUG", "DIGEST-VALUE", key));
  }
}

}  // namespace
}  // namespace tandem
