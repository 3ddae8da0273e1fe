#pragma once

#include <cstdint>

namespace tandem {

// What the links of a loop have done, for INFO stats.
struct LinkCounts {
  uint64_t reads = 0;   // that brought bytes
  uint64_t writes = 0;  // that took bytes
  // Output buffers that had grown since they were sent from last, and those that gave their memory
  // back once they were empty.
  uint64_t buffers_grown = 0;
  uint64_t buffers_shrunk = 0;
};

}  // namespace tandem
