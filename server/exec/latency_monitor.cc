#include "server/exec/latency_monitor.h"

#include <algorithm>
#include <utility>

#include "server/base/strings.h"

namespace tandem {

void LatencyMonitor::Series::add(int64_t time_s, uint64_t latency_ms) {
  max_ms_ = std::max(max_ms_, latency_ms);
  sum_ms_ += latency_ms;
  ++count_;
  if (size_ > 0) {
    Sample& last = samples_[(next_ + kSamples - 1) % kSamples];
    if (last.time_s == time_s) {
      last.latency_ms = std::max(last.latency_ms, latency_ms);
      return;
    }
  }
  samples_[next_] = {time_s, latency_ms};
  next_ = (next_ + 1) % kSamples;
  size_ = std::min(size_ + 1, kSamples);
}

void LatencyMonitor::add(std::string_view event, int64_t elapsed_us) {
  const int64_t latency_ms = elapsed_us / 1000;
  if (!enabled() || latency_ms < settings_.latency_monitor_threshold) return;
  auto found = events_.find(event);
  if (found == events_.end()) found = events_.try_emplace(std::string(event)).first;
  found->second.add(clock_.wall_ms() / 1000, static_cast<uint64_t>(latency_ms));
}

const LatencyMonitor::Series* LatencyMonitor::find(std::string_view event) const {
  const auto found = events_.find(event);
  return found == events_.end() ? nullptr : &found->second;
}

size_t LatencyMonitor::reset(std::string_view event) {
  return std::erase_if(events_,
                       [&](const auto& one) { return equals_ignore_case(one.first, event); });
}

size_t LatencyMonitor::reset() {
  const size_t count = events_.size();
  events_.clear();
  return count;
}

}  // namespace tandem
