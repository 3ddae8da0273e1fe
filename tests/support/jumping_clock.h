#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/support/preloaded_server.h"

namespace tandem {

// Names the file that holds the seconds to add, for the library that is preloaded.
inline constexpr const char* kJumpingClockVariable = "TANDEM_JUMPING_CLOCK";

// A clock of the day for one server, which a test moves while the server runs; what counts time
// since the start is not moved, as on a machine whose clock is set.
class JumpingClock {
 public:
  // What to start instead of tandem-server, as long as this object lives.
  std::string program() const { return server_.program(); }
  // Sets the clock to the true time plus `seconds`, which may be negative.
  void jump_to(int64_t seconds) { *static_cast<std::atomic<int64_t>*>(server_.shared()) = seconds; }

 private:
  PreloadedServer server_{"tandem_jumping_clock", kJumpingClockVariable,
                          sizeof(std::atomic<int64_t>)};
};

}  // namespace tandem
