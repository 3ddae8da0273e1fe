#include "server/resp/reply_reader.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Type = ReplyValue::Type;

// A compact rendering of a tree, so a test compares whole trees at a glance.
std::string show(const ReplyValue& value) {
  auto list = [&](const char* open, const char* close) {
    std::string out = open;
    for (size_t i = 0; i < value.elements.size(); ++i) {
      out += (i == 0 ? "" : " ") + show(value.elements[i]);
    }
    return out + close;
  };
  switch (value.type) {
    case Type::kNull:
      return "nil";
    case Type::kNullArray:
      return "nil*";
    case Type::kSimple:
      return "+" + value.text;
    case Type::kError:
      return "-" + value.text;
    case Type::kInteger:
      return std::to_string(value.integer);
    case Type::kBulk:
      return "'" + value.text + "'";
    case Type::kDouble:
      return "," + value.text;
    case Type::kBoolean:
      return value.integer != 0 ? "#t" : "#f";
    case Type::kBigNumber:
      return "(" + value.text;
    case Type::kVerbatim:
      return "=" + value.format + ":" + value.text;
    case Type::kArray:
      return list("[", "]");
    case Type::kMap:
      return list("{", "}");
    case Type::kSet:
      return list("~[", "]");
    case Type::kPush:
      return list(">[", "]");
  }
  return "?";
}

// All values of `bytes` fed in pieces of `piece` bytes, or the error.
std::string read_all(std::string_view bytes, size_t piece, ReplyReader::Limits limits = {}) {
  ReplyReader reader(limits);
  std::string out;
  auto drain = [&] {
    for (;;) {
      Result<std::optional<ReplyValue>> next = reader.next();
      if (!next) {
        out += (out.empty() ? "" : " ") + next.error().to_string();
        return false;
      }
      if (!next.value()) return true;
      out += (out.empty() ? "" : " ") + show(*next.value());
    }
  };
  for (size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    if (!drain()) return out;
  }
  return reader.idle() ? out : out + " ...";
}

std::string read_whole(std::string_view bytes, ReplyReader::Limits limits = {}) {
  return read_all(bytes, bytes.size(), limits);
}

TEST(ReplyReaderTest, EveryTypeInAnyPieces) {
  std::string_view bytes =
      "+OK\r\n-ERR no\r\n!6\r\nE a\r\nb\r\n:-42\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n_\r\n"
      ",3.141\r\n,inf\r\n,-inf\r\n,nan\r\n#t\r\n#f\r\n(-123456789012345678901234567890\r\n"
      "=7\r\ntxt:a\nb\r\n*0\r\n%0\r\n~1\r\n:1\r\n"
      "%2\r\n+a\r\n*2\r\n:1\r\n*1\r\n_\r\n+b\r\n%1\r\n#t\r\n#f\r\n"
      ">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n";
  std::string expected =
      "+OK -ERR no -E a\r\nb -42 'a\r\nbc' '' nil nil* nil ,3.141 ,inf ,-inf ,nan #t #f "
      "(-123456789012345678901234567890 =txt:a\nb [] {} ~[1] "
      "{+a [1 [nil]] +b {#t #f}} >['message' 'x']";
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    ASSERT_EQ(read_all(bytes, piece), expected) << "in pieces of " << piece;
  }
}

TEST(ReplyReaderTest, AttributesAreDropped) {
  EXPECT_EQ(read_whole("|1\r\n+ttl\r\n:3600\r\n*2\r\n:1\r\n|1\r\n+a\r\n*1\r\n:9\r\n:2\r\n"),
            "[1 2]");
  EXPECT_EQ(read_whole("|0\r\n:1\r\n"), "1");
}

TEST(ReplyReaderTest, IncompleteValuesWait) {
  EXPECT_EQ(read_whole("+OK\r\n*2\r\n:1\r\n"), "+OK ...");
  EXPECT_EQ(read_whole("$10\r\nabc"), " ...");
  EXPECT_EQ(read_whole("*4294967295\r\n:1\r\n"), " ...");
}

TEST(ReplyReaderTest, MalformedBytesAreRefusedWithTheirPlace) {
  EXPECT_EQ(read_whole("+OK\r\n?\r\n"), "+OK Protocol error: unknown reply type \"?\" at offset 5");
  EXPECT_EQ(read_whole("\r\n"),
            "Protocol error: expected a type byte and a line ending in CRLF at offset 0");
  EXPECT_EQ(read_whole("+OK\n"),
            "Protocol error: expected a type byte and a line ending in CRLF at offset 0");
  for (std::string_view bytes : {"$-2\r\n", "$x\r\n", "$\r\n", "$?\r\n",
                                 "$18446744073709551615\r\n", "$536870913\r\n", "=-1\r\n"}) {
    EXPECT_EQ(read_whole(bytes), "Protocol error: bad bulk length at offset 0") << bytes;
  }
  for (std::string_view bytes : {"*-2\r\n", "*4294967296\r\n", "%-1\r\n", "~-1\r\n", "*?\r\n"}) {
    EXPECT_EQ(read_whole(bytes), "Protocol error: bad element count at offset 0") << bytes;
  }
  EXPECT_EQ(read_whole("$1\r\nabc"), "Protocol error: bulk not followed by CRLF at offset 0");
  EXPECT_EQ(read_whole(":1x\r\n"), "Protocol error: bad integer at offset 0");
  EXPECT_EQ(read_whole(",one\r\n"), "Protocol error: bad double at offset 0");
  EXPECT_EQ(read_whole("#1\r\n"), "Protocol error: bad boolean at offset 0");
  EXPECT_EQ(read_whole("(1x\r\n"), "Protocol error: bad big number at offset 0");
  EXPECT_EQ(read_whole("_x\r\n"), "Protocol error: bad null at offset 0");
  EXPECT_EQ(read_whole("=3\r\ntxt\r\n"),
            "Protocol error: verbatim string without its format at offset 0");
}

TEST(ReplyReaderTest, DepthAndLengthsAreBounded) {
  std::string deep;
  for (int i = 0; i < 128; ++i) deep += "*1\r\n";
  EXPECT_EQ(read_whole(deep + ":1\r\n").size(), 128 * 2 + 1);
  EXPECT_EQ(read_whole(deep + "*1\r\n:1\r\n"),
            "Protocol error: reply nested too deeply at offset 512");
  ReplyReader::Limits limits;
  limits.max_line_bytes = 16;
  EXPECT_EQ(read_whole("+0123456789abcdef", limits), "Protocol error: line too long at offset 0");
  limits.max_bulk_bytes = 3;
  EXPECT_EQ(read_whole("$3\r\nabc\r\n", limits), "'abc'");
  EXPECT_EQ(read_whole("$4\r\nabcd\r\n", limits), "Protocol error: bad bulk length at offset 0");
}

TEST(ReplyReaderTest, AnErrorIsFinal) {
  ReplyReader reader;
  reader.feed("?\r\n+OK\r\n");
  EXPECT_FALSE(reader.next().ok());
  EXPECT_FALSE(reader.next().ok());
}

TEST(ReplyReaderTest, OffsetsCountFromTheFirstByte) {
  ReplyReader reader;
  for (int i = 0; i < 3; ++i) {
    reader.feed("$3\r\nabc\r\n");
    ASSERT_TRUE(reader.next().ok());
  }
  reader.feed("?\r\n");
  EXPECT_EQ(reader.next().error().offset, 27u);
}

TEST(ReplyReaderTest, RestIsHandedOver) {
  ReplyReader reader;
  reader.feed("+FULLRESYNC x 0\r\n$5\r\nREDIS");
  ASSERT_EQ(show(*reader.next().value()), "+FULLRESYNC x 0");
  EXPECT_EQ(reader.take_rest(), "$5\r\nREDIS");
  EXPECT_TRUE(reader.idle());
  reader.feed(":1\r\n");
  EXPECT_EQ(show(*reader.next().value()), "1");
}

}  // namespace
}  // namespace tandem
