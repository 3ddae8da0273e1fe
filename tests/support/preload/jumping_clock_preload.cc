// Preloaded into a server (LD_PRELOAD): its clock of the day is the machine's plus what a test says
// in the file that the environment names, a number of seconds. Steady clocks stay as they are.

#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "tests/support/jumping_clock.h"
#include "tests/support/preload/map_shared.h"

namespace {

// Other libraries' constructors may ask for the time before this one's has run.
const std::atomic<int64_t>* offset_seconds = nullptr;
__attribute__((constructor)) void attach() {
  offset_seconds = tandem::map_shared<std::atomic<int64_t>>(tandem::kJumpingClockVariable);
}

}  // namespace

extern "C" {

// Straight to the kernel: looking the next definition up might allocate, and allocators ask for the
// time.
int clock_gettime(clockid_t clock, timespec* time) {
  const int result = static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  const bool of_the_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (result == 0 && of_the_day && offset_seconds != nullptr) time->tv_sec += *offset_seconds;
  return result;
}

int gettimeofday(timeval* time, void*) {
  timespec now{};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* result) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
