#include "server/store/bit_string.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/base/random.h"

namespace tandem {
namespace {

bool bit_of(std::string_view bytes, uint64_t index) {
  return (static_cast<unsigned char>(bytes[index / 8]) >> (7 - index % 8) & 1) != 0;
}

// Mostly runs of equal bytes, so that searches have far to go.
std::string random_bytes(Random& random, size_t length) {
  std::string bytes(length, '\0');
  unsigned char filler = 0;
  for (char& byte : bytes) {
    if (random.below(20) == 0) filler = random.below(2) == 0 ? 0 : 0xff;
    byte = static_cast<char>(random.below(10) == 0 ? random.below(256) : filler);
  }
  return bytes;
}

TEST(BitStringTest, CountsAndFindsWithinAnyRange) {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::string bytes = random_bytes(random, 1 + random.below(round % 10 == 0 ? 200 : 20));
    uint64_t first = random.below(bytes.size() * 8), last = random.below(bytes.size() * 8);
    if (first > last) std::swap(first, last);
    uint64_t set = 0;
    std::optional<uint64_t> first_set, first_clear;
    for (uint64_t i = first; i <= last; ++i) {
      const bool bit = bit_of(bytes, i);
      set += bit ? 1 : 0;
      std::optional<uint64_t>& found = bit ? first_set : first_clear;
      if (!found) found = i;
    }
    ASSERT_EQ(count_bits(bytes, first, last), set);
    ASSERT_EQ(find_bit(bytes, true, first, last), first_set);
    ASSERT_EQ(find_bit(bytes, false, first, last), first_clear);
  }
}

TEST(BitStringTest, ReadsWhatItWrote) {
  Random random(2);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = random_bytes(random, 20);
    const std::string before = bytes;
    const auto width = static_cast<unsigned>(1 + random.below(64));
    const uint64_t offset = random.below(bytes.size() * 8 - width + 1);
    const uint64_t value = random.next();
    write_bits(bytes, offset, width, value);
    ASSERT_EQ(read_bits(bytes, offset, width), value & (~uint64_t{0} >> (64 - width)));
    for (uint64_t i = 0; i < bytes.size() * 8; ++i) {
      const bool written = i >= offset && i < offset + width;
      const bool expected =
          written ? (value >> (offset + width - 1 - i) & 1) != 0 : bit_of(before, i);
      ASSERT_EQ(bit_of(bytes, i), expected) << i;
    }
  }
}

TEST(BitStringTest, ReadsZerosBeyondTheEnd) {
  EXPECT_EQ(read_bits("\xff\xff", 12, 8), 0xf0u);
  EXPECT_EQ(read_bits("\xff", 8, 64), 0u);
  EXPECT_EQ(read_bits("", uint64_t{1} << 62, 64), 0u);
  EXPECT_EQ(read_bits("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 3, 64), ~uint64_t{0});
}

TEST(BitStringTest, CombinesSourcesOfAnyLengths) {
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> texts(1 + random.below(5));
    size_t longest = 0;
    for (std::string& text : texts) {
      // Some pass the size of a block.
      text = random_bytes(random, random.below(round % 50 == 0 ? 40'000 : 40));
      longest = std::max(longest, text.size());
    }
    const std::vector<std::string_view> sources(texts.begin(), texts.end());
    std::string all(longest, '\0'), any(longest, '\0'), odd(longest, '\0');
    for (size_t i = 0; i < longest; ++i) {
      unsigned char a = 0xff, o = 0, x = 0;
      for (const std::string& text : texts) {
        const unsigned char byte = i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
        a &= byte;
        o |= byte;
        x ^= byte;
      }
      all[i] = static_cast<char>(a);
      any[i] = static_cast<char>(o);
      odd[i] = static_cast<char>(x);
    }
    ASSERT_EQ(combine_bits(BitOperation::kAnd, sources), all);
    ASSERT_EQ(combine_bits(BitOperation::kOr, sources), any);
    ASSERT_EQ(combine_bits(BitOperation::kXor, sources), odd);
    std::string inverse = texts[0];
    for (char& byte : inverse) byte = static_cast<char>(~byte);
    ASSERT_EQ(combine_bits(BitOperation::kNot, {sources.data(), 1}), inverse);
  }
}

}  // namespace
}  // namespace tandem
