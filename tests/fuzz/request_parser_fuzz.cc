// Whatever the bytes, and whatever pieces they come in, the parser finds the same requests and the
// same error. The first byte of the input chooses the size of the pieces and the limits.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "server/resp/request_parser.h"

namespace tandem {
namespace {

// Everything the parser says of `bytes`, shown to it in growing fronts as a connection would: at
// another place each time, and each time in a block that ends where the bytes do, so that a read
// past them is seen.
std::string parse(std::string_view bytes, size_t piece, const RequestLimits& limits) {
  RequestParser parser;
  std::string out;
  size_t begin = 0;
  for (size_t end = std::min(piece, bytes.size());; end = std::min(end + piece, bytes.size())) {
    const auto block = std::make_unique<char[]>(end - begin);
    std::copy(bytes.begin() + begin, bytes.begin() + end, block.get());
    std::string_view input(block.get(), end - begin);
    while (!input.empty()) {
      const RequestParser::Outcome outcome = parser.parse(input, limits);
      if (outcome == RequestParser::Outcome::kNeedMore) break;
      if (outcome == RequestParser::Outcome::kError) return out + '!' + parser.error();
      if (parser.consumed() == 0 || parser.consumed() > input.size()) std::abort();
      if (outcome == RequestParser::Outcome::kRequest) {
        out += '*';
        for (std::string_view arg : parser.args()) out.append(arg) += ' ';
      }
      input.remove_prefix(parser.consumed());
    }
    begin = end - input.size();
    if (end == bytes.size()) return out + std::to_string(begin);
  }
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const tandem::RequestLimits limits = (data[0] & 0x80) != 0
                                           ? tandem::RequestLimits::unauthenticated()
                                           : tandem::RequestLimits{.max_bulk_bytes = 4096};
  const std::string whole = tandem::parse(bytes, bytes.size() + 1, limits);
  if (tandem::parse(bytes, size_t{data[0] & 0x7fu} + 1, limits) != whole) std::abort();
  return 0;
}
