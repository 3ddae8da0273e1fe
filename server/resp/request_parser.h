#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// Bounds of what a client may send; tighter before it has authenticated.
struct RequestLimits {
  int64_t max_args = INT32_MAX;
  int64_t max_bulk_bytes = 512LL * 1024 * 1024;
  bool authenticated = true;  // only the wording of the errors depends on it

  static constexpr RequestLimits unauthenticated() { return {10, 16 * 1024, false}; }
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
  // Exchanges args() for another vector, so that they outlive the next parse(). Not for inline
  // requests, whose words the parser keeps.
  void swap_args(std::vector<std::string_view>& other) { args_.swap(other); }
  size_t consumed() const { return consumed_; }
  // Forgets what has been parsed of an unfinished request: the next parse() begins afresh.
  void forget() {
    position_ = 0;
    args_left_ = 0;
    wanted_ = 0;
  }
  // As Valkey words it, with "Protocol error: " in front.
  const std::string& error() const { return error_; }
  // After kNeedMore: the input length without which the next call cannot get further; 0 when
  // unknown.
  size_t wanted() const { return wanted_; }

 private:
  // What looking for a header line has come to.
  enum class Header : uint8_t { kRead, kNeedMore, kTooLong, kNotANumber };

  Header read_header(std::string_view input, int64_t* value);
  Outcome parse_array(std::string_view input, const RequestLimits& limits);
  Outcome begin_array(std::string_view input, const RequestLimits& limits);
  void take_short_bulks(std::string_view input);
  Outcome parse_bulks(std::string_view input, const RequestLimits& limits);
  Outcome bulk_header_failed(Header what, std::string_view input);
  Outcome parse_inline(std::string_view input);
  void follow(const char* data);
  Outcome fail(std::string text);
  void finish(size_t consumed);

  // The arguments found so far, as views into the input that began at `base_`.
  std::vector<std::string_view> args_;
  const char* base_ = nullptr;
  std::vector<std::string> inline_words_;
  std::string error_;
  size_t position_ = 0;       // where parsing goes on
  int64_t args_left_ = 0;     // 0: no array has been begun
  int64_t bulk_length_ = -1;  // -1: the next bulk header has not been read
  size_t consumed_ = 0;
  size_t wanted_ = 0;
};

}  // namespace tandem
