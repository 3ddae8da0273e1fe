#include "server/resp/encoder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {
namespace {

// What one reply looks like on the wire.
template <typename Write>
std::string encoded(int protocol, Write&& write) {
  OutputBuffer output;
  RespEncoder encoder(&output);
  encoder.set_protocol(protocol);
  write(encoder);
  return std::string(output.view());
}

TEST(RespEncoder, WritesScalarsThatBothProtocolsShare) {
  for (int protocol : {2, 3}) {
    const auto text = [&](auto&& write) { return encoded(protocol, write); };
    EXPECT_EQ(text([](Reply& r) { r.integer(0); }), ":0\r\n");
    EXPECT_EQ(text([](Reply& r) { r.integer(-42); }), ":-42\r\n");
    EXPECT_EQ(text([](Reply& r) { r.integer(std::numeric_limits<int64_t>::min()); }),
              ":-9223372036854775808\r\n");
    EXPECT_EQ(text([](Reply& r) { r.integer(std::numeric_limits<int64_t>::max()); }),
              ":9223372036854775807\r\n");
    EXPECT_EQ(text([](Reply& r) { r.bulk(""); }), "$0\r\n\r\n");
    EXPECT_EQ(text([](Reply& r) {
                r.bulk({"a\0\r\nb", 5});
              }),
              std::string("$5\r\na\0\r\nb\r\n", 11));
    EXPECT_EQ(text([](Reply& r) { r.simple("OK"); }), "+OK\r\n");
    EXPECT_EQ(text([](Reply& r) { r.array(0); }), "*0\r\n");
    EXPECT_EQ(text([](Reply& r) { r.array(9); }), "*9\r\n");
    EXPECT_EQ(text([](Reply& r) { r.array(10); }), "*10\r\n");
    EXPECT_EQ(text([](Reply& r) { r.array(4294967296); }), "*4294967296\r\n");
  }
}

TEST(RespEncoder, WritesLongBulksWhole) {
  for (size_t length : {9u, 10u, 1023u, 1024u, 65536u, 1000000u}) {
    const std::string bytes(length, 'v');
    EXPECT_EQ(encoded(2, [&](Reply& r) { r.bulk(bytes); }),
              "$" + std::to_string(length) + "\r\n" + bytes + "\r\n");
  }
}

TEST(RespEncoder, WritesTheTypesOfEachProtocol) {
  struct Case {
    std::string resp2, resp3;
    void (*write)(Reply&);
  };
  const Case cases[] = {
      {"$-1\r\n", "_\r\n", [](Reply& r) { r.null(); }},
      {"*-1\r\n", "_\r\n", [](Reply& r) { r.null_array(); }},
      {"*4\r\n", "%2\r\n", [](Reply& r) { r.map(2); }},
      {"*0\r\n", "%0\r\n", [](Reply& r) { r.map(0); }},
      {"*2\r\n", "~2\r\n", [](Reply& r) { r.set(2); }},
      {"*2\r\n", ">2\r\n", [](Reply& r) { r.push(2); }},
      {":1\r\n", "#t\r\n", [](Reply& r) { r.boolean(true); }},
      {":0\r\n", "#f\r\n", [](Reply& r) { r.boolean(false); }},
      {"$3\r\n1.5\r\n", ",1.5\r\n", [](Reply& r) { r.real(1.5); }},
      {"$1\r\n3\r\n", ",3\r\n", [](Reply& r) { r.real(3); }},
      {"$3\r\n0.1\r\n", ",0.1\r\n", [](Reply& r) { r.real(0.1); }},
      {"$3\r\ninf\r\n", ",inf\r\n",
       [](Reply& r) { r.real(std::numeric_limits<double>::infinity()); }},
      {"$4\r\n-inf\r\n", ",-inf\r\n",
       [](Reply& r) { r.real(-std::numeric_limits<double>::infinity()); }},
      {"$2\r\n12\r\n", "(12\r\n", [](Reply& r) { r.big_number("12"); }},
      {"$2\r\nab\r\n", "=6\r\ntxt:ab\r\n", [](Reply& r) { r.verbatim("txt", "ab"); }},
      {"$0\r\n\r\n", "=4\r\nmkd:\r\n", [](Reply& r) { r.verbatim("mkd", ""); }},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(encoded(2, c.write), c.resp2);
    EXPECT_EQ(encoded(3, c.write), c.resp3);
  }
}

class Errors final : public ErrorListener {
 public:
  void on_error_reply(std::string_view text) override { texts.emplace_back(text); }
  std::vector<std::string> texts;
};

TEST(RespEncoder, KeepsAnErrorOnOneLine) {
  const auto error = [](std::string_view text) {
    return encoded(2, [&](Reply& r) { r.error(text); });
  };
  EXPECT_EQ(error("ERR no such key"), "-ERR no such key\r\n");
  EXPECT_EQ(error("ERR a\r\n+OK\rb\n"), "-ERR a  +OK b\r\n");
  EXPECT_EQ(error("ERR a\r\n\r\n"), "-ERR a\r\n");
  EXPECT_EQ(error(""), "-\r\n");
}

TEST(RespEncoder, ReportsErrors) {
  OutputBuffer output;
  RespEncoder encoder(&output);
  Errors errors;
  encoder.set_error_listener(&errors);
  encoder.error("ERR one");
  encoder.bulk("ERR not one");
  encoder.error("WRONGTYPE two");
  EXPECT_EQ(errors.texts, (std::vector<std::string>{"ERR one", "WRONGTYPE two"}));
}

TEST(RespEncoder, AppendsToWhatIsThere) {
  OutputBuffer output;
  RespEncoder encoder(&output);
  encoder.array(2);
  encoder.integer(1);
  encoder.null();
  output.consume(4);
  encoder.set_protocol(3);
  encoder.null();
  EXPECT_EQ(output.view(), ":1\r\n$-1\r\n_\r\n");
}

}  // namespace
}  // namespace tandem
