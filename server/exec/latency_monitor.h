#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "server/base/clock.h"
#include "server/base/settings.h"

namespace tandem {

// Remembers what kept the server from answering for latency-monitor-threshold or longer, by the
// event that did: "command", "fork", "expire-cycle", … (LATENCY).
class LatencyMonitor {
 public:
  static constexpr size_t kSamples = 160;

  struct Sample {
    int64_t time_s = 0;  // Unix time; 0: none yet
    uint64_t latency_ms = 0;
  };
  // The latest samples of an event, the worst one of each second, and what all of them came to.
  class Series {
   public:
    void add(int64_t time_s, uint64_t latency_ms);
    size_t size() const { return size_; }
    // From the oldest, 0, on.
    const Sample& sample(size_t index) const {
      return samples_[(next_ + kSamples - size_ + index) % kSamples];
    }
    const Sample& latest() const { return sample(size_ - 1); }
    uint64_t max_ms() const { return max_ms_; }
    uint64_t sum_ms() const { return sum_ms_; }
    uint64_t count() const { return count_; }

   private:
    std::array<Sample, kSamples> samples_;
    size_t next_ = 0, size_ = 0;
    uint64_t max_ms_ = 0, sum_ms_ = 0, count_ = 0;
  };
  using Events = std::map<std::string, Series, std::less<>>;

  LatencyMonitor(const Settings& settings, Clock& clock) : settings_(settings), clock_(clock) {}

  bool enabled() const { return settings_.latency_monitor_threshold > 0; }
  // Remembers the event when it took that long.
  void add(std::string_view event, int64_t elapsed_us);

  const Events& events() const { return events_; }
  // Null when it has not occurred.
  const Series* find(std::string_view event) const;
  // Forgets an event, named in any case, or all; returns how many.
  size_t reset(std::string_view event);
  size_t reset();

 private:
  const Settings& settings_;
  Clock& clock_;
  Events events_;
};

// Times what happens until the end of the block, when latencies are monitored at all.
class LatencyTimer {
 public:
  // `event` must outlive it.
  LatencyTimer(LatencyMonitor& monitor, Clock& clock, std::string_view event)
      : monitor_(monitor),
        clock_(clock),
        event_(event),
        started_us_(monitor.enabled() ? clock.monotonic_us() : 0) {}
  ~LatencyTimer() {
    if (started_us_ != 0) monitor_.add(event_, clock_.monotonic_us() - started_us_);
  }
  LatencyTimer(const LatencyTimer&) = delete;
  LatencyTimer& operator=(const LatencyTimer&) = delete;

 private:
  LatencyMonitor& monitor_;
  Clock& clock_;
  std::string_view event_;
  int64_t started_us_;
};

}  // namespace tandem
