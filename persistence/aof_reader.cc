#include "persistence/aof_reader.h"

#include <algorithm>

#include "server/base/numbers.h"

namespace tandem {

namespace {

constexpr size_t kReadStep = 256 * 1024;
// The longest line of an array or bulk header, or of an annotation.
constexpr size_t kMaxHeaderBytes = 24;
constexpr size_t kMaxAnnotationBytes = 4096;
constexpr std::string_view kTimestampMark = "#TS:";
// The protocol's own bounds, beyond which a number is damage and no truncation.
constexpr uint64_t kMaxArgs = INT32_MAX;
constexpr uint64_t kMaxArgBytes = uint64_t{1} << 40;

}  // namespace

// Whether that many bytes stand behind at_, read from the file as far as needed.
Result<bool> AofReader::available(size_t bytes) {
  if (buffer_.size() - at_ >= bytes) return true;
  const uint64_t in_file = base_ + buffer_.size();
  if (file_->size() - std::min(file_->size(), in_file) < bytes - (buffer_.size() - at_)) {
    return false;
  }
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    base_ += begin_;
    at_ -= begin_;
    begin_ = 0;
  }
  while (buffer_.size() - at_ < bytes) {
    const size_t old_size = buffer_.size();
    const size_t step = std::max(kReadStep, bytes - (old_size - at_));
    buffer_.resize(old_size + step);
    Result<size_t> count = file_->read(base_ + old_size, buffer_.data() + old_size, step);
    buffer_.resize(old_size + (count.ok() ? count.value() : 0));
    if (!count.ok()) return count.error();
    if (count.value() == 0) return false;
  }
  return true;
}

Error AofReader::corrupt(std::string_view expected) const {
  return make_error(ErrorKind::kCorrupt, "bad file format: expected " + std::string(expected),
                    base_ + at_);
}

// "*3\r\n" or "$5\r\n": the mark, a number up to `max`, a line end.
Result<AofReader::Step> AofReader::read_header(char mark, std::string_view expected, uint64_t max,
                                               uint64_t* value) {
  *value = 0;
  bool any_digit = false;
  for (size_t i = 0; i < kMaxHeaderBytes; ++i) {
    Result<bool> more = available(1);
    if (!more.ok()) return more.error();
    if (!more.value()) return Step::kFileEnded;
    const char c = buffer_[at_];
    if (i == 0) {
      if (c != mark) return corrupt(expected);
    } else if (c >= '0' && c <= '9') {
      *value = *value * 10 + static_cast<uint64_t>(c - '0');
      any_digit = true;
      if (*value > max) return corrupt("a smaller number in " + std::string(expected));
    } else if (c == '\r' && any_digit) {
      ++at_;
      more = available(1);
      if (!more.ok()) return more.error();
      if (!more.value()) return Step::kFileEnded;
      if (buffer_[at_] != '\n') return corrupt("a line feed");
      ++at_;
      return Step::kDone;
    } else {
      return corrupt("a digit in " + std::string(expected));
    }
    ++at_;
  }
  return corrupt("a shorter number in " + std::string(expected));
}

Result<AofReader::Step> AofReader::skip_annotation() {
  for (size_t i = 0; i < kMaxAnnotationBytes; ++i) {
    Result<bool> more = available(1);
    if (!more.ok()) return more.error();
    if (!more.value()) return Step::kFileEnded;
    if (buffer_[at_++] != '\n') continue;
    std::string_view line = std::string_view(buffer_).substr(begin_, at_ - begin_ - 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with(kTimestampMark)) return Step::kDone;
    const auto seconds = parse_int64(line.substr(kTimestampMark.size()));
    if (seconds) timestamp_s_ = seconds;
    return Step::kDone;
  }
  return corrupt("the end of an annotation line");
}

Result<AofReader::Step> AofReader::read_command() {
  uint64_t count = 0;
  Result<Step> step = read_header('*', "an array of arguments ('*')", kMaxArgs, &count);
  if (!step.ok() || step.value() == Step::kFileEnded) return step;
  if (count == 0) return corrupt("at least one argument");
  pieces_.clear();
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t length = 0;
    step = read_header('$', "an argument ('$')", kMaxArgBytes, &length);
    if (!step.ok() || step.value() == Step::kFileEnded) return step;
    Result<bool> whole = available(length + 2);
    if (!whole.ok()) return whole.error();
    if (!whole.value()) return Step::kFileEnded;
    // Relative to the command: the buffer may move under it.
    pieces_.push_back({at_ - begin_, length});
    at_ += length;
    if (buffer_[at_] != '\r' || buffer_[at_ + 1] != '\n') {
      return corrupt("the line end behind an argument");
    }
    at_ += 2;
  }
  return Step::kDone;
}

Result<AofReader::Outcome> AofReader::next() {
  begin_ = at_;
  while (true) {
    Result<bool> more = available(1);
    if (!more.ok()) return more.error();
    if (!more.value()) return Outcome::kEnd;
    const bool annotation = buffer_[at_] == '#';
    Result<Step> step = annotation ? skip_annotation() : read_command();
    if (!step.ok()) return step.error();
    if (step.value() == Step::kFileEnded) {
      at_ = begin_;
      return Outcome::kTruncated;
    }
    if (!annotation) break;
    begin_ = at_;
  }
  args_.clear();
  for (const Piece& piece : pieces_) {
    args_.emplace_back(buffer_.data() + begin_ + piece.begin, piece.length);
  }
  return Outcome::kCommand;
}

}  // namespace tandem
