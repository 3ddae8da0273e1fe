#include "server/resp/request_parser.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

// The longest line: a header, or an inline command without its line end.
constexpr size_t kMaxLineBytes = 64 * 1024;
constexpr size_t kPreallocatedArgs = 1024;
// A vector of arguments that has grown beyond this is not kept for the next request.
constexpr size_t kKeptArgs = 64 * 1024;

// Reads a header of one or two digits at `line` ("*3\r\n", "$16\r\n"), which is nearly every header
// there is. Returns its length, or 0 when it is anything else.
inline size_t read_short_header(const char* line, size_t available, int64_t* value) {
  if (available < 4) return 0;
  const unsigned first = static_cast<unsigned char>(line[1]) - unsigned{'0'};
  if (first > 9) return 0;
  if (line[2] == '\r') {
    *value = first;
    return 4;
  }
  const unsigned second = static_cast<unsigned char>(line[2]) - unsigned{'0'};
  if (second > 9 || first == 0 || line[3] != '\r' || available < 5) return 0;
  *value = first * 10 + second;
  return 5;
}

}  // namespace

RequestParser::Outcome RequestParser::fail(std::string text) {
  error_ = "Protocol error: " + std::move(text);
  return Outcome::kError;
}

void RequestParser::finish(size_t consumed) {
  consumed_ = consumed;
  position_ = 0;
  args_left_ = 0;
}

RequestParser::Outcome RequestParser::parse(std::string_view input, const RequestLimits& limits) {
  wanted_ = 0;
  if (input.empty()) return Outcome::kNeedMore;
  if (input[0] == '*') return parse_array(input, limits);
  return parse_inline(input);
}

// Reads the number between the type byte at `position_` and the line's end, and moves behind it. As
// in Valkey, the byte after '\r' is taken for '\n' without a look.
RequestParser::Header RequestParser::read_header(std::string_view input, int64_t* value) {
  const char* const line = input.data() + position_;
  const size_t available = input.size() - position_;
  const size_t searched = std::min(available, kMaxLineBytes);
  const auto* const end = static_cast<const char*>(std::memchr(line, '\r', searched));
  if (end == nullptr) return available > kMaxLineBytes ? Header::kTooLong : Header::kNeedMore;
  const size_t length = static_cast<size_t>(end - line);
  if (length + 2 > available) return Header::kNeedMore;
  const auto number =
      length == 0 ? std::nullopt : parse_int64(std::string_view(line + 1, length - 1));
  if (!number) return Header::kNotANumber;
  *value = *number;
  position_ += length + 2;
  return Header::kRead;
}

RequestParser::Outcome RequestParser::parse_array(std::string_view input,
                                                  const RequestLimits& limits) {
  if (args_left_ == 0) {
    const Outcome begun = begin_array(input, limits);
    if (begun != Outcome::kRequest) return begun;
  } else {
    follow(input.data());
  }
  return parse_bulks(input, limits);
}

// kRequest: the header has been read, the bulks follow.
RequestParser::Outcome RequestParser::begin_array(std::string_view input,
                                                  const RequestLimits& limits) {
  int64_t count = 0;
  position_ = read_short_header(input.data(), input.size(), &count);
  if (position_ == 0) {
    switch (read_header(input, &count)) {
      case Header::kRead:
        break;
      case Header::kNeedMore:
        return Outcome::kNeedMore;
      case Header::kTooLong:
        return fail("too big mbulk count string");
      case Header::kNotANumber:
        return fail("invalid multibulk length");
    }
  }
  if (count > INT32_MAX) return fail("invalid multibulk length");
  if (count > limits.max_args) {
    return fail(limits.authenticated ? "invalid multibulk length"
                                     : "unauthenticated multibulk length");
  }
  if (args_.capacity() > kKeptArgs) args_ = {};
  args_.clear();
  if (count <= 0) {
    finish(position_);
    return Outcome::kEmpty;
  }
  args_.reserve(std::min(static_cast<size_t>(count), kPreallocatedArgs));
  base_ = input.data();
  args_left_ = count;
  bulk_length_ = -1;
  return Outcome::kRequest;
}

// Takes the bulks that are whole and shorter than 100 bytes, which no limit forbids: nearly all
// there are. Stops at the first other one.
void RequestParser::take_short_bulks(std::string_view input) {
  const char* const data = input.data();
  size_t position = position_;
  int64_t left = args_left_;
  while (left > 0 && position < input.size() && data[position] == '$') {
    int64_t length = 0;
    const size_t header = read_short_header(data + position, input.size() - position, &length);
    const size_t start = position + header;
    if (header == 0 || input.size() - start < static_cast<size_t>(length) + 2) break;
    args_.emplace_back(data + start, static_cast<size_t>(length));
    position = start + static_cast<size_t>(length) + 2;
    --left;
  }
  position_ = position;
  args_left_ = left;
}

RequestParser::Outcome RequestParser::parse_bulks(std::string_view input,
                                                  const RequestLimits& limits) {
  const char* const data = input.data();
  if (bulk_length_ < 0) take_short_bulks(input);
  while (args_left_ > 0) {
    if (bulk_length_ < 0) {
      if (position_ >= input.size()) return Outcome::kNeedMore;
      const size_t start = position_;
      int64_t length = 0;
      const Header what = read_header(input, &length);
      // Whether it is a bulk at all is looked at once its line is complete, and first.
      if (what == Header::kNeedMore || what == Header::kTooLong || data[start] != '$') {
        position_ = start;
        return bulk_header_failed(what, input);
      }
      if (what == Header::kNotANumber || length < 0) return fail("invalid bulk length");
      if (length > limits.max_bulk_bytes) {
        return fail(limits.authenticated ? "invalid bulk length" : "unauthenticated bulk length");
      }
      bulk_length_ = length;
    }
    const size_t length = static_cast<size_t>(bulk_length_);
    if (input.size() - position_ < length + 2) {
      wanted_ = position_ + length + 2;
      return Outcome::kNeedMore;
    }
    args_.emplace_back(data + position_, length);
    position_ += length + 2;
    bulk_length_ = -1;
    --args_left_;
    take_short_bulks(input);
  }
  finish(position_);
  return Outcome::kRequest;
}

RequestParser::Outcome RequestParser::bulk_header_failed(Header what, std::string_view input) {
  if (what == Header::kNeedMore) return Outcome::kNeedMore;
  if (what == Header::kTooLong) return fail("too big bulk count string");
  return fail(std::string("expected '$', got '") + input[position_] + "'");
}

// The input has moved since the arguments so far were found: they move with it.
void RequestParser::follow(const char* data) {
  if (data == base_) return;
  const auto from = reinterpret_cast<uintptr_t>(base_);
  for (std::string_view& arg : args_) {
    arg = {data + (reinterpret_cast<uintptr_t>(arg.data()) - from), arg.size()};
  }
  base_ = data;
}

RequestParser::Outcome RequestParser::parse_inline(std::string_view input) {
  // `position_` remembers how far no line end was found.
  const size_t from = std::min(position_, input.size());
  const auto* end =
      static_cast<const char*>(std::memchr(input.data() + from, '\n', input.size() - from));
  if (end == nullptr) {
    position_ = input.size();
    return input.size() > kMaxLineBytes ? fail("too big inline request") : Outcome::kNeedMore;
  }
  const size_t line_length = static_cast<size_t>(end - input.data());
  if (line_length > kMaxLineBytes) return fail("too big inline request");
  std::string_view line = input.substr(0, line_length);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  finish(line_length + 1);
  if (!split_words(line, &inline_words_)) return fail("unbalanced quotes in request");
  args_.assign(inline_words_.begin(), inline_words_.end());
  return args_.empty() ? Outcome::kEmpty : Outcome::kRequest;
}

}  // namespace tandem
