#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/base/settings.h"
#include "server/store/entry.h"

namespace tandem {

class Executor;

// Keeps the memory in use below maxmemory by deleting keys, chosen by maxmemory-policy the way
// Valkey chooses them: of a few keys sampled at random, and of the best of earlier samples, the one
// that has gone unused for longest (LRU), is used least (LFU) or expires first (TTL).
class Eviction {
 public:
  explicit Eviction(Executor& executor);

  // Deletes keys until no more than maxmemory is used or the time of one step is up
  // (maxmemory-eviction-tenacity); on_unfinished is called then. False when there is nothing that
  // could be deleted, now or later.
  bool make_room();
  // A later turn of the loop has to go on with make_room().
  std::function<void()> on_unfinished = [] {};

  // Memory in use; another source than the allocator is for tests.
  std::function<size_t()> used_bytes;
  // Memory that does not count, because deleting keys makes it grow: what waits to be sent to
  // replicas and to be written to the AOF. Set by who knows.
  std::function<size_t()> uncounted_bytes = [] { return size_t{0}; };

  // For how long, in milliseconds, memory has been over the limit; since then, and altogether.
  int64_t exceeded_ms() const;
  int64_t total_exceeded_ms() const { return total_exceeded_ms_ + exceeded_ms(); }
  void reset_stats() { total_exceeded_ms_ = 0; }

 private:
  // A sampled key that may be deleted; the higher the score the sooner.
  struct Candidate {
    uint64_t score = 0;
    int db = 0;
    std::string key;
  };

  bool may_evict() const;
  bool over_limit() const;
  bool evict_keys();
  int64_t step_us() const;
  bool evict_one();
  bool pick_sampled(Candidate* victim);
  bool pick_random(Candidate* victim);
  bool sample_all();
  void offer(const Entry* entry, int db);
  uint64_t score(const Entry* entry) const;
  void evict(const Candidate& victim);
  void follow_policy();

  Executor& executor_;
  std::vector<Candidate> pool_;  // by rising score
  MaxmemoryPolicy policy_ = MaxmemoryPolicy::kNoEviction;
  int next_db_ = 0;  // whose turn it is to lose a random key
  int64_t exceeded_since_ms_ = -1;
  int64_t total_exceeded_ms_ = 0;
};

}  // namespace tandem
