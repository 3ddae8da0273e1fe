#include "server/base/lz4_frame.h"

#include <gtest/gtest.h>
#include <lz4frame.h>

#include <string>

namespace tandem {
namespace {

// Compressible in parts; longer than a block.
std::string sample(size_t bytes) {
  std::string text;
  uint64_t state = 1;
  while (text.size() < bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    text += state >> 63 != 0 ? "the same words again; " : std::to_string(state);
  }
  text.resize(bytes);
  return text;
}

std::string compress(std::string_view text, size_t piece) {
  std::string out;
  StringSink sink(&out);
  Lz4FrameSink frame(&sink);
  for (size_t at = 0; at < text.size(); at += piece) {
    EXPECT_TRUE(frame.write(text.substr(at, piece)).ok());
  }
  EXPECT_TRUE(frame.finish().ok());
  return out;
}

// What is in the frame, or what is wrong with it.
Result<std::string> decompress(std::string_view bytes, size_t piece = 1000) {
  StringSource in(bytes);
  Lz4FrameSource frame(&in);
  std::string text;
  while (true) {
    std::string part(piece, '\0');
    const uint64_t bound = frame.remaining_bound();
    const Result<size_t> count = frame.read_some(part.data(), part.size());
    if (!count.ok()) return count.error();
    EXPECT_LE(count.value(), bound);
    if (count.value() == 0) break;
    text.append(part, 0, count.value());
  }
  if (Status status = frame.expect_end(); !status.ok()) return status.error();
  EXPECT_EQ(in.remaining_bound(), 0u);
  return text;
}

TEST(Lz4Frame, GivesBackWhatItWasGiven) {
  for (const size_t bytes : {0, 1, 65535, 65536, 65537, 300'000}) {
    const std::string text = sample(bytes);
    for (const size_t piece : {7000, 65536, 1'000'000}) {
      const Result<std::string> back = decompress(compress(text, piece));
      ASSERT_TRUE(back.ok()) << back.error().to_string();
      EXPECT_EQ(back.value(), text);
    }
  }
}

TEST(Lz4Frame, ReadsLargerBlocksThanItWrites) {
  const std::string text = sample(3'000'000);
  for (const LZ4F_blockSizeID_t size : {LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockSizeID = size;
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    std::string frame(LZ4F_compressFrameBound(text.size(), &preferences), '\0');
    frame.resize(
        LZ4F_compressFrame(frame.data(), frame.size(), text.data(), text.size(), &preferences));
    const Result<std::string> back = decompress(frame);
    ASSERT_TRUE(back.ok()) << back.error().to_string();
    EXPECT_TRUE(back.value() == text);
  }
}

TEST(Lz4Frame, HandsOnWhatWasFlushed) {
  std::string out;
  StringSink sink(&out);
  Lz4FrameSink frame(&sink);
  ASSERT_TRUE(frame.write("early").ok());
  ASSERT_TRUE(frame.flush().ok());
  StringSource in(out);
  Lz4FrameSource source(&in);
  std::string text(5, '\0');
  ASSERT_TRUE(source.read(text.data(), text.size()).ok());
  EXPECT_EQ(text, "early");
  EXPECT_EQ(source.offset(), 5u);
}

TEST(Lz4Frame, TakesNothingBehindItsEnd) {
  const std::string frame = compress("text", 10);
  const std::string bytes = frame + "what follows";
  StringSource in(bytes);
  Lz4FrameSource source(&in);
  char text[4];
  ASSERT_TRUE(source.read(text, sizeof text).ok());
  ASSERT_TRUE(source.expect_end().ok());
  EXPECT_EQ(in.offset(), frame.size());
  EXPECT_EQ(source.remaining_bound(), 0u);
  EXPECT_FALSE(source.read(text, 1).ok());
}

TEST(Lz4Frame, NoticesMoreThanWasExpected) {
  const std::string frame = compress("text", 10);
  StringSource in(frame);
  Lz4FrameSource source(&in);
  char text[3];
  ASSERT_TRUE(source.read(text, sizeof text).ok());
  EXPECT_FALSE(source.expect_end().ok());
}

TEST(Lz4Frame, NoticesWhereItIsCutOrDamaged) {
  const std::string text = sample(70'000);
  const std::string frame = compress(text, 65536);
  for (size_t size = 0; size < frame.size(); size += size < 100 ? 1 : 997) {
    const Result<std::string> back = decompress(frame.substr(0, size));
    ASSERT_FALSE(back.ok()) << "cut at " << size;
    EXPECT_EQ(back.error().kind, ErrorKind::kCorrupt);
    std::string damaged = frame;
    damaged[size] ^= 0x10;
    EXPECT_FALSE(decompress(damaged).ok()) << "damaged at " << size;
  }
}

TEST(Lz4Frame, IsNotAFrameThatIsToBeSkipped) {
  const std::string skippable("\x50\x2a\x4d\x18\xff\xff\xff\xff and nothing", 16);
  const Result<std::string> back = decompress(skippable);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().message, "expected an LZ4 frame");
}

}  // namespace
}  // namespace tandem
