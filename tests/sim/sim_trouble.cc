// What goes wrong in a scenario.

#include <algorithm>
#include <utility>

#include "tests/sim/sim_scenario.h"

namespace tandem {

namespace {

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
    case Trouble::kStandStill:
      return stand_still(node);
    case Trouble::kRefuse:
      network_.refuse(node.host(), true);
      world_.schedule(this, world_.between(0, kLongestStallMs * 1000),
                      [this, host = node.host()] { network_.refuse(host, false); });
      return;
    case Trouble::kFullDisk:
    case Trouble::kWriteError:
    case Trouble::kNameError:
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
    case Trouble::kLostPrimary:
      return lose_both(replica);
    case Trouble::kKilledChild:
      return kill_child(node);
    case Trouble::kCrashWhileSaving:
      return crash_while_saving(node);
    case Trouble::kShutdown:
      return shut_down(node);
    case Trouble::kSwitchAof:
      return switch_aof(node);
    case Trouble::kCount:
      return;
  }
}

// --- Crashes.

Crash SimScenario::some_crash() { return world_.one_in(2) ? Crash::kMachine : Crash::kProcess; }

bool SimScenario::spared(const SimNode& node) const {
  return foreign_aof_ && &node == &cluster_.primary();
}

void SimScenario::crash(SimNode& node, bool at_disk) {
  constexpr int64_t kMostOperations = 60;
  if (spared(node)) return;
  const Crash how = some_crash();
  if (at_disk) {
    node.crash_at_disk(world_.between(1, kMostOperations), how);
  } else {
    node.crash(how);
  }
}

void SimScenario::restart_later(SimNode& node) {
  ++crashes_;
  if (troubled_ && world_.one_in(4)) {
    node.crash_at_disk(world_.between(1, 15), some_crash());
  }
  world_.schedule(this, world_.between(0, plan_.longest_down_us), [&node] {
    if (!node.up()) node.start();
  });
}

// The machines of both are switched off, and only the replica comes back soon.
void SimScenario::lose_both(SimNode& replica) {
  SimNode& primary = cluster_.primary();
  const int64_t in_line_since_us = cluster_.in_line_since_us(replica);
  const bool follows = cluster_.upstream(replica) == &primary && replica.up() && primary.up();
  if (failover_ || !follows || in_line_since_us == SimCluster::kNever) return;
  // Only an AOF that is synced holds a beginning of what the primary has had since it was begun.
  const PersistenceInfo info = replica.server().persistence().info();
  if (!info.aof_enabled || info.aof_starting || plan_.durability == Durability::kSystem) return;
  primary.crash(Crash::kMachine);
  replica.crash(Crash::kMachine);
  replica.start();
  if (replica.up()) promote(replica, false, in_line_since_us);
}

// --- Disks and clocks.

void SimScenario::disk_trouble(Trouble kind, SimNode& node) {
  constexpr int64_t kLongestUs = 3'000'000;
  constexpr int64_t kSlowUs = 2'500'000;
  DiskFaults& faults = node.disk().faults();
  if (kind == Trouble::kFullDisk) faults.no_space = true;
  if (kind == Trouble::kWriteError) faults.write_error = true;
  if (kind == Trouble::kNameError) faults.name_error = true;
  if (kind == Trouble::kSyncError) faults.sync_error = true;
  if (kind == Trouble::kOneSyncError) faults.one_sync_error = true;
  if (kind == Trouble::kSlowDisk) faults.slowest_sync_us = kSlowUs;
  faults.forgetful = plan_.forgetful_disks;
  world_.trace(node.host(), "has a failing disk", static_cast<uint64_t>(kind));
  doubt_disk(node, kMaxTime);
  world_.schedule(this, world_.between(0, std::min(kLongestUs, 2 * plan_.longest_round_ms * 1000)),
                  [this, &node] { end_disk_trouble(node); });
}

// What the node writes until then may not be durable in time.
void SimScenario::doubt_disk(const SimNode& node, int64_t until_us) {
  if (&node != &cluster_.primary()) return;
  const bool healthy = disk_recovered_us_ <= kMaxTime - kRecoveryUs &&
                       world_.now_us() > disk_recovered_us_ + kRecoveryUs;
  if (healthy) disk_failing_since_us_ = world_.now_us();
  disk_recovered_us_ = std::max(disk_recovered_us_, until_us);
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

// --- Loops and children.

void SimScenario::stand_still(SimNode& node) {
  if (!node.up()) return;
  const int64_t us = world_.between(1'000, kLongestStallMs * 1000);
  doubt_disk(node, world_.now_us() + us);
  node.stand_still(us);
}

void SimScenario::kill_child(SimNode& node) {
  constexpr int64_t kMostOperations = 6;
  if (!node.up()) return;
  node.kill_child_after(world_.between(1, kMostOperations));
  order(node, {pick<const char*>(world_, {"BGREWRITEAOF", "BGSAVE"})});
}

// --- What an operator does.

void SimScenario::crash_while_saving(SimNode& node) {
  constexpr int64_t kMostOperations = 5;
  if (!node.up() || spared(node)) return;
  const std::string files =
      pick<const char*>(world_, {"manifest", "temp-rewrite", "base", "incr", "temp-", "dump"});
  node.crash_at_disk(world_.between(1, kMostOperations), some_crash(), files);
  order(node, {pick<const char*>(world_, {"BGREWRITEAOF", "BGREWRITEAOF", "BGSAVE", "SAVE"})});
}

void SimScenario::shut_down(SimNode& node) {
  Words request = {"SHUTDOWN"};
  if (plan_.durability == Durability::kSnapshots) request.emplace_back("SAVE");
  if (world_.one_in(3)) request.emplace_back("NOW");
  order(node, request);
}

void SimScenario::switch_aof(SimNode& node) {
  constexpr int64_t kLongestOffUs = 500'000;
  if (!node.up() || plan_.durability == Durability::kSnapshots) return;
  node.switch_aof(false);
  if (&node == &cluster_.primary()) aof_begun_ = false;
  world_.schedule(this, world_.between(0, kLongestOffUs), [&node] {
    if (node.up()) node.switch_aof(true);
  });
}

// The answer does not matter.
void SimScenario::order(const SimNode& node, const Words& request) {
  SimConnection* connection =
      orders_.emplace_back(std::make_unique<SimConnection>(&network_, "operator", node.host()))
          .get();
  connection->on_connected = [connection, request] { connection->send({request}); };
  connection->connect();
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
