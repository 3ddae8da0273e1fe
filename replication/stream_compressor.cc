#include "replication/stream_compressor.h"

#include <cassert>

#include "persistence/lz4_envelope.h"

namespace tandem {

namespace {

// Into memory, and with room for the result: neither can fail.
void must(const Status& status) {
  assert(status.ok());
  (void)status;
}

}  // namespace

StreamCompressor::StreamCompressor() {
  must(write_envelope(&sink_, EnvelopeKind::kReplicationStream));
  must(frame_.flush());
  beginning_ = packed_;
}

std::string_view StreamCompressor::pack(uint64_t offset, std::string_view bytes) {
  if (offset == offset_ && bytes.size() == length_) return packed_;
  packed_.clear();
  must(frame_.write(bytes));
  must(frame_.flush());
  offset_ = offset;
  length_ = bytes.size();
  ++packed_count_;
  return packed_;
}

}  // namespace tandem
