#include "persistence/rdb_strings.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "persistence/rdb_format.h"
#include "server/base/crc64.h"
#include "server/base/lzf.h"
#include "server/base/numbers.h"

namespace tandem {

namespace {

// The encoder hands its buffer on when it is this full; longer strings pass it by.
constexpr size_t kWriteBuffer = 64 * 1024;
constexpr size_t kReadBuffer = 64 * 1024;
// What is read at a time of a string whose end the source cannot vouch for, so that memory grows
// no faster than bytes arrive.
constexpr size_t kBlindStep = 1024 * 1024;

void append_little_endian(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void append_big_endian(std::string* out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t load_little_endian(const char* in, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(in[i]);
  return value;
}

uint64_t load_big_endian(const char* in, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(in[i]);
  return value;
}

constexpr char special(rdb::StringEncoding encoding) {
  return static_cast<char>(rdb::kLengthSpecial << 6 | encoding);
}

// An integer is worth its encoding only up to 32 bits.
bool append_integer(std::string* out, int64_t value) {
  if (value >= INT8_MIN && value <= INT8_MAX) {
    out->push_back(special(rdb::kInt8));
    append_little_endian(out, static_cast<uint64_t>(value), 1);
  } else if (value >= INT16_MIN && value <= INT16_MAX) {
    out->push_back(special(rdb::kInt16));
    append_little_endian(out, static_cast<uint64_t>(value), 2);
  } else if (value >= INT32_MIN && value <= INT32_MAX) {
    out->push_back(special(rdb::kInt32));
    append_little_endian(out, static_cast<uint64_t>(value), 4);
  } else {
    return false;
  }
  return true;
}

// Makes scratch at least so large. What one huge string needed is not kept for those that follow.
void make_room(std::string* scratch, size_t bytes) {
  if (scratch->size() > kBlindStep && bytes <= kBlindStep) *scratch = std::string();
  if (scratch->size() < bytes) scratch->resize(bytes);
}

int64_t sign_extend(uint64_t value, int bytes) {
  const int shift = 64 - 8 * bytes;
  return static_cast<int64_t>(value << shift) >> shift;
}

}  // namespace

void RdbEncoder::sum_up() {
  if (!sums_up_) return;
  crc_ = crc64(crc_, std::string_view(buffer_).substr(summed_up_));
  summed_up_ = buffer_.size();
}

Status RdbEncoder::flush() {
  sum_up();
  if (status_.ok() && !buffer_.empty()) status_ = sink_->write(buffer_);
  buffer_.clear();
  summed_up_ = 0;
  return status_;
}

void RdbEncoder::flush_if_full() {
  if (buffer_.size() >= kWriteBuffer) (void)flush();
}

uint64_t RdbEncoder::checksum() {
  sum_up();
  return crc_;
}

void RdbEncoder::raw(std::string_view bytes) {
  if (bytes.size() < kWriteBuffer) {
    buffer_.append(bytes);
    flush_if_full();
    return;
  }
  if (!flush().ok()) return;
  if (sums_up_) crc_ = crc64(crc_, bytes);
  status_ = sink_->write(bytes);
}

void RdbEncoder::byte(uint8_t value) {
  const char c = static_cast<char>(value);
  raw({&c, 1});
}

void RdbEncoder::little_endian(uint64_t value, int bytes) {
  append_little_endian(&buffer_, value, bytes);
}

void RdbEncoder::length(uint64_t value) {
  if (value < 1u << 6) {
    buffer_.push_back(static_cast<char>(value));
  } else if (value < 1u << 14) {
    append_big_endian(&buffer_, value | uint64_t{rdb::kLength14Bit} << 14, 2);
  } else if (value <= UINT32_MAX) {
    buffer_.push_back(static_cast<char>(rdb::kLength32));
    append_big_endian(&buffer_, value, 4);
  } else {
    buffer_.push_back(static_cast<char>(rdb::kLength64));
    append_big_endian(&buffer_, value, 8);
  }
}

void RdbEncoder::integer_string(int64_t value) {
  if (append_integer(&buffer_, value)) return flush_if_full();
  std::array<char, kMaxInt64Digits> digits;
  const size_t count = format_int64(value, digits.data());
  length(count);
  raw({digits.data(), count});
}

void RdbEncoder::string(std::string_view bytes) {
  if (bytes.size() <= rdb::kMaxIntegerChars) {
    const auto integer = parse_int64(bytes);
    if (integer && append_integer(&buffer_, *integer)) return flush_if_full();
  }
  if (compress_ && bytes.size() > rdb::kMinCompressedBytes) {
    if (compressed_.size() < bytes.size()) compressed_.resize(bytes.size());
    if (const size_t size = lzf_compress(bytes, compressed_.data()); size > 0) {
      buffer_.push_back(special(rdb::kLzf));
      length(size);
      length(bytes.size());
      raw(std::string_view(compressed_).substr(0, size));
      return;
    }
  }
  length(bytes.size());
  raw(bytes);
}

RdbDecoder::RdbDecoder(ByteSource* source)
    : source_(source), reads_ahead_(source->remaining_bound() != UINT64_MAX) {
  base_offset_ = source->offset();
}

Error RdbDecoder::corrupt(std::string message, uint64_t at) const {
  return make_error(ErrorKind::kCorrupt, std::move(message), at);
}

void RdbDecoder::sum_up() {
  crc_ = crc64(crc_, std::string_view(buffer_).substr(summed_up_, position_ - summed_up_));
  summed_up_ = position_;
}

uint64_t RdbDecoder::checksum() {
  sum_up();
  return crc_;
}

uint64_t RdbDecoder::remaining_bound() const {
  const uint64_t behind = source_->remaining_bound();
  const uint64_t buffered = buffer_.size() - position_;
  return behind > UINT64_MAX - buffered ? UINT64_MAX : behind + buffered;
}

// Refills the emptied buffer. Without knowing what is left, one byte is all that may be asked for.
Status RdbDecoder::fill(std::string_view expected) {
  sum_up();
  base_offset_ += position_;
  position_ = 0;
  summed_up_ = 0;
  buffer_.resize(reads_ahead_ ? kReadBuffer : 1);
  const Result<size_t> count = source_->read_some(buffer_.data(), buffer_.size());
  buffer_.resize(count.ok() ? count.value() : 0);
  if (!count.ok()) return count.error();
  if (count.value() == 0) {
    return corrupt("unexpected end, expected " + std::string(expected), base_offset_);
  }
  return {};
}

Status RdbDecoder::raw(char* out, size_t length, std::string_view expected) {
  if (length <= buffer_.size() - position_) {
    std::copy_n(buffer_.data() + position_, length, out);
    position_ += length;
    return {};
  }
  if (length > remaining_bound()) {
    return corrupt("unexpected end, expected " + std::string(expected), offset());
  }
  while (true) {
    const size_t buffered = std::min(length, buffer_.size() - position_);
    std::copy_n(buffer_.data() + position_, buffered, out);
    position_ += buffered;
    out += buffered;
    length -= buffered;
    if (length == 0) return {};
    if (!reads_ahead_ || length >= kReadBuffer / 2) break;
    if (Status status = fill(expected); !status.ok()) return status;
  }
  sum_up();
  base_offset_ += position_;
  buffer_.clear();
  position_ = summed_up_ = 0;
  if (Status status = source_->read(out, length); !status.ok()) return status;
  crc_ = crc64(crc_, {out, length});
  base_offset_ += length;
  return {};
}

Result<uint64_t> RdbDecoder::little_endian(int bytes, std::string_view expected) {
  std::array<char, 8> raw_bytes;
  Status status = raw(raw_bytes.data(), static_cast<size_t>(bytes), expected);
  if (!status.ok()) return status.error();
  return load_little_endian(raw_bytes.data(), bytes);
}

Result<uint64_t> RdbDecoder::length_after(uint8_t first, std::string_view expected,
                                          uint64_t began) {
  if (first >> 6 == rdb::kLength6Bit) return uint64_t{first} & 0x3f;
  int more = 0;
  if (first >> 6 == rdb::kLength14Bit) {
    more = 1;
  } else if (first == rdb::kLength32) {
    more = 4;
  } else if (first == rdb::kLength64) {
    more = 8;
  } else {
    return corrupt("expected " + std::string(expected) + ", found the byte " +
                       std::to_string(first) + " which begins no length",
                   began);
  }
  std::array<char, 8> bytes;
  Status status = raw(bytes.data(), static_cast<size_t>(more), expected);
  if (!status.ok()) return status.error();
  const uint64_t value = load_big_endian(bytes.data(), more);
  return more == 1 ? (uint64_t{first} & 0x3f) << 8 | value : value;
}

Result<uint64_t> RdbDecoder::any_length(std::string_view expected) {
  const uint64_t began = offset();
  Result<uint8_t> first = byte(expected);
  if (!first.ok()) return first.error();
  return length_after(first.value(), expected, began);
}

Result<uint64_t> RdbDecoder::count(size_t min_bytes, std::string_view expected) {
  const uint64_t began = offset();
  Result<uint64_t> result = length(expected);
  if (result.ok() && result.value() > remaining_bound() / min_bytes) {
    return corrupt(std::string(expected) + " is " + std::to_string(result.value()) +
                       ", more than the remaining bytes can hold",
                   began);
  }
  return result;
}

// `length` bytes, where they stand in the buffer or else gathered in *scratch.
Status RdbDecoder::take(std::string_view* out, uint64_t length, std::string* scratch,
                        std::string_view expected, uint64_t began) {
  if (length > buffer_.size() - position_) return gather(out, length, scratch, expected, began);
  *out = std::string_view(buffer_.data() + position_, length);
  position_ += length;
  return {};
}

Status RdbDecoder::gather(std::string_view* out, uint64_t length, std::string* scratch,
                          std::string_view expected, uint64_t began) {
  if (length > remaining_bound()) {
    return corrupt("expected " + std::string(expected) + " of " + std::to_string(length) +
                       " bytes, but " + std::to_string(remaining_bound()) + " are left",
                   began);
  }
  const uint64_t most = remaining_bound() == UINT64_MAX ? kBlindStep : length;
  make_room(scratch, std::min(length, most));
  for (uint64_t done = 0; done < length;) {
    const size_t step = static_cast<size_t>(std::min(length - done, most));
    if (scratch->size() < done + step) scratch->resize(done + step);
    if (Status status = raw(scratch->data() + done, step, expected); !status.ok()) return status;
    done += step;
  }
  *out = std::string_view(scratch->data(), length);
  return {};
}

Status RdbDecoder::lzf(std::string_view* out, std::string_view expected, uint64_t began) {
  const Result<uint64_t> compressed_bytes = length(expected);
  if (!compressed_bytes.ok()) return compressed_bytes.error();
  const Result<uint64_t> raw_bytes = length(expected);
  if (!raw_bytes.ok()) return raw_bytes.error();
  std::string_view compressed;
  Status status = take(&compressed, compressed_bytes.value(), &compressed_, expected, began);
  if (!status.ok()) return status;
  if (!lzf_can_hold(compressed.size(), raw_bytes.value())) {
    return corrupt("expected " + std::string(expected) + ": " + std::to_string(compressed.size()) +
                       " bytes of LZF cannot hold " + std::to_string(raw_bytes.value()),
                   began);
  }
  make_room(&text_, raw_bytes.value() + kLzfSlack);
  Status unpacked = lzf_decompress(compressed, text_, raw_bytes.value());
  if (!unpacked.ok()) {
    return corrupt("expected " + std::string(expected) + ": " + unpacked.error().message, began);
  }
  *out = std::string_view(text_.data(), raw_bytes.value());
  return {};
}

Status RdbDecoder::plain(std::string_view* out, uint8_t first, std::string_view expected,
                         uint64_t began) {
  const Result<uint64_t> length = length_after(first, expected, began);
  if (!length.ok()) return length.error();
  return take(out, length.value(), &text_, expected, began);
}

Result<RdbText> RdbDecoder::text_or_integer(std::string_view expected) {
  if (const std::optional<std::string_view> text = short_text()) return RdbText(*text);
  const uint64_t began = offset();
  const Result<uint8_t> first = byte(expected);
  if (!first.ok()) return first.error();
  const int encoding = first.value() & 0x3f;
  const bool is_plain = first.value() >> 6 != rdb::kLengthSpecial;
  if (is_plain || encoding == rdb::kLzf) {
    std::string_view text;
    const Status status =
        is_plain ? plain(&text, first.value(), expected, began) : lzf(&text, expected, began);
    if (!status.ok()) return status.error();
    return RdbText(text);
  }
  if (encoding > rdb::kLzf) {
    return corrupt("expected " + std::string(expected) + ", found the unknown string encoding " +
                       std::to_string(encoding),
                   began);
  }
  const int bytes = 1 << encoding;
  const Result<uint64_t> value = little_endian(bytes, expected);
  if (!value.ok()) return value.error();
  return RdbText(sign_extend(value.value(), bytes));
}

Result<std::string_view> RdbDecoder::any_text(std::string_view expected) {
  const Result<RdbText> text = text_or_integer(expected);
  if (!text.ok()) return text.error();
  if (const auto* integer = std::get_if<int64_t>(&text.value())) {
    return std::string_view(digits_.data(), format_int64(*integer, digits_.data()));
  }
  return std::get<std::string_view>(text.value());
}

Status RdbDecoder::string(std::string* out, std::string_view expected) {
  const Result<std::string_view> bytes = text(expected);
  if (!bytes.ok()) return bytes.error();
  out->assign(bytes.value());
  return {};
}

}  // namespace tandem
