#include "server/store/legacy_packed.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tandem {
namespace {

using namespace std::string_literals;

Status collect_ziplist(const std::string& bytes, std::vector<std::string>* out) {
  return read_ziplist(bytes, [out](const Listpack::Entry& entry) -> Status {
    Listpack::Scratch scratch;
    out->emplace_back(entry.text(scratch));
    return {};
  });
}

Status collect_zipmap(const std::string& bytes, std::vector<std::string>* out) {
  return read_zipmap(bytes, [out](std::string_view field, std::string_view value) -> Status {
    out->emplace_back(field);
    out->emplace_back(value);
    return {};
  });
}

// A ziplist of entries given as encoding and data, with right lengths all around.
std::string make_ziplist(const std::vector<std::string>& entries) {
  std::string body;
  size_t previous = 0;
  size_t last = 10;
  for (const std::string& entry : entries) {
    last = 10 + body.size();
    const size_t begin = body.size();
    if (previous < 254) {
      body += static_cast<char>(previous);
    } else {
      body += '\xFE';
      body.append(reinterpret_cast<const char*>(&previous), 4);
    }
    body += entry;
    previous = body.size() - begin;
  }
  std::string bytes(10, '\0');
  store_unaligned(bytes.data(), static_cast<uint32_t>(10 + body.size() + 1));
  store_unaligned(bytes.data() + 4, static_cast<uint32_t>(last));
  store_unaligned(bytes.data() + 8, static_cast<uint16_t>(entries.size()));
  return bytes + body + '\xFF';
}

std::string ziplist_of_each_encoding() {
  return make_ziplist({
      "\x05hello"s,
      "\x41\x2C"s + std::string(300, 'm'),
      "\x80\0\0\0\x03"s + "big",
      "\xF1"s,
      "\xFD"s,
      "\xFE\x9C"s,
      "\xC0\x18\xFC"s,
      "\xF0\x60\x79\xFE"s,
      "\xD0\xFF\xFF\xFF\x7F"s,
      "\xE0\0\0\0\0\0\0\0\x80"s,
      "\0"s,
  });
}

TEST(Ziplist, ReadsEveryEncoding) {
  std::vector<std::string> got;
  const Status status = collect_ziplist(ziplist_of_each_encoding(), &got);
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  EXPECT_EQ(got, (std::vector<std::string>{"hello", std::string(300, 'm'), "big", "0", "12", "-100",
                                           "-1000", "-100000", "2147483647", "-9223372036854775808",
                                           ""}));
}

// The example of the published description of the format: the numbers 2 and 5.
TEST(Ziplist, ReadsAPublishedExample) {
  std::vector<std::string> got;
  const Status status = collect_ziplist("\x0F\0\0\0\x0C\0\0\0\x02\0\0\xF3\x02\xF6\xFF"s, &got);
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  EXPECT_EQ(got, (std::vector<std::string>{"2", "5"}));
}

TEST(Ziplist, AnEmptyOneHasItsTailAtTheEnd) {
  std::vector<std::string> got;
  EXPECT_TRUE(collect_ziplist(make_ziplist({}), &got).ok());
  EXPECT_TRUE(got.empty());
}

TEST(Ziplist, FlippedAndCutBytesNeverReadOutside) {
  const std::string good = ziplist_of_each_encoding();
  size_t refused = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      // On the heap and exactly sized, so that a sanitizer sees a step outside.
      std::string bytes = good;
      bytes[i] = static_cast<char>(value);
      bytes.shrink_to_fit();
      std::vector<std::string> got;
      refused += collect_ziplist(bytes, &got).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 256 * 20u);
  for (size_t size = 0; size < good.size(); ++size) {
    std::vector<std::string> got;
    EXPECT_FALSE(collect_ziplist(good.substr(0, size), &got).ok()) << size;
  }
}

TEST(Ziplist, StopsWithTheVisitorsError) {
  int visits = 0;
  const Status status =
      read_ziplist(ziplist_of_each_encoding(), [&visits](const Listpack::Entry&) -> Status {
        ++visits;
        return make_error(ErrorKind::kLimit, "enough");
      });
  EXPECT_EQ(visits, 1);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "enough");
}

TEST(Zipmap, ReadsFieldsLongValuesAndFreeBytes) {
  std::string bytes =
      "\x02\x03"
      "foo\x03\x02"
      "barxx\x01k\xFE"s;
  const uint32_t size = 300;
  bytes.append(reinterpret_cast<const char*>(&size), 4);
  bytes += '\0';
  bytes += std::string(300, 'v') + '\xFF';
  std::vector<std::string> got;
  const Status status = collect_zipmap(bytes, &got);
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  EXPECT_EQ(got, (std::vector<std::string>{"foo", "bar", "k", std::string(300, 'v')}));
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(collect_zipmap(bytes.substr(0, cut), &got).ok()) << cut;
  }
}

TEST(Zipmap, FlippedBytesNeverReadOutside) {
  const std::string good =
      "\x02\x03"
      "foo\x03\x02"
      "barxx\x01k\x02\0vv\xFF"s;
  std::vector<std::string> got;
  ASSERT_TRUE(collect_zipmap(good, &got).ok());
  for (size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(value);
      got.clear();
      const Status status = collect_zipmap(bytes, &got);
      if (!status) {
        EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
      }
    }
  }
}

}  // namespace
}  // namespace tandem
