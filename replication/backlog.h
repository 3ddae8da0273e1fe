#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

class BacklogReader;

// The replication stream, for whoever still needs it: the last bytes of it, so that a replica whose
// link was cut can go on where it was, and what readers (replicas) have not read. Kept once, in
// blocks that readers read in place: memory follows what is stored and not how many read it. At
// least the wanted size of history stays once there has been so much; a block goes when that size
// does not need it and every reader is past it.
class Backlog {
 public:
  // `offset` is the stream's offset before the first byte that will be appended.
  Backlog(uint64_t offset, uint64_t wanted_bytes);
  // Readers that are left have nothing more to read.
  ~Backlog();
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  void append(std::string_view bytes);
  // Changes the wanted size; history beyond it is dropped.
  void resize(uint64_t wanted_bytes);

  // Offsets count the stream's bytes from 1: the first byte held, and the one after the last.
  uint64_t first_offset() const { return end_ - length_; }
  uint64_t end_offset() const { return end_; }
  uint64_t length() const { return length_; }
  bool can_serve_from(uint64_t offset) const { return offset >= first_offset() && offset <= end_; }
  // What is held from `offset`, which can_serve_from(), to the end of its block; empty at the end
  // of the stream. Valid until the next append() or resize(), or longer for a reader's position.
  std::string_view piece(uint64_t offset) const;
  // How many blocks hold what is held from `offset` on.
  size_t blocks_from(uint64_t offset) const;

  size_t block_bytes() const { return block_bytes_; }
  // What a block takes, and what all do.
  size_t memory_of_block() const { return sizeof(std::string) + block_bytes_; }
  size_t memory_bytes() const { return blocks_.size() * memory_of_block(); }

 private:
  friend class BacklogReader;
  void trim();

  uint64_t wanted_;
  const size_t block_bytes_;
  uint64_t end_;
  uint64_t length_ = 0;
  std::deque<std::string> blocks_;  // all but the last are full
  std::vector<BacklogReader*> readers_;
};

// A place in a backlog from where somebody reads: what is behind it stays until it has been read.
// Outlives the backlog if need be.
class BacklogReader {
 public:
  // Reads from `offset` on, which the backlog can serve from.
  BacklogReader(Backlog* backlog, uint64_t offset);
  ~BacklogReader() { release(); }
  BacklogReader(const BacklogReader&) = delete;
  BacklogReader& operator=(const BacklogReader&) = delete;

  uint64_t offset() const { return offset_; }
  // Bytes still to be read.
  size_t size() const {
    return backlog_ == nullptr ? 0 : static_cast<size_t>(backlog_->end_offset() - offset_);
  }
  // The next of them; valid until advance() and the backlog's end.
  std::string_view front() const {
    return backlog_ == nullptr ? std::string_view() : backlog_->piece(offset_);
  }
  void advance(size_t length);
  // There is nothing more to read.
  void release();
  // The blocks that hold them, and what these take.
  size_t blocks() const { return backlog_ == nullptr ? 0 : backlog_->blocks_from(offset_); }
  size_t memory_bytes() const {
    return backlog_ == nullptr ? 0 : blocks() * backlog_->memory_of_block();
  }

 private:
  friend class Backlog;
  Backlog* backlog_;  // null: it is gone
  uint64_t offset_;
};

}  // namespace tandem
