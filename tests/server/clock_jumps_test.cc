// Servers whose clock of the day is set while they work.

#include <gtest/gtest.h>

#include <array>
#include <chrono>

#include "tests/support/await.h"
#include "tests/support/function_load.h"
#include "tests/support/jumping_clock.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

constexpr int64_t kHour = 3600;
constexpr int64_t kDay = 24 * kHour;

class ClockJumps : public ::testing::Test {
 protected:
  // Seconds since 1970 by the server's clock.
  static int64_t now(const ServerProcess& server) {
    return std::stoll(server.connect().call("TIME").elements.at(0).text);
  }
  static int64_t true_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

TEST_F(ClockJumps, APairThatIsWrittenToAllTheWhile) {
  JumpingClock primary_clock;
  JumpingClock replica_clock;
  ServerProcess primary({"--appendonly", "yes"}, primary_clock.program());
  FunctionLoad::prepare(primary);
  ServerProcess::Options options = replica_of(primary);
  options.insert(options.end(), {"--appendonly", "yes"});
  ServerProcess replica(options, replica_clock.program());
  ASSERT_TRUE(eventually([&] { return caught_up(primary, replica); }));
  FunctionLoad load(primary, 5);
  constexpr std::array<std::array<int64_t, 2>, 6> kOffsets = {
      {{kHour, 0}, {kHour, -kHour}, {-kDay, kDay}, {-kDay, -kDay}, {kDay, 0}, {0, 0}}};
  for (const auto& [at_primary, at_replica] : kOffsets) {
    primary_clock.jump_to(at_primary);
    replica_clock.jump_to(at_replica);
    EXPECT_TRUE(load.await_calls(50));
    EXPECT_NEAR(static_cast<double>(now(primary)), static_cast<double>(true_now() + at_primary),
                static_cast<double>(kHour) / 2);
  }
  load.stop();
  EXPECT_EQ(load.ended_by(), "");
  expect_same_dataset(primary, replica);
  EXPECT_TRUE(FunctionLoad::whole(replica));
  EXPECT_GT(load.counted(), 0);
  EXPECT_GE(FunctionLoad::calls_in(replica), load.answered());
  // The link never broke: one full sync, and no partial one.
  EXPECT_EQ(primary.info("sync_full"), "1");
  EXPECT_EQ(primary.info("sync_partial_ok"), "0");
  // Both files hold it all.
  for (ServerProcess* server : {&primary, &replica}) {
    const std::string digest = server->run("DEBUG", "DIGEST");
    server->kill();
    server->start();
    if (server == &primary) {
      EXPECT_EQ(server->run("DEBUG", "DIGEST"), digest);
    }
  }
  expect_same_dataset(primary, replica);
}

TEST_F(ClockJumps, KeysExpireByThePrimarysClockOnBothSides) {
  JumpingClock primary_clock;
  JumpingClock replica_clock;
  ServerProcess primary({}, primary_clock.program());
  ServerProcess replica(replica_of(primary), replica_clock.program());
  primary.run("SET", "short", "1", "EX", "600");
  primary.run("SET", "long", "1", "EX", std::to_string(2 * kDay));
  ASSERT_TRUE(eventually([&] { return caught_up(primary, replica); }));
  // The replica hides what is over by its own clock, and deletes nothing.
  replica_clock.jump_to(kHour);
  EXPECT_TRUE(eventually([&] { return replica.run("GET", "short") == "(nil)"; }));
  EXPECT_EQ(replica.run("DBSIZE"), "(integer) 2");
  EXPECT_EQ(primary.text("GET", "short"), "1");
  replica_clock.jump_to(0);
  EXPECT_TRUE(eventually([&] { return replica.text("GET", "short") == "1"; }));
  // The primary's clock decides for both.
  primary_clock.jump_to(kHour);
  EXPECT_TRUE(eventually([&] { return primary.run("DBSIZE") == "(integer) 1"; }));
  EXPECT_TRUE(eventually([&] { return replica.run("DBSIZE") == "(integer) 1"; }));
  primary_clock.jump_to(-kHour);
  EXPECT_EQ(primary.text("GET", "long"), "1");
  expect_same_dataset(primary, replica);
}

TEST_F(ClockJumps, WaitsEndWhenTheClockIsSetBack) {
  JumpingClock clock;
  ServerProcess server({"--appendonly", "yes"}, clock.program());
  RespClient blocked = server.connect();
  blocked.send("BLPOP", "nothing", "0.5");
  ASSERT_TRUE(eventually([&] { return server.info("blocked_clients") == "1"; }));
  clock.jump_to(-kDay);
  EXPECT_EQ(reply_text(blocked.read()), "(nil array)");
  // Syncs of every second go on, and so does a pause's end.
  EXPECT_EQ(server.run("SET", "key", "1"), "OK");
  EXPECT_EQ(server.run("WAITAOF", "1", "0", "0"), "[(integer) 1, (integer) 0]");
  EXPECT_EQ(server.run("CLIENT", "PAUSE", "300", "WRITE"), "OK");
  clock.jump_to(-2 * kDay);
  EXPECT_EQ(server.run("SET", "key", "2"), "OK");
}

}  // namespace
}  // namespace tandem
