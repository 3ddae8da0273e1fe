#pragma once

#include <cstdint>

#include "server/base/clock.h"
#include "server/exec/executor.h"

namespace tandem {

// Removes expired keys and fields that nobody looks at.
class ExpireCycle {
 public:
  struct Stats {
    // The share of expired keys among those with an expiry: a moving average over the steps.
    double stale_share = 0;
    uint64_t out_of_time = 0;  // steps that ended with more to do
    int64_t spent_us = 0;
  };

  // Both outlive it.
  ExpireCycle(Executor& executor, Clock& clock) : executor_(executor), clock_(clock) {}

  // One step, of a millisecond at most: whether there is more to remove already.
  bool step();

  const Stats& stats() const { return stats_; }
  void reset_stats() { stats_ = {}; }

 private:
  Executor& executor_;
  Clock& clock_;
  Stats stats_;
};

}  // namespace tandem
