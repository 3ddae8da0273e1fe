#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/exec/command.h"
#include "server/exec/command_log.h"
#include "server/exec/latency_monitor.h"

namespace tandem {

// Looks at each command that has run: how long it took goes into its histogram, and one that was
// slow or large into the command log and to the latency monitor. What is asked for every command is
// inline and compares with thresholds that follow the configuration.
class CallWatch {
 public:
  // Both must outlive it.
  CallWatch(Config& config, Clock& clock);

  // Whether a call that a function makes is timed; its client's own always are. Reading the clock
  // costs more than a fast command does. So once some calls of one have been timed, one in a few
  // is, and stands for those after it: the sums and the histogram stay right on the average. While
  // calls of less than a millisecond count as slow, which somebody wants to see, each is timed.
  bool times(const Command& command, CommandStats& stats) const {
    if (times_all_ || !command.is(kFast) || stats.calls < kTimedFirst) return true;
    if (stats.untimed_left == 0) {
      stats.untimed_left = kUntimed;
      return true;
    }
    --stats.untimed_left;
    return false;
  }
  // A command has run for so many ticks of tick_count().
  void record(CommandStats& stats, uint64_t ticks) {
    if (!track_latencies_) return;
    if (stats.latencies == nullptr) stats.latencies = std::make_unique<LatencyHistogram>();
    stats.latencies->record((std::min(ticks, ticks_per_second_) * ns_per_tick_) >> kFractionBits);
  }
  bool is_slow(uint64_t ticks) const { return ticks >= slow_ticks_; }
  // For a slow one; `client` is whose request it was, or was part of, and `function` names the
  // function that it called or was part of.
  void add_slow(const Client& client, const Command& command, Args args, std::string_view function,
                uint64_t ticks);

  bool is_large(size_t request_bytes, size_t reply_bytes) const {
    return request_bytes >= large_request_bytes_ || reply_bytes >= large_reply_bytes_;
  }
  // For a large one.
  void add_large(const Client& client, const Command& command, Args args, size_t request_bytes,
                 size_t reply_bytes);

  CommandLog& log() { return log_; }
  LatencyMonitor& latency() { return latency_; }

 private:
  static constexpr int kFractionBits = 20;
  static constexpr uint64_t kTimedFirst = 64;
  static constexpr uint32_t kUntimed = 7;  // between two that are timed

  void follow_settings();

  const Settings& settings_;
  Clock& clock_;
  CommandLog log_;
  LatencyMonitor latency_;
  const uint64_t ticks_per_second_;
  const uint64_t ns_per_tick_;  // times 2^kFractionBits
  bool track_latencies_ = true;
  uint64_t slow_ticks_ = UINT64_MAX;
  bool times_all_ = false;
  size_t large_request_bytes_ = SIZE_MAX;
  size_t large_reply_bytes_ = SIZE_MAX;
};

// The bytes of a request with these arguments.
size_t request_size(Args args);

}  // namespace tandem
