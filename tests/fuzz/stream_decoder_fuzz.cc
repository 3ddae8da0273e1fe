#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "replication/stream_decoder.h"

// Any bytes as the stream that a primary sends, in pieces as long as the first byte says: what is
// no stream is refused, and no step unpacks more than a few blocks.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  if (size == 0) return 0;
  constexpr size_t kMostOfAStep = 64 * 1024;
  const size_t piece = size_t{data[0]} + 1;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  StreamDecoder decoder;
  std::string held, out;
  while (!rest.empty()) {
    held += rest.substr(0, piece);
    rest.remove_prefix(std::min(piece, rest.size()));
    size_t taken = 0;
    if (decoder.undecided()) {
      const Result<size_t> looked = decoder.look(held);
      if (!looked.ok()) return 0;
      taken = looked.value();
    }
    while (decoder.compressed()) {
      out.clear();
      const Result<size_t> step = decoder.unpack(std::string_view(held).substr(taken), &out);
      if (!step.ok()) return 0;
      if (step.value() > held.size() - taken || out.size() > kMostOfAStep) __builtin_trap();
      taken += step.value();
      if (step.value() == 0 && out.empty()) break;
    }
    if (!decoder.undecided() && !decoder.compressed()) return 0;
    held.erase(0, taken);
  }
  return 0;
}
