#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/base/result.h"

namespace tandem {

// LZF (liblzf), as RDB files hold their longer strings: the compressed bytes carry neither their
// own length nor the raw one.

// `raw` compressed, or nothing when that would not save at least four bytes.
std::optional<std::string> lzf_compress(std::string_view raw);
// The same into `out`, which has room for raw.size() bytes: how many it took, or 0.
size_t lzf_compress(std::string_view raw, char* out);

// Whether `compressed_bytes` of LZF could stand for as many as `raw_bytes`. A claim beyond that is
// false, and no memory need be set aside for it.
bool lzf_can_hold(size_t compressed_bytes, size_t raw_bytes);

// Fills the first `raw_bytes` of `room`, which has so many; kCorrupt when the compressed bytes are
// malformed or hold more or less. What is in the rest of `room` may be lost, and with kLzfSlack
// bytes of it this is quicker.
Status lzf_decompress(std::string_view compressed, std::span<char> room, size_t raw_bytes);
inline constexpr size_t kLzfSlack = 32;
// The same into a new string, allocated only when lzf_can_hold().
Result<std::string> lzf_decompress(std::string_view compressed, size_t raw_bytes);

}  // namespace tandem
