#include "server/expire_cycle.h"

#include "server/exec/call_watch.h"
#include "server/exec/latency_monitor.h"

namespace tandem {

namespace {

// One step on the loop stays below this, so that no request waits longer for it.
constexpr int64_t kStepUs = 1000;
constexpr size_t kSamples = 20;
constexpr size_t kFields = 64;
// Above this share of expired keys among those looked at, another step follows soon.
constexpr size_t kMoreOneIn = 10;
// What one step weighs in the average of INFO's expired_stale_perc.
constexpr double kStaleWeight = 0.05;

}  // namespace

bool ExpireCycle::step() {
  const LatencyTimer timer(executor_.watch().latency(), clock_, "expire-cycle");
  Keyspace& keyspace = executor_.keyspace();
  const int64_t started_us = clock_.monotonic_us();
  const int64_t deadline_us = started_us + kStepUs;
  bool more = false;
  size_t all_looked_at = 0, all_expired = 0;
  for (int i = 0; i < keyspace.database_count(); ++i) {
    bool again = true;
    while (again && clock_.monotonic_us() < deadline_us) {
      size_t looked_at = 0;
      const size_t expired = keyspace.database(i).expire_some(kSamples, &looked_at);
      again = expired * kMoreOneIn > looked_at;
      all_looked_at += looked_at;
      all_expired += expired;
    }
    more |= again;
    again = true;
    while (again && clock_.monotonic_us() < deadline_us) {
      again = keyspace.database(i).expire_fields(kFields) == kFields;
    }
    more |= again;
  }
  const double stale = all_looked_at == 0
                           ? 0
                           : static_cast<double>(all_expired) / static_cast<double>(all_looked_at);
  stats_.stale_share += (stale - stats_.stale_share) * kStaleWeight;
  if (more) ++stats_.out_of_time;
  stats_.spent_us += clock_.monotonic_us() - started_us;
  return more;
}

}  // namespace tandem
