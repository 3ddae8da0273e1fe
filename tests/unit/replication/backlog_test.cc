#include "replication/backlog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "replication/replica_stream.h"

namespace tandem {
namespace {

std::string from(const Backlog& backlog, uint64_t offset) {
  std::string out;
  while (offset + out.size() < backlog.end_offset()) out += backlog.piece(offset + out.size());
  return out;
}

std::string numbered(size_t first, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text.push_back(static_cast<char>('a' + (first + i) % 26));
  return text;
}

// All that is left for a reader, block by block.
std::string read_all(BacklogReader& reader) {
  std::string out;
  while (reader.size() > 0) {
    const std::string_view piece = reader.front();
    out += piece;
    reader.advance(piece.size());
  }
  return out;
}

TEST(Backlog, GivesBackWhatWasAppended) {
  Backlog backlog(100, 1 << 20);
  EXPECT_EQ(backlog.first_offset(), 101u);
  EXPECT_TRUE(backlog.can_serve_from(101));
  EXPECT_FALSE(backlog.can_serve_from(100));
  backlog.append("hello");
  backlog.append(" world");
  EXPECT_EQ(from(backlog, 101), "hello world");
  EXPECT_EQ(from(backlog, 107), "world");
  EXPECT_EQ(backlog.piece(112), "");
  EXPECT_FALSE(backlog.can_serve_from(113));
}

TEST(Backlog, KeepsTheWantedLengthAndLittleMore) {
  constexpr uint64_t kWanted = 64 * 1024;
  Backlog backlog(0, kWanted);
  uint64_t total = 0;
  for (size_t piece : {1, 100, 5000, 70'000, 200'000, 3}) {
    backlog.append(numbered(total, piece));
    total += piece;
    EXPECT_EQ(backlog.end_offset(), total + 1);
    EXPECT_EQ(backlog.length(), backlog.end_offset() - backlog.first_offset());
    EXPECT_GE(backlog.length(), std::min(total, kWanted));
    EXPECT_LT(backlog.length(), kWanted + 8 * 1024);
    EXPECT_EQ(from(backlog, backlog.first_offset()),
              numbered(backlog.first_offset() - 1, backlog.length()));
  }
  backlog.resize(16 * 1024);
  EXPECT_LT(backlog.length(), 24u * 1024);
  EXPECT_EQ(from(backlog, backlog.end_offset() - 10), numbered(total - 10, 10));
}

TEST(Backlog, ReadersStandAtTheirOwnPlaces) {
  Backlog backlog(0, 16 * 1024);
  backlog.append(numbered(0, 3000));
  BacklogReader ahead(&backlog, 2001), behind(&backlog, 1);
  EXPECT_EQ(read_all(ahead), numbered(2000, 1000));
  backlog.append(numbered(3000, 5000));
  EXPECT_EQ(ahead.size(), 5000u);
  EXPECT_EQ(behind.size(), 8000u);
  EXPECT_EQ(read_all(behind), numbered(0, 8000));
  EXPECT_EQ(read_all(ahead), numbered(3000, 5000));
}

TEST(Backlog, WhatAReaderNeedsStaysAndGoesOnceItIsRead) {
  constexpr uint64_t kWanted = 16 * 1024;
  Backlog backlog(0, kWanted);
  auto slow = std::make_unique<BacklogReader>(&backlog, 1);
  BacklogReader quick(&backlog, 1);
  uint64_t total = 0;
  for (int i = 0; i < 100; ++i) {
    backlog.append(numbered(total, 10'000));
    total += 10'000;
    EXPECT_EQ(read_all(quick), numbered(total - 10'000, 10'000));
  }
  // Whoever comes now may have it too.
  EXPECT_EQ(backlog.first_offset(), 1u);
  EXPECT_TRUE(backlog.can_serve_from(1));
  EXPECT_EQ(slow->size(), total);
  slow->advance(slow->front().size());
  EXPECT_GT(backlog.first_offset(), 1u);
  EXPECT_EQ(backlog.first_offset(), slow->offset());
  slow.reset();
  EXPECT_LT(backlog.length(), kWanted + 8 * 1024);
  EXPECT_LT(backlog.memory_bytes(), kWanted + 8 * 1024);
}

TEST(Backlog, MemoryDoesNotGrowWithItsReaders) {
  Backlog backlog(0, 64 * 1024);
  std::vector<std::unique_ptr<BacklogReader>> readers;
  readers.push_back(std::make_unique<BacklogReader>(&backlog, 1));
  backlog.append(numbered(0, 1 << 20));
  const size_t with_one = backlog.memory_bytes();
  for (int i = 0; i < 50; ++i) {
    readers.push_back(std::make_unique<BacklogReader>(&backlog, 1 + 20'000 * i));
  }
  EXPECT_EQ(backlog.memory_bytes(), with_one);
  EXPECT_LT(with_one, (1u << 20) + 64 * 1024);
  // They read the very same bytes.
  BacklogReader other(&backlog, 1);
  EXPECT_EQ(other.front().data(), readers.front()->front().data());
}

TEST(Backlog, ItsEndLeavesReadersWithNothing) {
  std::optional<Backlog> backlog;
  backlog.emplace(0, 16 * 1024);
  backlog->append("something");
  BacklogReader reader(&*backlog, 1);
  backlog.reset();
  EXPECT_EQ(reader.size(), 0u);
  EXPECT_EQ(reader.front(), "");
}

TEST(ReplicaStream, FollowsTheOutputsOwnBytesOnceItIsOpen) {
  Backlog backlog(0, 1 << 20);
  size_t sent = 0;
  const auto stream = std::make_shared<ReplicaStream>(
      &backlog, 1, nullptr, [] { return UINT64_MAX; },
      [&sent](size_t raw, size_t wire) {
        EXPECT_EQ(raw, wire);
        sent += wire;
      });
  OutputBuffer output;
  output.set_source(stream);
  output.append("snapshot");
  backlog.append("stream");
  EXPECT_EQ(output.size(), 14u);
  EXPECT_EQ(output.view(), "snapshot");
  output.consume(8);
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.view(), "");
  stream->open();
  EXPECT_FALSE(output.empty());
  EXPECT_EQ(output.view(), "stream");
  output.consume(3);
  EXPECT_EQ(output.view(), "eam");
  output.consume(3);
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.size(), 0u);
  EXPECT_EQ(sent, 6u);
}

TEST(ReplicaStream, GoesNoFurtherThanItsLimit) {
  for (const bool compressed : {false, true}) {
    Backlog backlog(100, 1 << 20);
    uint64_t limit = 100;
    size_t sent = 0;
    const auto stream = std::make_shared<ReplicaStream>(
        &backlog, 101, compressed ? std::make_shared<StreamCompressor>() : nullptr,
        [&limit] { return limit; }, [&sent](size_t raw, size_t) { sent += raw; });
    OutputBuffer output;
    output.set_source(stream);
    stream->open();
    const auto drain = [&output] {
      while (!output.empty()) output.consume(output.view().size());
    };
    drain();  // what a compressed stream begins with
    backlog.append("stream");
    EXPECT_TRUE(output.empty());
    limit = 104;
    EXPECT_FALSE(output.empty());
    if (!compressed) {
      EXPECT_EQ(output.view(), "stre");
    }
    drain();
    EXPECT_EQ(sent, 4u);
    // What has gone out already is not taken back.
    limit = 101;
    EXPECT_TRUE(output.empty());
    EXPECT_EQ(output.source_size(), 2u);
    limit = UINT64_MAX;
    drain();
    EXPECT_EQ(sent, 6u);
  }
}

}  // namespace
}  // namespace tandem
