#include "server/base/clock.h"

#include <ctime>

namespace tandem {

namespace {

int64_t read_clock_us(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

class SystemClock final : public Clock {
 public:
  int64_t wall_us() override { return read_clock_us(CLOCK_REALTIME); }
  int64_t monotonic_us() override { return read_clock_us(CLOCK_MONOTONIC); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

#if defined(__x86_64__)
uint64_t ticks_per_us() {
  // Measured once against the monotonic clock; a millisecond is enough for statistics.
  static const uint64_t rate = [] {
    const int64_t start_us = system_clock().monotonic_us();
    const uint64_t start = tick_count();
    int64_t elapsed_us = 0;
    while ((elapsed_us = system_clock().monotonic_us() - start_us) < 1000) {
    }
    return (tick_count() - start) / static_cast<uint64_t>(elapsed_us);
  }();
  return rate > 0 ? rate : 1;
}
#else
uint64_t tick_count() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t ticks_per_us() { return 1000; }
#endif

}  // namespace tandem
