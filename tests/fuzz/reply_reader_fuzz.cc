// Whatever the bytes, and whatever pieces they come in, the reader gives the same values and the
// same error. The first byte of the input chooses the size of the pieces.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/resp/reply_reader.h"

namespace tandem {
namespace {

void describe(const ReplyValue& value, std::string* out) {
  *out += static_cast<char>('a' + static_cast<int>(value.type));
  *out += std::to_string(value.integer) + value.format + value.text;
  for (const ReplyValue& element : value.elements) describe(element, out);
}

// Everything the reader says of `bytes`.
std::string read(std::string_view bytes, size_t piece) {
  ReplyReader::Limits limits;
  limits.max_bulk_bytes = 4096;
  limits.max_line_bytes = 256;
  ReplyReader reader(limits);
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    for (;;) {
      Result<std::optional<ReplyValue>> next = reader.next();
      if (!next) return out + "!";
      if (!next.value()) break;
      describe(*next.value(), &out);
    }
  }
  return out;
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string whole = tandem::read(bytes, bytes.size() + 1);
  if (tandem::read(bytes, size_t{data[0]} + 1) != whole) std::abort();
  return 0;
}
