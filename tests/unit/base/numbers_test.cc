#include "server/base/numbers.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

namespace tandem {
namespace {

TEST(NumbersTest, ParsesStrictIntegers) {
  EXPECT_EQ(parse_int64("0"), 0);
  EXPECT_EQ(parse_int64("-1"), -1);
  EXPECT_EQ(parse_int64("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_int64("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_uint64("18446744073709551615"), UINT64_MAX);
  for (const char* wrong :
       {"", "-", "+1", "01", "-0", "00", " 1", "1 ", "1a", "0x1", "1.0", "9223372036854775808",
        "-9223372036854775809", "99999999999999999999999", "--1"}) {
    EXPECT_EQ(parse_int64(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(parse_int64(std::string_view("1\0", 2)), std::nullopt);
  EXPECT_EQ(parse_uint64("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_uint64("-1"), std::nullopt);
}

TEST(NumbersTest, FormatsIntegers) {
  char out[kMaxInt64Digits];
  for (int64_t value :
       {INT64_MIN, INT64_MIN + 1, int64_t{-10}, int64_t{0}, int64_t{7}, INT64_MAX}) {
    EXPECT_EQ(format_int64(value, std::span(out)), std::to_string(value));
  }
  EXPECT_EQ(count_digits(0), 1u);
  EXPECT_EQ(count_digits(9), 1u);
  EXPECT_EQ(count_digits(10), 2u);
  EXPECT_EQ(count_digits(UINT64_MAX), 20u);
}

TEST(NumbersTest, ParsesFloatingPoint) {
  EXPECT_EQ(parse_double("3.25"), 3.25);
  EXPECT_EQ(parse_double("-1e3"), -1000);
  EXPECT_EQ(parse_double("+5"), 5);
  EXPECT_EQ(parse_double("inf"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_double("-Infinity"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_double("5e-324"), 5e-324);
  for (const char* wrong : {"", " 1", "1 ", "nan", "-nan", "1x", "1e400", "--1", "e5", "."}) {
    EXPECT_EQ(parse_double(wrong), std::nullopt) << wrong;
    EXPECT_EQ(parse_long_double(wrong).has_value(), std::string(wrong) == "1e400") << wrong;
  }
  EXPECT_EQ(parse_double(std::string(6000, '1')), std::nullopt);
  EXPECT_EQ(parse_double(std::string_view("1\0", 2)), std::nullopt);
}

TEST(NumbersTest, FormatsDoublesAsScoresAre) {
  EXPECT_EQ(format_double(0), "0");
  EXPECT_EQ(format_double(-0.0), "-0");
  EXPECT_EQ(format_double(3), "3");
  EXPECT_EQ(format_double(-17), "-17");
  EXPECT_EQ(format_double(0.1), "0.1");
  EXPECT_EQ(format_double(3.141), "3.141");
  EXPECT_EQ(format_double(-123.456), "-123.456");
  EXPECT_EQ(format_double(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(format_double(0.00001), "0.00001");
  EXPECT_EQ(format_double(1.5e-7), "1.5e-7");
  EXPECT_EQ(format_double(4503599627370496), "4503599627370496");
  EXPECT_EQ(format_double(4611686018427387904.0), "4611686018427387904");  // 2^62
  EXPECT_EQ(format_double(-1152921504606846976.0), "-1152921504606846976");
  EXPECT_EQ(format_double(4611686018427388928.0), "4611686018427389000");  // the next double
  EXPECT_EQ(format_double(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(format_double(5e-324), "5e-324");
  EXPECT_EQ(format_double(1e20), "1e+20");
  EXPECT_EQ(format_double(1.5), "1.5");
  EXPECT_EQ(format_double(INFINITY), "inf");
  EXPECT_EQ(format_double(-INFINITY), "-inf");
}

TEST(NumbersTest, FormattedDoublesReadBack) {
  uint64_t bits = 1;
  for (int i = 0; i < 100000; ++i) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    const double value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(parse_double(format_double(value)), value) << bits;
  }
}

TEST(NumbersTest, FormatsLongDoublesForPeople) {
  EXPECT_EQ(format_long_double_human(3.0L), "3");
  EXPECT_EQ(format_long_double_human(10.5L), "10.5");
  EXPECT_EQ(format_long_double_human(0.1L + 0.2L), "0.3");
  EXPECT_EQ(format_long_double_human(-0.0L), "0");
  EXPECT_EQ(format_long_double_human(-1e-30L), "0");
  EXPECT_EQ(format_long_double_human(5.0e3L), "5000");
}

TEST(NumbersTest, ParsesMemorySizes) {
  EXPECT_EQ(parse_memory_size("1024"), 1024u);
  EXPECT_EQ(parse_memory_size("100b"), 100u);
  EXPECT_EQ(parse_memory_size("1k"), 1000u);
  EXPECT_EQ(parse_memory_size("1KB"), 1024u);
  EXPECT_EQ(parse_memory_size("2m"), 2000000u);
  EXPECT_EQ(parse_memory_size("2Mb"), 2u << 20);
  EXPECT_EQ(parse_memory_size("3g"), 3000000000u);
  EXPECT_EQ(parse_memory_size("3gB"), uint64_t{3} << 30);
  for (const char* wrong :
       {"", "kb", "-1", "1tb", "1.5gb", " 1", "1 kb", "18446744073709551616", "99999999999gb"}) {
    EXPECT_EQ(parse_memory_size(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace tandem
