#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tandem {

// Strings as sequences of bits: bit 0 is the highest bit of the first byte. Ranges of bits include
// both their ends and lie within the string.

// How many bits of a range are set.
uint64_t count_bits(std::string_view bytes, uint64_t first, uint64_t last);
// The lowest position within a range of a bit that is `bit`.
std::optional<uint64_t> find_bit(std::string_view bytes, bool bit, uint64_t first, uint64_t last);

// The unsigned number in `width` (1 to 64) bits from `offset` on. Bits beyond the end are zero.
uint64_t read_bits(std::string_view bytes, uint64_t offset, unsigned width);
// Overwrites those bits, all of which lie within `bytes`, with the lowest `width` bits of `value`.
void write_bits(std::span<char> bytes, uint64_t offset, unsigned width, uint64_t value);

enum class BitOperation : uint8_t { kAnd, kOr, kXor, kNot };

// Combines the sources bit by bit. The result is as long as the longest of them; the others count
// as padded with zero bits. kNot takes one source.
std::string combine_bits(BitOperation operation, std::span<const std::string_view> sources);

}  // namespace tandem
