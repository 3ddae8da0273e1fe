#include "replication/replica_stream.h"

#include <algorithm>

namespace tandem {

size_t ReplicaStream::readable() const {
  const size_t left = reader_.size();
  if (left == 0) return 0;
  const uint64_t limit = limit_();
  if (limit < reader_.offset()) return 0;
  return std::min<uint64_t>(left, limit - reader_.offset() + 1);
}

std::string_view ReplicaStream::front() {
  if (!open_) return {};
  if (compressor_ == nullptr) return next_piece();
  if (unsent_packed() == 0) {
    const std::string_view piece = next_piece();
    packed_sent_ = 0;
    packed_.clear();
    if (piece.empty()) return {};
    packed_ = compressor_->pack(reader_.offset(), piece);
    reader_.advance(piece.size());
    sent_(piece.size(), 0);
  }
  return std::string_view(packed_).substr(packed_sent_);
}

void ReplicaStream::consume(size_t length) {
  if (compressor_ == nullptr) {
    reader_.advance(length);
    sent_(length, length);
  } else {
    packed_sent_ += length;
    sent_(0, length);
  }
}

}  // namespace tandem
