#include "server/base/lzf.h"

#include <gtest/gtest.h>
#include <liblzf/lzf.h>

#include "server/base/random.h"

namespace tandem {
namespace {

TEST(Lzf, RoundTrips) {
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    std::string raw;
    const size_t size = random.below(5000);
    while (raw.size() < size)
      raw.append(random.below(50), static_cast<char>('a' + random.below(4)));
    const auto packed = lzf_compress(raw);
    if (!packed) continue;
    EXPECT_LE(packed->size() + 4, raw.size());
    const auto unpacked = lzf_decompress(*packed, raw.size());
    ASSERT_TRUE(unpacked.ok()) << unpacked.error().to_string();
    EXPECT_EQ(unpacked.value(), raw);
  }
}

TEST(Lzf, LeavesWhatDoesNotShrink) {
  EXPECT_EQ(lzf_compress(""), std::nullopt);
  EXPECT_EQ(lzf_compress("aaaa"), std::nullopt);
  EXPECT_EQ(lzf_compress("abcdefghijklmnopqrstuvwxyz"), std::nullopt);
}

// The quick look at short strings must not pass over any that the library would have made smaller.
TEST(Lzf, ShrinksEveryShortStringThatTheLibraryShrinks) {
  Random random(11);
  int shrunk = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string raw;
    const size_t size = 10 + random.below(240);
    const uint64_t letters = 2 + random.below(60);
    while (raw.size() < size) raw.push_back(static_cast<char>('0' + random.below(letters)));
    raw.insert(random.below(size), raw.substr(random.below(size), random.below(12)));
    std::string out(raw.size() - 4, '\0');
    const bool shrinks = ::lzf_compress(raw.data(), static_cast<unsigned>(raw.size()), out.data(),
                                        static_cast<unsigned>(out.size())) > 0;
    EXPECT_EQ(lzf_compress(raw).has_value(), shrinks) << raw;
    shrunk += shrinks ? 1 : 0;
  }
  EXPECT_GT(shrunk, 500);
  EXPECT_LT(shrunk, 4500);
}

// Against the library: bytes of its own making, and such as nobody would make.
TEST(Lzf, UnpacksWhatTheLibraryUnpacks) {
  Random random(5);
  int unpacked = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string packed(1 + random.below(30), '\0');
    for (char& byte : packed) {
      // Mostly short distances and counts, or else nothing would be of use.
      const uint64_t kind = random.below(4);
      byte = static_cast<char>(kind == 0   ? random.below(256)
                               : kind == 1 ? random.below(8) << 5
                                           : random.below(12));
    }
    std::string expected(2000, 'x');
    const unsigned size = ::lzf_decompress(packed.data(), static_cast<unsigned>(packed.size()),
                                           expected.data(), static_cast<unsigned>(expected.size()));
    expected.resize(size);
    const size_t asked = size == 0 ? 1 + random.below(200) : size;
    const auto text = lzf_decompress(packed, asked);
    if (size == 0) {
      EXPECT_FALSE(text.ok());
      continue;
    }
    ++unpacked;
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(text.value(), expected);
    // With some room behind, all of it or more: what is there may go, what is beyond may not.
    const size_t slack = random.below(2 * kLzfSlack);
    std::string room(size + slack + 64, '\x7f');
    ASSERT_TRUE(lzf_decompress(packed, {room.data(), size + slack}, size).ok());
    EXPECT_EQ(room.substr(0, size), expected);
    EXPECT_EQ(room.substr(size + slack), std::string(64, '\x7f'));
    EXPECT_FALSE(lzf_decompress(packed, size + 1).ok());
    EXPECT_FALSE(lzf_decompress(packed, size - 1).ok());
  }
  EXPECT_GT(unpacked, 500);
}

TEST(Lzf, RefusesAWrongLength) {
  const std::string raw(1000, 'a');
  const auto packed = lzf_compress(raw);
  ASSERT_TRUE(packed.has_value());
  EXPECT_FALSE(lzf_decompress(*packed, 999).ok());
  EXPECT_FALSE(lzf_decompress(*packed, 1001).ok());
  EXPECT_FALSE(lzf_decompress(*packed, size_t{0}).ok());
  EXPECT_FALSE(lzf_decompress("", 1).ok());
  EXPECT_FALSE(lzf_decompress(packed->substr(0, packed->size() - 1), 1000).ok());
}

TEST(Lzf, RefusesALengthNoSuchInputCanHoldWithoutAllocatingIt) {
  EXPECT_FALSE(lzf_decompress("abc", size_t{1} << 40).ok());
  EXPECT_TRUE(lzf_can_hold(12, 1000));
  EXPECT_FALSE(lzf_can_hold(10, 1000));
  // The densest input there is: one byte, then back-references of 264.
  const std::string dense(200000, 'a');
  const auto packed = lzf_compress(dense);
  ASSERT_TRUE(packed.has_value());
  EXPECT_TRUE(lzf_can_hold(packed->size(), dense.size()));
}

TEST(Lzf, FlippedBytesNeverReachOutside) {
  std::string raw;
  for (int i = 0; i < 60; ++i) raw += "field:" + std::to_string(i);
  auto packed = lzf_compress(raw);
  ASSERT_TRUE(packed.has_value());
  for (size_t i = 0; i < packed->size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = *packed;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      const auto unpacked = lzf_decompress(bytes, raw.size());
      if (unpacked) {
        EXPECT_EQ(unpacked.value().size(), raw.size());
      }
    }
  }
}

}  // namespace
}  // namespace tandem
