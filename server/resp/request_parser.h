#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// Bounds of what a client may send; tighter before it has authenticated.
struct RequestLimits {
  int64_t max_args = 1024 * 1024;
  int64_t max_bulk_bytes = 512LL * 1024 * 1024;

  static RequestLimits unauthenticated() { return {10, 16 * 1024}; }
};

// Splits a connection's input into requests: RESP arrays of bulk strings, and inline commands (a
// line of words). The input belongs to the caller and is presented from the first byte that has not
// been consumed; arguments are views into it. Work is not repeated when a request arrives in
// pieces: positions already parsed are remembered.
class RequestParser {
 public:
  enum class Outcome : uint8_t { kRequest, kEmpty, kNeedMore, kError };

  // Looks for one request at the front of `input`. kRequest: args() is the request and consumed()
  // its length. kEmpty: consumed() bytes hold no request (an empty line, `*0`). kNeedMore: call
  // again with the same bytes and more behind them (they may have moved). kError: error() says
  // what; the connection is to be closed.
  Outcome parse(std::string_view input, const RequestLimits& limits);

  std::span<const std::string_view> args() const { return args_; }
  size_t consumed() const { return consumed_; }
  // As Valkey words it, with "Protocol error: " in front.
  const std::string& error() const { return error_; }
  // After kNeedMore: the input length without which the next call cannot get further; 0 when
  // unknown.
  size_t wanted() const { return wanted_; }

 private:
  struct Piece {
    size_t offset, length;
  };
  Outcome parse_array(std::string_view input, const RequestLimits& limits);
  Outcome parse_inline(std::string_view input);
  Outcome fail(std::string text);
  Outcome finish(size_t consumed);

  std::vector<std::string_view> args_;
  std::vector<Piece> pieces_;  // the arguments found so far, as positions in the input
  std::vector<std::string> inline_words_;
  std::string error_;
  size_t position_ = 0;       // where parsing goes on
  int64_t args_left_ = -1;    // -1: the array header has not been read
  int64_t bulk_length_ = -1;  // -1: the next bulk header has not been read
  size_t consumed_ = 0;
  size_t wanted_ = 0;
};

}  // namespace tandem
