// The simulated servers. Environment:
//   TANDEM_SIM_SEED=n     runs this seed alone (the test Simulation.Replay)
//   TANDEM_SIM_TRACE=1    shows everything that happens, and the servers' logs
//   TANDEM_SIM_SEEDS=n    how many seeds Simulation.Long runs, from TANDEM_SIM_FIRST on, each
//                         TANDEM_SIM_STEP-th

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "server/base/hash.h"
#include "server/base/log.h"
#include "tests/sim/sim_scenario.h"

namespace tandem {
namespace {

constexpr uint64_t kSeeds = 10'000;
constexpr uint64_t kShards = 50;

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

SimOutcome simulate(uint64_t seed) {
  const bool verbose = number_from("TANDEM_SIM_TRACE", 0) != 0;
  set_hash_seed(1);
  set_log_level(verbose ? LogLevel::kVerbose : LogLevel::kNothing);
  return SimScenario(seed, verbose).run();
}

struct Totals {
  uint64_t operations = 0, crashes = 0, switches = 0, values_seen = 0, handed_over = 0, events = 0;
  int64_t simulated_ms = 0;
};

Totals run_seeds(uint64_t first, uint64_t count) {
  Totals totals;
  for (uint64_t seed = first; seed < first + count; seed += number_from("TANDEM_SIM_STEP", 1)) {
    const SimOutcome outcome = simulate(seed);
    totals.operations += outcome.operations;
    totals.crashes += outcome.crashes;
    totals.switches += outcome.switches;
    totals.values_seen += outcome.values_seen;
    totals.handed_over += outcome.handed_over;
    totals.events += outcome.events;
    totals.simulated_ms += outcome.simulated_ms;
    EXPECT_FALSE(outcome.violation.has_value())
        << "Seed " << seed << ": " << *outcome.violation
        << "\nTo see it again: TANDEM_SIM_SEED=" << seed << " TANDEM_SIM_TRACE=1 "
        << TANDEM_BINARY_DIR << "/tests/sim --gtest_filter=Simulation.Replay";
  }
  std::cout << count << " seeds: " << totals.simulated_ms / 1000 << " simulated seconds, "
            << totals.events << " events, " << totals.operations << " operations, "
            << totals.crashes << " crashes, " << totals.switches << " switches, "
            << totals.values_seen << " reads of the replica, " << totals.handed_over
            << " pops that have waited\n";
  return totals;
}

class Seeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(Seeds, NothingPromisedIsLost) {
  const Totals totals = run_seeds(1 + GetParam() * (kSeeds / kShards), kSeeds / kShards);
  // A simulation in which nothing happens would prove nothing.
  EXPECT_GT(totals.crashes, kSeeds / kShards);
  EXPECT_GT(totals.operations, 100 * kSeeds / kShards);
  EXPECT_GT(totals.switches, kSeeds / kShards / 20);
  EXPECT_GT(totals.values_seen, 10 * kSeeds / kShards);
  EXPECT_GT(totals.handed_over, 2 * kSeeds / kShards);
}

INSTANTIATE_TEST_SUITE_P(Shard, Seeds, ::testing::Range(uint64_t{0}, kShards));

TEST(Simulation, OneSeedIsAlwaysTheSameRun) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const SimOutcome first = simulate(seed);
    const SimOutcome second = simulate(seed);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events) << "seed " << seed;
  }
}

TEST(Simulation, Replay) {
  const uint64_t seed = number_from("TANDEM_SIM_SEED", 0);
  if (seed == 0) GTEST_SKIP() << "TANDEM_SIM_SEED is not set";
  const SimOutcome outcome = simulate(seed);
  std::cout << "trace hash " << std::hex << outcome.trace_hash << std::dec << "\n";
  EXPECT_FALSE(outcome.violation.has_value()) << *outcome.violation;
}

TEST(Simulation, Long) {
  const uint64_t count = number_from("TANDEM_SIM_SEEDS", 0);
  if (count == 0) GTEST_SKIP() << "TANDEM_SIM_SEEDS is not set";
  run_seeds(number_from("TANDEM_SIM_FIRST", 1), count);
}

}  // namespace
}  // namespace tandem
