#include "server/resp/request_parser.h"

#include <algorithm>
#include <cstring>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr size_t kMaxInlineBytes = 64 * 1024;
constexpr size_t kPreallocatedArgs = 1024;

// Reads the digits of a header line, the common case of parse_int64 without its copying.
bool read_length(std::string_view line, int64_t* value) {
  if (line.size() == 1 && line[0] >= '0' && line[0] <= '9') {
    *value = line[0] - '0';
    return true;
  }
  const auto number = parse_int64(line);
  if (!number) return false;
  *value = *number;
  return true;
}

}  // namespace

RequestParser::Outcome RequestParser::fail(std::string text) {
  error_ = "Protocol error: " + std::move(text);
  return Outcome::kError;
}

RequestParser::Outcome RequestParser::finish(size_t consumed) {
  consumed_ = consumed;
  position_ = 0;
  args_left_ = -1;
  bulk_length_ = -1;
  wanted_ = 0;
  return Outcome::kRequest;
}

RequestParser::Outcome RequestParser::parse(std::string_view input, const RequestLimits& limits) {
  wanted_ = 0;
  if (input.empty()) return Outcome::kNeedMore;
  if (args_left_ >= 0 || input[0] == '*') return parse_array(input, limits);
  return parse_inline(input);
}

RequestParser::Outcome RequestParser::parse_array(std::string_view input,
                                                  const RequestLimits& limits) {
  const char* const data = input.data();
  if (args_left_ < 0) {
    const size_t search_from = 1;
    const auto* end =
        static_cast<const char*>(std::memchr(data + search_from, '\r', input.size() - search_from));
    if (end == nullptr) {
      return input.size() > kMaxInlineBytes ? fail("too big mbulk count string")
                                            : Outcome::kNeedMore;
    }
    if (end + 1 == data + input.size()) return Outcome::kNeedMore;
    int64_t count = 0;
    if (!read_length({data + 1, static_cast<size_t>(end - data - 1)}, &count) ||
        count > int64_t{INT32_MAX}) {
      return fail("invalid multibulk length");
    }
    if (count > limits.max_args) {
      return fail(limits.max_args <= RequestLimits::unauthenticated().max_args
                      ? "unauthenticated multibulk length"
                      : "invalid multibulk length");
    }
    position_ = static_cast<size_t>(end - data) + 2;
    if (count <= 0) {
      finish(position_);
      args_.clear();
      return Outcome::kEmpty;
    }
    pieces_.clear();
    pieces_.reserve(std::min(static_cast<size_t>(count), kPreallocatedArgs));
    args_left_ = count;
    bulk_length_ = -1;
  }
  while (args_left_ > 0) {
    if (bulk_length_ < 0) {
      if (position_ >= input.size()) return Outcome::kNeedMore;
      const auto* end =
          static_cast<const char*>(std::memchr(data + position_, '\r', input.size() - position_));
      if (end == nullptr) {
        return input.size() - position_ > kMaxInlineBytes ? fail("too big bulk count string")
                                                          : Outcome::kNeedMore;
      }
      if (end + 1 == data + input.size()) return Outcome::kNeedMore;
      if (data[position_] != '$') {
        return fail(std::string("expected '$', got '") + data[position_] + "'");
      }
      const size_t digits = position_ + 1;
      int64_t length = 0;
      if (!read_length({data + digits, static_cast<size_t>(end - data) - digits}, &length) ||
          length < 0) {
        return fail("invalid bulk length");
      }
      if (length > limits.max_bulk_bytes) {
        return fail(limits.max_args <= RequestLimits::unauthenticated().max_args
                        ? "unauthenticated bulk length"
                        : "invalid bulk length");
      }
      bulk_length_ = length;
      position_ = static_cast<size_t>(end - data) + 2;
    }
    const size_t length = static_cast<size_t>(bulk_length_);
    if (input.size() - position_ < length + 2) {
      wanted_ = position_ + length + 2;
      return Outcome::kNeedMore;
    }
    pieces_.push_back({position_, length});
    position_ += length + 2;
    bulk_length_ = -1;
    --args_left_;
  }
  args_.resize(pieces_.size());
  for (size_t i = 0; i < pieces_.size(); ++i) {
    args_[i] = {data + pieces_[i].offset, pieces_[i].length};
  }
  return finish(position_);
}

RequestParser::Outcome RequestParser::parse_inline(std::string_view input) {
  // `position_` remembers how far no line end was found.
  const size_t from = std::min(position_, input.size());
  const auto* end =
      static_cast<const char*>(std::memchr(input.data() + from, '\n', input.size() - from));
  if (end == nullptr) {
    position_ = input.size();
    return input.size() > kMaxInlineBytes ? fail("too big inline request") : Outcome::kNeedMore;
  }
  const size_t line_length = static_cast<size_t>(end - input.data());
  if (line_length > kMaxInlineBytes) return fail("too big inline request");
  std::string_view line = input.substr(0, line_length);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  finish(line_length + 1);
  if (!split_words(line, &inline_words_)) return fail("unbalanced quotes in request");
  args_.assign(inline_words_.begin(), inline_words_.end());
  return args_.empty() ? Outcome::kEmpty : Outcome::kRequest;
}

}  // namespace tandem
