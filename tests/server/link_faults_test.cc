// Links between a primary and a replica that are slow, silent, break in the middle of a snapshot,
// or lead in a circle.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <tuple>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/function_load.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using Direction = PartitionProxy::Direction;
using ::testing::StartsWith;

int count(const ServerProcess& server, std::string_view field) {
  return std::stoi(server.info(field));
}

bool await_caught_up(const ServerProcess& primary, const ServerProcess& replica) {
  return eventually([&] { return caught_up(primary, replica); });
}

// Writes until the primary has given up on a replica that does not keep up.
void write_until_dropped(const ServerProcess& primary) {
  RespClient client = primary.connect();
  const std::string value(64 * 1024, 'v');
  int number = 0;
  EXPECT_TRUE(eventually([&] {
    client.call("SET", "filler:" + std::to_string(number++ % 20), value);
    return count(primary, "client_output_buffer_limit_disconnections") > 0;
  }));
}

TEST(SlowReplica, IsDroppedAndGoesOnWhereItWasWhenTheBacklogAllows) {
  const ServerProcess primary(
      {"--repl-backlog-size", "512mb", "--client-output-buffer-limit", "replica 0 1mb 1"});
  populate(primary);
  DistantReplica replica(primary);
  ASSERT_TRUE(await_caught_up(primary, replica.server));
  replica.proxy.slow_down(100);
  write_until_dropped(primary);
  EXPECT_EQ(replica.server.run("FCALL_RO", "take", "1", "key:7"), "\"value of 7\"");
  replica.proxy.slow_down(0);
  expect_same_dataset(primary, replica.server);
  EXPECT_GE(count(primary, "sync_partial_ok"), 1);
  EXPECT_EQ(count(primary, "sync_full"), 1);
}

TEST(SlowReplica, IsDroppedAndSyncsAnewWhenTheBacklogIsTooShort) {
  const ServerProcess primary(
      {"--repl-backlog-size", "64kb", "--client-output-buffer-limit", "replica 256kb 0 0"});
  populate(primary);
  DistantReplica replica(primary);
  ASSERT_TRUE(await_caught_up(primary, replica.server));
  replica.proxy.slow_down(100);
  write_until_dropped(primary);
  replica.proxy.slow_down(0);
  expect_same_dataset(primary, replica.server);
  EXPECT_GE(count(primary, "sync_full"), 2);
}

TEST(SilentLink, IsNoticedOnBothSidesAndWritesAreRefused) {
  const ServerProcess primary(
      {"--repl-timeout", "2", "--repl-ping-replica-period", "1", "--repl-backlog-size", "64mb"});
  populate(primary);
  DistantReplica replica(primary, {"--repl-timeout", "2"});
  ASSERT_TRUE(await_caught_up(primary, replica.server));
  primary.run("CONFIG", "SET", "min-replicas-to-write", "1", "min-replicas-max-lag", "1");
  // The primary has to have heard of it.
  ASSERT_TRUE(eventually([&] { return primary.run("SET", "a", "1") == "OK"; }));

  replica.proxy.hold(true);
  EXPECT_TRUE(eventually([&] { return primary.text("SET", "a", "2").starts_with("NOREPLICAS "); }));
  EXPECT_THAT(primary.text("FCALL", "put", "1", "a", "3"), StartsWith("NOREPLICAS "));
  EXPECT_EQ(primary.run("FCALL", "take", "1", "key:7"), "\"value of 7\"");
  EXPECT_TRUE(eventually([&] { return primary.info("connected_slaves") == "0"; }));
  EXPECT_TRUE(eventually([&] { return replica.server.info("master_link_status") == "down"; }));
  EXPECT_EQ(replica.server.run("FCALL_RO", "take", "1", "key:7"), "\"value of 7\"");

  replica.proxy.hold(false);
  EXPECT_TRUE(eventually([&] { return primary.run("SET", "a", "4") == "OK"; }));
  expect_same_dataset(primary, replica.server);
  EXPECT_EQ(count(primary, "sync_full"), 1);
  EXPECT_GE(count(primary, "sync_partial_ok"), 1);
}

class BrokenSnapshot : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  // What the replica had, by keys and by a function.
  void expect_old_data() {
    EXPECT_EQ(replica_.text("GET", "own"), "data");
    EXPECT_EQ(replica_.run("FCALL_RO", "mine", "0"), "(integer) 1");
    EXPECT_EQ(replica_.run("DBSIZE"), "(integer) 1");
  }

  const ServerProcess primary_{{"--repl-diskless-sync", std::get<0>(GetParam())}};
  PartitionProxy proxy_{primary_.port()};
  const ServerProcess replica_{{"--repl-diskless-load", std::get<1>(GetParam())}};
};

TEST_P(BrokenSnapshot, LeavesTheOldDataUntilTheNewIsWhole) {
  populate(primary_);
  std::mt19937 random(7);
  std::string noise(200'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  primary_.run("SET", "noise", noise);
  replica_.run("SET", "own", "data");
  replica_.run("FUNCTION", "LOAD",
               "#!lua name=own\nredis.register_function{function_name='mine', "
               "callback=function() return 1 end, flags={'no-writes'}}");

  proxy_.slow_down(1000);
  for (const uint64_t length : {1'000, 50'000, 190'000}) {
    proxy_.cut_and_hold_after(Direction::kDown, length);
    proxy_.hold(false);
    EXPECT_EQ(replica_.run("REPLICAOF", "127.0.0.1", std::to_string(proxy_.port()), "FORCE"), "OK");
    EXPECT_TRUE(eventually([&] {
      expect_old_data();
      return !proxy_.cut_is_due() || HasFailure();
    }));
    expect_old_data();
    ASSERT_FALSE(HasFailure()) << "cut after " << length;
  }
  EXPECT_EQ(replica_.info("master_link_status"), "down");
  proxy_.slow_down(0);
  proxy_.hold(false);
  expect_same_dataset(primary_, replica_);
  EXPECT_EQ(replica_.run("EXISTS", "own"), "(integer) 0");
  EXPECT_EQ(libraries(replica_).size(), 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, BrokenSnapshot,
                         ::testing::Combine(::testing::Values("yes", "no"),
                                            ::testing::Values("disabled", "swapdb")));

// Awaits that it has tried to connect some times more, and expects that this took its time.
void expect_patient(const ServerProcess& replica) {
  const auto attempts = [&] {
    const std::string log = replica.log();
    int found = 0;
    constexpr std::string_view kAttempt = "Connecting to MASTER ";
    for (size_t at = 0; (at = log.find(kAttempt, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  const int first = attempts();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return attempts() >= first + 4; }));
  // Once a second, once besides when a link breaks, and one of them may have been late.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
}

TEST(Loop, OfTwoIsRefusedUntilOneOfThemIsAPrimary) {
  Pair pair;
  populate(pair.primary);
  ASSERT_TRUE(await_caught_up(pair.primary, pair.replica));
  const std::string digest = pair.primary.run("DEBUG", "DIGEST");
  EXPECT_EQ(pair.primary.run("REPLICAOF", "127.0.0.1", pair.replica.port_text()), "OK");
  ASSERT_TRUE(eventually([&] { return pair.primary.logged("loop of replicas"); }));
  const std::string offset = pair.primary.info("master_repl_offset");
  expect_patient(pair.primary);
  EXPECT_EQ(pair.primary.info("master_link_status"), "down");
  EXPECT_EQ(pair.primary.info("master_repl_offset"), offset);
  EXPECT_EQ(pair.replica.info("master_repl_offset"), offset);
  EXPECT_EQ(pair.primary.run("DEBUG", "DIGEST"), digest);

  EXPECT_EQ(pair.replica.run("REPLICAOF", "NO", "ONE"), "OK");
  EXPECT_EQ(pair.replica.run("FCALL", "put", "1", "new", "primary"), "\"primary\"");
  expect_same_dataset(pair.replica, pair.primary);
  EXPECT_EQ(pair.primary.run("GET", "new"), "\"primary\"");
}

TEST(Loop, ThroughAChainIsRefused) {
  Pair pair;
  const ServerProcess last(replica_of(pair.replica));
  populate(pair.primary);
  ASSERT_TRUE(await_caught_up(pair.primary, last));
  EXPECT_EQ(pair.primary.run("REPLICAOF", "127.0.0.1", last.port_text()), "OK");
  ASSERT_TRUE(eventually([&] { return pair.primary.logged("loop of replicas"); }));
  expect_patient(pair.primary);
  EXPECT_EQ(pair.primary.info("master_link_status"), "down");
  EXPECT_EQ(pair.primary.run("REPLICAOF", "NO", "ONE"), "OK");
  EXPECT_EQ(pair.primary.run("FCALL", "put", "1", "back", "again"), "\"again\"");
  expect_same_dataset(pair.primary, pair.replica);
  expect_same_dataset(pair.replica, last);
}

TEST(Loop, OfOneIsRefused) {
  const ServerProcess server;
  populate(server);
  const std::string digest = server.run("DEBUG", "DIGEST");
  EXPECT_EQ(server.run("REPLICAOF", "127.0.0.1", server.port_text()), "OK");
  expect_patient(server);
  EXPECT_EQ(server.info("master_link_status"), "down");
  EXPECT_EQ(server.run("DEBUG", "DIGEST"), digest);
  EXPECT_EQ(server.run("REPLICAOF", "NO", "ONE"), "OK");
  EXPECT_EQ(server.run("FCALL", "put", "1", "key", "value"), "\"value\"");
}

}  // namespace
}  // namespace tandem
