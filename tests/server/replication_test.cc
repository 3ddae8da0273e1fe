// A primary and its replicas: joining, losing the link, restarting, chains, and promotion.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"
#include "tests/support/writer.h"

namespace tandem {
namespace {

int count(const ServerProcess& server, std::string_view field) {
  return std::stoi(server.info(field));
}

bool await_caught_up(const ServerProcess& primary, const ServerProcess& replica) {
  return eventually([&] { return caught_up(primary, replica); });
}

// Drops the primary's links to its replicas.
void cut_links(const ServerProcess& primary) {
  ASSERT_EQ(primary.run("CLIENT", "KILL", "TYPE", "replica"), "(integer) 1");
}

TEST(Replication, AReplicaThatJoinsWhileWritesFlow) {
  ServerProcess primary;
  populate(primary);
  Writer writer(primary);
  ASSERT_TRUE(writer.await_rounds(100));
  ServerProcess replica(replica_of(primary));
  ASSERT_TRUE(eventually([&] { return replica.info("master_link_status") == "up"; }));
  ASSERT_TRUE(writer.await_rounds(100));
  writer.stop();
  expect_same_dataset(primary, replica);
  EXPECT_EQ(primary.text("FUNCTION", "DUMP"), replica.text("FUNCTION", "DUMP"));
  EXPECT_EQ(count(primary, "sync_full"), 1);
}

TEST(Replication, SeveralReplicasThatJoinAtOnce) {
  ServerProcess primary;
  populate(primary);
  Writer writer(primary);
  ASSERT_TRUE(writer.await_rounds(30));
  ServerProcess first(replica_of(primary));
  ServerProcess second(replica_of(primary));
  ServerProcess third(replica_of(primary));
  for (const ServerProcess* replica : {&first, &second, &third}) {
    ASSERT_TRUE(eventually([&] { return replica->info("master_link_status") == "up"; }));
  }
  ASSERT_TRUE(writer.await_rounds(30));
  writer.stop();
  for (const ServerProcess* replica : {&first, &second, &third})
    expect_same_dataset(primary, *replica);
}

TEST(Replication, ThePrimarysLinkIsNoUsers) {
  ServerProcess primary;
  ServerProcess replica(replica_of(primary));
  ASSERT_TRUE(eventually([&] { return replica.info("master_link_status") == "up"; }));
  const std::string link = replica.text("CLIENT", "LIST", "TYPE", "master");
  EXPECT_THAT(link, ::testing::HasSubstr(" flags=M "));
  EXPECT_THAT(link, ::testing::HasSubstr(" user=(superuser) "));
  EXPECT_EQ(replica.run("CLIENT", "KILL", "USER", "default"), "(integer) 0");
  EXPECT_EQ(replica.text("CLIENT", "LIST", "TYPE", "master").substr(0, link.find(" age=")),
            link.substr(0, link.find(" age=")));
}

TEST(Replication, ALargeDataset) {
  ServerProcess primary;
  primary.run("DEBUG", "POPULATE", "200000", "key", "100");
  populate(primary);
  ServerProcess replica(replica_of(primary));
  Writer writer(primary);
  ASSERT_TRUE(eventually([&] { return replica.info("master_link_status") == "up"; }));
  writer.stop();
  expect_same_dataset(primary, replica);
  EXPECT_EQ(replica.run("DBSIZE"), primary.run("DBSIZE"));
}

TEST(Replication, ThePrimaryExpiresForBoth) {
  Pair pair;
  RespClient client = pair.primary.connect();
  for (int i = 0; i < 100; ++i) client.call("SET", "brief:" + std::to_string(i), "x", "PX", "30");
  EXPECT_TRUE(eventually([&] { return pair.primary.run("DBSIZE") == "(integer) 0"; }));
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(pair.replica.run("DBSIZE"), "(integer) 0");
}

TEST(Replication, AKilledPrimaryComesBackAndTheReplicaFollows) {
  Pair pair({"--appendonly", "yes", "--appendfsync", "always"});
  populate(pair.primary);
  Writer writer(pair.primary, /*may_lose_server=*/true);
  ASSERT_TRUE(writer.await_rounds(50));
  pair.primary.kill();
  writer.stop();
  pair.primary.start();
  EXPECT_GE(std::stoi(pair.primary.text("GET", "flow:count")), writer.rounds());
  expect_same_dataset(pair.primary, pair.replica);
}

TEST(Replication, AKilledReplicaComesBackWhileWritesFlow) {
  ServerProcess primary;
  populate(primary);
  ServerProcess::Options options = replica_of(primary);
  options.insert(options.end(), {"--appendonly", "yes"});
  ServerProcess replica(options);
  Writer writer(primary);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(writer.await_rounds(20));
    replica.kill();
    replica.start();
    ASSERT_TRUE(eventually([&] { return replica.info("master_link_status") == "up"; }));
  }
  writer.stop();
  expect_same_dataset(primary, replica);
}

TEST(Replication, AReplicaWithAnAofKeepsWhatItReceived) {
  ServerProcess primary;
  populate(primary);
  ServerProcess::Options options = replica_of(primary);
  options.insert(options.end(), {"--appendonly", "yes", "--appendfsync", "always"});
  ServerProcess replica(options);
  ASSERT_TRUE(await_caught_up(primary, replica));
  primary.run("FCALL", "put", "1", "late", "value");
  expect_same_dataset(primary, replica);
  ASSERT_TRUE(eventually([&] {
    return replica.info("aof_rewrite_in_progress") == "0" &&
           replica.info("aof_rewrite_scheduled") == "0";
  }));
  const std::string digest = replica.run("DEBUG", "DIGEST");
  replica.kill();
  replica.start({"--replicaof", "no one"});
  EXPECT_EQ(replica.run("DEBUG", "DIGEST"), digest);
  EXPECT_EQ(replica.run("FCALL", "take", "1", "late"), "\"value\"");
}

// Whoever is stopped for a moment, the backlog reaches back to where the link broke.
const ServerProcess::Options kLongBacklog = {"--repl-backlog-size", "256mb"};

TEST(Replication, ALinkThatIsCutResumesWhereItWas) {
  Pair pair(kLongBacklog);
  populate(pair.primary);
  Writer writer(pair.primary);
  for (int cut = 1; cut <= 3; ++cut) {
    ASSERT_TRUE(writer.await_rounds(30));
    cut_links(pair.primary);
    ASSERT_TRUE(eventually([&] { return count(pair.primary, "sync_partial_ok") == cut; }));
  }
  writer.stop();
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(count(pair.primary, "sync_full"), 1);
}

TEST(Replication, ABacklogThatNoLongerReachesBackMeansAFullSync) {
  Pair pair({"--repl-backlog-size", "16kb"});
  populate(pair.primary);
  ASSERT_TRUE(await_caught_up(pair.primary, pair.replica));
  pair.replica.terminate();
  RespClient client = pair.primary.connect();
  for (int i = 0; i < 100; ++i)
    client.call("SET", "filler:" + std::to_string(i), std::string(1000, 'f'));
  pair.replica.start();
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(count(pair.primary, "sync_full"), 2);
}

TEST(Replication, ARestartedReplicaResumesWhereItWas) {
  Pair pair;
  populate(pair.primary);
  ASSERT_TRUE(await_caught_up(pair.primary, pair.replica));
  pair.replica.connect().send("SHUTDOWN", "SAVE");
  EXPECT_EQ(pair.replica.wait().code, 0);
  pair.primary.run("FCALL", "put", "1", "meanwhile", "written");
  pair.replica.start();
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(count(pair.primary, "sync_full"), 1);
  EXPECT_EQ(count(pair.primary, "sync_partial_ok"), 1);
  EXPECT_EQ(pair.replica.run("FCALL_RO", "take", "1", "meanwhile"), "\"written\"");
}

TEST(Replication, ARestartedPrimaryIsFoundAgain) {
  Pair pair;
  populate(pair.primary);
  ASSERT_TRUE(await_caught_up(pair.primary, pair.replica));
  pair.primary.connect().send("SHUTDOWN", "SAVE");
  EXPECT_EQ(pair.primary.wait().code, 0);
  ASSERT_TRUE(eventually([&] { return pair.replica.info("master_link_status") == "down"; }));
  EXPECT_EQ(pair.replica.run("FCALL_RO", "take", "1", "key:7"), "\"value of 7\"");
  pair.primary.start();
  pair.primary.run("SET", "after", "the restart");
  expect_same_dataset(pair.primary, pair.replica);
}

TEST(Replication, AChainOfTwoReplicas) {
  Pair pair(kLongBacklog);
  pair.replica.run("CONFIG", "SET", "repl-backlog-size", "256mb");
  ServerProcess last(replica_of(pair.replica));
  ASSERT_TRUE(await_caught_up(pair.replica, last));
  populate(pair.primary);
  Writer writer(pair.primary);
  ASSERT_TRUE(writer.await_rounds(30));
  cut_links(pair.replica);
  ASSERT_TRUE(eventually([&] { return count(pair.replica, "sync_partial_ok") == 1; }));
  cut_links(pair.primary);
  ASSERT_TRUE(eventually([&] { return count(pair.primary, "sync_partial_ok") == 1; }));
  ASSERT_TRUE(writer.await_rounds(30));
  writer.stop();
  expect_same_dataset(pair.primary, pair.replica);
  expect_same_dataset(pair.primary, last);
  EXPECT_EQ(count(pair.replica, "sync_full"), 1);
}

TEST(Replication, AReplicaRefusesWritesOfClients) {
  Pair pair;
  EXPECT_EQ(pair.replica.run("SET", "key", "value"),
            "(error) READONLY You can't write against a read only replica.");
  EXPECT_EQ(pair.replica.run("FUNCTION", "LOAD", example_library()),
            "(error) READONLY You can't write against a read only replica.");
  EXPECT_EQ(pair.replica.run("FUNCTION", "FLUSH"),
            "(error) READONLY You can't write against a read only replica.");
}

TEST(Replication, ChangesOfFunctionsReachTheReplica) {
  Pair pair;
  RespClient client = pair.primary.connect();
  EXPECT_EQ(client.run("FUNCTION", "LOAD", example_library()), "lib");
  expect_same_dataset(pair.primary, pair.replica);
  const std::string dump = client.text("FUNCTION", "DUMP");
  EXPECT_EQ(client.run("FUNCTION", "DELETE", "lib"), "OK");
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(client.run("FUNCTION", "RESTORE", dump, "FLUSH"), "OK");
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(libraries(pair.replica).size(), 1);
  EXPECT_EQ(client.run("FUNCTION", "FLUSH"), "OK");
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_EQ(libraries(pair.replica).size(), 0);
}

TEST(Replication, AFullSyncReplacesWhatTheReplicaHad) {
  ServerProcess primary;
  populate(primary);
  ServerProcess replica;
  replica.run("SET", "own", "data");
  replica.run("FUNCTION", "LOAD",
              "#!lua name=own\nserver.register_function('own', function() return 1 end)");
  EXPECT_EQ(replica.run("REPLICAOF", "127.0.0.1", primary.port_text()), "OK");
  expect_same_dataset(primary, replica);
  EXPECT_EQ(replica.run("EXISTS", "own"), "(integer) 0");
}

TEST(Replication, APromotedReplicaGoesOnAndTheOthersFollowIt) {
  Pair pair;
  ServerProcess other(replica_of(pair.primary));
  populate(pair.primary);
  ASSERT_TRUE(await_caught_up(pair.primary, pair.replica));
  ASSERT_TRUE(await_caught_up(pair.primary, other));
  pair.primary.kill();
  EXPECT_EQ(pair.replica.run("REPLICAOF", "NO", "ONE"), "OK");
  EXPECT_EQ(pair.replica.info("role"), "master");
  EXPECT_EQ(pair.replica.run("FCALL", "put", "1", "new", "primary"), "\"primary\"");
  EXPECT_EQ(other.run("REPLICAOF", "127.0.0.1", pair.replica.port_text()), "OK");
  expect_same_dataset(pair.replica, other);
  // The promoted replica's history continues its primary's.
  EXPECT_EQ(count(pair.replica, "sync_full"), 0);
  EXPECT_EQ(count(pair.replica, "sync_partial_ok"), 1);
}

TEST(Replication, WaitCountsTheReplicasThatHaveTheWrite) {
  Pair pair;
  RespClient client = pair.primary.connect();
  client.call("SET", "key", "value");
  EXPECT_EQ(client.run("WAIT", "1", "20000"), "(integer) 1");
  EXPECT_EQ(pair.replica.run("GET", "key"), "\"value\"");
  EXPECT_EQ(client.run("WAIT", "2", "10"), "(integer) 1");
}

TEST(Replication, WaitaofTellsWhereTheWriteIsDurable) {
  Pair pair({"--appendonly", "yes", "--appendfsync", "always"});
  RespClient client = pair.primary.connect();
  client.call("SET", "key", "value");
  EXPECT_EQ(client.run("WAITAOF", "1", "0", "0"), "[(integer) 1, (integer) 0]");
  EXPECT_EQ(client.run("WAITAOF", "0", "1", "10"), "[(integer) 1, (integer) 0]")
      << "the replica has no AOF";
  pair.replica.run("CONFIG", "SET", "appendonly", "yes");
  client.call("SET", "key", "again");
  EXPECT_EQ(client.run("WAITAOF", "1", "1", "0"), "[(integer) 1, (integer) 1]");

  client.run("CONFIG", "SET", "appendfsync", "no");
  client.call("SET", "key", "unsynced");
  client.send("WAITAOF", "1", "0", "0");
  ASSERT_TRUE(eventually([&] { return count(pair.primary, "blocked_clients") == 1; }));
  pair.primary.run("CONFIG", "SET", "appendfsync", "everysec");
  EXPECT_THAT(reply_text(client.read()), testing::StartsWith("[(integer) 1, "));
}

TEST(Replication, BecomingAReplicaEndsTheWait) {
  Pair pair;
  ServerProcess other;
  RespClient waiting = other.connect();
  waiting.send("WAIT", "1", "0");
  ASSERT_TRUE(eventually([&] { return count(other, "blocked_clients") == 1; }));
  other.run("REPLICAOF", "127.0.0.1", pair.primary.port_text());
  EXPECT_THAT(reply_text(waiting.read()), testing::StartsWith("(error) UNBLOCKED "));
  EXPECT_TRUE(waiting.closed_by_server());
  EXPECT_THAT(other.run("WAITAOF", "0", "1", "0"), testing::StartsWith("(error) ERR WAITAOF "));
}

TEST(Replication, RoleTellsBothSides) {
  Pair pair;
  const ReplyValue primary = pair.primary.connect().call("ROLE");
  ASSERT_EQ(primary.elements.size(), 3);
  EXPECT_TRUE(primary.elements[0].is_text("master"));
  ASSERT_EQ(primary.elements[2].elements.size(), 1);
  EXPECT_TRUE(primary.elements[2].elements[0].elements[1].is_text(pair.replica.port_text()));
  const ReplyValue replica = pair.replica.connect().call("ROLE");
  ASSERT_EQ(replica.elements.size(), 5);
  EXPECT_TRUE(replica.elements[0].is_text("slave"));
  EXPECT_EQ(replica.elements[2].integer, pair.primary.port());
  EXPECT_TRUE(replica.elements[3].is_text("connected"));
}

TEST(Replication, AReplicaMayBeToldNotToServeStaleData) {
  Pair pair;
  populate(pair.primary);
  ASSERT_TRUE(await_caught_up(pair.primary, pair.replica));
  EXPECT_EQ(pair.replica.run("CONFIG", "SET", "replica-serve-stale-data", "no"), "OK");
  pair.primary.kill();
  ASSERT_TRUE(eventually([&] { return pair.replica.info("master_link_status") == "down"; }));
  EXPECT_THAT(pair.replica.run("GET", "key:1"), ::testing::StartsWith("(error) MASTERDOWN "));
  EXPECT_THAT(pair.replica.run("FCALL_RO", "take", "1", "key:1"),
              ::testing::StartsWith("(error) MASTERDOWN "));
}

TEST(Replication, WithAPassword) {
  ServerProcess primary({"--requirepass", "secret", "--masterauth", "secret"});
  ServerProcess::Options options = replica_of(primary);
  options.insert(options.end(), {"--masterauth", "secret"});
  ServerProcess replica(options);
  RespClient client = primary.connect();
  EXPECT_EQ(client.run("AUTH", "secret"), "OK");
  EXPECT_EQ(client.run("SET", "key", "value"), "OK");
  EXPECT_TRUE(eventually([&] { return replica.run("GET", "key") == "\"value\""; }));
}

}  // namespace
}  // namespace tandem
