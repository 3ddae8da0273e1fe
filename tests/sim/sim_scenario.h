#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_client.h"
#include "tests/sim/sim_model.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_world.h"

namespace tandem {

// What a run came to.
struct SimOutcome {
  std::optional<std::string> violation;
  uint64_t trace_hash = 0;
  uint64_t events = 0;
  uint64_t operations = 0;
  uint64_t crashes = 0;
  uint64_t values_seen = 0;  // by the reader of the replica
  int64_t simulated_ms = 0;
};

// How the primary keeps what it has acknowledged, as the seed has configured it.
enum class Durability : uint8_t { kAlways, kEverySecond, kSystem, kSnapshots };

// A primary, its replica, three clients that write and one that reads, in one process, for some
// rounds. In each round everything that can go wrong does, by the seed; then the world becomes
// quiet, and the dataset has to be what the clients know that it must be, on both sides.
class SimScenario {
 public:
  SimScenario(uint64_t seed, bool verbose);

  SimOutcome run();

 private:
  static constexpr int kClients = 3;

  std::string primary_config();
  std::string replica_config();
  std::string common_config();
  void lay_network();

  void play();
  void chaos(int64_t ms);
  void quiet();
  void settle();
  void save_now();
  void restart_everything();

  void schedule_trouble();
  void cause_trouble();
  void crash(SimNode* node);
  void restart_later(SimNode* node);
  void disk_trouble(SimNode* node);
  void end_disk_trouble(SimNode* node);

  void primary_crashed(Crash how);
  void primary_started();
  Promise promise() const;
  void check_whole(const Inspection& dataset) const;
  bool in_sync();
  void check_same();
  std::string why_not_quiet();
  // What a server answers to a client that comes for this request only.
  std::string ask(SimNode& node, const Words& request);

  SimWorld world_;
  SimNetwork network_;
  const uint64_t seed_;
  Durability durability_ = Durability::kAlways;
  PositionLedger ledger_;
  std::unique_ptr<SimNode> primary_;
  std::unique_ptr<SimNode> replica_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::unique_ptr<SimReader> reader_;

  bool troubled_ = false;
  uint64_t crashes_ = 0;
  int64_t crashed_us_ = 0;
  Crash crashed_how_ = Crash::kProcess;
  bool outcome_unknown_ = false;  // of that crash
  // What is promised does not grow while the primary's disk fails and shortly after.
  int64_t disk_failing_since_us_ = 0;
  int64_t disk_recovered_us_ = 0;  // INT64_MAX: it fails
  int64_t saved_us_ = 0;
  bool nothing_may_be_lost_ = false;
};

}  // namespace tandem
