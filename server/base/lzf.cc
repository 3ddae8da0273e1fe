#include "server/base/lzf.h"

#include <liblzf/lzf.h>

#include <array>
#include <cstdint>
#include <limits>

namespace tandem {

namespace {

constexpr size_t kMaxLength = std::numeric_limits<unsigned>::max();
constexpr size_t kLeastSaving = 4;
// The longest back-reference is three bytes for 264.
constexpr size_t kMaxExpansion = 264 / 3;
// Up to this size a string is looked through before it is given to the library, whose table of
// 512 KiB costs more than a short string is worth.
constexpr size_t kShort = 256;

// Whether a short string could shrink by kLeastSaving bytes. Each byte saved is one at which three
// bytes begin that have been there before; here by their hash, so that a few too many are counted.
bool may_shrink(std::string_view raw) {
  constexpr int kHashBits = 12;
  std::array<uint64_t, (1u << kHashBits) / 64> seen{};
  size_t repeated = 0;
  for (size_t i = 0; i + 2 < raw.size(); ++i) {
    const uint32_t three = static_cast<uint8_t>(raw[i]) |
                           uint32_t{static_cast<uint8_t>(raw[i + 1])} << 8 |
                           uint32_t{static_cast<uint8_t>(raw[i + 2])} << 16;
    const uint32_t hash = three * 0x9E3779B1u >> (32 - kHashBits);
    uint64_t& word = seen[hash / 64];
    repeated += word >> hash % 64 & 1;
    word |= uint64_t{1} << hash % 64;
    if (repeated > kLeastSaving) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> lzf_compress(std::string_view raw) {
  std::string out(raw.size(), '\0');
  out.resize(lzf_compress(raw, out.data()));
  if (out.empty()) return std::nullopt;
  return out;
}

size_t lzf_compress(std::string_view raw, char* out) {
  if (raw.size() <= kLeastSaving || raw.size() > kMaxLength) return 0;
  if (raw.size() <= kShort && !may_shrink(raw)) return 0;
  return ::lzf_compress(raw.data(), static_cast<unsigned>(raw.size()), out,
                        static_cast<unsigned>(raw.size() - kLeastSaving));
}

bool lzf_can_hold(size_t compressed_bytes, size_t raw_bytes) {
  return raw_bytes / kMaxExpansion <= compressed_bytes;
}

Status lzf_decompress(std::string_view compressed, std::span<char> raw) {
  if (compressed.size() > kMaxLength || raw.size() > kMaxLength) {
    return make_error(ErrorKind::kCorrupt, "LZF: a length beyond 4 GiB");
  }
  const unsigned size =
      ::lzf_decompress(compressed.data(), static_cast<unsigned>(compressed.size()), raw.data(),
                       static_cast<unsigned>(raw.size()));
  if (size == 0 || size != raw.size()) {
    return make_error(ErrorKind::kCorrupt, "LZF: " + std::to_string(compressed.size()) +
                                               " bytes do not unpack to the " +
                                               std::to_string(raw.size()) + " they should");
  }
  return {};
}

Result<std::string> lzf_decompress(std::string_view compressed, size_t raw_bytes) {
  if (!lzf_can_hold(compressed.size(), raw_bytes)) {
    return make_error(ErrorKind::kCorrupt, "LZF: " + std::to_string(compressed.size()) +
                                               " bytes cannot hold " + std::to_string(raw_bytes));
  }
  std::string raw(raw_bytes, '\0');
  if (Status status = lzf_decompress(compressed, std::span<char>(raw)); !status) {
    return status.error();
  }
  return raw;
}

}  // namespace tandem
