#include "tests/peer/random/generator.h"

#include <algorithm>
#include <array>

#include "tests/support/reply_text.h"

namespace tandem::peer {
namespace {

using namespace std::string_literals;

constexpr std::array<std::string_view, 14> kIntegers = {"0",
                                                        "1",
                                                        "-1",
                                                        "2",
                                                        "10",
                                                        "100",
                                                        "-99",
                                                        "4294",
                                                        "2147483648",
                                                        "-2147483649",
                                                        "4294967295",
                                                        "4294967296",
                                                        "9223372036854775807",
                                                        "-9223372036854775808"};
constexpr std::array<std::string_view, 13> kNoIntegers = {
    "x",  "",   " 1", "1 ",   "1.5", "9223372036854775808", "-9223372036854775809",
    "-0", "+1", "01", "0x10", "1e3", "18446744073709551616"};
constexpr std::array<std::string_view, 20> kFloats = {
    "0",    "1",     "-1",   "1.5",  "-2.25", "3e3",  "0.1", "1e-5", "10.50", "-0",
    "1e17", "1e300", "-0.3", "17.0", "0x1p3", "3.14", "inf", "-inf", "+inf",  "1e-300"};
constexpr std::array<std::string_view, 8> kNoFloats = {"x",  "",       "nan",  " 1",
                                                       "1 ", "1e4000", "1.5x", "-"};
constexpr std::array<std::string_view, 12> kPatterns = {"*",  "s*", "f*",  "?1", "\\*",     "[^k]*",
                                                        "k[", "",   "*1*", "**", "h:[0-3]", "k\\"};
constexpr std::array<std::string_view, 10> kWords = {
    "a",   "b",  "hello", "", "ohmytext", "mynewtext", "\xff\xfe\r\n", "12345678901234567890",
    "3.0", "Foo"};
// Where embstr ends, where a listpack's entry grows its header, and around 64 bytes.
constexpr std::array<size_t, 9> kSizes = {44, 45, 63, 64, 65, 127, 128, 300, 4096};

template <size_t N>
std::string pick(Generator& generator, const std::array<std::string_view, N>& choices) {
  return std::string(choices[generator.below(N)]);
}

void sort_by_text(std::vector<ReplyValue>& values, size_t stride) {
  std::vector<std::pair<std::string, size_t>> order;
  for (size_t i = 0; i + stride <= values.size(); i += stride) {
    std::string text;
    for (size_t j = 0; j < stride; ++j) text += reply_text(values[i + j]) + " ";
    order.emplace_back(std::move(text), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<ReplyValue> sorted;
  sorted.reserve(values.size());
  for (const auto& [text, from] : order) {
    for (size_t j = 0; j < stride; ++j) sorted.push_back(std::move(values[from + j]));
  }
  values = std::move(sorted);
}

// From the beginning, in one step.
bool scans_everything(const Words& words) {
  const std::string& cursor = words[words[0] == "SCAN" ? 1 : 2];
  return cursor.find_first_not_of('0') == std::string::npos &&
         std::find(words.begin(), words.end(), "1000000") != words.end();
}

void canonical_scan(const Words& words, ReplyValue& reply, size_t stride) {
  if (reply.elements.size() != 2) return;
  if (scans_everything(words)) {
    sort_by_text(reply.elements[1].elements, stride);
  } else {
    reply.elements[0].text.clear();
    reply.elements[1].elements.clear();
  }
}

}  // namespace

int64_t Generator::between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
}

std::string Generator::one_of(std::initializer_list<std::string_view> choices) {
  return std::string(choices.begin()[below(choices.size())]);
}

std::string Generator::pool_key(char pool) {
  return std::string(1, pool) + ":" + std::to_string(below(6));
}

std::string Generator::any_key() {
  if (chance(10)) return one_of({"", "none", "key with\r\n\xff bytes", "{tag}k"});
  return pool_key(pools_[below(pools_.size())]);
}

std::string Generator::field() {
  const uint64_t dice = below(20);
  if (dice == 0) return one_of({"", "12", "-7", "1e3", "\xff\r\n"});
  if (dice == 1) return "more" + std::to_string(below(400));
  if (dice == 2) return std::string(kSizes[below(kSizes.size() - 1)], 'F');
  if (dice == 3) return integer();
  return "f" + std::to_string(below(16));
}

std::string Generator::value() {
  const uint64_t dice = below(10);
  if (dice < 4) return pick(*this, kWords);
  if (dice < 6) return small();
  if (dice < 8) return integer();
  if (dice == 8) return floating();
  return std::string(kSizes[below(kSizes.size())], static_cast<char>('a' + below(4)));
}

std::string Generator::integer() {
  return chance(90) ? pick(*this, kIntegers) : pick(*this, kNoIntegers);
}

std::string Generator::small() { return chance(90) ? std::to_string(between(-20, 20)) : integer(); }

std::string Generator::count() { return chance(90) ? std::to_string(below(13)) : small(); }

std::string Generator::floating() {
  if (chance(30)) return std::to_string(between(-50, 50));
  return chance(90) ? pick(*this, kFloats) : pick(*this, kNoFloats);
}

std::string Generator::pattern() { return pick(*this, kPatterns); }

std::string Generator::database() {
  return chance(95) ? std::to_string(below(3)) : one_of({"16", "-1", "x", "9223372036854775807"});
}

std::string Generator::duration(bool in_seconds) {
  if (chance(10)) {
    return one_of({"0", "-1", "x", "1.5", "9223372036854775807", "-9223372036854775808"});
  }
  // Multiples so far apart that remaining times can be told apart (see canonical_ttl in keys.cc).
  const uint64_t seconds = 1'000'000 * (1 + below(50));
  return std::to_string(in_seconds ? seconds : 1000 * seconds);
}

std::string Generator::moment(bool in_seconds) {
  if (chance(5)) return one_of({"0", "-1", "x", "9223372036854775807"});
  // The year 2001, or after 2128.
  const uint64_t seconds = chance(10) ? 1'000'000'000 : 5'000'000'000 + 1'000'000 * below(50);
  return std::to_string(in_seconds ? seconds : 1000 * seconds);
}

void any_order(const Words&, ReplyValue& reply) { sort_by_text(reply.elements, 1); }

void any_order_pairs(const Words&, ReplyValue& reply) { sort_by_text(reply.elements, 2); }

void only_shape(const Words& words, ReplyValue& reply) {
  reply.text.clear();
  reply.integer = 0;
  for (ReplyValue& element : reply.elements) only_shape(words, element);
}

void scan_elements(const Words& words, ReplyValue& reply) { canonical_scan(words, reply, 1); }

void scan_pairs(const Words& words, ReplyValue& reply) { canonical_scan(words, reply, 2); }

}  // namespace tandem::peer
