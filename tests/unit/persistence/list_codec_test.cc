#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/store/list_value.h"
#include "tests/unit/persistence/test_snapshot.h"

namespace tandem {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using Elements = std::vector<std::string>;

std::string file_string(std::string_view bytes) {
  std::string out;
  StringSink sink(&out);
  RdbEncoder encoder(&sink, false);
  encoder.string(bytes);
  EXPECT_TRUE(encoder.flush().ok());
  return out;
}

Result<RdbValue> decode(uint8_t type, std::string_view bytes, const EncodingLimits& limits = {}) {
  StringSource source(bytes);
  RdbDecoder in(&source);
  return read_rdb_value(in, type, "k", limits);
}

std::unique_ptr<ListValue> list_of(Result<RdbValue> decoded) {
  EXPECT_TRUE(decoded.ok()) << decoded.error().to_string();
  if (!decoded.ok()) return std::make_unique<ListValue>();
  auto& value = std::get<std::unique_ptr<Value>>(decoded.value());
  return std::unique_ptr<ListValue>(static_cast<ListValue*>(value.release()));
}

std::string error_of(uint8_t type, std::string_view bytes) {
  Result<RdbValue> decoded = decode(type, bytes);
  return decoded.ok() ? "read" : decoded.error().to_string();
}

Elements elements_of(const ListValue& list) {
  Elements elements;
  Listpack::Scratch scratch;
  list.visit([&](const ListValue::Element& element) {
    elements.emplace_back(element.text(scratch));
    return true;
  });
  return elements;
}

// The ziplist of "a", 5 and "bcd".
const std::string kZiplist =
    "\x15\0\0\0\x0f\0\0\0\3\0"
    "\0\1a\3\xf6\2\3bcd\xff"s;

TEST(ListCodec, BringsEveryKindOfListBack) {
  for (const int count : {1, 5, 3000}) {
    ListValue list;
    const ListLimits limits;
    for (int i = 0; i < count; ++i) {
      const std::string text =
          i % 3 == 0 ? std::to_string(i * 1000) : "element " + std::to_string(i);
      list.prepare(text.size(), 1, limits);
      list.push(ListEnd::kTail, text, limits);
    }
    if (count == 5) {
      list.prepare(100000, 1, limits);
      list.insert(2, std::string(100000, 'x'), limits);
    }
    const ValueCodec& codec = codec_of(ValueType::kList);
    EXPECT_EQ(codec.rdb_type(list, rdb::kVersion), rdb::kListQuicklist2);
    std::string bytes;
    StringSink sink(&bytes);
    RdbEncoder out(&sink, true);
    codec.write(out, list, rdb::kVersion);
    ASSERT_TRUE(out.flush().ok());
    const auto back = list_of(decode(rdb::kListQuicklist2, bytes));
    EXPECT_EQ(elements_of(*back), elements_of(list));
    EXPECT_EQ(back->encoding_name(), list.encoding_name());
    EXPECT_EQ(back->chunks(), list.chunks());
  }
}

TEST(ListCodec, ReadsEveryOldForm) {
  const Elements expected = {"a", "5", "bcd"};
  const auto plain = list_of(decode(rdb::kList, "\3\1a\xc0\5\3bcd"));
  EXPECT_EQ(elements_of(*plain), expected);
  EXPECT_EQ(plain->encoding_name(), "listpack");
  const auto ziplist = list_of(decode(rdb::kListZiplist, file_string(kZiplist)));
  EXPECT_EQ(elements_of(*ziplist), expected);
  EXPECT_EQ(ziplist->encoding_name(), "listpack");
  const std::string two = file_string(kZiplist) + file_string(kZiplist);
  const auto quicklist = list_of(decode(rdb::kListQuicklist, "\2" + two));
  EXPECT_EQ(elements_of(*quicklist), (Elements{"a", "5", "bcd", "a", "5", "bcd"}));
  Listpack packed;
  for (const std::string& element : expected) packed.append(element);
  const std::string empty = "\2"s + file_string(Listpack().bytes());
  const auto nodes = list_of(
      decode(rdb::kListQuicklist2, "\3\1\4last" + empty + "\2" + file_string(packed.bytes())));
  EXPECT_EQ(elements_of(*nodes), (Elements{"last", "a", "5", "bcd"}));
}

TEST(ListCodec, AListpackThatIsLargerThanAllowedHereIsDivided) {
  Listpack packed;
  Elements expected;
  for (int i = 0; i < 100; ++i) {
    expected.push_back("element " + std::to_string(i));
    packed.append(expected.back());
  }
  EncodingLimits limits;
  limits.list = ListLimits(8);
  const auto list =
      list_of(decode(rdb::kListQuicklist2, "\1\2" + file_string(packed.bytes()), limits));
  EXPECT_EQ(elements_of(*list), expected);
  EXPECT_EQ(list->chunks(), 13u);
  EXPECT_EQ(list->encoding_name(), "quicklist");
}

TEST(ListCodec, RefusesWhatIsMalformed) {
  EXPECT_THAT(error_of(rdb::kList, "\0"s), HasSubstr("is empty"));
  EXPECT_THAT(error_of(rdb::kList, "\x80\xff\xff\xff\xff"), HasSubstr("more than"));
  EXPECT_THAT(error_of(rdb::kList, "\2\1a"), HasSubstr("a list element"));
  EXPECT_THAT(error_of(rdb::kListQuicklist2, "\1\3\1a"), HasSubstr("unknown kind 3"));
  EXPECT_THAT(error_of(rdb::kListQuicklist2, "\1\2\1a"), HasSubstr("listpack"));
  EXPECT_THAT(error_of(rdb::kListQuicklist2, "\1\2" + file_string(Listpack().bytes())),
              HasSubstr("is empty"));
  EXPECT_THAT(error_of(rdb::kListQuicklist2, "\2\1\1a\2"), HasSubstr("a listpack"));
  EXPECT_THAT(error_of(rdb::kListZiplist, "\1a"), HasSubstr("ziplist"));
  const std::string payload = "\1" + file_string(kZiplist);
  for (size_t i = 0; i < payload.size(); ++i) {
    for (const int bit : {1, 16, 128}) {
      std::string damaged = payload;
      damaged[i] = static_cast<char>(damaged[i] ^ bit);
      // Whatever comes of it can be walked.
      Result<RdbValue> decoded = decode(rdb::kListQuicklist, damaged);
      if (decoded.ok()) elements_of(*list_of(std::move(decoded)));
    }
  }
}

TEST(ListCodec, RewritesAsPushes) {
  ListValue list;
  const ListLimits limits;
  for (int i = 0; i < 65; ++i) list.load(std::to_string(i), limits);
  std::string bytes;
  StringSink sink(&bytes);
  CommandWriter out(&sink);
  codec_of(ValueType::kList).write_commands(out, "k", list);
  ASSERT_TRUE(out.flush().ok());
  EXPECT_THAT(bytes, testing::StartsWith("*66\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$1\r\n0\r\n"));
  EXPECT_THAT(bytes, testing::EndsWith("*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$2\r\n64\r\n"));
}

}  // namespace
}  // namespace tandem
