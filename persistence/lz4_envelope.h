#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/byte_stream.h"
#include "server/base/lz4_frame.h"
#include "server/base/result.h"

namespace tandem {

// A compressed snapshot, or stream of replication, is an LZ4 frame behind an envelope of 7 bytes:
//
//   "VCS" | version 1 | codec, 1: LZ4 | 0 | kind
//
// What follows the envelope is a file that the `lz4` program reads.
enum class EnvelopeKind : uint8_t { kSnapshot = 1, kReplicationStream = 2 };

inline constexpr std::string_view kEnvelopeMagic = "VCS";
inline constexpr size_t kEnvelopeBytes = 7;

Status write_envelope(ByteSink* sink, EnvelopeKind kind);

// Another source, or what is in the frame if that source begins with an envelope.
class EnvelopedSource final : public ByteSource {
 public:
  // `in` outlives the source.
  explicit EnvelopedSource(ByteSource* in) : in_(in) {}

  // Before any reading: looks for an envelope, and says whether there is one. kUnsupported for one
  // of another version, codec or kind.
  Result<bool> open(EnvelopeKind kind);
  // Behind the last byte of what the frame holds: takes the mark that ends it.
  Status expect_end() { return frame_ ? frame_->expect_end() : Status(); }

  Status read(char* out, size_t length) override;
  Result<size_t> read_some(char* out, size_t max) override;
  uint64_t offset() const override { return frame_ ? frame_->offset() : in_->offset() - unread(); }
  uint64_t remaining_bound() const override;

 private:
  size_t unread() const { return looked_at_.size() - position_; }
  size_t read_looked_at(char* out, size_t max);

  ByteSource* in_;
  std::string looked_at_;  // the beginning of a source without an envelope
  size_t position_ = 0;    // of looked_at_
  std::optional<Lz4FrameSource> frame_;
};

}  // namespace tandem
