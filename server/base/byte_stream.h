#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/result.h"

namespace tandem {

// Where bytes go: a file, memory, a socket, or an adapter that checksums or compresses on the way
// to another sink.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status write(std::string_view bytes) = 0;
  // Pushes buffered bytes on; a frame format ends its frame.
  virtual Status finish() { return {}; }
};

// Where bytes come from. A reader checks every length it finds against remaining_bound() before it
// allocates.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Exactly `length` bytes, or an error of kind kCorrupt ("unexpected end") with the offset.
  virtual Status read(char* out, size_t length) = 0;
  // At least one byte and at most `max`, or 0 at the end: for reading ahead. A source of unknown
  // length gives a single byte.
  virtual Result<size_t> read_some(char* out, size_t max) {
    const uint64_t left = remaining_bound();
    const uint64_t count = left == UINT64_MAX ? 1 : left < max ? left : max;
    if (count > 0) {
      if (Status status = read(out, static_cast<size_t>(count)); !status.ok())
        return status.error();
    }
    return static_cast<size_t>(count);
  }
  // Bytes read so far.
  virtual uint64_t offset() const = 0;
  // No more than this many bytes are left; UINT64_MAX where the length is not known (a socket).
  virtual uint64_t remaining_bound() const = 0;
};

class StringSink final : public ByteSink {
 public:
  explicit StringSink(std::string* out) : out_(out) {}
  Status write(std::string_view bytes) override {
    out_->append(bytes);
    return {};
  }

 private:
  std::string* out_;
};

// Reads from memory that outlives it.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string_view bytes) : bytes_(bytes) {}
  Status read(char* out, size_t length) override {
    if (length > bytes_.size() - position_) {
      return make_error(ErrorKind::kCorrupt, "unexpected end of data", position_);
    }
    bytes_.copy(out, length, position_);
    position_ += length;
    return {};
  }
  uint64_t offset() const override { return position_; }
  uint64_t remaining_bound() const override { return bytes_.size() - position_; }

 private:
  std::string_view bytes_;
  size_t position_ = 0;
};

}  // namespace tandem
