#include "server/base/lzf.h"

#include <liblzf/lzf.h>

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
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

// Copies `count` bytes from `distance` before `out`, among them, when that is less, what it has
// just written. There is room for `room` bytes, and what is behind `count` may be overwritten.
void repeat(char* out, size_t distance, size_t count, size_t room) {
  constexpr size_t kStep = 16;
  constexpr size_t kSmallStep = 8;
  const char* from = out - distance;
  if (distance >= kStep && room >= count + kStep) {
    size_t done = 0;
    do {
      std::memcpy(out + done, from + done, kStep);
      done += kStep;
    } while (done < count);
  } else if (distance >= kSmallStep && room >= count + kSmallStep) {
    for (size_t done = 0; done < count; done += kSmallStep) {
      std::memcpy(out + done, from + done, kSmallStep);
    }
  } else if (distance == 1) {
    std::memset(out, *from, count);
  } else {
    for (size_t i = 0; i < count; ++i) out[i] = from[i];
  }
}

// The library's own function goes byte by byte, which shows when a dataset is loaded. False when
// the bytes are malformed or hold more or less than `raw_bytes`.
//
//   000nnnnn: n + 1 bytes follow that stand for themselves
//   nnnddddd dddddddd, or 111ddddd nnnnnnnn dddddddd: n + 2 bytes (n + 9), from d + 1 before
bool unpack(std::string_view compressed, std::span<char> room, size_t raw_bytes) {
  constexpr size_t kMostLiterals = 32;
  static_assert(kLzfSlack >= kMostLiterals);
  const char* in = compressed.data();
  const char* const in_end = in + compressed.size();
  char* out = room.data();
  char* const out_end = out + raw_bytes;
  char* const room_end = out + room.size();
  const auto left = [&] { return static_cast<size_t>(in_end - in); };
  const auto next = [&] { return size_t{static_cast<uint8_t>(*in++)}; };
  while (in < in_end) {
    const size_t control = next();
    const auto wanted = static_cast<size_t>(out_end - out);
    const auto behind = static_cast<size_t>(room_end - out);
    if (control < kMostLiterals) {
      const size_t count = control + 1;
      if (count > left() || count > wanted) return false;
      if (left() >= kMostLiterals && behind >= kMostLiterals) {
        std::memcpy(out, in, kMostLiterals);  // its size is known: a few instructions
      } else {
        std::memcpy(out, in, count);
      }
      in += count;
      out += count;
      continue;
    }
    size_t count = control >> 5;
    if (left() < (count == 7 ? 2 : 1)) return false;
    if (count == 7) count += next();
    count += 2;
    const size_t distance = ((control & 0x1f) << 8 | next()) + 1;
    if (distance > static_cast<size_t>(out - room.data()) || count > wanted) return false;
    repeat(out, distance, count, behind);
    out += count;
  }
  return out == out_end;
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

Status lzf_decompress(std::string_view compressed, std::span<char> room, size_t raw_bytes) {
  assert(raw_bytes <= room.size());
  if (compressed.size() > kMaxLength || raw_bytes > kMaxLength) {
    return make_error(ErrorKind::kCorrupt, "LZF: a length beyond 4 GiB");
  }
  if (raw_bytes == 0 || !unpack(compressed, room, raw_bytes)) {
    return make_error(ErrorKind::kCorrupt, "LZF: " + std::to_string(compressed.size()) +
                                               " bytes do not unpack to the " +
                                               std::to_string(raw_bytes) + " they should");
  }
  return {};
}

Result<std::string> lzf_decompress(std::string_view compressed, size_t raw_bytes) {
  if (!lzf_can_hold(compressed.size(), raw_bytes)) {
    return make_error(ErrorKind::kCorrupt, "LZF: " + std::to_string(compressed.size()) +
                                               " bytes cannot hold " + std::to_string(raw_bytes));
  }
  std::string raw(raw_bytes, '\0');
  if (Status status = lzf_decompress(compressed, std::span<char>(raw), raw_bytes); !status) {
    return status.error();
  }
  return raw;
}

}  // namespace tandem
