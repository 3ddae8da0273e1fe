// A process, or a machine, that dies at any change of its disk.

#include <gtest/gtest.h>

#include "tests/unit/persistence/aof_fixture.h"

namespace tandem {
namespace {

// A life with writes, transactions, functions and rewrites. After each turn `acknowledged` is what
// a client may rely on; `attempted` is one command further.
struct Life {
  Contents acknowledged, attempted;
  std::vector<std::string> acknowledged_libraries;

  void live(TestServer& server) {
    if (!server.load().empty()) {
      ADD_FAILURE() << "the first start failed";
      return;
    }
    acknowledged = attempted = server.contents();
    acknowledged_libraries = server.libraries;
    for (int round = 0; round < 3; ++round) {
      step(server, "SET", "k" + std::to_string(round), "v");
      step(server, "INCRTWICE", "a", "b");
      if (round == 1) step(server, "FUNCTION", "LOAD", kLibrary);
      if (server.persistence.start_rewrite().ok()) server.turn();
      step(server, "INCRTWICE", "a", "b");
      server.cron();
      step(server, "INCR", "n");
      clock_turns(server);
    }
  }

 private:
  template <typename... Words>
  void step(TestServer& server, const Words&... words) {
    server.run(words...);
    attempted = server.contents();
    server.turn();
    acknowledged = attempted;
    acknowledged_libraries = server.libraries;
  }
  void clock_turns(TestServer& server) {
    server.clock.advance_ms(1100);
    server.cron();
  }
};

// Kills the process, or the machine, at every single change of the disk, and checks that what was
// acknowledged is there after a restart, and nothing but that and the command under way.
void die_everywhere(bool machine_too) {
  const std::vector<std::pair<std::string, std::string>> options = {{"appendonly", "yes"},
                                                                    {"appendfsync", "always"}};
  for (int operation = 1;; ++operation) {
    MemoryEnv env(static_cast<uint64_t>(operation));
    ManualClock clock;
    Life life;
    bool died = false;
    {
      TestServer server(env, clock, options);
      env.die_at(operation);
      try {
        life.live(server);
      } catch (const Killed&) {
        died = true;
      }
    }
    if (!died) {
      EXPECT_GT(operation, 100) << "the life was too short to prove anything";
      return;
    }
    machine_too ? env.lose_power() : env.kill();
    std::optional<TestServer> next(std::in_place, env, clock, options);
    TestServer& server = *next;
    ASSERT_EQ(server.load(), "") << "died at operation " << operation;
    const Contents found = server.contents();
    EXPECT_TRUE(found == life.acknowledged || found == life.attempted)
        << "died at operation " << operation << ", found " << testing::PrintToString(found)
        << ", acknowledged " << testing::PrintToString(life.acknowledged);
    EXPECT_GE(server.libraries.size(), life.acknowledged_libraries.size());
    // And life goes on.
    server.run("INCR", "n");
    server.turn();
    EXPECT_EQ(server.misconf(), "");
    // It does not depend on what the process that died had not made durable.
    const Contents acknowledged = server.contents();
    next.reset();
    env.lose_power();
    TestServer last(env, clock, options);
    ASSERT_EQ(last.load(), "") << "died at operation " << operation;
    EXPECT_EQ(last.contents(), acknowledged) << "died at operation " << operation;
  }
}

TEST(AofCrash, AKilledProcessLosesNothing) { die_everywhere(false); }
TEST(AofCrash, ALostMachineLosesNothing) { die_everywhere(true); }

}  // namespace
}  // namespace tandem
