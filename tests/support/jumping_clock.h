#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/support/temp_dir.h"

namespace tandem {

// Names the file that holds the seconds to add, for the library that is preloaded.
inline constexpr const char* kJumpingClockVariable = "TANDEM_JUMPING_CLOCK";

// A clock of the day for one server, which a test moves while the server runs; what counts time
// since the start is not moved, as on a machine whose clock is set.
class JumpingClock {
 public:
  JumpingClock();
  ~JumpingClock();
  JumpingClock(const JumpingClock&) = delete;
  JumpingClock& operator=(const JumpingClock&) = delete;

  // The program to start instead of the server, as long as this object lives.
  std::string program() const { return dir_.file("server"); }
  // Sets the clock to the true time plus `seconds`, which may be negative.
  void jump_to(int64_t seconds) { *seconds_ = seconds; }

 private:
  TempDir dir_;
  std::atomic<int64_t>* seconds_ = nullptr;
};

}  // namespace tandem
