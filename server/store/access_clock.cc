#include "server/store/access_clock.h"

namespace tandem {

namespace {
constexpr uint32_t kHighestFrequency = 255;
}

uint32_t AccessClock::frequency_of(uint32_t clock, int64_t now_ms) const {
  const uint32_t counter = clock & 0xff;
  if (decay_minutes == 0) return counter;
  const uint32_t then = clock >> 8, now = minutes(now_ms);
  // The minutes wrap around after 45 days.
  const uint32_t elapsed = now >= then ? now - then : 0xffff - then + now;
  const int64_t lower_by = elapsed / decay_minutes;
  return lower_by > counter ? 0 : counter - static_cast<uint32_t>(lower_by);
}

// A higher counter is raised more rarely.
uint32_t AccessClock::counted(uint32_t clock, int64_t now_ms, Random& random) const {
  uint32_t counter = frequency_of(clock, now_ms);
  if (counter < kHighestFrequency) {
    const uint32_t above = counter > kInitialFrequency ? counter - kInitialFrequency : 0;
    const double chance = 1.0 / (static_cast<double>(above) * static_cast<double>(log_factor) + 1);
    const double drawn = static_cast<double>(random.next() >> 11) * 0x1p-53;
    if (drawn < chance) ++counter;
  }
  return with_frequency(counter, now_ms);
}

}  // namespace tandem
