#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "persistence/lz4_envelope.h"

// Any bytes behind an envelope: the frame unpacks, within the bound it gives, or is refused.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  StringSource in(bytes);
  EnvelopedSource source(&in);
  if (!source.open(EnvelopeKind::kSnapshot).ok()) return 0;
  std::array<char, 10'000> out;
  while (true) {
    const uint64_t bound = source.remaining_bound();
    const Result<size_t> count = source.read_some(out.data(), out.size());
    if (!count.ok() || count.value() == 0) break;
    if (count.value() > bound) __builtin_trap();
  }
  (void)source.expect_end();
  return 0;
}
