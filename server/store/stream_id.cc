#include "server/store/stream_id.h"

#include <charconv>

#include "server/store/blob.h"

namespace tandem {

bool StreamId::increment() {
  if (*this == max()) return false;
  if (++seq == 0) ++ms;
  return true;
}

bool StreamId::decrement() {
  if (is_zero()) return false;
  if (seq-- == 0) --ms;
  return true;
}

std::string_view StreamId::text(std::span<char, kMaxChars> scratch) const {
  char* const end = scratch.data() + scratch.size();
  char* out = std::to_chars(scratch.data(), end, ms).ptr;
  *out++ = '-';
  out = std::to_chars(out, end, seq).ptr;
  return {scratch.data(), static_cast<size_t>(out - scratch.data())};
}

StreamId StreamId::from_bytes(const char* bytes) {
  return {__builtin_bswap64(load_unaligned<uint64_t>(bytes)),
          __builtin_bswap64(load_unaligned<uint64_t>(bytes + 8))};
}

void StreamId::to_bytes(char* bytes) const {
  store_unaligned(bytes, __builtin_bswap64(ms));
  store_unaligned(bytes + 8, __builtin_bswap64(seq));
}

}  // namespace tandem
