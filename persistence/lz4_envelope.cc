#include "persistence/lz4_envelope.h"

#include <algorithm>

namespace tandem {

namespace {

constexpr char kVersion = 1;
constexpr char kCodecLz4 = 1;
constexpr char kReserved = 0;

std::string envelope_of(EnvelopeKind kind) {
  return std::string(kEnvelopeMagic) + kVersion + kCodecLz4 + kReserved + static_cast<char>(kind);
}

}  // namespace

Status write_envelope(ByteSink* sink, EnvelopeKind kind) { return sink->write(envelope_of(kind)); }

Result<bool> EnvelopedSource::open(EnvelopeKind kind) {
  const uint64_t began = in_->offset();
  // Too short for either: its reader says what is missing.
  if (in_->remaining_bound() < kEnvelopeBytes) return false;
  looked_at_.resize(kEnvelopeMagic.size());
  if (Status status = in_->read(looked_at_.data(), looked_at_.size()); !status.ok()) {
    return status.error();
  }
  if (looked_at_ != kEnvelopeMagic) return false;
  looked_at_.resize(kEnvelopeBytes);
  Status status =
      in_->read(looked_at_.data() + kEnvelopeMagic.size(), kEnvelopeBytes - kEnvelopeMagic.size());
  if (!status.ok()) return status.error();
  if (looked_at_ != envelope_of(kind)) {
    std::string numbers;
    for (char c : looked_at_.substr(kEnvelopeMagic.size())) {
      numbers += " " + std::to_string(static_cast<uint8_t>(c));
    }
    return make_error(ErrorKind::kUnsupported,
                      "compressed in a way that this server does not read (version, codec, "
                      "reserved, kind:" +
                          numbers + ")",
                      began);
  }
  looked_at_.clear();
  frame_.emplace(in_);
  return true;
}

size_t EnvelopedSource::read_looked_at(char* out, size_t max) {
  const size_t count = looked_at_.copy(out, max, position_);
  position_ += count;
  return count;
}

Status EnvelopedSource::read(char* out, size_t length) {
  if (frame_) return frame_->read(out, length);
  const size_t count = read_looked_at(out, length);
  return count == length ? Status() : in_->read(out + count, length - count);
}

Result<size_t> EnvelopedSource::read_some(char* out, size_t max) {
  if (frame_) return frame_->read_some(out, max);
  if (unread() > 0) return read_looked_at(out, max);
  return in_->read_some(out, max);
}

uint64_t EnvelopedSource::remaining_bound() const {
  if (frame_) return frame_->remaining_bound();
  const uint64_t behind = in_->remaining_bound();
  return behind > UINT64_MAX - unread() ? UINT64_MAX : behind + unread();
}

}  // namespace tandem
