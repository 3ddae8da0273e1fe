// Fields of hashes that expire, over the life of a pair: the primary says when one has gone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kOneByOne =
    "#!lua name=fields\n"
    "server.register_function('expire_all', function(keys, args)\n"
    "  for i = 1, tonumber(args[1]) do\n"
    "    server.call('HSETEX', keys[1], 'PX', args[2], 'FIELDS', 1, 'field:' .. i, i)\n"
    "  end\n"
    "end)";

// A hash of which one field stays, one goes soon and one goes in a long time.
void fill(const ServerProcess& server) {
  server.run("HSET", "hash", "stays", "1", "soon", "2", "later", "3");
  server.run("HPEXPIRE", "hash", "50", "FIELDS", "1", "soon");
  server.run("HEXPIRE", "hash", "10000", "FIELDS", "1", "later");
}

void expect_filled(const ServerProcess& server) {
  EXPECT_TRUE(eventually([&] { return server.run("HLEN", "hash") == "(integer) 2"; }));
  EXPECT_EQ(server.run("HGET", "hash", "stays"), "\"1\"");
  EXPECT_EQ(server.run("HGET", "hash", "soon"), "(nil)");
  EXPECT_THAT(server.run("HTTL", "hash", "FIELDS", "1", "stays"), HasSubstr("-1"));
  EXPECT_THAT(server.run("HTTL", "hash", "FIELDS", "1", "later"), Not(HasSubstr("-")));
}

TEST(HashExpiry, TheReplicaLosesWhatThePrimaryLoses) {
  Pair pair;
  fill(pair.primary);
  expect_filled(pair.primary);
  expect_same_dataset(pair.primary, pair.replica);
  expect_filled(pair.replica);
}

TEST(HashExpiry, WhatAFunctionLetExpireGoesFromBoth) {
  Pair pair;
  pair.primary.run("FUNCTION", "LOAD", kOneByOne);
  EXPECT_EQ(pair.primary.run("FCALL", "expire_all", "1", "hash", "3000", "30"), "(nil)");
  EXPECT_TRUE(eventually([&] { return pair.primary.run("EXISTS", "hash") == "(integer) 0"; }));
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(pair.replica.run("DBSIZE"), "(integer) 0");
}

TEST(HashExpiry, ANewReplicaGetsTheExpiries) {
  ServerProcess primary;
  fill(primary);
  expect_filled(primary);
  ServerProcess replica(replica_of(primary));
  expect_same_dataset(primary, replica);
  EXPECT_EQ(replica.run("HPEXPIRETIME", "hash", "FIELDS", "1", "later"),
            primary.run("HPEXPIRETIME", "hash", "FIELDS", "1", "later"));
}

void expect_back(const ServerProcess::Options& options) {
  ServerProcess server(options);
  fill(server);
  const std::string due = server.run("HPEXPIRETIME", "hash", "FIELDS", "1", "later");
  server.connect().send("SHUTDOWN", "SAVE");
  EXPECT_EQ(server.wait().code, 0);
  server.start();
  expect_filled(server);
  EXPECT_EQ(server.run("HPEXPIRETIME", "hash", "FIELDS", "1", "later"), due);
}

TEST(HashExpiry, ASnapshotKeepsTheExpiries) { expect_back({}); }

TEST(HashExpiry, TheAofKeepsTheExpiries) { expect_back({"--appendonly", "yes"}); }

TEST(HashExpiry, AnAofOfCommandsKeepsTheExpiries) {
  expect_back({"--appendonly", "yes", "--aof-use-rdb-preamble", "no"});
}

TEST(HashExpiry, ARewrittenAofKeepsTheExpiries) {
  ServerProcess server({"--appendonly", "yes", "--aof-use-rdb-preamble", "no"});
  fill(server);
  server.run("BGREWRITEAOF");
  EXPECT_TRUE(eventually([&] { return server.info("aof_rewrite_in_progress") == "0"; }));
  server.connect().send("SHUTDOWN");
  EXPECT_EQ(server.wait().code, 0);
  server.start();
  expect_filled(server);
}

}  // namespace
}  // namespace tandem
