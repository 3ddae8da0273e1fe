// MIGRATE between real servers: what arrives, what leaves, and what stays when something changes or
// fails on the way.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kHost = "127.0.0.1";
constexpr const char* kLong = "60000";

bool await_blocked(const ServerProcess& server, int clients) {
  return eventually([&] { return server.info("blocked_clients") == std::to_string(clients); });
}

// The words of a request that has arrived at a test's own server.
std::vector<std::string> read_words(RespClient& peer) {
  std::vector<std::string> words;
  for (const ReplyValue& word : peer.read().elements) words.push_back(word.text);
  return words;
}

// A target that a test plays: the moment of each answer is the test's.
struct PlayedTarget {
  Listener listener;
  std::string port = std::to_string(listener.port());

  // The connection, once SELECT has been answered.
  RespClient accept() {
    RespClient peer = listener.accept();
    EXPECT_EQ(read_words(peer)[0], "SELECT");
    peer.send_raw("+OK\r\n");
    return peer;
  }
};

TEST(Migrate, MovesKeysOfEveryType) {
  ServerProcess source, target;
  RespClient client = source.connect();
  client.run("SET", "text", "value");
  client.run("SET", "number", "12");
  client.run("RPUSH", "list", "a", "b", "c");
  client.run("SADD", "set", "a", "b", "c");
  client.run("SADD", "numbers", "1", "2", "3");
  client.run("ZADD", "zset", "1.5", "a", "2", "b");
  client.run("HSET", "hash", "a", "1", "b", "2");
  client.run("HSET", "fields", "a", "1", "b", "2");
  client.run("HEXPIRE", "fields", "100", "FIELDS", "1", "a");
  client.run("XADD", "stream", "1-1", "a", "1");
  client.run("XGROUP", "CREATE", "stream", "group", "0");
  client.run("PFADD", "hll", "a", "b");
  client.run("SET", "volatile", "value", "PX", "500000");
  const std::vector<std::string_view> keys = {"text", "number", "list",   "set", "numbers", "zset",
                                              "hash", "fields", "stream", "hll", "volatile"};
  std::vector<std::string> digests;
  for (std::string_view key : keys) digests.push_back(client.run("DEBUG", "DIGEST-VALUE", key));
  std::vector<std::string_view> request = {"MIGRATE", kHost, "", "", "3", kLong, "KEYS"};
  const std::string port = target.port_text();
  request[2] = port;
  request.insert(request.end(), keys.begin(), keys.end());
  client.send_words(request);
  EXPECT_EQ(reply_text(client.read()), "OK");
  EXPECT_EQ(client.run("DBSIZE"), "(integer) 0");
  RespClient there = target.connect();
  there.run("SELECT", "3");
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(there.run("DEBUG", "DIGEST-VALUE", keys[i]), digests[i]) << keys[i];
  }
  EXPECT_EQ(there.run("PTTL", "text"), "(integer) -1");
  const std::string ttl = there.run("PTTL", "volatile").substr(std::string("(integer) ").size());
  EXPECT_LE(std::stoi(ttl), 500000);
  EXPECT_GT(std::stoi(ttl), 400000);
}

TEST(Migrate, CopiesAndReplaces) {
  ServerProcess source, target;
  RespClient client = source.connect();
  client.run("SET", "key", "new");
  target.run("SET", "key", "old");
  const std::string port = target.port_text();
  EXPECT_EQ(client.run("MIGRATE", kHost, port, "key", "0", kLong),
            "(error) ERR Target instance replied with error: BUSYKEY Target key name already "
            "exists.");
  EXPECT_EQ(client.run("MIGRATE", kHost, port, "key", "0", kLong, "COPY", "REPLACE"), "OK");
  EXPECT_EQ(client.text("GET", "key"), "new");
  EXPECT_EQ(target.text("GET", "key"), "new");
  EXPECT_EQ(client.run("MIGRATE", kHost, port, "key", "0", kLong, "REPLACE"), "OK");
  EXPECT_EQ(client.run("EXISTS", "key"), "(integer) 0");
  EXPECT_EQ(client.run("MIGRATE", kHost, port, "key", "0", kLong), "NOKEY");
  // One connection has served them all.
  EXPECT_EQ(source.info("migrate_cached_sockets"), "1");
  EXPECT_THAT(target.info("cmdstat_select"), StartsWith("calls=1,"));
}

TEST(Migrate, WhatTheTargetRefusesStays) {
  ServerProcess source, target;
  RespClient client = source.connect();
  client.run("MSET", "a", "1", "b", "2", "c", "3");
  target.run("SET", "b", "here already");
  EXPECT_THAT(client.run("MIGRATE", kHost, target.port_text(), "", "0", kLong, "KEYS", "a", "b",
                         "c", "none"),
              HasSubstr("Target instance replied with error: BUSYKEY"));
  EXPECT_EQ(client.run("MGET", "a", "b", "c"), "[(nil), \"2\", (nil)]");
  EXPECT_EQ(target.run("MGET", "a", "b", "c"), "[\"1\", \"here already\", \"3\"]");
}

TEST(Migrate, GivesNothingToWhoRefusesTheDatabaseOrThePassword) {
  ServerProcess source, target({"--requirepass", "secret", "--databases", "4"});
  RespClient client = source.connect();
  client.run("SET", "key", "value");
  const std::string port = target.port_text();
  EXPECT_THAT(client.run("MIGRATE", kHost, port, "key", "0", kLong),
              HasSubstr("Target instance replied with error: NOAUTH"));
  EXPECT_THAT(client.run("MIGRATE", kHost, port, "key", "0", kLong, "AUTH", "wrong"),
              HasSubstr("Target instance replied with error: WRONGPASS"));
  EXPECT_THAT(client.run("MIGRATE", kHost, port, "key", "4", kLong, "AUTH", "secret"),
              HasSubstr("Target instance replied with error: ERR DB index is out of range"));
  EXPECT_EQ(client.text("GET", "key"), "value");
  EXPECT_EQ(client.run("MIGRATE", kHost, port, "key", "1", kLong, "AUTH2", "default", "secret"),
            "OK");
  EXPECT_EQ(client.run("EXISTS", "key"), "(integer) 0");
  EXPECT_EQ(client.run("MIGRATE", kHost, port, "key", "0", kLong, "AUTH", "secret"), "NOKEY");
}

TEST(Migrate, OthersAreServedMeanwhile) {
  ServerProcess source;
  PlayedTarget target;
  RespClient client = source.connect(), other = source.connect();
  client.run("SET", "key", "value");
  client.send("MIGRATE", kHost, target.port, "key", "0", kLong);
  RespClient peer = target.accept();
  EXPECT_EQ(read_words(peer)[0], "RESTORE");
  EXPECT_EQ(other.run("SET", "another", "1"), "OK");
  EXPECT_EQ(other.text("GET", "key"), "value");
  EXPECT_EQ(source.info("blocked_clients"), "1");
  peer.send_raw("+OK\r\n");
  EXPECT_EQ(reply_text(client.read()), "OK");
  EXPECT_EQ(other.run("EXISTS", "key"), "(integer) 0");
}

TEST(Migrate, WhatChangedOnTheWayStaysAndIsReported) {
  ServerProcess source;
  PlayedTarget target;
  RespClient client = source.connect();
  client.run("MSET", "same", "1", "written", "2", "deleted", "3");
  client.run("SET", "expiring", "4", "PX", "100000");
  client.send("MIGRATE", kHost, target.port, "", "0", kLong, "KEYS", "same", "written", "deleted",
              "expiring");
  RespClient peer = target.accept();
  for (int i = 0; i < 4; ++i) read_words(peer);
  source.run("APPEND", "written", "!");
  source.run("DEL", "deleted");
  source.run("PERSIST", "expiring");
  peer.send_raw("+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(reply_text(client.read()),
            "(error) ERR 3 of 4 keys changed while being migrated and were kept: the target has "
            "their earlier values");
  EXPECT_EQ(client.run("MGET", "same", "written", "deleted", "expiring"),
            "[(nil), \"2!\", (nil), \"4\"]");
}

TEST(Migrate, ADatabaseThatChangesPlacesCountsAsAChange) {
  ServerProcess source;
  PlayedTarget target;
  RespClient client = source.connect();
  client.run("SET", "key", "value");
  client.send("MIGRATE", kHost, target.port, "key", "0", kLong);
  RespClient peer = target.accept();
  read_words(peer);
  source.run("SWAPDB", "0", "1");
  source.run("SET", "key", "another");
  peer.send_raw("+OK\r\n");
  EXPECT_THAT(reply_text(client.read()), HasSubstr("1 of 1 keys changed"));
  EXPECT_EQ(client.text("GET", "key"), "another");
}

TEST(Migrate, GoesOnWithoutItsClient) {
  ServerProcess source;
  PlayedTarget target;
  RespClient client = source.connect();
  client.run("SET", "key", "value");
  client.send("MIGRATE", kHost, target.port, "key", "0", kLong);
  RespClient peer = target.accept();
  read_words(peer);
  client.close();
  ASSERT_TRUE(await_blocked(source, 0));
  peer.send_raw("+OK\r\n");
  EXPECT_TRUE(eventually([&] { return source.run("EXISTS", "key") == "(integer) 0"; }));
}

TEST(Migrate, TimesOutOnASilentTarget) {
  ServerProcess source;
  PlayedTarget target;
  RespClient client = source.connect();
  client.run("SET", "key", "value");
  // Long enough for the connection to be there.
  client.send("MIGRATE", kHost, target.port, "key", "0", "2000");
  RespClient peer = target.accept();
  EXPECT_EQ(reply_text(client.read()),
            "(error) IOERR error or timeout reading from target instance");
  EXPECT_EQ(client.text("GET", "key"), "value");
  EXPECT_EQ(source.info("migrate_cached_sockets"), "0");
}

TEST(Migrate, WhatWasAcknowledgedBeforeTheConnectionEndedIsGone) {
  ServerProcess source;
  PlayedTarget target;
  RespClient client = source.connect();
  client.run("MSET", "a", "1", "b", "2");
  client.send("MIGRATE", kHost, target.port, "", "0", kLong, "KEYS", "a", "b");
  RespClient peer = target.accept();
  read_words(peer);
  read_words(peer);
  peer.send_raw("+OK\r\n");
  peer.close();
  EXPECT_EQ(reply_text(client.read()),
            "(error) IOERR error or timeout reading from target instance");
  EXPECT_EQ(client.run("MGET", "a", "b"), "[(nil), \"2\"]");
}

TEST(Migrate, ATargetThatTalksNonsenseGetsNothingDeleted) {
  for (const std::string_view nonsense :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "$5\r\nhello\r\n", "*1\r\n+OK\r\n", "*-5\r\n"}) {
    ServerProcess source;
    PlayedTarget target;
    RespClient client = source.connect();
    client.run("SET", "key", "value");
    client.send("MIGRATE", kHost, target.port, "key", "0", kLong);
    RespClient peer = target.accept();
    read_words(peer);
    peer.send_raw(nonsense);
    EXPECT_THAT(reply_text(client.read()), StartsWith("(error) IOERR")) << nonsense;
    EXPECT_EQ(client.text("GET", "key"), "value");
  }
}

TEST(Migrate, AKeptConnectionThatHasDiedIsReplaced) {
  ServerProcess source, target;
  RespClient client = source.connect();
  client.run("MSET", "a", "1", "b", "2");
  EXPECT_EQ(client.run("MIGRATE", kHost, target.port_text(), "a", "0", kLong), "OK");
  ASSERT_EQ(source.info("migrate_cached_sockets"), "1");
  target.kill();
  target.start();
  EXPECT_EQ(client.run("MIGRATE", kHost, target.port_text(), "b", "0", kLong), "OK");
  EXPECT_EQ(target.text("GET", "b"), "2");
}

TEST(Migrate, ToNobodyIsAnError) {
  ServerProcess source;
  RespClient client = source.connect();
  client.run("SET", "key", "value");
  PortLease nobody;
  for (const std::string& port : {std::to_string(nobody.port()), std::string("none")}) {
    EXPECT_EQ(client.run("MIGRATE", kHost, port, "key", "0", kLong),
              "(error) IOERR error or timeout writing to target instance");
  }
  EXPECT_EQ(client.text("GET", "key"), "value");
}

TEST(Migrate, TravelsAsTheDeletionOfWhatHasMoved) {
  Pair pair({"--appendonly", "yes", "--appendfsync", "always"});
  ServerProcess target;
  RespClient client = pair.primary.connect();
  client.run("MSET", "a", "1", "b", "2", "c", "3");
  target.run("SET", "b", "here already");
  client.run("MIGRATE", kHost, target.port_text(), "", "0", kLong, "KEYS", "a", "b", "c");
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(pair.replica.run("MGET", "a", "b", "c"), "[(nil), \"2\", (nil)]");
  pair.primary.kill();
  pair.primary.start();
  EXPECT_EQ(pair.primary.run("MGET", "a", "b", "c"), "[(nil), \"2\", (nil)]");
}

TEST(Migrate, WhoBecomesAReplicaDeletesNothing) {
  ServerProcess source, primary;
  PlayedTarget target;
  RespClient client = source.connect();
  client.run("SET", "key", "value");
  client.send("MIGRATE", kHost, target.port, "key", "0", kLong);
  RespClient peer = target.accept();
  read_words(peer);
  // Its primary cannot be reached: the data stays.
  PortLease nobody;
  source.run("REPLICAOF", kHost, std::to_string(nobody.port()));
  peer.send_raw("+OK\r\n");
  EXPECT_THAT(reply_text(client.read()), HasSubstr("has become a replica"));
  EXPECT_EQ(client.text("GET", "key"), "value");
}

TEST(Migrate, DeletesNothingWhileClientsArePaused) {
  ServerProcess source;
  PlayedTarget target;
  RespClient client = source.connect(), other = source.connect();
  client.run("SET", "key", "value");
  client.send("MIGRATE", kHost, target.port, "key", "0", kLong);
  RespClient peer = target.accept();
  read_words(peer);
  other.run("CLIENT", "PAUSE", "100000", "WRITE");
  peer.send_raw("+OK\r\n");
  // The answer has come: the connection is free again.
  ASSERT_TRUE(eventually([&] { return source.info("migrate_cached_sockets") == "1"; }));
  EXPECT_EQ(other.text("GET", "key"), "value");
  other.run("CLIENT", "UNPAUSE");
  EXPECT_EQ(reply_text(client.read()), "OK");
  EXPECT_EQ(other.run("EXISTS", "key"), "(integer) 0");
}

TEST(Migrate, MayNotWaitInTransactionsAndScripts) {
  ServerProcess source, target;
  RespClient client = source.connect();
  client.run("SET", "key", "value");
  const std::string refusal =
      "ERR MIGRATE waits for its target, which transactions and scripts may not";
  client.run("MULTI");
  client.run("MIGRATE", kHost, target.port_text(), "key", "0", kLong);
  EXPECT_EQ(client.run("EXEC"), "[(error) " + refusal + "]");
  EXPECT_THAT(client.run("EVAL", "return redis.call('MIGRATE', ARGV[1], ARGV[2], KEYS[1], 0, 100)",
                         "1", "key", kHost, target.port_text()),
              HasSubstr(refusal));
  EXPECT_EQ(client.text("GET", "key"), "value");
}

}  // namespace
}  // namespace tandem
