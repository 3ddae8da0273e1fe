#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/byte_stream.h"
#include "server/base/result.h"

struct LZ4F_cctx_s;
struct LZ4F_dctx_s;

namespace tandem {

// Bytes as an LZ4 frame, as the `lz4` program reads and writes them: independent blocks of 64 KiB,
// each with a checksum. The source reads frames with larger blocks too. Both adapters hold a few
// blocks, however long the stream is.

// Compresses on the way to another sink, which outlives it.
class Lz4FrameSink final : public ByteSink {
 public:
  explicit Lz4FrameSink(ByteSink* out);
  ~Lz4FrameSink() override;
  Lz4FrameSink(const Lz4FrameSink&) = delete;
  Lz4FrameSink& operator=(const Lz4FrameSink&) = delete;

  Status write(std::string_view bytes) override;
  // Hands on all that was written, so that a reader has it; the frame goes on.
  Status flush();
  // Ends the frame and finishes the other sink.
  Status finish() override;

 private:
  Status begin();
  Status hand_on(size_t result);

  ByteSink* out_;
  LZ4F_cctx_s* context_ = nullptr;
  bool begun_ = false;
  std::string buffer_;  // compressed
};

// What is in one frame of another source, of which it takes no byte behind the frame. Trusts
// nothing: errors are of kind kCorrupt, with the offset in the compressed source.
class Lz4FrameSource final : public ByteSource {
 public:
  // `in` outlives the source.
  explicit Lz4FrameSource(ByteSource* in);
  ~Lz4FrameSource() override;
  Lz4FrameSource(const Lz4FrameSource&) = delete;
  Lz4FrameSource& operator=(const Lz4FrameSource&) = delete;

  Status read(char* out, size_t length) override;
  Result<size_t> read_some(char* out, size_t max) override;
  // Of the uncompressed bytes.
  uint64_t offset() const override { return offset_; }
  uint64_t remaining_bound() const override;
  // Takes the mark that ends the frame; an error if there are bytes before it.
  Status expect_end();

 private:
  Status fill();
  Status feed();
  void read_header();
  bool ended() const { return begun_ && wanted_ == 0; }
  size_t buffered() const { return buffer_.size() - position_; }

  ByteSource* in_;
  LZ4F_dctx_s* context_ = nullptr;
  std::string compressed_;
  size_t fed_ = 0;     // of compressed_
  size_t wanted_ = 0;  // bytes the decoder asks for next; 0: the frame has ended
  bool begun_ = false;
  bool header_read_ = false;
  size_t block_bytes_ = 64 * 1024;  // the largest a block can be
  std::string buffer_;
  size_t position_ = 0;  // of buffer_
  uint64_t offset_ = 0;
};

}  // namespace tandem
