#include "server/resp/request_parser.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {
namespace {

using Outcome = RequestParser::Outcome;

// What a stream of bytes comes to: each request's words, then the error if there was one.
struct Parsed {
  std::vector<std::vector<std::string>> requests;
  std::string error;
  size_t left = 0;  // bytes that are the beginning of a request

  bool operator==(const Parsed&) const = default;
};

// Feeds pieces as a connection does: what is not consumed stays in front of what comes next, in a
// buffer that is at another place each time.
class Feeder {
 public:
  explicit Feeder(RequestLimits limits = {}) : limits_(limits) {}

  void feed(std::string_view piece) {
    pending_.append(piece);
    auto moved = std::make_unique<char[]>(pending_.size() + 1);
    std::copy(pending_.begin(), pending_.end(), moved.get());
    std::string_view input(moved.get(), pending_.size());
    while (parsed_.error.empty() && !input.empty()) {
      const Outcome outcome = parser_.parse(input, limits_);
      if (outcome == Outcome::kNeedMore) break;
      if (outcome == Outcome::kError) {
        parsed_.error = parser_.error();
        break;
      }
      if (outcome == Outcome::kRequest) {
        parsed_.requests.emplace_back(parser_.args().begin(), parser_.args().end());
      }
      input.remove_prefix(parser_.consumed());
    }
    pending_.erase(0, pending_.size() - input.size());
    parsed_.left = parsed_.error.empty() ? pending_.size() : 0;
    buffer_ = std::move(moved);
  }

  const Parsed& parsed() const { return parsed_; }
  const RequestParser& parser() const { return parser_; }

 private:
  RequestLimits limits_;
  RequestParser parser_;
  std::string pending_;
  std::unique_ptr<char[]> buffer_;
  Parsed parsed_;
};

Parsed parse_whole(std::string_view bytes, RequestLimits limits = {}) {
  Feeder feeder(limits);
  feeder.feed(bytes);
  return feeder.parsed();
}

// Byte by byte; a long stream in as many pieces as do not take the test seconds.
Parsed parse_pieces(std::string_view bytes, RequestLimits limits = {}) {
  const size_t piece = 1 + bytes.size() / 300;
  Feeder feeder(limits);
  for (size_t at = 0; at < bytes.size(); at += piece) feeder.feed(bytes.substr(at, piece));
  return feeder.parsed();
}

std::string error_of(std::string_view bytes, RequestLimits limits = {}) {
  const Parsed whole = parse_whole(bytes, limits);
  EXPECT_EQ(parse_pieces(bytes, limits).error, whole.error);
  return whole.error;
}

std::string request(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

using Words = std::vector<std::string>;

TEST(RequestParser, ReadsArraysOfBulks) {
  const Words set = {"SET", "key", std::string("a\0b\r\n", 5)};
  EXPECT_EQ(parse_whole(request(set) + request({"PING"})).requests,
            (std::vector<Words>{set, {"PING"}}));
}

TEST(RequestParser, ReadsLengthsOfAnyWidth) {
  for (size_t length : {0u, 1u, 9u, 10u, 99u, 100u, 999u, 70000u}) {
    const Words words = {"ECHO", std::string(length, 'x')};
    EXPECT_EQ(parse_whole(request(words)).requests, std::vector<Words>{words}) << length;
    EXPECT_EQ(parse_whole(request(Words(length + 1, "w"))).requests[0].size(), length + 1);
  }
}

TEST(RequestParser, ReadsInlineCommands) {
  EXPECT_EQ(parse_whole("  ECHO   \"a b\\x41\" 'c d' \r\nPING\n").requests,
            (std::vector<Words>{{"ECHO", "a bA", "c d"}, {"PING"}}));
  EXPECT_EQ(parse_whole("PING\r\r\n").requests, std::vector<Words>{{"PING"}});
}

TEST(RequestParser, SkipsWhatHoldsNoRequest) {
  const Parsed parsed = parse_whole("\r\n\n*0\r\n*-1\r\n*-10\r\n   \r\nPING\r\n");
  EXPECT_EQ(parsed.requests, std::vector<Words>{{"PING"}});
  EXPECT_EQ(parsed.error, "");
}

// The byte behind '\r' and the two behind a bulk are not looked at, as in Valkey.
TEST(RequestParser, TakesLineEndsOnTrust) {
  EXPECT_EQ(parse_whole("*1\rX$4\rXPINGxx*1\r\n$4\r\nPING\r\n").requests,
            (std::vector<Words>{{"PING"}, {"PING"}}));
}

TEST(RequestParser, RefusesBadArrayHeaders) {
  for (const char* header : {"*abc\r\n", "*\r\n", "*+1\r\n", "*01\r\n", "* 1\r\n", "*1 \r\n",
                             "*2147483648\r\n", "*99999999999999999999\r\n", "*1x\r\n"}) {
    EXPECT_EQ(error_of(header), "Protocol error: invalid multibulk length") << header;
  }
  EXPECT_EQ(parse_whole("*2147483647\r\n").error, "");
  EXPECT_EQ(error_of("*" + std::string(65536, '1')), "Protocol error: too big mbulk count string");
  EXPECT_EQ(parse_whole("*" + std::string(65535, '1')).error, "");
}

TEST(RequestParser, RefusesBadBulkHeaders) {
  for (const char* header : {"$-1\r\n", "$a\r\n", "$\r\n", "$04\r\n", "$00\r\n", "$+4\r\n",
                             "$4 \r\n", "$536870913\r\n", "$99999999999999999999\r\n"}) {
    EXPECT_EQ(error_of("*1\r\n" + std::string(header)), "Protocol error: invalid bulk length")
        << header;
  }
  EXPECT_EQ(parse_whole("*1\r\n$536870912\r\n").error, "");
  EXPECT_EQ(error_of("*1\r\n$" + std::string(65536, '1')),
            "Protocol error: too big bulk count string");
  EXPECT_EQ(error_of("*1\r\n!4\r\nPING\r\n"), "Protocol error: expected '$', got '!'");
  EXPECT_EQ(error_of("*1\r\n\r\n"), "Protocol error: expected '$', got '\r'");
  // Not before its line is complete.
  EXPECT_EQ(parse_whole("*1\r\n!4").error, "");
}

TEST(RequestParser, RefusesBadInlineCommands) {
  EXPECT_EQ(error_of("ECHO \"abc\r\n"), "Protocol error: unbalanced quotes in request");
  EXPECT_EQ(error_of("ECHO 'abc'd\r\n"), "Protocol error: unbalanced quotes in request");
  EXPECT_EQ(error_of(std::string(65537, 'A')), "Protocol error: too big inline request");
  EXPECT_EQ(parse_whole(std::string(65536, 'A')).error, "");
  EXPECT_EQ(parse_whole(std::string(65536, 'A') + "\n").requests[0][0].size(), 65536u);
}

TEST(RequestParser, KeepsWhatCameBeforeAnError) {
  const Parsed parsed = parse_whole("PING\r\n*1\r\n!\r\nPING\r\n");
  EXPECT_EQ(parsed.requests, std::vector<Words>{{"PING"}});
  EXPECT_EQ(parsed.error, "Protocol error: expected '$', got '!'");
}

TEST(RequestParser, BoundsUnauthenticatedClients) {
  const RequestLimits limits = RequestLimits::unauthenticated();
  EXPECT_EQ(error_of("*11\r\n", limits), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error_of("*2147483648\r\n", limits), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*1\r\n$16385\r\n", limits), "Protocol error: unauthenticated bulk length");
  EXPECT_EQ(error_of("*1\r\n$-1\r\n", limits), "Protocol error: invalid bulk length");
  const Words most(10, std::string(16384, 'x'));
  EXPECT_EQ(parse_whole(request(most), limits).requests, std::vector<Words>{most});
}

TEST(RequestParser, BoundsBulksByTheConfiguration) {
  const RequestLimits limits{.max_bulk_bytes = 1000};
  EXPECT_EQ(error_of("*1\r\n$1001\r\n", limits), "Protocol error: invalid bulk length");
  EXPECT_EQ(parse_whole("*1\r\n$1000\r\n", limits).error, "");
}

TEST(RequestParser, SaysHowMuchItNeeds) {
  Feeder feeder;
  feeder.feed("*2\r\n$4\r\nECHO\r\n$100000\r\nabc");
  EXPECT_EQ(feeder.parser().wanted(), 4u + 10 + 9 + 100000 + 2);
  feeder.feed(std::string(100000 - 3, 'x'));
  EXPECT_EQ(feeder.parser().wanted(), 4u + 10 + 9 + 100000 + 2);
  feeder.feed("\r\n");
  EXPECT_EQ(feeder.parsed().requests.size(), 1u);
  EXPECT_EQ(feeder.parser().wanted(), 0u);
  feeder.feed("*2\r\n");
  EXPECT_EQ(feeder.parser().wanted(), 0u);
}

// Arguments found before the input moved must point into where it is now.
TEST(RequestParser, FollowsInputThatMoves) {
  const Words words = {"MSET", "first", "1", "second", "2"};
  const std::string bytes = request(words);
  for (size_t split = 1; split < bytes.size(); ++split) {
    Feeder feeder;
    feeder.feed(bytes.substr(0, split));
    EXPECT_EQ(feeder.parsed().left, split);
    feeder.feed(bytes.substr(split));
    EXPECT_EQ(feeder.parsed().requests, std::vector<Words>{words}) << split;
  }
}

std::string random_stream(std::mt19937_64& random) {
  const auto below = [&](size_t n) { return random() % n; };
  std::string bytes;
  for (size_t n = 1 + below(8); n > 0; --n) {
    switch (below(10)) {
      case 0:
        bytes += below(2) == 0 ? "\r\n" : "*0\r\n";
        break;
      case 1:
        bytes += "set \"a b\" 'c\\'d' \\n" + std::string(below(20), 'i') + "\r\n";
        break;
      case 2:
        bytes += "PING\n";
        break;
      default: {
        Words words(1 + below(below(8) == 0 ? 300 : 6));
        for (std::string& word : words) {
          word.resize(below(below(8) == 0 ? 3000 : 40));
          for (char& c : word) c = static_cast<char>(below(256));
        }
        bytes += request(words);
      }
    }
  }
  if (below(3) == 0) bytes[below(bytes.size())] = "*$\r\n0129-x"[below(10)];
  return bytes;
}

TEST(RequestParser, SplitsDoNotMatter) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    std::mt19937_64 random(seed);
    const std::string bytes = random_stream(random);
    const Parsed whole = parse_whole(bytes);
    ASSERT_EQ(parse_pieces(bytes), whole) << "seed " << seed;
    Feeder feeder;
    for (size_t at = 0; at < bytes.size();) {
      const size_t piece = 1 + random() % (random() % 4 == 0 ? 4096 : 60);
      feeder.feed(std::string_view(bytes).substr(at, piece));
      at += piece;
    }
    ASSERT_EQ(feeder.parsed(), whole) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tandem
