#include "server/traffic_rates.h"

#include <algorithm>

namespace tandem {

void TrafficRates::sample(int64_t monotonic_us, const TrafficTotals& totals) {
  ring_[count_ % ring_.size()] = {monotonic_us, totals};
  ++count_;
}

TrafficRates::Rates TrafficRates::rates() const {
  if (count_ < 2) return {};
  const size_t span = std::min(count_, ring_.size()) - 1;
  const Sample& newest = ring_[(count_ - 1) % ring_.size()];
  const Sample& oldest = ring_[(count_ - 1 - span) % ring_.size()];
  const double seconds = static_cast<double>(newest.at_us - oldest.at_us) / 1e6;
  if (seconds <= 0) return {};
  const auto rate = [&](uint64_t TrafficTotals::*field) {
    const uint64_t before = oldest.totals.*field, now = newest.totals.*field;
    return now <= before ? 0 : static_cast<double>(now - before) / seconds;
  };
  return {rate(&TrafficTotals::commands), rate(&TrafficTotals::bytes_in),
          rate(&TrafficTotals::bytes_out), rate(&TrafficTotals::replication_bytes_in),
          rate(&TrafficTotals::replication_bytes_out)};
}

}  // namespace tandem
