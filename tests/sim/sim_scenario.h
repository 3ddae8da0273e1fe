#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_client.h"
#include "tests/sim/sim_cluster.h"
#include "tests/sim/sim_jobs.h"
#include "tests/sim/sim_model.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_plan.h"
#include "tests/sim/sim_reader.h"
#include "tests/sim/sim_world.h"

namespace tandem {

// What a run came to.
struct SimOutcome {
  std::optional<std::string> violation;
  uint64_t trace_hash = 0;
  uint64_t events = 0;
  uint64_t operations = 0;
  uint64_t crashes = 0;
  uint64_t switches = 0;     // another server became the primary
  uint64_t values_seen = 0;  // by the reader of the replicas
  uint64_t handed_over = 0;  // to a client that waited for another one's push
  int64_t simulated_ms = 0;
};

// A primary, its replicas, three clients that write and one that reads, in one process, for some
// rounds. In each round what the plan has chosen goes wrong; then the world becomes quiet, and the
// dataset has to be what the clients know that it must be, on every server.
class SimScenario {
 public:
  SimScenario(uint64_t seed, bool verbose);
  ~SimScenario();

  SimOutcome run();

 private:
  static constexpr int kClients = 3;
  static constexpr int64_t kMaxTime = std::numeric_limits<int64_t>::max();
  // What `appendfsync everysec` may lose.
  static constexpr int64_t kEverySecondUs = 2'000'000;
  // How long after a fault the disk holds everything again.
  static constexpr int64_t kRecoveryUs = 4'000'000;
  static constexpr int64_t kQuietWithinMs = 120'000;
  static constexpr int64_t kLookEveryMs = 50;

  struct FailoverUnderWay {
    SimNode* from;
    SimNode* to;
    bool forced;
  };

  void lay_network();

  void play();
  void chaos(int64_t ms);
  void quiet();
  void switch_aofs_on();
  void end_refusals();
  void settle();
  void look_around();
  void look_at_aof();
  void look_at_digests();

  void intermission(Intermission kind);
  void make_durable();
  void begin_aof(SimNode& node);
  void wait_for_syncs();
  void restart_everything();
  void flush();
  void lose_everything();
  void lead_astray();

  void schedule_trouble();
  void cause_trouble(Trouble kind);
  Crash some_crash();
  bool spared(const SimNode& node) const;
  void crash(SimNode& node, bool at_disk);
  void restart_later(SimNode& node);
  void disk_trouble(Trouble kind, SimNode& node);
  void doubt_disk(const SimNode& node, int64_t until_us);
  void end_disk_trouble(SimNode& node);
  void stand_still(SimNode& node);
  void kill_child(SimNode& node);
  void crash_while_saving(SimNode& node);
  void shut_down(SimNode& node);
  void switch_aof(SimNode& node);
  void jump_clock(SimNode& node);
  void lose_both(SimNode& replica);
  void break_full_sync(SimNode& replica);
  void wait_for_snapshot(SimNode& replica, int64_t until_us);
  void fail_over(SimNode& target);
  void stop_failovers();
  void look_at_failover();
  // Of the primary or the target of a failover.
  void failover_interrupted(SimNode& crashed);
  // The node is the primary from now on; the clients find out what it has and go there.
  // `on_disk_since_us`: since when what WAITAOF has counted is on its disk.
  void promote(SimNode& node, bool nothing_lost, int64_t on_disk_since_us = Promise::kNever);

  void crashed(SimNode& node, Crash how);
  void primary_started();
  Promise promise_after_crash() const;
  void adopt_dataset(const Promise& promise);
  void check_whole(const Inspection& dataset) const;
  bool is_quiet();
  void check_same();
  std::string why_not_quiet();
  int64_t latest_wall_ms() const { return world_.now_ms() + fastest_clock_us_ / 1000; }
  // What a server answers to a client that comes for this request only.
  std::string ask(SimNode& node, const Words& request);
  void ask_until_ok(SimNode& node, const Words& request);
  // Does not wait for the answer.
  void order(const SimNode& node, const Words& request);

  SimWorld world_;
  SimNetwork network_;
  const SimPlan plan_;
  PositionLedger ledger_;
  SimCluster cluster_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  SimReader reader_;
  SimJobs jobs_;
  std::vector<std::unique_ptr<SimConnection>> orders_;

  bool troubled_ = false;
  bool may_switch_ = false;  // during a round
  uint64_t crashes_ = 0;
  uint64_t switches_ = 0;
  std::optional<FailoverUnderWay> failover_;
  int64_t crashed_us_ = 0;
  Crash crashed_how_ = Crash::kProcess;
  bool outcome_unknown_ = false;  // of that crash of the primary
  // What is promised does not grow while the primary's disk fails and shortly after.
  int64_t disk_failing_since_us_ = 0;
  int64_t disk_recovered_us_ = 0;  // INT64_MAX: it fails
  int64_t saved_us_ = 0;
  // After a full sync the AOF is begun anew, and until then, or when it is off, holds nothing.
  bool aof_begun_ = true;
  // The primary has been promoted and not begun its AOF since: its disk may have a history that was
  // given up for another, which no model knows any more. It is spared crashes meanwhile.
  bool foreign_aof_ = false;
  bool all_saved_ = false;        // by the SHUTDOWN that was not a crash
  int64_t fastest_clock_us_ = 0;  // how far ahead of the truth any clock has ever been
  bool nothing_may_be_lost_ = false;
  const SimNode* astray_ = nullptr;  // its data have been changed
};

}  // namespace tandem
