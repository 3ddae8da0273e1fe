#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "persistence/rdb_format.h"
#include "server/base/byte_stream.h"
#include "server/base/numbers.h"
#include "server/base/result.h"

namespace tandem {

// The primitives RDB is made of (bytes, lengths, strings) in both directions. DUMP, RESTORE and
// FUNCTION DUMP payloads are made of the same ones.

// Writes primitives to a sink through a buffer and sums up the CRC-64 of everything written. The
// first failure of the sink sticks: later calls do nothing, and finish() reports it.
class RdbEncoder {
 public:
  // `compress`: strings longer than rdb::kMinCompressedBytes are stored as LZF when that is
  // shorter. Without `sums_up` there is no checksum. The sink outlives the encoder.
  RdbEncoder(ByteSink* sink, bool compress, bool sums_up = true)
      : sink_(sink), compress_(compress), sums_up_(sums_up) {}
  RdbEncoder(const RdbEncoder&) = delete;
  RdbEncoder& operator=(const RdbEncoder&) = delete;

  void byte(uint8_t value);
  void raw(std::string_view bytes);
  void little_endian(uint64_t value, int bytes);
  void length(uint64_t value);
  // As an integer, compressed, or as it is.
  void string(std::string_view bytes);
  // A string that is known to be the decimal form of `value`.
  void integer_string(int64_t value);

  // CRC-64 of everything written so far.
  uint64_t checksum();
  const Status& status() const { return status_; }
  // Hands what is buffered to the sink. Does not finish() the sink.
  Status flush();

 private:
  void sum_up();
  void flush_if_full();

  ByteSink* sink_;
  const bool compress_;
  const bool sums_up_;
  std::string buffer_;
  std::string compressed_;  // scratch
  size_t summed_up_ = 0;    // bytes of buffer_ that are part of crc_
  uint64_t crc_ = 0;
  Status status_;
};

// A decoded string, or the integer that stands for one.
using RdbText = std::variant<std::string_view, int64_t>;

// Reads primitives from a source that it does not trust: no length is believed before it has been
// compared with what the source can still hold. Errors are of kind kCorrupt, say what was expected,
// and carry the offset where the thing began.
class RdbDecoder {
 public:
  // Reads ahead when the source knows how many bytes it has left. The source outlives the decoder.
  explicit RdbDecoder(ByteSource* source);
  RdbDecoder(const RdbDecoder&) = delete;
  RdbDecoder& operator=(const RdbDecoder&) = delete;

  // `expected` names what is read, for the error message: "the length of a hash".
  Result<uint8_t> byte(std::string_view expected) {
    if (position_ == buffer_.size()) {
      if (Status status = fill(expected); !status.ok()) return status.error();
    }
    return static_cast<uint8_t>(buffer_[position_++]);
  }
  Status raw(char* out, size_t length, std::string_view expected);
  Result<uint64_t> little_endian(int bytes, std::string_view expected);
  Result<uint64_t> length(std::string_view expected) {
    if (const std::optional<uint32_t> length = short_length()) return uint64_t{*length};
    return any_length(expected);
  }
  // A number of elements that each take at least `min_bytes` of what is left.
  Result<uint64_t> count(size_t min_bytes, std::string_view expected);
  // A string in any of its encodings. The view is valid until the next call.
  Result<std::string_view> text(std::string_view expected) {
    if (const std::optional<std::string_view> text = short_text()) return *text;
    return any_text(expected);
  }
  // As text(), but an integer encoding is left a number.
  Result<RdbText> text_or_integer(std::string_view expected);
  // As text(), copied to *out.
  Status string(std::string* out, std::string_view expected);

  // Bytes taken so far; the source may have been read further.
  uint64_t offset() const { return base_offset_ + position_; }
  // No more than this many bytes are left.
  uint64_t remaining_bound() const;
  // CRC-64 of the bytes taken so far.
  uint64_t checksum();

  Error corrupt(std::string message, uint64_t at) const;

 private:
  // Most lengths take a byte or two and most strings stand in the buffer whole and as they are.
  // These take such a one, or nothing.
  std::optional<uint32_t> short_length() {
    const size_t left = buffer_.size() - position_;
    if (left < 2) return std::nullopt;
    const auto first = static_cast<uint8_t>(buffer_[position_]);
    if (first >> 6 == rdb::kLength6Bit) {
      ++position_;
      return first;
    }
    if (first >> 6 != rdb::kLength14Bit) return std::nullopt;
    const auto second = static_cast<uint8_t>(buffer_[position_ + 1]);
    position_ += 2;
    return (first & 0x3fu) << 8 | second;
  }
  std::optional<std::string_view> short_text() {
    const size_t began = position_;
    const std::optional<uint32_t> length = short_length();
    if (!length) return std::nullopt;
    if (*length > buffer_.size() - position_) {
      position_ = began;
      return std::nullopt;
    }
    const std::string_view text(buffer_.data() + position_, *length);
    position_ += *length;
    return text;
  }
  Result<uint64_t> any_length(std::string_view expected);
  Result<std::string_view> any_text(std::string_view expected);
  Status fill(std::string_view expected);
  // These set *out to a string; `began` is where it began, for the error.
  Status take(std::string_view* out, uint64_t length, std::string* scratch,
              std::string_view expected, uint64_t began);
  Status gather(std::string_view* out, uint64_t length, std::string* scratch,
                std::string_view expected, uint64_t began);
  Status lzf(std::string_view* out, std::string_view expected, uint64_t began);
  Status plain(std::string_view* out, uint8_t first, std::string_view expected, uint64_t began);
  Result<uint64_t> length_after(uint8_t first, std::string_view expected, uint64_t began);
  void sum_up();

  ByteSource* source_;
  const bool reads_ahead_;
  std::string buffer_;
  size_t position_ = 0;       // of buffer_
  size_t summed_up_ = 0;      // bytes of buffer_ that are part of crc_
  uint64_t base_offset_ = 0;  // of the source, where buffer_ begins
  uint64_t crc_ = 0;
  // Scratch for strings that do not stand in buffer_ as they are; never smaller than the last one.
  std::string text_;
  std::string compressed_;
  std::array<char, kMaxInt64Digits> digits_;
};

}  // namespace tandem
