#include "server/base/lz4_frame.h"

#include <lz4frame.h>

#include <algorithm>
#include <new>

namespace tandem {

namespace {

constexpr size_t kBlock = 64 * 1024;
constexpr size_t kBlockHeader = 4;
// The magic number of a frame; the format's other frames hold nothing.
constexpr std::string_view kMagic("\x04\x22\x4d\x18", 4);
// The most bytes that one byte of a block stands for.
constexpr uint64_t kMaxExpansion = 255;

LZ4F_preferences_t preferences() {
  LZ4F_preferences_t result{};
  result.frameInfo.blockSizeID = LZ4F_max64KB;
  result.frameInfo.blockMode = LZ4F_blockIndependent;
  result.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  result.frameInfo.contentChecksumFlag = LZ4F_noContentChecksum;
  return result;
}

}  // namespace

Lz4FrameSink::Lz4FrameSink(ByteSink* out) : out_(out) {
  if (LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION))) throw std::bad_alloc();
  const LZ4F_preferences_t wanted = preferences();
  buffer_.resize(std::max<size_t>(LZ4F_compressBound(kBlock, &wanted), LZ4F_HEADER_SIZE_MAX));
}

Lz4FrameSink::~Lz4FrameSink() { LZ4F_freeCompressionContext(context_); }

// `result`: what a call of the library has left in the buffer.
Status Lz4FrameSink::hand_on(size_t result) {
  if (LZ4F_isError(result)) {
    return make_error(ErrorKind::kIo, std::string("LZ4: ") + LZ4F_getErrorName(result));
  }
  return result == 0 ? Status() : out_->write(std::string_view(buffer_).substr(0, result));
}

Status Lz4FrameSink::begin() {
  if (begun_) return {};
  begun_ = true;
  const LZ4F_preferences_t wanted = preferences();
  return hand_on(LZ4F_compressBegin(context_, buffer_.data(), buffer_.size(), &wanted));
}

Status Lz4FrameSink::write(std::string_view bytes) {
  if (Status status = begin(); !status.ok()) return status;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kBlock);
    bytes.remove_prefix(piece.size());
    Status status = hand_on(LZ4F_compressUpdate(context_, buffer_.data(), buffer_.size(),
                                                piece.data(), piece.size(), nullptr));
    if (!status.ok()) return status;
  }
  return {};
}

Status Lz4FrameSink::flush() {
  if (Status status = begin(); !status.ok()) return status;
  return hand_on(LZ4F_flush(context_, buffer_.data(), buffer_.size(), nullptr));
}

Status Lz4FrameSink::finish() {
  if (Status status = begin(); !status.ok()) return status;
  begun_ = false;
  Status status = hand_on(LZ4F_compressEnd(context_, buffer_.data(), buffer_.size(), nullptr));
  return status.ok() ? out_->finish() : status;
}

Lz4FrameSource::Lz4FrameSource(ByteSource* in) : in_(in) {
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION))) {
    throw std::bad_alloc();
  }
}

Lz4FrameSource::~Lz4FrameSource() { LZ4F_freeDecompressionContext(context_); }

uint64_t Lz4FrameSource::remaining_bound() const {
  if (ended()) return buffered();
  const uint64_t behind = in_->remaining_bound();
  const uint64_t unfed = compressed_.size() - fed_;
  if (behind > UINT64_MAX / kMaxExpansion - unfed - kBlock) return UINT64_MAX;
  return buffered() + (behind + unfed) * kMaxExpansion;
}

// Gets the piece of the frame that the decoder wants next, and nothing behind it.
Status Lz4FrameSource::feed() {
  const uint64_t at = in_->offset();
  // The decoder asks for a block together with the header of the next one, which in a stream that
  // goes on may not be there yet.
  const size_t block = wanted_ > kBlockHeader ? wanted_ - kBlockHeader : wanted_;
  const size_t wanted = begun_ ? block : kMagic.size();
  compressed_.clear();
  fed_ = 0;
  if (wanted > in_->remaining_bound()) {
    return make_error(ErrorKind::kCorrupt, "unexpected end of an LZ4 frame", at);
  }
  compressed_.resize(wanted);
  if (Status status = in_->read(compressed_.data(), wanted); !status.ok()) {
    compressed_.clear();
    return status;
  }
  if (!begun_ && compressed_ != kMagic) {
    return make_error(ErrorKind::kCorrupt, "expected an LZ4 frame", at);
  }
  begun_ = true;
  return {};
}

void Lz4FrameSource::read_header() {
  LZ4F_frameInfo_t info{};
  size_t none = 0;
  if (LZ4F_isError(LZ4F_getFrameInfo(context_, &info, nullptr, &none))) return;
  header_read_ = true;
  // 4: 64 KiB, 5: 256 KiB, 6: 1 MiB, 7: 4 MiB.
  const int steps = std::max<int>(0, info.blockSizeID - LZ4F_max64KB);
  block_bytes_ = kBlock << 2 * steps;
}

// Makes buffer_ hold something, unless the frame has ended.
Status Lz4FrameSource::fill() {
  buffer_.clear();
  position_ = 0;
  while (buffer_.empty() && !ended()) {
    if (fed_ == compressed_.size()) {
      if (Status status = feed(); !status.ok()) return status;
    }
    size_t taken = compressed_.size() - fed_;
    // Room for a whole block: the decoder keeps none back.
    size_t made = block_bytes_;
    buffer_.resize(block_bytes_);
    wanted_ = LZ4F_decompress(context_, buffer_.data(), &made, compressed_.data() + fed_, &taken,
                              nullptr);
    if (LZ4F_isError(wanted_)) {
      Error error = make_error(ErrorKind::kCorrupt,
                               std::string("LZ4: ") + LZ4F_getErrorName(wanted_), in_->offset());
      buffer_.clear();
      wanted_ = 0;
      return error;
    }
    fed_ += taken;
    buffer_.resize(made);
    if (!header_read_) read_header();
  }
  return {};
}

Result<size_t> Lz4FrameSource::read_some(char* out, size_t max) {
  if (buffered() == 0) {
    if (Status status = fill(); !status.ok()) return status.error();
  }
  const size_t count = buffer_.copy(out, max, position_);
  position_ += count;
  offset_ += count;
  return count;
}

Status Lz4FrameSource::read(char* out, size_t length) {
  while (length > 0) {
    const Result<size_t> count = read_some(out, length);
    if (!count.ok()) return count.error();
    if (count.value() == 0) {
      return make_error(ErrorKind::kCorrupt, "unexpected end of an LZ4 frame", offset_);
    }
    out += count.value();
    length -= count.value();
  }
  return {};
}

Status Lz4FrameSource::expect_end() {
  char byte = 0;
  const Result<size_t> count = read_some(&byte, 1);
  if (!count.ok()) return count.error();
  if (count.value() == 0) return {};
  return make_error(ErrorKind::kCorrupt, "bytes behind the snapshot in its LZ4 frame",
                    in_->offset());
}

}  // namespace tandem
