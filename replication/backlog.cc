#include "replication/backlog.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tandem {

namespace {

constexpr size_t kSmallestBlock = 1024;
constexpr size_t kLargestBlock = 64 * 1024;
constexpr uint64_t kBlocksWanted = 16;

}  // namespace

Backlog::Backlog(uint64_t offset, uint64_t wanted_bytes)
    : wanted_(wanted_bytes),
      block_bytes_(std::clamp<size_t>(wanted_bytes / kBlocksWanted, kSmallestBlock, kLargestBlock)),
      end_(offset + 1) {}

Backlog::~Backlog() {
  for (BacklogReader* reader : readers_) reader->backlog_ = nullptr;
}

void Backlog::append(std::string_view bytes) {
  end_ += bytes.size();
  length_ += bytes.size();
  while (!bytes.empty()) {
    if (blocks_.empty() || blocks_.back().size() == block_bytes_) {
      // What is still being appended counts as stored: what is kept then is too long by it, not too
      // short.
      trim();
      blocks_.emplace_back().reserve(block_bytes_);
    }
    const std::string_view piece = bytes.substr(0, block_bytes_ - blocks_.back().size());
    blocks_.back().append(piece);
    bytes.remove_prefix(piece.size());
  }
}

void Backlog::resize(uint64_t wanted_bytes) {
  wanted_ = wanted_bytes;
  trim();
}

void Backlog::trim() {
  if (length_ < wanted_ + block_bytes_) return;
  uint64_t needed_from = end_;
  for (const BacklogReader* reader : readers_) needed_from = std::min(needed_from, reader->offset_);
  while (blocks_.size() > 1 && length_ - blocks_.front().size() >= wanted_ &&
         first_offset() + blocks_.front().size() <= needed_from) {
    length_ -= blocks_.front().size();
    blocks_.pop_front();
  }
}

std::string_view Backlog::piece(uint64_t offset) const {
  assert(can_serve_from(offset));
  const uint64_t behind_first = offset - first_offset();
  const auto block = static_cast<size_t>(behind_first / block_bytes_);
  if (block >= blocks_.size()) return {};
  return std::string_view(blocks_[block]).substr(static_cast<size_t>(behind_first % block_bytes_));
}

size_t Backlog::blocks_from(uint64_t offset) const {
  assert(can_serve_from(offset));
  const auto passed = static_cast<size_t>((offset - first_offset()) / block_bytes_);
  return blocks_.size() - std::min(passed, blocks_.size());
}

BacklogReader::BacklogReader(Backlog* backlog, uint64_t offset)
    : backlog_(backlog), offset_(offset) {
  assert(backlog->can_serve_from(offset));
  backlog->readers_.push_back(this);
}

void BacklogReader::release() {
  if (backlog_ == nullptr) return;
  std::erase(backlog_->readers_, this);
  std::exchange(backlog_, nullptr)->trim();
}

void BacklogReader::advance(size_t length) {
  assert(length <= size());
  if (backlog_ == nullptr) return;
  const size_t block_before = blocks();
  offset_ += length;
  if (blocks() != block_before) backlog_->trim();
}

}  // namespace tandem
