#include "tools/cli/formatter.h"

#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

ReplyValue parse(std::string_view bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  Result<std::optional<ReplyValue>> next = reader.next();
  EXPECT_TRUE(next.ok() && next.value()) << bytes;
  return next.ok() && next.value() ? *next.value() : ReplyValue();
}

std::string show(OutputMode mode, std::string_view bytes) {
  OutputStyle style;
  style.mode = mode;
  return format_reply(parse(bytes), style);
}

struct Scalar {
  std::string_view bytes, typed, raw, csv, json;
};

TEST(FormatterTest, Scalars) {
  const Scalar scalars[] = {
      {"+OK\r\n", "OK\n", "OK\n", "\"OK\"\n", "\"OK\"\n"},
      {"-ERR no\r\n", "(error) ERR no\n", "ERR no\n\n", "ERROR,\"ERR no\"\n", "error:\"ERR no\"\n"},
      {":-7\r\n", "(integer) -7\n", "-7\n", "-7\n", "-7\n"},
      {"$5\r\na\"b\n\x01\r\n", "\"a\\\"b\\n\\x01\"\n", "a\"b\n\x01\n", "\"a\\\"b\\n\\x01\"\n",
       "\"a\\\"b\\n\\u0001\"\n"},
      {"$2\r\n\xc3\xa9\r\n", "\"\\xc3\\xa9\"\n", "\xc3\xa9\n", "\"\\xc3\\xa9\"\n",
       "\"\xc3\xa9\"\n"},
      {"$-1\r\n", "(nil)\n", "\n", "NULL\n", "null\n"},
      {"*-1\r\n", "(nil)\n", "\n", "NULL\n", "null\n"},
      {"_\r\n", "(nil)\n", "\n", "NULL\n", "null\n"},
      {",1.5\r\n", "(double) 1.5\n", "1.5\n", "1.5\n", "1.5\n"},
      {"#t\r\n", "(true)\n", "(true)\n", "true\n", "true\n"},
      {"#f\r\n", "(false)\n", "(false)\n", "false\n", "false\n"},
      {"(123\r\n", "(big number) 123\n", "123\n", "123\n", "123\n"},
      {"=6\r\ntxt:a\"\r\n", "a\"\n", "a\"\n", "\"a\\\"\"\n", "\"a\\\"\"\n"},
      {"*0\r\n", "(empty array)\n", "\n", "\n", "[]\n"},
      {"%0\r\n", "(empty hash)\n", "\n", "\n", "{}\n"},
      {"~0\r\n", "(empty set)\n", "\n", "\n", "[]\n"},
      {">0\r\n", "(empty push)\n", "\n", "\n", "[]\n"},
  };
  for (const Scalar& scalar : scalars) {
    EXPECT_EQ(show(OutputMode::kTyped, scalar.bytes), scalar.typed) << scalar.bytes;
    EXPECT_EQ(show(OutputMode::kRaw, scalar.bytes), scalar.raw) << scalar.bytes;
    EXPECT_EQ(show(OutputMode::kCsv, scalar.bytes), scalar.csv) << scalar.bytes;
    EXPECT_EQ(show(OutputMode::kJson, scalar.bytes), scalar.json) << scalar.bytes;
  }
}

TEST(FormatterTest, TypedListsAreNumberedAndIndented) {
  EXPECT_EQ(show(OutputMode::kTyped, "*2\r\n*2\r\n:1\r\n*1\r\n+x\r\n$1\r\ny\r\n"),
            "1) 1) (integer) 1\n"
            "   2) 1) x\n"
            "2) \"y\"\n");
  std::string ten = "*10\r\n";
  std::string expected;
  for (int i = 1; i <= 10; ++i) {
    ten += ":0\r\n";
    expected += (i < 10 ? " " : "") + std::to_string(i) + ") (integer) 0\n";
  }
  EXPECT_EQ(show(OutputMode::kTyped, ten), expected);
  EXPECT_EQ(show(OutputMode::kTyped, "~2\r\n+a\r\n+b\r\n"), "1~ a\n2~ b\n");
}

TEST(FormatterTest, TypedMapValuesMoveToTheirOwnLinesWhenTheyHaveSeveralEntries) {
  EXPECT_EQ(show(OutputMode::kTyped, "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n+x\r\n"),
            "1# a => (integer) 1\n2# b => 1) x\n");
  EXPECT_EQ(show(OutputMode::kTyped, "%1\r\n+a\r\n~2\r\n+x\r\n+y\r\n"),
            "1# a => \n   1~ x\n   2~ y\n");
  EXPECT_EQ(show(OutputMode::kTyped, "%1\r\n+a\r\n%1\r\n+b\r\n+c\r\n"), "1# a => 1# b => c\n");
  EXPECT_EQ(show(OutputMode::kTyped, "%1\r\n+a\r\n*1\r\n*2\r\n+x\r\n+y\r\n"),
            "1# a => \n   1) 1) x\n      2) y\n");
}

TEST(FormatterTest, RawAggregates) {
  EXPECT_EQ(show(OutputMode::kRaw, "%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n_\r\n"), "a 1\n2\nb \n");
  OutputStyle style;
  style.mode = OutputMode::kRaw;
  style.element_delimiter = ",";
  style.reply_delimiter = ";";
  EXPECT_EQ(format_reply(parse("*2\r\n:1\r\n*2\r\n:2\r\n:3\r\n"), style), "1,2,3;");
}

TEST(FormatterTest, JsonKeysAreStrings) {
  EXPECT_EQ(show(OutputMode::kJson, "%3\r\n$1\r\na\r\n:1\r\n:2\r\n#t\r\n*1\r\n+x\r\n_\r\n"),
            "{\"a\":1,\"2\":true,\"[\\\"x\\\"]\":null}\n");
}

TEST(FormatterTest, QuotedJsonHoldsTheEscapesOfThePrompt) {
  EXPECT_EQ(show(OutputMode::kQuotedJson, "$5\r\n\xc3\"\n\\a\r\n"),
            "\"\\\\xc3\\\\\\\"\\\\n\\\\\\\\a\"\n");
}

TEST(FormatterTest, VerbatimAddsNoLineEnd) {
  OutputStyle style;
  EXPECT_EQ(format_verbatim(parse("$6\r\n# A\r\nb\r\n"), style), "# A\r\nb");
  EXPECT_EQ(format_verbatim(parse("-ERR x\r\n"), style), "ERR x\n");
}

TEST(FormatterTest, InvalidationsAreOneLineAtATerminal) {
  OutputStyle style;
  ReplyValue push = parse(">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(format_push(push, style), "-> invalidate: 'a', 'b'\n");
  style.mode = OutputMode::kCsv;
  EXPECT_EQ(format_push(push, style), "\"invalidate\",\"a\",\"b\"\n");
  style.mode = OutputMode::kTyped;
  EXPECT_EQ(format_push(parse(">2\r\n$10\r\ninvalidate\r\n_\r\n"), style),
            "1) \"invalidate\"\n2) (nil)\n");
}

}  // namespace
}  // namespace tandem::cli
