// A payload of RESTORE, without its footer: it is refused, or yields a value that every command of
// its type can read and change.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/restore_probe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static tandem::RestoreProbe probe;
  probe.probe({reinterpret_cast<const char*>(data), size});
  return 0;
}
