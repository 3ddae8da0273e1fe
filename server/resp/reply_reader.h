#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"

namespace tandem {

// One reply of a server as a tree of values; the reader's counterpart of the `Reply` sink.
struct ReplyValue {
  enum class Type : uint8_t {
    kNull,       // `$-1`, `_`
    kNullArray,  // `*-1`
    kSimple,
    kError,  // `-` and RESP3's `!`
    kInteger,
    kBulk,
    kDouble,
    kBoolean,
    kBigNumber,
    kVerbatim,
    kArray,
    kMap,
    kSet,
    kPush,
  };

  Type type = Type::kNull;
  // kInteger: the value. kBoolean: 0 or 1.
  int64_t integer = 0;
  // Simple, error, bulk and verbatim: the text. Double and big number: the digits as they were
  // sent (a double is checked to be one).
  std::string text;
  // Verbatim: its three-letter format, such as "txt".
  std::string format;
  // Aggregates: the elements; of a map, key and value by turns.
  std::vector<ReplyValue> elements;

  bool is_null() const { return type == Type::kNull || type == Type::kNullArray; }
  bool is_error() const { return type == Type::kError; }
  bool is_aggregate() const { return type >= Type::kArray; }
  // Text of one of the textual types equal to `expected`, as in `is_text("OK")`.
  bool is_text(std::string_view expected) const { return !is_aggregate() && text == expected; }
};

// Parses RESP2 and RESP3 replies from bytes that arrive in pieces of any size. The bytes are not
// trusted: lengths and depth are bounded, and nothing is allocated for elements or bytes that have
// only been announced. An attribute (`|`) is parsed and dropped; streamed strings and aggregates
// (`$?`, `*?`), which no server of this family sends, are refused.
class ReplyReader {
 public:
  struct Limits {
    uint64_t max_bulk_bytes = 512ULL << 20;
    uint64_t max_elements = 0xffffffffULL;  // of one aggregate; of a map, pairs
    size_t max_depth = 128;                 // aggregates inside one another
    size_t max_line_bytes = 1 << 20;        // a header, a status or an error
  };

  ReplyReader() = default;
  explicit ReplyReader(const Limits& limits) : limits_(limits) {}

  void feed(std::string_view bytes) { buffer_.append(bytes); }

  // The next whole value; nothing when more bytes are needed. An error (its offset counts from the
  // first byte ever fed) is final: the stream cannot be understood any more.
  Result<std::optional<ReplyValue>> next();

  // True when no value is begun and no byte is waiting.
  bool idle() const { return stack_.empty() && position_ == buffer_.size(); }

  // Gives up the bytes after the last value returned, for what is not RESP: the snapshot of a full
  // synchronisation. Only between values.
  std::string take_rest();

 private:
  // An aggregate whose elements are being read.
  struct Frame {
    ReplyValue value;
    uint64_t missing = 0;
    bool attribute = false;
  };
  enum class Step : uint8_t { kValue, kOpened, kNeedMore };

  Result<Step> read_one(ReplyValue* value);
  Result<Step> read_blob(char type, std::string_view header, size_t line_end, ReplyValue* value);
  Result<Step> open_aggregate(char type, std::string_view header, ReplyValue* value);
  Status read_scalar(char type, std::string_view line, ReplyValue* value);
  std::optional<ReplyValue> close_frames(ReplyValue value);
  void compact();
  Error corrupt(std::string message) const;

  Limits limits_;
  std::string buffer_;
  size_t position_ = 0;         // of the first byte not yet parsed
  size_t scanned_ = 0;          // no line break before it, from position_ on
  uint64_t dropped_bytes_ = 0;  // parsed and removed from the buffer
  std::vector<Frame> stack_;
  std::optional<Error> failure_;
};

}  // namespace tandem
