#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/byte_stream.h"
#include "server/base/lz4_frame.h"

namespace tandem {

// Compresses the replication stream: an envelope, then one endless LZ4 frame. Its blocks do not
// depend on each other, so that replicas at the same place share them, wherever they began.
class StreamCompressor {
 public:
  StreamCompressor();

  // What every compressed stream begins with.
  const std::string& beginning() const { return beginning_; }
  // Whole blocks that hold `bytes`, which stand at `offset` of the stream. Valid until the next
  // call.
  std::string_view pack(uint64_t offset, std::string_view bytes);
  // How often it has compressed, for tests: not again for the next replica at the same place.
  uint64_t packed_count() const { return packed_count_; }

 private:
  std::string packed_;
  StringSink sink_{&packed_};
  Lz4FrameSink frame_{&sink_};
  std::string beginning_;
  // Of what packed_ holds.
  uint64_t offset_ = 0;
  size_t length_ = 0;
  uint64_t packed_count_ = 0;
};

}  // namespace tandem
