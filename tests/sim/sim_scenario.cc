#include "tests/sim/sim_scenario.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "server/commands/dataset_digest.h"

namespace tandem {

namespace {

constexpr int64_t kMaxTime = std::numeric_limits<int64_t>::max();
// What `appendfsync everysec` may lose, and how long after a fault the disk holds everything again.
constexpr int64_t kEverySecondUs = 2'000'000;
constexpr int64_t kRecoveryUs = 4'000'000;
constexpr int64_t kQuietWithinMs = 120'000;
constexpr int64_t kLookEveryMs = 100;
constexpr size_t kDigestDigits = 40;

const char* pick(SimWorld& world, std::initializer_list<const char*> choices) {
  return choices.begin()[world.random().below(choices.size())];
}

}  // namespace

SimScenario::SimScenario(uint64_t seed, bool verbose)
    : world_(seed, verbose), network_(&world_), seed_(seed) {
  durability_ = static_cast<Durability>(seed % 4);
  lay_network();
  primary_ = std::make_unique<SimNode>(&world_, &network_, "primary", primary_config());
  replica_ = std::make_unique<SimNode>(&world_, &network_, "replica", replica_config());
  primary_->on_crash = [this](Crash how) { primary_crashed(how); };
  primary_->on_start = [this] { primary_started(); };
  replica_->on_crash = [this](Crash) { restart_later(replica_.get()); };
  for (int i = 0; i < kClients; ++i) {
    SimClient& client =
        *clients_.emplace_back(std::make_unique<SimClient>(&world_, &network_, i, &ledger_));
    client.inspect_primary = [this]() -> std::optional<Inspection> {
      if (!primary_->up()) return std::nullopt;
      return inspect(primary_->server(), world_.now_ms());
    };
    client.on_saved = [this](int64_t sent_us) { saved_us_ = std::max(saved_us_, sent_us); };
  }
  reader_ = std::make_unique<SimReader>(&world_, &network_, "replica", kClients);
}

// --- What the seed decides beforehand.

std::string SimScenario::common_config() {
  std::string text = "dir /data\nenable-debug-command yes\n";
  const auto line = [&text](const std::string& name, const std::string& value) {
    text += name + " " + value + "\n";
  };
  line("repl-diskless-sync", pick(world_, {"yes", "no"}));
  line("repl-diskless-sync-delay", pick(world_, {"0", "0", "1"}));
  line("repl-backlog-size", pick(world_, {"16kb", "64kb", "1mb"}));
  line("repl-compression", pick(world_, {"no", "no", "lz4"}));
  line("repl-timeout", pick(world_, {"5", "10"}));
  line("repl-ping-replica-period", pick(world_, {"1", "3"}));
  line("aof-use-rdb-preamble", pick(world_, {"yes", "yes", "no"}));
  line("auto-aof-rewrite-min-size", pick(world_, {"8kb", "32kb", "64mb"}));
  line("auto-aof-rewrite-percentage", pick(world_, {"50", "100"}));
  line("aof-timestamp-enabled", pick(world_, {"no", "yes"}));
  line("hash-max-listpack-entries", pick(world_, {"4", "128"}));
  return text;
}

std::string SimScenario::primary_config() {
  std::string text = common_config();
  switch (durability_) {
    case Durability::kAlways:
      text += "appendonly yes\nappendfsync always\n";
      break;
    case Durability::kEverySecond:
      text += "appendonly yes\nappendfsync everysec\n";
      break;
    case Durability::kSystem:
      text += "appendonly yes\nappendfsync no\n";
      break;
    case Durability::kSnapshots:
      text += "appendonly no\n";
      break;
  }
  return text + pick(world_, {"save \"\"\n", "save 2 20\n"});
}

std::string SimScenario::replica_config() {
  return common_config() + "replicaof primary 6379\nappendonly " + pick(world_, {"yes", "no"}) +
         "\nappendfsync " + pick(world_, {"always", "everysec", "no"}) + "\n" +
         pick(world_, {"save \"\"\n", "save 2 20\n"});
}

void SimScenario::lay_network() {
  const SimPath slow = {.fastest_us = 2'000, .slowest_us = 40'000};
  const SimPath narrow = {.largest_piece = 200, .window = 4'000};
  if (world_.one_in(4)) network_.set_path("primary", "replica", slow);
  if (world_.one_in(6)) network_.set_path("primary", "replica", narrow);
  if (world_.one_in(4)) network_.set_path("primary", "client0", slow);
  if (world_.one_in(6)) network_.set_path("primary", "client1", narrow);
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
  outcome.values_seen = reader_->values_seen();
  outcome.simulated_ms = world_.now_ms() - SimWorld::kBeginUs / 1000;
  for (const auto& client : clients_) outcome.operations += client->operations_sent();
  return outcome;
}

void SimScenario::play() {
  primary_->start();
  replica_->start();
  for (const auto& client : clients_) client->start(world_.between(1, 30));
  reader_->start(world_.between(5, 50));
  const int64_t rounds = world_.between(1, 2);
  for (int64_t round = 0; round < rounds; ++round) {
    chaos(world_.between(2'000, 10'000));
    quiet();
    restart_everything();
    for (const auto& client : clients_) client->resume();
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
  for (SimNode* node : {primary_.get(), replica_.get()}) {
    end_disk_trouble(node);
    node->cancel_crash();
  }
  for (const auto& client : clients_) client->stop();
  const int64_t until_us = world_.now_us() + kQuietWithinMs * 1000;
  while (!in_sync()) {
    if (world_.now_us() > until_us) throw SimViolation{why_not_quiet()};
    world_.run_for_ms(kLookEveryMs);
    // After a failed save point it refuses writes, and replicas, until somebody saves.
    if (primary_->up() && !primary_->server().executor().state().misconf.empty()) {
      ask(*primary_, {"SAVE"});
    }
  }
  check_same();
}

// Keys that expire are gone, on both sides.
void SimScenario::settle() {
  const auto settled = [this] {
    Keyspace& keyspace = primary_->server().keyspace();
    for (int i = 0; i < keyspace.database_count(); ++i) {
      if (keyspace.database(i).volatile_size() > 0) return false;
    }
    return in_sync();
  };
  const int64_t until_us = world_.now_us() + kQuietWithinMs * 1000;
  while (!settled()) {
    if (world_.now_us() > until_us) throw SimViolation{why_not_quiet()};
    world_.run_for_ms(kLookEveryMs);
  }
  const Words request = {"DEBUG", "DIGEST"};
  const std::string here = ask(*primary_, request);
  const std::string there = ask(*replica_, request);
  if (here != there || here.size() != std::string_view("+").size() + kDigestDigits) {
    throw SimViolation{"DEBUG DIGEST of the primary and the replica: " + here + ", " + there};
  }
}

// Nothing that was acknowledged long ago is lost by any restart.
void SimScenario::restart_everything() {
  const bool power_loss = durability_ != Durability::kSystem && world_.one_in(2);
  if (durability_ == Durability::kSnapshots) {
    save_now();
  } else {
    world_.run_for_ms(kRecoveryUs / 1000);
  }
  nothing_may_be_lost_ = true;
  primary_->crash(power_loss ? Crash::kMachine : Crash::kProcess);
  if (world_.one_in(2)) replica_->crash(power_loss ? Crash::kMachine : Crash::kProcess);
  quiet();
  nothing_may_be_lost_ = false;
  settle();
}

void SimScenario::save_now() {
  const int64_t until_us = world_.now_us() + kQuietWithinMs * 1000;
  std::string answer;
  do {
    answer = ask(*primary_, {"SAVE"});
    // A child that saves already goes first.
    if (answer != "+OK") world_.run_for_ms(kLookEveryMs);
  } while (answer != "+OK" && world_.now_us() < until_us);
  if (answer != "+OK") throw SimViolation{"SAVE in a quiet world answers " + answer};
}

// --- Trouble.

void SimScenario::schedule_trouble() {
  constexpr int64_t kLongestPeaceUs = 1'500'000;
  world_.schedule(this, world_.between(10'000, kLongestPeaceUs), [this] {
    if (!troubled_) return;
    cause_trouble();
    schedule_trouble();
  });
}

void SimScenario::cause_trouble() {
  constexpr int64_t kLongestStallMs = 2'500;
  SimNode* node = world_.one_in(2) ? primary_.get() : replica_.get();
  const std::string client = "client" + std::to_string(world_.between(0, kClients - 1));
  const int64_t choice = world_.between(0, 11);
  if (choice < 4) {
    crash(node);
  } else if (choice < 6) {
    network_.cut("primary", "replica");
  } else if (choice < 8) {
    network_.cut("primary", client);
  } else if (choice < 9) {
    network_.stall("primary", "replica", world_.between(1, kLongestStallMs));
    network_.stall("primary", client, world_.between(1, kLongestStallMs));
  } else if (choice < 10) {
    network_.refuse(node->host(), true);
    world_.schedule(this, world_.between(0, kLongestStallMs * 1000),
                    [this, node] { network_.refuse(node->host(), false); });
  } else {
    disk_trouble(node);
  }
}

void SimScenario::crash(SimNode* node) {
  constexpr int64_t kMostOperations = 60;
  const Crash how = world_.one_in(2) ? Crash::kMachine : Crash::kProcess;
  if (world_.one_in(2)) {
    node->crash(how);
  } else {
    node->crash_at_disk(world_.between(1, kMostOperations), how);
  }
}

void SimScenario::restart_later(SimNode* node) {
  constexpr int64_t kLongestDownUs = 2'000'000;
  ++crashes_;
  if (troubled_ && world_.one_in(4)) {
    node->crash_at_disk(world_.between(1, 15),
                        world_.one_in(2) ? Crash::kMachine : Crash::kProcess);
  }
  world_.schedule(this, world_.between(0, kLongestDownUs), [node] {
    if (!node->up()) node->start();
  });
}

void SimScenario::disk_trouble(SimNode* node) {
  constexpr int64_t kLongestUs = 3'000'000;
  constexpr int64_t kSlowUs = 2'500'000;
  DiskFaults& faults = node->disk().faults();
  switch (world_.between(0, 3)) {
    case 0:
      faults.no_space = true;
      break;
    case 1:
      faults.write_error = true;
      break;
    case 2:
      faults.sync_error = true;
      break;
    default:
      faults.slowest_sync_us = kSlowUs;
  }
  world_.trace(node->host(), "has a failing disk");
  if (node == primary_.get()) {
    const int64_t healthy_from_us =
        disk_recovered_us_ > kMaxTime - kRecoveryUs ? kMaxTime : disk_recovered_us_ + kRecoveryUs;
    if (world_.now_us() > healthy_from_us) disk_failing_since_us_ = world_.now_us();
    disk_recovered_us_ = kMaxTime;
  }
  world_.schedule(this, world_.between(0, kLongestUs), [this, node] { end_disk_trouble(node); });
}

void SimScenario::end_disk_trouble(SimNode* node) {
  node->disk().faults() = {};
  if (node == primary_.get() && disk_recovered_us_ == kMaxTime)
    disk_recovered_us_ = world_.now_us();
}

// --- What has to hold.

void SimScenario::primary_crashed(Crash how) {
  if (!outcome_unknown_) {
    crashed_us_ = world_.now_us();
    crashed_how_ = how;
    outcome_unknown_ = true;
  } else if (how == Crash::kMachine) {
    crashed_how_ = how;
  }
  restart_later(primary_.get());
}

Promise SimScenario::promise() const {
  if (nothing_may_be_lost_) return {.nothing_lost = true};
  int64_t written_us = crashed_us_;
  if (disk_recovered_us_ > crashed_us_ - kRecoveryUs) {
    written_us = std::min(written_us, disk_failing_since_us_);
  }
  switch (durability_) {
    case Durability::kAlways:
      return {.until_us = kMaxTime, .only_acknowledged = true};
    case Durability::kEverySecond:
      return {.until_us = written_us - kEverySecondUs};
    case Durability::kSystem:
      // Nothing is promised about the machine, now or later.
      if (crashed_how_ == Crash::kMachine) return {.lasting = false};
      return {.until_us = written_us, .only_acknowledged = true, .lasting = false};
    case Durability::kSnapshots:
      return {.until_us = saved_us_};
  }
  return {};
}

void SimScenario::primary_started() {
  if (!outcome_unknown_) return;
  outcome_unknown_ = false;
  const Inspection dataset = inspect(primary_->server(), world_.now_ms());
  world_.trace("primary", "has loaded", dataset.keys.size(), dataset.positions);
  ledger_.cut(dataset.positions);
  for (const auto& client : clients_) {
    client->model().resolve(dataset, promise(), world_.now_us());
    client->forget_connection();
  }
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
    if (!own && key.second != "g" && key.second != "shared") {
      throw SimViolation{"there is a key that nobody has written: " + key.second};
    }
  }
}

bool SimScenario::in_sync() {
  if (!primary_->up() || !replica_->up()) return false;
  for (const auto& client : clients_) {
    if (!client->idle()) return false;
  }
  return replica_->server().replication().info().link_up &&
         dataset_digest(primary_->server().keyspace()) ==
             dataset_digest(replica_->server().keyspace());
}

void SimScenario::check_same() {
  const Inspection dataset = inspect(primary_->server(), world_.now_ms());
  for (const auto& client : clients_) {
    client->model().resolve(dataset, {.nothing_lost = true}, world_.now_us());
  }
  check_whole(dataset);
  const std::string here = ask(*primary_, {"FUNCTION", "DUMP"});
  const std::string there = ask(*replica_, {"FUNCTION", "DUMP"});
  if (here != there || !here.starts_with("$")) {
    throw SimViolation{"FUNCTION DUMP of the primary and the replica: " + here + ", " + there};
  }
}

std::string SimScenario::why_not_quiet() {
  std::string text = "the world does not become quiet:";
  for (SimNode* node : {primary_.get(), replica_.get()}) {
    if (!node->up()) text += " the " + node->host() + " is down;";
  }
  for (const auto& client : clients_) {
    if (!client->idle()) text += " a client waits for answers;";
  }
  if (primary_->up() && replica_->up()) {
    text += " digests " + dataset_digest(primary_->server().keyspace()) + " and " +
            dataset_digest(replica_->server().keyspace()) + ";";
    if (!replica_->server().replication().info().link_up) text += " the replica has no primary;";
    const Inspection here = inspect(primary_->server(), 0);
    const Inspection there = inspect(replica_->server(), 0);
    for (const auto& [key, value] : here.keys) {
      const auto found = there.keys.find(key);
      if (found == there.keys.end() || found->second != value)
        text += " " + key.second + " differs;";
    }
    for (const auto& [key, value] : there.keys) {
      if (!here.keys.contains(key)) text += " only the replica has " + key.second + ";";
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

}  // namespace tandem
