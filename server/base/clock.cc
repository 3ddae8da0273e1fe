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

}  // namespace tandem
