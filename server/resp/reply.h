#pragma once

#include <cstdint>
#include <string_view>

namespace tandem {

// Where a command handler writes its reply. A handler writes exactly one value: a scalar, or a
// header followed by that many values (twice as many for a map). Sinks: the RESP2/RESP3 encoder
// into a connection's output, the Lua value builder, the null sink (AOF loading, replica apply),
// the recorder for tests.
class Reply {
 public:
  virtual ~Reply() = default;

  virtual void integer(int64_t value) = 0;
  virtual void bulk(std::string_view bytes) = 0;
  // A status such as "OK"; no line breaks.
  virtual void simple(std::string_view text) = 0;
  // `text` starts with its code: "ERR no such key". Line breaks are replaced by spaces.
  virtual void error(std::string_view text) = 0;
  // No value: `$-1` in RESP2, `_` in RESP3.
  virtual void null() = 0;
  // No array: `*-1` in RESP2, `_` in RESP3.
  virtual void null_array() = 0;
  virtual void array(size_t length) = 0;
  // `pairs` keys, each followed by its value; a flat array of twice the length in RESP2.
  virtual void map(size_t pairs) = 0;
  virtual void set(size_t length) = 0;
  virtual void push(size_t length) = 0;
  // RESP3 `,`; a bulk string in RESP2.
  virtual void real(double value) = 0;
  // As real(), but where that is text, in fixed point with up to 17 decimals: coordinates.
  virtual void fixed_point(double value) { real(value); }
  // RESP3 `#`; 1 or 0 in RESP2.
  virtual void boolean(bool value) = 0;
  // RESP3 `(`; a bulk string in RESP2. Decimal digits.
  virtual void big_number(std::string_view digits) = 0;
  // RESP3 `=` with a three-letter format such as "txt"; a bulk string in RESP2.
  virtual void verbatim(std::string_view format, std::string_view text) = 0;

  // 2 or 3: a few commands shape their reply by it.
  virtual int protocol() const = 0;

  void ok() { simple("OK"); }
};

// Discards everything.
class NullReply final : public Reply {
 public:
  void integer(int64_t) override {}
  void bulk(std::string_view) override {}
  void simple(std::string_view) override {}
  void error(std::string_view) override {}
  void null() override {}
  void null_array() override {}
  void array(size_t) override {}
  void map(size_t) override {}
  void set(size_t) override {}
  void push(size_t) override {}
  void real(double) override {}
  void boolean(bool) override {}
  void big_number(std::string_view) override {}
  void verbatim(std::string_view, std::string_view) override {}
  int protocol() const override { return 2; }
};

}  // namespace tandem
