#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tandem {

// Strict decimal integers, as the protocol and the commands take them: no spaces, no '+', no
// leading zeros, no "-0".
bool read_int64(std::string_view text, int64_t* value);  // false: *value is left alone
std::optional<uint64_t> parse_uint64(std::string_view text);
// Inline: an optional that is returned by a real call is written to the stack a part at a time and
// read back as a whole, which costs several times what the parsing does.
inline std::optional<int64_t> parse_int64(std::string_view text) {
  int64_t value = 0;
  if (!read_int64(text, &value)) return std::nullopt;
  return value;
}

// A finite or infinite floating-point number; NaN, hexadecimal leftovers, surrounding space and
// trailing bytes are refused.
std::optional<double> parse_double(std::string_view text);
std::optional<long double> parse_long_double(std::string_view text);

// A size with an optional unit: 1024, 100b, 1k (1000), 1kb (1024), m, mb, g, gb, in any case.
std::optional<uint64_t> parse_memory_size(std::string_view text);

inline constexpr size_t kMaxInt64Digits = 20;        // "-9223372036854775808"
inline constexpr size_t kMaxDoubleChars = 5 * 1024;  // the longest fixed-point long double

// Writes the decimal form of `value` to `out` (at least kMaxInt64Digits bytes) and returns its
// length.
size_t format_int64(int64_t value, char* out);
std::string_view format_int64(int64_t value, std::span<char> scratch);
size_t count_digits(uint64_t value);

// The integer that `value` is, within 2^62 of zero, where Valkey writes doubles as integers.
std::optional<int64_t> exact_integer(double value);

// The shortest text that reads back as `value`, integers up to 2^62 without exponent: how
// Valkey 7.2 and later write RESP3 doubles and scores ("0.1", "3", "1e+20").
std::string format_double(double value);
// Fixed-point with 17 decimals and trailing zeros removed, as INCRBYFLOAT and HINCRBYFLOAT store
// it.
std::string format_long_double_human(long double value);

}  // namespace tandem
