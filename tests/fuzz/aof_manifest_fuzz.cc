#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "persistence/aof_manifest.h"

// Any bytes, read as a manifest: they are refused, or what they say survives being written and read
// again, and names no file outside the directory.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  const auto parsed = AofManifest::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed.ok()) return 0;
  const std::string written = parsed.value().format();
  if (written.empty()) return 0;  // comments alone
  const auto again = AofManifest::parse(written);
  if (!again.ok() || again.value().format() != written) std::abort();
  for (const AofFile& file : parsed.value().incremental) {
    if (file.name.empty() || file.name.find('/') != std::string::npos) std::abort();
  }
  return 0;
}
