#include "tools/cli/snapshot_file.h"

#include <gtest/gtest.h>

#include "server/base/crc64.h"

namespace tandem::cli {
namespace {

std::string snapshot(std::string_view head, std::string_view body) {
  std::string out = std::string(head) + std::string(body) + '\xff';
  uint64_t checksum = crc64(0, out);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(checksum >> (8 * i));
  return out;
}

std::string check(std::string_view bytes, size_t piece) {
  SnapshotCheck check;
  for (size_t at = 0; at < bytes.size(); at += piece) check.feed(bytes.substr(at, piece));
  Status status = check.finish();
  return status ? "" : status.error().message;
}

TEST(SnapshotCheckTest, WholeSnapshotsInAnyPieces) {
  for (std::string_view head : {"REDIS0011", "REDIS0005", "VALKEY080"}) {
    std::string bytes = snapshot(head, "some body of a snapshot that is longer than the tail");
    for (size_t piece = 1; piece <= bytes.size(); ++piece) {
      ASSERT_EQ(check(bytes, piece), "") << head << " in pieces of " << piece;
    }
  }
  EXPECT_EQ(check(snapshot("REDIS0011", ""), 4), "");
}

TEST(SnapshotCheckTest, ChecksumsMayBeSwitchedOffOrUnknown) {
  std::string bytes = snapshot("REDIS0011", "body");
  bytes.replace(bytes.size() - 8, 8, 8, '\0');
  EXPECT_EQ(check(bytes, 5), "");
  EXPECT_EQ(check("REDIS0004 before checksums", 5), "");
}

TEST(SnapshotCheckTest, EveryFlippedByteIsSeen) {
  std::string good = snapshot("REDIS0011", "body");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    // A flipped digit can name a version that had no checksum.
    if (at >= 5 && at < 9) continue;
    EXPECT_NE(check(bytes, 7), "") << "at " << at;
  }
}

TEST(SnapshotCheckTest, ShortAndForeignBytesAreRefused) {
  std::string good = snapshot("REDIS0011", "body");
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(check(good.substr(0, length), 3), "") << length;
  }
  EXPECT_NE(check("GIF89a nothing of ours", 3), "");
  EXPECT_NE(check("REDIS00x1 nothing of ours", 3), "");
}

}  // namespace
}  // namespace tandem::cli
