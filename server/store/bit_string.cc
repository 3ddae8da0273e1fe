#include "server/store/bit_string.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

namespace tandem {
namespace {

uint64_t load_word(const char* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// As above, with the bit of the lowest position highest.
uint64_t load_ordered_word(const char* from) {
  const uint64_t word = load_word(from);
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}

// The bits of a byte from position `from` (0: the highest) to `to`.
unsigned char byte_mask(unsigned from, unsigned to) {
  return static_cast<unsigned char>((0xffu >> from) & (0xffu << (7 - to)));
}

unsigned char byte_at(std::string_view bytes, uint64_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

uint64_t count_portably(std::string_view bytes) {
  uint64_t sum = 0;
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    sum += static_cast<uint64_t>(std::popcount(load_word(bytes.data() + at)));
  }
  for (; at < bytes.size(); ++at) sum += static_cast<uint64_t>(std::popcount(byte_at(bytes, at)));
  return sum;
}

#ifdef __x86_64__
// The instruction is younger than the architecture: the compiler uses it only where told to.
__attribute__((target("popcnt"))) uint64_t count_by_instruction(std::string_view bytes) {
  uint64_t sums[4] = {};  // apart, so that one addition need not wait for another
  size_t at = 0;
  for (; at + 32 <= bytes.size(); at += 32) {
    for (size_t i = 0; i < 4; ++i) {
      sums[i] += static_cast<uint64_t>(__builtin_popcountll(load_word(bytes.data() + at + 8 * i)));
    }
  }
  return sums[0] + sums[1] + sums[2] + sums[3] + count_portably(bytes.substr(at));
}
#endif

uint64_t count_all(std::string_view bytes) {
#ifdef __x86_64__
  static const bool has_instruction = __builtin_cpu_supports("popcnt") != 0;
  if (has_instruction) return count_by_instruction(bytes);
#endif
  return count_portably(bytes);
}

// The position of the first `bit` in whole bytes, or their number of bits when there is none.
uint64_t find_in_bytes(std::string_view bytes, bool bit) {
  const uint64_t flip = bit ? 0 : ~uint64_t{0};
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    const uint64_t word = load_ordered_word(bytes.data() + at) ^ flip;
    if (word != 0) return 8 * at + static_cast<uint64_t>(std::countl_zero(word));
  }
  for (; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(byte_at(bytes, at) ^ static_cast<uint8_t>(flip));
    if (byte != 0) return 8 * at + static_cast<uint64_t>(std::countl_zero(byte));
  }
  return 8 * bytes.size();
}

// Calls step(in_byte, width, rest) for each byte that a field of bits touches: from which bit of
// the byte, counted from the lowest, how many belong to the field, and how many follow.
template <typename Step>
void walk_field(uint64_t offset, unsigned width, Step step) {
  while (width > 0) {
    const auto room = 8 - static_cast<unsigned>(offset & 7);
    const unsigned taken = std::min(room, width);
    width -= taken;
    step(offset >> 3, room - taken, taken, width);
    offset += taken;
  }
}

template <typename Combine>
void combine_into(char* out, std::string_view source, Combine combine) {
  size_t at = 0;
  for (; at + 8 <= source.size(); at += 8) {
    const uint64_t word = combine(load_word(out + at), load_word(source.data() + at));
    std::memcpy(out + at, &word, sizeof word);
  }
  for (; at < source.size(); ++at) {
    out[at] = static_cast<char>(combine(static_cast<unsigned char>(out[at]), byte_at(source, at)));
  }
}

// `out` is `size` bytes of the result so far, `source` what another source has for them.
void apply(BitOperation operation, char* out, size_t size, std::string_view source) {
  switch (operation) {
    case BitOperation::kAnd:
      combine_into(out, source, [](uint64_t a, uint64_t b) { return a & b; });
      std::memset(out + source.size(), 0, size - source.size());
      return;
    case BitOperation::kOr:
      combine_into(out, source, [](uint64_t a, uint64_t b) { return a | b; });
      return;
    case BitOperation::kXor:
      combine_into(out, source, [](uint64_t a, uint64_t b) { return a ^ b; });
      return;
    case BitOperation::kNot:
      combine_into(out, source, [](uint64_t, uint64_t b) { return ~b; });
      return;
  }
}

}  // namespace

uint64_t count_bits(std::string_view bytes, uint64_t first, uint64_t last) {
  assert(first <= last && last / 8 < bytes.size());
  const uint64_t first_byte = first / 8, last_byte = last / 8;
  const uint64_t in_bytes = count_all(bytes.substr(first_byte, last_byte - first_byte + 1));
  const auto before =
      static_cast<unsigned char>(byte_at(bytes, first_byte) & ~byte_mask(first % 8, 7));
  const auto after =
      static_cast<unsigned char>(byte_at(bytes, last_byte) & ~byte_mask(0, last % 8));
  return in_bytes - static_cast<uint64_t>(std::popcount(before) + std::popcount(after));
}

std::optional<uint64_t> find_bit(std::string_view bytes, bool bit, uint64_t first, uint64_t last) {
  assert(first <= last && last / 8 < bytes.size());
  const uint64_t first_byte = first / 8;
  const auto flip = static_cast<unsigned char>(bit ? 0 : 0xff);
  const auto head =
      static_cast<unsigned char>((byte_at(bytes, first_byte) ^ flip) & byte_mask(first % 8, 7));
  uint64_t found = 8 * first_byte + static_cast<uint64_t>(std::countl_zero(head));
  if (head == 0) {
    const uint64_t next = first_byte + 1;
    if (next > last / 8) return std::nullopt;
    found = 8 * next + find_in_bytes(bytes.substr(next, last / 8 - first_byte), bit);
  }
  if (found > last) return std::nullopt;
  return found;
}

uint64_t read_bits(std::string_view bytes, uint64_t offset, unsigned width) {
  uint64_t value = 0;
  walk_field(offset, width, [&](uint64_t index, unsigned low, unsigned taken, unsigned) {
    const unsigned byte = index < bytes.size() ? byte_at(bytes, index) : 0;
    value = (value << taken) | ((byte >> low) & ((1u << taken) - 1));
  });
  return value;
}

void write_bits(std::span<char> bytes, uint64_t offset, unsigned width, uint64_t value) {
  assert((offset + width - 1) / 8 < bytes.size());
  walk_field(offset, width, [&](uint64_t index, unsigned low, unsigned taken, unsigned rest) {
    const unsigned mask = ((1u << taken) - 1) << low;
    const unsigned part = (static_cast<unsigned>((value >> rest) & 0xff) << low) & mask;
    const auto byte = static_cast<unsigned char>(bytes[index]);
    bytes[index] = static_cast<char>((byte & ~mask) | part);
  });
}

std::string combine_bits(BitOperation operation, std::span<const std::string_view> sources) {
  // So much of the result at a time stays in the cache while all sources are applied to it.
  constexpr size_t kBlock = 16 * 1024;
  assert(!sources.empty() && (operation != BitOperation::kNot || sources.size() == 1));
  size_t longest = 0;
  for (const std::string_view source : sources) longest = std::max(longest, source.size());
  std::string result(longest, '\0');
  for (size_t at = 0; at < longest; at += kBlock) {
    const size_t size = std::min(kBlock, longest - at);
    bool first = operation != BitOperation::kNot;
    for (const std::string_view source : sources) {
      const std::string_view part = at < source.size() ? source.substr(at, size) : "";
      if (std::exchange(first, false)) {
        std::copy(part.begin(), part.end(), result.data() + at);
      } else {
        apply(operation, result.data() + at, size, part);
      }
    }
  }
  return result;
}

}  // namespace tandem
