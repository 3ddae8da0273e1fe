// Clients that wait for keys, in real processes: time, disconnection, replicas and restarts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/await.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::StartsWith;

bool await_blocked(const ServerProcess& server, int clients) {
  return eventually([&] { return server.info("blocked_clients") == std::to_string(clients); });
}

TEST(Blocking, TimesOutWhenItsTimeHasCome) {
  ServerProcess server;
  RespClient client = server.connect();
  const auto started = steady_clock::now();
  EXPECT_EQ(client.run("BLPOP", "list", "0.15"), "(nil array)");
  // The server counts whole milliseconds.
  EXPECT_GE(steady_clock::now() - started, milliseconds(148));
  // A shorter wait that comes later ends first.
  RespClient longer = server.connect();
  longer.send("BLPOP", "list", "60");
  ASSERT_TRUE(await_blocked(server, 1));
  EXPECT_EQ(client.run("BRPOP", "list", "0.05"), "(nil array)");
  EXPECT_EQ(server.info("clients_in_timeout_table"), "1");
  EXPECT_EQ(client.run("PING"), "PONG");
}

TEST(Blocking, ServesInOrderOfArrival) {
  ServerProcess server;
  std::vector<RespClient> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(server.connect());
    waiting.back().send("BLPOP", "list", "0");
    ASSERT_TRUE(await_blocked(server, i + 1));
  }
  for (int i = 0; i < 20; ++i) server.run("RPUSH", "list", std::to_string(i));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(reply_text(waiting[static_cast<size_t>(i)].read()),
              "[\"list\", \"" + std::to_string(i) + "\"]");
  }
  EXPECT_EQ(server.info("total_blocking_keys"), "0");
}

TEST(Blocking, WhoHasLeftTakesNothing) {
  ServerProcess server;
  RespClient left = server.connect();
  left.send("BLPOP", "list", "0");
  ASSERT_TRUE(await_blocked(server, 1));
  left.close();
  ASSERT_TRUE(await_blocked(server, 0));
  RespClient killed = server.connect();
  const std::string id = killed.run("CLIENT", "ID").substr(std::string("(integer) ").size());
  killed.send("BLPOP", "list", "0");
  ASSERT_TRUE(await_blocked(server, 1));
  EXPECT_EQ(server.run("CLIENT", "KILL", "ID", id), "(integer) 1");
  EXPECT_TRUE(killed.closed_by_server());
  EXPECT_EQ(server.run("RPUSH", "list", "element"), "(integer) 1");
  EXPECT_EQ(server.run("LLEN", "list"), "(integer) 1");
}

TEST(Blocking, AFunctionWakesAndDoesNotBlock) {
  ServerProcess server;
  ASSERT_EQ(server.text("FUNCTION", "LOAD",
                        "#!lua name=lib\n"
                        "server.register_function('push', function(keys, args)\n"
                        "  server.call('RPUSH', keys[1], unpack(args))\n"
                        "  return server.call('BLPOP', keys[1], 0)\n"
                        "end)\n"
                        "server.register_function('pop', function(keys)\n"
                        "  return server.call('BLPOP', keys[1], 0) == false\n"
                        "end)"),
            "lib");
  RespClient waiting = server.connect();
  waiting.send("BLPOP", "list", "0");
  ASSERT_TRUE(await_blocked(server, 1));
  // The function takes the first element before anybody else can.
  EXPECT_EQ(server.run("FCALL", "push", "1", "list", "a", "b"), "[\"list\", \"a\"]");
  EXPECT_EQ(reply_text(waiting.read()), "[\"list\", \"b\"]");
  EXPECT_EQ(server.run("FCALL", "pop", "1", "list"), "(integer) 1");
}

TEST(Blocking, WhatWasServedReachesTheReplicaAndTheAof) {
  Pair pair({"--appendonly", "yes", "--appendfsync", "always"});
  RespClient waiting = pair.primary.connect();
  waiting.send("BLMOVE", "source", "target", "LEFT", "RIGHT", "0");
  ASSERT_TRUE(await_blocked(pair.primary, 1));
  pair.primary.run("RPUSH", "source", "a", "b");
  EXPECT_EQ(reply_text(waiting.read()), "\"a\"");
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(pair.replica.run("LRANGE", "target", "0", "-1"), "[\"a\"]");
  pair.primary.kill();
  pair.primary.start();
  EXPECT_EQ(pair.primary.run("LRANGE", "source", "0", "-1"), "[\"b\"]");
  EXPECT_EQ(pair.primary.run("LRANGE", "target", "0", "-1"), "[\"a\"]");
}

TEST(Blocking, BecomingAReplicaEndsTheWait) {
  ServerProcess primary, other;
  RespClient waiting = other.connect();
  waiting.send("BLPOP", "list", "0");
  ASSERT_TRUE(await_blocked(other, 1));
  other.run("REPLICAOF", "127.0.0.1", primary.port_text());
  EXPECT_THAT(reply_text(waiting.read()), StartsWith("(error) UNBLOCKED force unblock"));
  EXPECT_TRUE(waiting.closed_by_server());
}

TEST(Blocking, AReaderOnAReplicaIsServedByThePrimarysWrites) {
  Pair pair;
  RespClient waiting = pair.replica.connect();
  waiting.send("XREAD", "BLOCK", "0", "STREAMS", "stream", "$");
  ASSERT_TRUE(await_blocked(pair.replica, 1));
  pair.primary.run("XADD", "stream", "7-1", "field", "value");
  EXPECT_EQ(reply_text(waiting.read()), "[[\"stream\", [[\"7-1\", [\"field\", \"value\"]]]]]");
}

TEST(Blocking, AReadOfAGroupEndsWithItsKeyEvenIfThatExpires) {
  ServerProcess server;
  server.run("XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM");
  RespClient waiting = server.connect();
  waiting.send("XREADGROUP", "GROUP", "group", "me", "BLOCK", "0", "STREAMS", "stream", ">");
  ASSERT_TRUE(await_blocked(server, 1));
  // Nobody looks at the key again.
  server.run("PEXPIRE", "stream", "30");
  EXPECT_THAT(reply_text(waiting.read()), StartsWith("(error) NOGROUP "));
}

}  // namespace
}  // namespace tandem
