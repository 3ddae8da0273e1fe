// What goes wrong in a scenario.

#include <algorithm>
#include <limits>
#include <utility>

#include "tests/sim/sim_scenario.h"

namespace tandem {

namespace {

constexpr int64_t kMaxTime = std::numeric_limits<int64_t>::max();
constexpr int64_t kRecoveryUs = 4'000'000;
constexpr int64_t kLongestStallMs = 2'500;

}  // namespace

void SimScenario::schedule_trouble() {
  world_.schedule(this, world_.between(10'000, plan_.longest_peace_us), [this] {
    if (!troubled_) return;
    cause_trouble(pick(world_, plan_.troubles));
    schedule_trouble();
  });
}

void SimScenario::cause_trouble(Trouble kind) {
  SimNode& replica = cluster_.some_replica();
  SimNode& node = world_.one_in(2) ? cluster_.primary() : replica;
  const std::string client = "client" + std::to_string(world_.between(0, kClients - 1));
  const SimNode* upstream = cluster_.upstream(replica);
  switch (kind) {
    case Trouble::kCrash:
      return crash(node, false);
    case Trouble::kCrashAtDisk:
      return crash(node, true);
    case Trouble::kCutReplica:
      return network_.cut(upstream->host(), replica.host());
    case Trouble::kCutClient:
      return network_.cut(cluster_.primary().host(), client);
    case Trouble::kStall:
      network_.stall(upstream->host(), replica.host(), world_.between(1, kLongestStallMs));
      return network_.stall(cluster_.primary().host(), client, world_.between(1, kLongestStallMs));
    case Trouble::kRefuse:
      network_.refuse(node.host(), true);
      world_.schedule(this, world_.between(0, kLongestStallMs * 1000),
                      [this, host = node.host()] { network_.refuse(host, false); });
      return;
    case Trouble::kFullDisk:
    case Trouble::kWriteError:
    case Trouble::kSyncError:
    case Trouble::kOneSyncError:
    case Trouble::kSlowDisk:
      return disk_trouble(kind, node);
    case Trouble::kClockJump:
      return jump_clock(node);
    case Trouble::kBrokenFullSync:
      return break_full_sync(replica);
    case Trouble::kPromotion:
      if (replica.up() && !failover_ && cluster_.in_line_since_us(replica) != SimCluster::kNever) {
        promote(replica, false);
      }
      return;
    case Trouble::kFailover:
      return fail_over(replica);
    case Trouble::kCount:
      return;
  }
}

// --- Crashes.

void SimScenario::crash(SimNode& node, bool at_disk) {
  constexpr int64_t kMostOperations = 60;
  const Crash how = world_.one_in(2) ? Crash::kMachine : Crash::kProcess;
  if (at_disk) {
    node.crash_at_disk(world_.between(1, kMostOperations), how);
  } else {
    node.crash(how);
  }
}

void SimScenario::restart_later(SimNode& node) {
  ++crashes_;
  if (troubled_ && world_.one_in(4)) {
    node.crash_at_disk(world_.between(1, 15), world_.one_in(2) ? Crash::kMachine : Crash::kProcess);
  }
  world_.schedule(this, world_.between(0, plan_.longest_down_us), [&node] {
    if (!node.up()) node.start();
  });
}

// --- Disks and clocks.

void SimScenario::disk_trouble(Trouble kind, SimNode& node) {
  constexpr int64_t kLongestUs = 3'000'000;
  constexpr int64_t kSlowUs = 2'500'000;
  DiskFaults& faults = node.disk().faults();
  if (kind == Trouble::kFullDisk) faults.no_space = true;
  if (kind == Trouble::kWriteError) faults.write_error = true;
  if (kind == Trouble::kSyncError) faults.sync_error = true;
  if (kind == Trouble::kOneSyncError) faults.one_sync_error = true;
  if (kind == Trouble::kSlowDisk) faults.slowest_sync_us = kSlowUs;
  faults.forgetful = plan_.forgetful_disks;
  world_.trace(node.host(), "has a failing disk", static_cast<uint64_t>(kind));
  if (&node == &cluster_.primary()) {
    const int64_t healthy_from_us =
        disk_recovered_us_ > kMaxTime - kRecoveryUs ? kMaxTime : disk_recovered_us_ + kRecoveryUs;
    if (world_.now_us() > healthy_from_us) disk_failing_since_us_ = world_.now_us();
    disk_recovered_us_ = kMaxTime;
  }
  world_.schedule(this, world_.between(0, std::min(kLongestUs, 2 * plan_.longest_round_ms * 1000)),
                  [this, &node] { end_disk_trouble(node); });
}

void SimScenario::end_disk_trouble(SimNode& node) {
  node.disk().faults() = {};
  if (&node == &cluster_.primary() && disk_recovered_us_ == kMaxTime) {
    disk_recovered_us_ = world_.now_us();
  }
}

void SimScenario::jump_clock(SimNode& node) {
  constexpr int64_t kFarthestUs = 10'000'000;
  const int64_t wrong_by_us = world_.between(-kFarthestUs, kFarthestUs);
  world_.trace(node.host(), "has a wrong clock", static_cast<uint64_t>(wrong_by_us + kFarthestUs));
  fastest_clock_us_ = std::max(fastest_clock_us_, wrong_by_us);
  node.clock().set_wrong_by_us(wrong_by_us);
}

// --- Full syncs that do not come to their end.

void SimScenario::break_full_sync(SimNode& replica) {
  constexpr int64_t kPatienceUs = 1'000'000;
  SimNode* upstream = cluster_.upstream(replica);
  if (upstream == &cluster_.primary() && upstream->up() && !failover_) {
    upstream->run([&] { upstream->server().replication().change_replication_id(); });
    network_.cut(upstream->host(), replica.host());
  }
  wait_for_snapshot(replica, world_.now_us() + kPatienceUs);
}

void SimScenario::wait_for_snapshot(SimNode& replica, int64_t until_us) {
  constexpr int64_t kLookAgainUs = 500;
  if (!troubled_ || world_.now_us() > until_us) return;
  SimNode* upstream = cluster_.upstream(replica);
  if (upstream == nullptr) return;
  if (!replica.up() || !replica.server().replication().info().sync_in_progress) {
    world_.schedule(this, kLookAgainUs,
                    [this, &replica, until_us] { wait_for_snapshot(replica, until_us); });
    return;
  }
  world_.trace(replica.host(), "does not get its snapshot");
  if (world_.one_in(2)) return network_.cut(upstream->host(), replica.host());
  crash(world_.one_in(2) ? replica : *upstream, world_.one_in(2));
}

// --- A failover on demand.

void SimScenario::fail_over(SimNode& target) {
  SimNode& primary = cluster_.primary();
  if (failover_ || !primary.up() || cluster_.upstream(target) != &primary) return;
  if (cluster_.in_line_since_us(target) == SimCluster::kNever) return;
  Failover::Request request = {.host = target.host(), .port = target.port()};
  if (world_.one_in(2)) request.timeout_ms = world_.between(1, 500);
  request.force = request.timeout_ms > 0 && world_.one_in(2);
  const bool forced = request.force;
  std::optional<std::string> refused;
  primary.run([&] { refused = primary.server().replication().failover(std::move(request)); });
  world_.trace(target.host(), refused ? "is not to take over" : "is to take over");
  if (refused) return;
  failover_ = {.from = &primary, .to = &target, .forced = forced};
  if (!world_.one_in(4)) return;
  world_.schedule(this, world_.between(0, 20'000), [this, &primary] {
    if (!failover_ || failover_->from != &primary || !primary.up()) return;
    stop_failovers();
  });
}

void SimScenario::stop_failovers() {
  for (const auto& node : cluster_.nodes()) {
    if (!node->up()) continue;
    Replication& replication = node->server().replication();
    // Once the role is handed over, the replica may have it: who stops that has two primaries.
    if (replication.info().failover_state != "waiting-for-sync") continue;
    world_.trace(node->host(), "is to stop the failover");
    node->run([&] { (void)replication.abort_failover(); });
  }
}

void SimScenario::look_at_failover() {
  SimNode& from = *failover_->from;
  SimNode& to = *failover_->to;
  if (to.up() && !to.server().replication().is_replica()) return promote(to, !failover_->forced);
  const Replication& replication = from.server().replication();
  if (replication.failing_over()) return;
  world_.trace(from.host(), "stays the primary");
  failover_.reset();
}

void SimScenario::failover_interrupted(SimNode& crashed) {
  const FailoverUnderWay failover = *failover_;
  failover_.reset();
  if (&crashed == failover.to || !failover.to->up()) return;
  // It may be about to take over, or have done so.
  promote(*failover.to, false);
}

}  // namespace tandem
