#include "replication/replica_stream.h"

namespace tandem {

std::string_view ReplicaStream::front() {
  if (!open_) return {};
  if (compressor_ == nullptr) return reader_.front();
  if (unsent_packed() == 0) {
    const std::string_view piece = reader_.front();
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
