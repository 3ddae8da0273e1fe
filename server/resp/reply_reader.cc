#include "server/resp/reply_reader.h"

#include <algorithm>
#include <cctype>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {
namespace {

using Type = ReplyValue::Type;

// Reserving for an announced count would let a header of ten bytes claim gigabytes.
constexpr uint64_t kMaxReservedElements = 1024;
// Parsed bytes are removed from the buffer once they are this many and most of it.
constexpr size_t kCompactBytes = 64 * 1024;

bool is_double_text(std::string_view text) {
  return equals_ignore_case(text, "nan") || equals_ignore_case(text, "-nan") ||
         parse_double(text).has_value();
}

bool is_integer_text(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string printable(char type) { return quote(std::string_view(&type, 1)); }

}  // namespace

Result<std::optional<ReplyValue>> ReplyReader::next() {
  if (failure_) return *failure_;
  for (;;) {
    ReplyValue value;
    Result<Step> step = read_one(&value);
    if (!step) {
      failure_ = step.error();
      return *failure_;
    }
    if (step.value() == Step::kNeedMore) {
      compact();
      return std::optional<ReplyValue>();
    }
    if (step.value() == Step::kOpened) continue;
    std::optional<ReplyValue> whole = close_frames(std::move(value));
    if (whole) {
      compact();
      return whole;
    }
  }
}

Result<ReplyReader::Step> ReplyReader::read_one(ReplyValue* value) {
  size_t line_end = buffer_.find('\n', std::max(position_, scanned_));
  if (line_end == std::string::npos) {
    scanned_ = buffer_.size();
    if (scanned_ - position_ > limits_.max_line_bytes) return corrupt("line too long");
    return Step::kNeedMore;
  }
  if (line_end - position_ > limits_.max_line_bytes) return corrupt("line too long");
  if (line_end < position_ + 2 || buffer_[line_end - 1] != '\r') {
    return corrupt("expected a type byte and a line ending in CRLF");
  }
  char type = buffer_[position_];
  std::string_view header =
      std::string_view(buffer_).substr(position_ + 1, line_end - position_ - 2);
  switch (type) {
    case '$':
    case '=':
    case '!':
      return read_blob(type, header, line_end, value);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|': {
      Result<Step> step = open_aggregate(type, header, value);
      if (step) position_ = line_end + 1;
      return step;
    }
    default: {
      Status status = read_scalar(type, header, value);
      if (!status) return status.error();
      position_ = line_end + 1;
      return Step::kValue;
    }
  }
}

Result<ReplyReader::Step> ReplyReader::read_blob(char type, std::string_view header,
                                                 size_t line_end, ReplyValue* value) {
  if (type == '$' && header == "-1") {
    value->type = Type::kNull;
    position_ = line_end + 1;
    return Step::kValue;
  }
  std::optional<uint64_t> length = parse_uint64(header);
  if (!length || *length > limits_.max_bulk_bytes) return corrupt("bad bulk length");
  size_t start = line_end + 1;
  if (buffer_.size() - start < *length + 2) return Step::kNeedMore;
  std::string_view bytes = std::string_view(buffer_).substr(start, *length);
  if (buffer_[start + *length] != '\r' || buffer_[start + *length + 1] != '\n') {
    return corrupt("bulk not followed by CRLF");
  }
  if (type == '=') {
    if (bytes.size() < 4 || bytes[3] != ':') return corrupt("verbatim string without its format");
    value->type = Type::kVerbatim;
    value->format = bytes.substr(0, 3);
    value->text = bytes.substr(4);
  } else {
    value->type = type == '!' ? Type::kError : Type::kBulk;
    value->text = bytes;
  }
  position_ = start + *length + 2;
  return Step::kValue;
}

Result<ReplyReader::Step> ReplyReader::open_aggregate(char type, std::string_view header,
                                                      ReplyValue* value) {
  if (type == '*' && header == "-1") {
    value->type = Type::kNullArray;
    return Step::kValue;
  }
  std::optional<uint64_t> count = parse_uint64(header);
  if (!count || *count > limits_.max_elements) return corrupt("bad element count");
  switch (type) {
    case '%':
    case '|':
      value->type = Type::kMap;
      break;
    case '~':
      value->type = Type::kSet;
      break;
    case '>':
      value->type = Type::kPush;
      break;
    default:
      value->type = Type::kArray;
  }
  uint64_t elements = value->type == Type::kMap ? *count * 2 : *count;
  if (elements == 0) return type == '|' ? Step::kOpened : Step::kValue;
  if (stack_.size() >= limits_.max_depth) return corrupt("reply nested too deeply");
  value->elements.reserve(std::min(elements, kMaxReservedElements));
  stack_.push_back({std::move(*value), elements, type == '|'});
  return Step::kOpened;
}

Status ReplyReader::read_scalar(char type, std::string_view line, ReplyValue* value) {
  switch (type) {
    case '+':
    case '-':
      value->type = type == '+' ? Type::kSimple : Type::kError;
      value->text = line;
      return {};
    case ':': {
      std::optional<int64_t> number = parse_int64(line);
      if (!number) return corrupt("bad integer");
      value->type = Type::kInteger;
      value->integer = *number;
      return {};
    }
    case ',':
      if (!is_double_text(line)) return corrupt("bad double");
      value->type = Type::kDouble;
      value->text = line;
      return {};
    case '#':
      if (line != "t" && line != "f") return corrupt("bad boolean");
      value->type = Type::kBoolean;
      value->integer = line == "t" ? 1 : 0;
      return {};
    case '(':
      if (!is_integer_text(line)) return corrupt("bad big number");
      value->type = Type::kBigNumber;
      value->text = line;
      return {};
    case '_':
      if (!line.empty()) return corrupt("bad null");
      value->type = Type::kNull;
      return {};
    default:
      return corrupt("unknown reply type " + printable(type));
  }
}

// Hands `value` to the innermost open aggregate, and every aggregate that this completes to the one
// around it. Returns the outermost when it is whole.
std::optional<ReplyValue> ReplyReader::close_frames(ReplyValue value) {
  while (!stack_.empty()) {
    Frame& frame = stack_.back();
    frame.value.elements.push_back(std::move(value));
    if (--frame.missing > 0) return std::nullopt;
    bool attribute = frame.attribute;
    value = std::move(frame.value);
    stack_.pop_back();
    if (attribute) return std::nullopt;  // what it describes follows
  }
  return value;
}

void ReplyReader::compact() {
  if (position_ < buffer_.size() && (position_ < kCompactBytes || position_ < buffer_.size() / 2)) {
    return;
  }
  buffer_.erase(0, position_);
  dropped_bytes_ += position_;
  scanned_ = scanned_ > position_ ? scanned_ - position_ : 0;
  position_ = 0;
}

std::string ReplyReader::take_rest() {
  std::string rest = buffer_.substr(position_);
  dropped_bytes_ += buffer_.size();
  buffer_.clear();
  position_ = scanned_ = 0;
  return rest;
}

Error ReplyReader::corrupt(std::string message) const {
  return make_error(ErrorKind::kCorrupt, "Protocol error: " + std::move(message),
                    dropped_bytes_ + position_);
}

}  // namespace tandem
