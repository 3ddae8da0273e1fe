#include "server/base/numbers.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace tandem {

namespace {

// Inline: the numbers among a command's arguments are read by it.
inline std::optional<uint64_t> read_digits(std::string_view text) {
  constexpr size_t kSafeDigits = 19;  // so many always fit
  if (text.empty() || text.size() > kMaxInt64Digits) return std::nullopt;
  if (text[0] == '0') return text.size() == 1 ? std::optional<uint64_t>(0) : std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned digit = static_cast<unsigned char>(text[i]) - '0';
    if (digit > 9) return std::nullopt;
    if (i < kSafeDigits) {
      value = value * 10 + digit;
    } else if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
               __builtin_add_overflow(value, uint64_t{digit}, &value)) {
      return std::nullopt;
    }
  }
  return value;
}

}  // namespace

std::optional<uint64_t> parse_uint64(std::string_view text) { return read_digits(text); }

bool read_int64(std::string_view text, int64_t* value) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (negative && text == "0") return false;
  const std::optional<uint64_t> magnitude = read_digits(text);
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (!magnitude || *magnitude > kMax + (negative ? 1 : 0)) return false;
  *value = static_cast<int64_t>(negative ? ~*magnitude + 1 : *magnitude);
  return true;
}

namespace {

// strtod and strtold want a terminated string; texts longer than this are no number anyone writes.
template <typename Number, typename Convert>
std::optional<Number> parse_floating(std::string_view text, Convert convert) {
  char buffer[kMaxDoubleChars + 1];
  if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
  if (std::isspace(static_cast<unsigned char>(text[0]))) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  char* end = nullptr;
  errno = 0;
  const Number value = convert(buffer, &end);
  if (end != buffer + text.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

}  // namespace

std::optional<double> parse_double(std::string_view text) {
  // What from_chars takes, it reads as strtod does, and several times as fast.
  double value = 0;
  const char* const behind = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), behind, value);
  if (code == std::errc() && stopped == behind && !std::isnan(value)) return value;
  return parse_floating<double>(text,
                                [](const char* s, char** end) { return std::strtod(s, end); });
}

std::optional<long double> parse_long_double(std::string_view text) {
  return parse_floating<long double>(
      text, [](const char* s, char** end) { return std::strtold(s, end); });
}

std::optional<uint64_t> parse_memory_size(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  std::string unit(text.substr(digits));
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  uint64_t factor = 0;
  if (unit.empty() || unit == "b") factor = 1;
  if (unit == "k") factor = 1000;
  if (unit == "kb") factor = 1024;
  if (unit == "m") factor = 1000ULL * 1000;
  if (unit == "mb") factor = 1024ULL * 1024;
  if (unit == "g") factor = 1000ULL * 1000 * 1000;
  if (unit == "gb") factor = 1024ULL * 1024 * 1024;
  uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + digits, number);
  if (factor == 0 || digits == 0 || code != std::errc()) return std::nullopt;
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(number, factor, &bytes)) return std::nullopt;
  return bytes;
}

size_t count_digits(uint64_t value) {
  size_t digits = 1;
  while (value >= 10) {
    value /= 10;
    ++digits;
  }
  return digits;
}

size_t format_int64(int64_t value, char* out) {
  return static_cast<size_t>(std::to_chars(out, out + kMaxInt64Digits, value).ptr - out);
}

std::string_view format_int64(int64_t value, std::span<char> scratch) {
  return {scratch.data(), format_int64(value, scratch.data())};
}

namespace {

// A decimal number: its significant digits, and the power of ten of the last one.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

// The fewest digits that read back as `magnitude`, which is finite and positive.
Decimal shortest_decimal(double magnitude) {
  char buffer[64];
  const char* end =
      std::to_chars(buffer, buffer + sizeof buffer, magnitude, std::chars_format::scientific).ptr;
  const char* mark = std::find(static_cast<const char*>(buffer), end, 'e');
  Decimal decimal;
  for (const char* p = buffer; p != mark; ++p) {
    if (*p != '.') decimal.digits += *p;
  }
  // "e+05": from_chars takes a minus and no plus.
  const char* exponent = mark + (mark[1] == '+' ? 2 : 1);
  std::from_chars(exponent, end, decimal.exponent);
  decimal.exponent -= static_cast<int>(decimal.digits.size()) - 1;
  return decimal;
}

// Where Valkey changes from plain notation to an exponent.
constexpr int kMostTrailingZeros = 7;
constexpr int kMostDecimals = 7;
constexpr int kSmallExponent = 4;

std::string lay_out(const Decimal& decimal) {
  const int count = static_cast<int>(decimal.digits.size());
  const int leading = decimal.exponent + count - 1;  // power of ten of the first digit
  if (decimal.exponent >= 0 && leading < count + kMostTrailingZeros) {
    return decimal.digits + std::string(static_cast<size_t>(decimal.exponent), '0');
  }
  if (decimal.exponent < 0 &&
      (decimal.exponent > -kMostDecimals || std::abs(leading) < kSmallExponent)) {
    if (leading < 0)
      return "0." + std::string(static_cast<size_t>(-leading - 1), '0') + decimal.digits;
    std::string text = decimal.digits;
    return text.insert(static_cast<size_t>(leading) + 1, 1, '.');
  }
  std::string text = decimal.digits;
  if (count > 1) text.insert(1, 1, '.');
  return text + (leading < 0 ? "e-" : "e+") + std::to_string(std::abs(leading));
}

}  // namespace

std::optional<int64_t> exact_integer(double value) {
  constexpr double kBound = 4611686018427387904.0;  // 2^62
  if (!(value >= -kBound && value <= kBound)) return std::nullopt;
  const auto integer = static_cast<int64_t>(value);
  if (static_cast<double>(integer) != value) return std::nullopt;
  return integer;
}

std::string format_double(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::isnan(value)) return "nan";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  if (const auto integer = exact_integer(value)) {
    char buffer[kMaxInt64Digits];
    return std::string(buffer, format_int64(*integer, buffer));
  }
  return (value < 0 ? "-" : "") + lay_out(shortest_decimal(std::abs(value)));
}

std::string format_long_double_human(long double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[kMaxDoubleChars];
  const int written = std::snprintf(buffer, sizeof buffer, "%.17Lf", value);
  if (written <= 0 || static_cast<size_t>(written) >= sizeof buffer) return "0";
  std::string_view text(buffer, static_cast<size_t>(written));
  if (text.find('.') != std::string_view::npos) {
    text = text.substr(0, text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.remove_suffix(1);
  }
  return text == "-0" ? "0" : std::string(text);
}

}  // namespace tandem
