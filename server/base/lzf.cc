#include "server/base/lzf.h"

#include <liblzf/lzf.h>

#include <limits>

namespace tandem {

namespace {

constexpr size_t kMaxLength = std::numeric_limits<unsigned>::max();
constexpr size_t kLeastSaving = 4;
// The longest back-reference is three bytes for 264.
constexpr size_t kMaxExpansion = 264 / 3;

}  // namespace

std::optional<std::string> lzf_compress(std::string_view raw) {
  if (raw.size() <= kLeastSaving || raw.size() > kMaxLength) return std::nullopt;
  std::string out(raw.size() - kLeastSaving, '\0');
  const unsigned size = ::lzf_compress(raw.data(), static_cast<unsigned>(raw.size()), out.data(),
                                       static_cast<unsigned>(out.size()));
  if (size == 0) return std::nullopt;
  out.resize(size);
  return out;
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
