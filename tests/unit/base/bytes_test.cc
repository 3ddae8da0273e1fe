#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "server/base/byte_stream.h"
#include "server/base/clock.h"
#include "server/base/crc64.h"
#include "server/base/digest.h"
#include "server/base/hash.h"
#include "server/base/output_buffer.h"
#include "server/base/random.h"

namespace tandem {
namespace {

TEST(Crc64Test, KnownAnswers) {
  EXPECT_EQ(crc64(0, "123456789"), 0xe9c6d914c4b8d9caULL);
  EXPECT_EQ(crc64(0, ""), 0u);
  EXPECT_EQ(crc64(7, ""), 7u);
}

TEST(Crc64Test, PiecesGiveTheSameAsTheWhole) {
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes += static_cast<char>(i * 37);
  const uint64_t whole = crc64(0, bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const std::string_view view = bytes;
    EXPECT_EQ(crc64(crc64(0, view.substr(0, cut)), view.substr(cut)), whole) << cut;
  }
}

// Long texts take another way than short ones.
TEST(Crc64Test, LongTextsGiveTheSameAsByteByByte) {
  Random random(3);
  std::string bytes;
  for (int i = 0; i < 1500; ++i) bytes += static_cast<char>(random.below(256));
  for (size_t begin = 0; begin < 16; ++begin) {
    for (size_t size = 0; begin + size <= bytes.size(); size += 61) {
      const std::string_view text = std::string_view(bytes).substr(begin, size);
      uint64_t expected = begin;
      for (const char& byte : text) expected = crc64(expected, {&byte, 1});
      ASSERT_EQ(crc64(begin, text), expected) << begin << " " << size;
    }
  }
}

TEST(DigestTest, KnownAnswers) {
  EXPECT_EQ(sha1_hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha256("abc")[0], 0xba);
  EXPECT_EQ(sha256("abc")[31], 0xad);
  EXPECT_TRUE(equals_constant_time("secret", "secret"));
  EXPECT_FALSE(equals_constant_time("secret", "secres"));
  EXPECT_FALSE(equals_constant_time("secret", "secret1"));
}

TEST(HashTest, DependsOnTheSeed) {
  const uint64_t before = hash_bytes("key");
  EXPECT_EQ(before, hash_bytes(std::string("key")));
  set_hash_seed(1);
  EXPECT_NE(hash_bytes("key"), before);
}

TEST(RandomTest, EqualSeedsGiveEqualSequences) {
  Random a(7), b(7), c(8);
  const uint64_t first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_EQ(a.hex(40), b.hex(40));
  EXPECT_EQ(a.hex(40).find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(a.hex(40).size(), 40u);
}

TEST(RandomTest, BelowReachesEveryValueAndNoOther) {
  Random random(1);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.below(10));
  EXPECT_EQ(seen.size(), 10u);
  EXPECT_EQ(*seen.rbegin(), 9u);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(ClockTest, MonotonicTimeNeverGoesBack) {
  const int64_t before = system_clock().monotonic_us();
  EXPECT_GE(system_clock().monotonic_us(), before);
  EXPECT_GT(system_clock().wall_ms(), int64_t{1600000000000});
}

TEST(OutputBufferTest, BytesComeOutInOrder) {
  OutputBuffer buffer;
  std::string expected;
  Random random(3);
  for (int i = 0; i < 20000; ++i) {
    if (random.below(3) != 0) {
      const std::string piece(random.below(300), static_cast<char>('a' + i % 26));
      buffer.append(piece);
      expected += piece;
    } else {
      const size_t length = random.below(buffer.size() + 1);
      ASSERT_EQ(buffer.view().substr(0, length), std::string_view(expected).substr(0, length));
      buffer.consume(length);
      expected.erase(0, length);
    }
    ASSERT_EQ(buffer.size(), expected.size());
  }
  EXPECT_EQ(buffer.view(), expected);
}

TEST(OutputBufferTest, EmptiedBigBufferGivesItsBlockBack) {
  OutputBuffer buffer;
  buffer.append(std::string(1 << 20, 'x'));
  buffer.consume(buffer.size());
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append('y');
  EXPECT_EQ(buffer.view(), "y");
}

TEST(OutputBufferTest, TruncateTakesBackAReply) {
  OutputBuffer buffer;
  buffer.append("abc");
  buffer.consume(1);
  const size_t mark = buffer.size();
  buffer.append("unwanted");
  buffer.truncate(mark);
  EXPECT_EQ(buffer.view(), "bc");
  buffer.append("");
  EXPECT_EQ(buffer.view(), "bc");
}

TEST(ByteStreamTest, SourceRefusesToReadPastItsEnd) {
  std::string text;
  StringSink sink(&text);
  EXPECT_TRUE(sink.write("abc").ok());
  EXPECT_TRUE(sink.write("def").ok());
  StringSource source(text);
  char out[4];
  EXPECT_TRUE(source.read(out, 4).ok());
  EXPECT_EQ(std::string(out, 4), "abcd");
  EXPECT_EQ(source.remaining_bound(), 2u);
  const Status past = source.read(out, 3);
  ASSERT_FALSE(past.ok());
  EXPECT_EQ(past.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(past.error().offset, 4u);
}

}  // namespace
}  // namespace tandem
