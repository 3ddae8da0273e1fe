#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/sim_world.h"

namespace tandem {

// How servers keep what they have acknowledged.
enum class Durability : uint8_t { kAlways, kEverySecond, kSystem, kSnapshots };

// What can go wrong, and what an operator can do at a bad moment.
enum class Trouble : uint8_t {
  kCrash,        // of a server, now
  kCrashAtDisk,  // in the middle of a change of its disk
  kCutReplica,
  kCutClient,
  kStall,       // of the network
  kStandStill,  // of a server's loop
  kRefuse,      // new connections
  kFullDisk,
  kWriteError,
  kNameError,
  kSyncError,
  kOneSyncError,
  kSlowDisk,
  kClockJump,
  kBrokenFullSync,  // the link is cut or a server dies while a snapshot travels
  kPromotion,       // of a replica; the primary becomes a replica of it
  kFailover,
  kLostPrimary,  // a replica that has lost power as well takes over with what it has on disk
  kKilledChild,
  kCrashWhileSaving,  // or rewriting
  kShutdown,
  kSwitchAof,  // off, and on again
  kCount,
};

// What happens between two rounds of trouble, in a quiet world.
enum class Intermission : uint8_t { kRestart, kFlush, kEmptyPrimary, kStray, kCount };

// What the seed decides beforehand. Each run gets kinds of trouble of its own: what happens rarely
// when everything goes wrong at once happens often when little else does.
struct SimPlan {
  Durability durability = Durability::kAlways;
  int nodes = 2;
  bool chained = false;  // the third follows the second
  bool refuse_empty_primary = false;
  bool forgetful_disks = false;
  bool digests = false;  // in the stream
  std::vector<Trouble> troubles;
  std::vector<Intermission> rounds;  // what follows each
  int64_t shortest_round_ms = 0, longest_round_ms = 0;
  int64_t longest_peace_us = 0;  // between two troubles
  int64_t longest_down_us = 0;   // of a crashed server
  int64_t slowest_pace_ms = 0;   // between a client's operations

  static SimPlan make(SimWorld& world, uint64_t seed);
  // The text of a node's configuration file, but for its role.
  std::string config(SimWorld& world, const std::string& host, int port) const;
};

// One of them, by chance.
template <typename T>
const T& pick(SimWorld& world, const std::vector<T>& choices) {
  return choices[world.random().below(choices.size())];
}

}  // namespace tandem
