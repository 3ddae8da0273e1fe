#include "tests/sim/sim_scenario.h"

#include <algorithm>
#include <utility>

#include "server/commands/dataset_digest.h"

namespace tandem {

namespace {

constexpr int64_t kPatienceUs = 5'000'000;
constexpr int64_t kLookAroundUs = 20'000;
constexpr size_t kDigestDigits = 40;

}  // namespace

SimScenario::SimScenario(uint64_t seed, bool verbose)
    : world_(seed, verbose),
      network_(&world_),
      plan_(SimPlan::make(world_, seed)),
      cluster_(&world_, &network_, plan_),
      reader_(&world_, &network_, kClients),
      jobs_(&world_, &network_, cluster_.primary().host()) {
  lay_network();
  for (const auto& node : cluster_.nodes()) {
    node->on_crash = [this, node = node.get()](Crash how) { crashed(*node, how); };
    node->on_shutdown = [this, node = node.get()] {
      if (node != &cluster_.primary()) return;
      all_saved_ = plan_.durability == Durability::kSnapshots || node->settings().appendonly;
    };
    node->on_start = [this, node = node.get()] {
      cluster_.node_restarted(*node);
      if (node == &cluster_.primary()) primary_started();
    };
  }
  jobs_.inspect_primary = [this]() -> std::optional<Inspection> {
    if (!cluster_.primary().up()) return std::nullopt;
    return inspect(cluster_.primary().server(), latest_wall_ms());
  };
  for (int i = 0; i < kClients; ++i) {
    SimClient& client = *clients_.emplace_back(
        std::make_unique<SimClient>(&world_, &network_, i, cluster_.primary().host(), &ledger_));
    client.inspect_primary = jobs_.inspect_primary;
    client.on_saved = [this](int64_t sent_us) { saved_us_ = std::max(saved_us_, sent_us); };
  }
  reader_.choose_server = [this] { return cluster_.some_replica().host(); };
  reader_.is_replica = [this](const std::string& host) {
    return !failover_ && cluster_.is_replica(host);
  };
}

SimScenario::~SimScenario() { world_.drop_events(this); }

void SimScenario::lay_network() {
  const SimPath slow = {.fastest_us = 2'000, .slowest_us = 40'000};
  const SimPath narrow = {.largest_piece = 200, .window = 4'000};
  const std::string primary = cluster_.primary().host();
  for (const auto& node : cluster_.nodes()) {
    const SimNode* upstream = cluster_.upstream(*node);
    if (upstream == nullptr) continue;
    if (world_.one_in(4)) network_.set_path(upstream->host(), node->host(), slow);
    if (world_.one_in(4)) network_.set_path(upstream->host(), node->host(), narrow);
  }
  if (world_.one_in(4)) network_.set_path(primary, "client0", slow);
  if (world_.one_in(6)) network_.set_path(primary, "client1", narrow);
}

// --- The course of a run.

SimOutcome SimScenario::run() {
  SimOutcome outcome;
  try {
    play();
  } catch (const SimViolation& violation) {
    outcome.violation = violation.what;
  }
  outcome.trace_hash = world_.trace_hash();
  outcome.events = world_.events_run();
  outcome.crashes = crashes_;
  outcome.switches = switches_;
  outcome.values_seen = reader_.values_seen();
  outcome.handed_over = jobs_.handed_over();
  outcome.simulated_ms = world_.now_ms() - SimWorld::kBeginUs / 1000;
  for (const auto& client : clients_) outcome.operations += client->operations_sent();
  return outcome;
}

void SimScenario::play() {
  constexpr int64_t kFastestPaceMs = 5;
  for (const auto& node : cluster_.nodes()) node->start();
  for (const auto& client : clients_) {
    client->start(world_.between(kFastestPaceMs, plan_.slowest_pace_ms));
  }
  reader_.start(world_.between(kFastestPaceMs, plan_.slowest_pace_ms));
  jobs_.start(world_.between(kFastestPaceMs, plan_.slowest_pace_ms));
  look_around();
  for (const Intermission next : plan_.rounds) {
    chaos(world_.between(plan_.shortest_round_ms, plan_.longest_round_ms));
    quiet();
    intermission(next);
    for (const auto& client : clients_) client->resume();
    reader_.resume();
    jobs_.resume();
  }
}

void SimScenario::look_around() {
  world_.schedule(this, kLookAroundUs, [this] {
    if (failover_) look_at_failover();
    look_at_aof();
    look_at_digests();
    cluster_.look(failover_.has_value());
    look_around();
  });
}

void SimScenario::look_at_aof() {
  SimNode& primary = cluster_.primary();
  if (!primary.up()) return;
  const PersistenceInfo info = primary.server().persistence().info();
  const bool wanted = plan_.durability != Durability::kSnapshots;
  if (info.aof_enabled == wanted && !info.aof_starting) {
    aof_begun_ = true;
    foreign_aof_ = false;
  }
  // As long as it refuses writes, the server itself says that its AOF cannot be relied on.
  if (!info.aof_last_write_ok && disk_recovered_us_ != kMaxTime) {
    disk_recovered_us_ = world_.now_us();
  }
}

void SimScenario::look_at_digests() {
  for (const auto& node : cluster_.nodes()) {
    if (!node->up() || node.get() == astray_) continue;
    const DigestInfo digests = node->server().replication().info().digests;
    if (digests.slices_mismatched == 0) continue;
    throw SimViolation{node->host() +
                       " reports other data than its primary's: " + info_text(digests)};
  }
}

void SimScenario::chaos(int64_t ms) {
  world_.trace("world", "becomes troubled");
  troubled_ = true;
  schedule_trouble();
  world_.run_for_ms(ms);
  troubled_ = false;
}

void SimScenario::quiet() {
  world_.trace("world", "becomes quiet");
  network_.heal();
  for (const auto& node : cluster_.nodes()) {
    end_disk_trouble(*node);
    node->cancel_crash();
    node->clock().set_wrong_by_us(0);
  }
  for (const auto& client : clients_) client->stop();
  jobs_.stop();
  // Those that have not arrived yet would trouble a quiet world.
  orders_.clear();
  const int64_t patient_until_us = world_.now_us() + kPatienceUs;
  const int64_t until_us = world_.now_us() + kQuietWithinMs * 1000;
  while (!is_quiet()) {
    if (world_.now_us() > until_us) throw SimViolation{why_not_quiet()};
    world_.run_for_ms(kLookEveryMs);
    switch_aofs_on();
    // Without a timeout it waits forever for a replica that has lost its data meanwhile.
    if (world_.now_us() > patient_until_us) stop_failovers();
    end_refusals();
  }
  reader_.stop();
  check_same();
}

void SimScenario::switch_aofs_on() {
  if (plan_.durability == Durability::kSnapshots) return;
  for (const auto& node : cluster_.nodes()) {
    if (node->up() && !node->settings().appendonly) node->switch_aof(true);
  }
}

// After a failed save point a server refuses writes, and replicas, until somebody saves.
void SimScenario::end_refusals() {
  for (const auto& node : cluster_.nodes()) {
    if (node->up() && !node->server().executor().state().misconf.empty()) ask(*node, {"SAVE"});
  }
}

// Keys that expire are gone, on all sides.
void SimScenario::settle() {
  const auto settled = [this] {
    Keyspace& keyspace = cluster_.primary().server().keyspace();
    for (int i = 0; i < keyspace.database_count(); ++i) {
      if (keyspace.database(i).volatile_size() > 0) return false;
    }
    return is_quiet();
  };
  const int64_t until_us = world_.now_us() + kQuietWithinMs * 1000;
  while (!settled()) {
    if (world_.now_us() > until_us) throw SimViolation{why_not_quiet()};
    world_.run_for_ms(kLookEveryMs);
  }
  const Words request = {"DEBUG", "DIGEST"};
  const std::string here = ask(cluster_.primary(), request);
  for (const auto& node : cluster_.nodes()) {
    const std::string there = ask(*node, request);
    if (here == there && here.size() == std::string_view("+").size() + kDigestDigits) continue;
    throw SimViolation{"DEBUG DIGEST of the primary and " + node->host() + ": " + here + ", " +
                       there};
  }
}

// --- What has to hold.

void SimScenario::crashed(SimNode& node, Crash how) {
  restart_later(node);
  if (&node == &cluster_.primary()) {
    if (!outcome_unknown_) {
      crashed_us_ = world_.now_us();
      crashed_how_ = how;
      outcome_unknown_ = true;
    } else if (how == Crash::kMachine) {
      crashed_how_ = how;
    }
  }
  if (failover_ && (&node == failover_->from || &node == failover_->to)) {
    failover_interrupted(node);
  }
}

Promise SimScenario::promise_after_crash() const {
  if (nothing_may_be_lost_ || all_saved_) return {.nothing_lost = true};
  int64_t written_us = crashed_us_;
  const bool disk_failed = disk_recovered_us_ > crashed_us_ - kRecoveryUs;
  if (disk_failed) written_us = std::min(written_us, disk_failing_since_us_);
  Promise promise = {.what_is_on_disk = true};
  if (!aof_begun_) return promise;
  switch (plan_.durability) {
    case Durability::kAlways:
      promise.known_until_us = written_us - kRecoveryUs;
      promise.acknowledged_until_us = kMaxTime;
      break;
    case Durability::kEverySecond:
      promise.known_until_us = written_us - kEverySecondUs;
      break;
    case Durability::kSystem:
      // Nothing is promised about the machine, and a start syncs what the last process has left.
      if (crashed_how_ == Crash::kProcess && !(plan_.forgetful_disks && disk_failed)) {
        promise.acknowledged_until_us = written_us;
      }
      break;
    case Durability::kSnapshots:
      promise.known_until_us = saved_us_;
      break;
  }
  return promise;
}

void SimScenario::primary_started() {
  if (!outcome_unknown_) return;
  outcome_unknown_ = false;
  adopt_dataset(promise_after_crash());
  all_saved_ = false;
}

void SimScenario::promote(SimNode& node, bool nothing_lost, int64_t on_disk_since_us) {
  Promise promise = {.nothing_lost = nothing_lost};
  promise.on_replica_disks_since_us = on_disk_since_us;
  promise.replicated_since_us = cluster_.in_line_since_us(node);
  promise.replicas = cluster_.direct_replicas();
  if (cluster_.upstream(node) != &cluster_.primary()) promise.replicated_since_us = kMaxTime;
  world_.trace(node.host(), "is the primary");
  ++switches_;
  failover_.reset();
  cluster_.make_primary(node);
  outcome_unknown_ = all_saved_ = false;
  // Its disk has not been watched until now.
  disk_failing_since_us_ = world_.now_us();
  disk_recovered_us_ = node.disk().faults().failing() ? kMaxTime : world_.now_us();
  saved_us_ = 0;
  aof_begun_ = false;
  foreign_aof_ = true;
  node.cancel_crash();
  adopt_dataset(promise);
  for (const auto& client : clients_) client->model().moved(world_.now_us());
  jobs_.moved(world_.now_us());
}

// The primary's dataset is the outcome of what it was sent, as far as it was not lost.
void SimScenario::adopt_dataset(const Promise& promise) {
  const SimNode& primary = cluster_.primary();
  const Inspection dataset = inspect(cluster_.primary().server(), latest_wall_ms());
  world_.trace(primary.host(), "has", dataset.keys.size(), dataset.positions);
  ledger_.cut(dataset.positions);
  for (const auto& client : clients_) {
    client->model().resolve(dataset, promise, world_.now_us());
    client->connect_anew(primary.host());
  }
  jobs_.resolve(dataset, promise, world_.now_us());
  jobs_.connect_anew(primary.host());
  check_whole(dataset);
}

// Of a dataset that every client knows its part of.
void SimScenario::check_whole(const Inspection& dataset) const {
  uint64_t positions = 0;
  size_t libraries = 0;
  for (const auto& client : clients_) {
    positions += client->model().state().positions;
    if (client->model().state().library) ++libraries;
  }
  if (positions != dataset.positions) {
    throw SimViolation{"the counter stands at " + std::to_string(dataset.positions) + ", but " +
                       std::to_string(positions) + " operations have taken a position"};
  }
  if (libraries != dataset.libraries.size()) {
    throw SimViolation{"there are libraries that nobody has loaded"};
  }
  for (const auto& [key, value] : dataset.keys) {
    const bool own = key.second.starts_with('c') && key.second.find(':') == 2;
    if (!own && key.second != "g" && key.second != "shared" && !SimJobs::owns(key.second)) {
      throw SimViolation{"there is a key that nobody has written: " + key.second};
    }
  }
}

bool SimScenario::is_quiet() {
  const bool idle = std::all_of(clients_.begin(), clients_.end(),
                                [](const auto& client) { return client->idle(); });
  // A shutdown may still wait for replicas.
  const bool staying =
      std::all_of(cluster_.nodes().begin(), cluster_.nodes().end(), [](const auto& node) {
        return node->up() && !node->dying() && !node->server().executor().state().shutting_down;
      });
  return idle && jobs_.idle() && !failover_ && staying && cluster_.in_sync();
}

void SimScenario::check_same() {
  const Inspection dataset = inspect(cluster_.primary().server(), latest_wall_ms());
  for (const auto& client : clients_) {
    client->model().resolve(dataset, {.nothing_lost = true}, world_.now_us());
  }
  jobs_.resolve(dataset, {.nothing_lost = true}, world_.now_us());
  check_whole(dataset);
  const std::string here = ask(cluster_.primary(), {"FUNCTION", "DUMP"});
  for (const auto& node : cluster_.nodes()) {
    const std::string there = ask(*node, {"FUNCTION", "DUMP"});
    if (here == there && here.starts_with("$")) continue;
    throw SimViolation{"FUNCTION DUMP of the primary and " + node->host() + ": " + here + ", " +
                       there};
  }
}

std::string SimScenario::why_not_quiet() {
  std::string text = "the world does not become quiet:";
  for (const auto& client : clients_) {
    if (!client->idle()) text += " a client waits for answers;";
  }
  if (!jobs_.idle()) text += " a queue waits for answers;";
  if (failover_) text += " a failover does not end;";
  SimNode& primary = cluster_.primary();
  if (!primary.up()) return text + " the primary " + primary.host() + " is down";
  const Inspection here = inspect(primary.server(), 0);
  for (const auto& node : cluster_.nodes()) {
    if (!node->up()) {
      text += " " + node->host() + " is down;";
      continue;
    }
    if (node->server().executor().state().shutting_down) text += " a shutdown does not end;";
    const ReplicationInfo info = node->server().replication().info();
    text += " " + node->host() + ": " + (info.is_replica ? "of " + info.primary_host : "primary") +
            ", " + std::string(info.link_state) + ", offset " + std::to_string(info.offset) +
            ", digest " + dataset_digest(node->server().keyspace()) + ";";
    const Inspection there = inspect(node->server(), 0);
    for (const auto& [key, value] : here.keys) {
      const auto found = there.keys.find(key);
      if (found == there.keys.end() || found->second != value)
        text += " " + key.second + " differs;";
    }
    for (const auto& [key, value] : there.keys) {
      if (!here.keys.contains(key)) text += " only here is " + key.second + ";";
    }
  }
  return text;
}

std::string SimScenario::ask(SimNode& node, const Words& request) {
  std::optional<std::string> answer;
  SimConnection connection(&network_, "console", node.host());
  connection.on_connected = [&] { connection.send({request}); };
  connection.on_reply = [&](const ReplyValue& reply) { answer = reply_text(reply); };
  connection.on_lost = [&] { answer = "-lost"; };
  connection.connect();
  if (!world_.run_until([&] { return answer.has_value(); }, kQuietWithinMs)) {
    throw SimViolation{node.host() + " does not answer " + request[0]};
  }
  return *answer;
}

void SimScenario::ask_until_ok(SimNode& node, const Words& request) {
  const int64_t until_us = world_.now_us() + kQuietWithinMs * 1000;
  std::string answer;
  do {
    answer = ask(node, request);
    if (answer == "+OK") return;
    // A child that saves already goes first.
    world_.run_for_ms(kLookEveryMs);
    end_refusals();
  } while (world_.now_us() < until_us);
  throw SimViolation{request[0] + " in a quiet world answers " + answer};
}

}  // namespace tandem
