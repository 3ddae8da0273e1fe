#include "tests/sim/sim_plan.h"

namespace tandem {

namespace {

using Texts = std::vector<std::string>;

constexpr uint64_t kLongRunIn = 100;
constexpr auto kIntermissions = static_cast<int64_t>(Intermission::kCount);

std::string durability_text(Durability durability) {
  switch (durability) {
    case Durability::kAlways:
      return "appendonly yes\nappendfsync always\n";
    case Durability::kEverySecond:
      return "appendonly yes\nappendfsync everysec\n";
    case Durability::kSystem:
      return "appendonly yes\nappendfsync no\n";
    case Durability::kSnapshots:
      return "appendonly no\n";
  }
  return "";
}

void set_times(SimWorld& world, bool long_run, SimPlan* plan) {
  if (long_run) {
    plan->shortest_round_ms = 2'000;
    plan->longest_round_ms = 10'000;
    plan->longest_peace_us = 1'500'000;
    plan->longest_down_us = 2'000'000;
    plan->slowest_pace_ms = 30;
    return;
  }
  plan->shortest_round_ms = 300;
  plan->longest_round_ms = 1'500;
  plan->longest_peace_us = 400'000;
  plan->longest_down_us = 300'000;
  plan->slowest_pace_ms = 40;
  // What may be lost is counted in seconds, and so is what a slow disk costs.
  if (plan->durability == Durability::kEverySecond && !world.one_in(4)) {
    plan->shortest_round_ms = 3'000;
    plan->longest_round_ms = 6'000;
    plan->longest_peace_us = 6'000'000;
    plan->slowest_pace_ms = 100;
  }
}

}  // namespace

SimPlan SimPlan::make(SimWorld& world, uint64_t seed) {
  SimPlan plan;
  plan.durability = static_cast<Durability>(seed % 4);
  const bool long_run = seed % kLongRunIn == 0;
  set_times(world, long_run, &plan);
  plan.nodes = world.one_in(4) ? 3 : 2;
  plan.chained = world.one_in(2);
  plan.refuse_empty_primary = world.one_in(2);
  plan.forgetful_disks = world.one_in(2);
  plan.digests = world.one_in(2);
  const uint64_t spared_in = long_run ? 1'000'000 : 2;
  for (int i = 0; i < static_cast<int>(Trouble::kCount); ++i) {
    if (!world.one_in(spared_in)) plan.troubles.push_back(static_cast<Trouble>(i));
  }
  if (plan.troubles.empty()) plan.troubles = {Trouble::kCrash};
  const int64_t rounds = long_run ? 3 : 1;
  for (int64_t i = 0; i < rounds; ++i) {
    auto kind = static_cast<Intermission>(world.between(0, kIntermissions - 1));
    if ((kind == Intermission::kEmptyPrimary && !plan.refuse_empty_primary) ||
        (kind == Intermission::kStray && !plan.digests)) {
      kind = Intermission::kRestart;
    }
    plan.rounds.push_back(kind);
  }
  return plan;
}

std::string SimPlan::config(SimWorld& world, const std::string& host, int port) const {
  std::string text = "dir /data\nenable-debug-command yes\n" + durability_text(durability);
  const auto line = [&text](const std::string& name, const std::string& value) {
    text += name + " " + value + "\n";
  };
  const auto choose = [&](const std::string& name, const Texts& choices) {
    line(name, pick(world, choices));
  };
  line("port", std::to_string(port));
  line("replica-announce-ip", host);
  line("replica-refuse-empty-primary", refuse_empty_primary ? "yes" : "no");
  line("repl-digest-period", digests ? "1" : "0");
  choose("repl-diskless-sync", {"yes", "no"});
  choose("repl-diskless-sync-delay", {"0", "0", "1"});
  choose("repl-diskless-load", {"disabled", "swapdb", "on-empty-db"});
  choose("repl-backlog-size", {"16kb", "64kb", "1mb"});
  choose("repl-compression", {"no", "no", "lz4"});
  choose("repl-timeout", {"5", "10"});
  choose("repl-ping-replica-period", {"1", "3"});
  choose("aof-use-rdb-preamble", {"yes", "yes", "no"});
  choose("auto-aof-rewrite-min-size", {"8kb", "32kb", "64mb"});
  choose("auto-aof-rewrite-percentage", {"50", "100"});
  choose("aof-timestamp-enabled", {"no", "yes"});
  choose("hash-max-listpack-entries", {"4", "128"});
  choose("list-max-listpack-size", {"4", "-2"});
  choose("rdbcompression", {"yes", "no", "lz4"});
  choose("save", {"\"\"", "2 20"});
  return text;
}

}  // namespace tandem
