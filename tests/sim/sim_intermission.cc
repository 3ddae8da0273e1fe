// What happens in a scenario between two rounds of trouble.

#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/sim/sim_scenario.h"

namespace tandem {

void SimScenario::intermission(Intermission kind) {
  switch (kind) {
    case Intermission::kFlush:
      flush();
      return restart_everything();
    case Intermission::kStray:
      lead_astray();
      return restart_everything();
    case Intermission::kRestart:
    case Intermission::kCount:
      return restart_everything();
    case Intermission::kEmptyPrimary:
      return lose_everything();
  }
}

void SimScenario::make_durable() {
  if (plan_.durability == Durability::kSnapshots) {
    ask_until_ok(cluster_.primary(), {"SAVE"});
  } else {
    for (const auto& node : cluster_.nodes()) begin_aof(*node);
    wait_for_syncs();
    // A sync that took its time may have failed meanwhile.
    for (const auto& node : cluster_.nodes()) begin_aof(*node);
  }
}

// For as long as the durability says and no longer: what is late is to be seen.
void SimScenario::wait_for_syncs() {
  const bool every_second = plan_.durability == Durability::kEverySecond;
  const int64_t durable_us = world_.now_us() + (every_second ? kEverySecondUs : kRecoveryUs);
  const int64_t healthy_us = disk_recovered_us_ + kRecoveryUs;
  world_.run_for_ms((std::max(durable_us, healthy_us) - world_.now_us()) / 1000);
}

// After a full sync an AOF is begun with a rewrite. One that has failed some times is tried again
// late, or when somebody asks for it.
void SimScenario::begin_aof(SimNode& node) {
  constexpr int64_t kAskEveryMs = 2'000;
  const auto begun = [&node] {
    const PersistenceInfo info = node.server().persistence().info();
    return !info.aof_starting && info.aof_last_write_ok;
  };
  const int64_t until_us = world_.now_us() + kQuietWithinMs * 1000;
  while (!world_.run_until(begun, kAskEveryMs)) {
    if (world_.now_us() > until_us) {
      throw SimViolation{"the AOF of " + node.host() + " is not begun in a quiet world"};
    }
    ask(node, {"BGREWRITEAOF"});
  }
}

// Nothing that was acknowledged long ago is lost by any restart.
void SimScenario::restart_everything() {
  const bool power_loss = plan_.durability != Durability::kSystem && world_.one_in(2);
  const Crash how = power_loss ? Crash::kMachine : Crash::kProcess;
  make_durable();
  nothing_may_be_lost_ = true;
  cluster_.primary().crash(how);
  for (const auto& node : cluster_.nodes()) {
    if (node.get() != &cluster_.primary() && world_.one_in(2)) node->crash(how);
  }
  quiet();
  nothing_may_be_lost_ = false;
  settle();
  if (plan_.durability == Durability::kSystem) return;
  for (const auto& client : clients_) client->model().settled();
  jobs_.settled();
}

void SimScenario::flush() {
  const bool keys = world_.one_in(2);
  const bool libraries = !keys || world_.one_in(2);
  const char* how = world_.one_in(2) ? "ASYNC" : "SYNC";
  if (keys) ask_until_ok(cluster_.primary(), {"FLUSHALL", how});
  if (libraries) ask_until_ok(cluster_.primary(), {"FUNCTION", "FLUSH", how});
  if (keys) ledger_.cut(0);
  if (keys) jobs_.flushed();
  for (const auto& client : clients_) client->model().flushed(keys, libraries);
}

// The primary comes back with an empty disk. Its replicas keep what they have, and one of them
// becomes the primary.
void SimScenario::lose_everything() {
  SimNode& lost = cluster_.primary();
  world_.trace(lost.host(), "loses its disk");
  cluster_.force_empty(false);
  outcome_unknown_ = false;
  lost.crash(Crash::kProcess);
  outcome_unknown_ = false;
  lost.disk().wipe();
  lost.start();
  SimNode* direct = nullptr;
  for (const auto& node : cluster_.nodes()) {
    if (cluster_.upstream(*node) == &lost) direct = node.get();
  }
  const auto refused = [direct] {
    return direct->server().replication().info().link_state ==
           ReplicationInfo::kRefusedEmptyPrimary;
  };
  const bool nothing_to_keep = inspect(direct->server(), 0).keys.empty();
  if (!nothing_to_keep && !world_.run_until(refused, kQuietWithinMs)) {
    throw SimViolation{"a replica with data does not refuse an empty primary"};
  }
  cluster_.force_empty(true);
  promote(*direct, true);
  quiet();
  settle();
}

// One key of a replica changes behind everybody's back. Its primary's digests find it; then it gets
// its data anew.
void SimScenario::lead_astray() {
  constexpr int64_t kFoundWithinMs = 10'000;
  SimNode& replica = cluster_.some_replica();
  ModelKeys keys = inspect(replica.server(), 0).keys;
  std::erase_if(keys, [](const auto& entry) { return entry.second.expires_ms != 0; });
  std::pair<int, std::string> key{0, "stray"};
  const bool another = keys.empty() || world_.one_in(3);
  if (!another) {
    key = std::next(keys.begin(), world_.between(0, std::ssize(keys) - 1))->first;
  }
  world_.trace(replica.host(), "goes astray at " + key.second);
  astray_ = &replica;
  replica.run([&, removed = !another && world_.one_in(2)] {
    Database& database = replica.server().keyspace().database(key.first);
    if (removed) {
      database.erase(key.second);
    } else {
      database.set_string(key.second, "stray");
    }
  });
  const auto digests = [&] { return replica.server().replication().info().digests; };
  if (!world_.run_until([&] { return digests().first_bad_db >= 0; }, kFoundWithinMs) ||
      digests().first_bad_key != key.second || digests().first_bad_db != key.first) {
    throw SimViolation{"digests do not find that " + replica.host() + " has another " + key.second +
                       " than its primary: " + info_text(digests())};
  }
  astray_ = nullptr;
  replica.crash(Crash::kProcess);
  replica.disk().wipe();
  quiet();
}

}  // namespace tandem
