#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "server/store/blob.h"

namespace tandem {

// A string behind its own length, of which the elements of large hashes and sets are made:
//
//   length (1 byte below 254, else 255 and 4 bytes) | bytes
//
// It never begins with the byte 254: an element may begin with that to say that it has more.
namespace sized_text {

inline constexpr uint8_t kMark = 254;
inline constexpr uint8_t kLongLength = 255;

// Bytes that `text` takes with its length.
inline size_t bytes(std::string_view text) {
  assert(text.size() <= std::numeric_limits<uint32_t>::max());
  return (text.size() < kMark ? 1 : 5) + text.size();
}

inline std::string_view read(const char* at) {
  const auto head = static_cast<uint8_t>(*at);
  if (head != kLongLength) return {at + 1, head};
  return {at + 5, load_unaligned<uint32_t>(at + 1)};
}

// Returns the end of what was written.
inline char* write(char* at, std::string_view text) {
  if (text.size() < kMark) {
    *at++ = static_cast<char>(text.size());
  } else {
    *at++ = static_cast<char>(kLongLength);
    store_unaligned(at, static_cast<uint32_t>(text.size()));
    at += 4;
  }
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

}  // namespace sized_text

}  // namespace tandem
