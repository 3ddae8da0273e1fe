#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/store/sorted_set_value.h"

namespace tandem {

namespace {

const SortedSetValue& set_of(const Value& value) {
  return static_cast<const SortedSetValue&>(value);
}

uint8_t rdb_type(const Value& value, int) {
  return set_of(value).listpack() != nullptr ? rdb::kSortedSetListpack : rdb::kSortedSet2;
}

void write(RdbEncoder& out, const Value& value, int) {
  const SortedSetValue& set = set_of(value);
  if (const Listpack* listpack = set.listpack()) {
    out.string(listpack->bytes());
    return;
  }
  out.length(set.size());
  // From the highest score down, as Redis and Valkey write them: inserting in this order is
  // quickest for their skip lists.
  set.for_range_reversed({0, set.size()}, [&](std::string_view member, double score) {
    out.string(member);
    out.little_endian(std::bit_cast<uint64_t>(score), sizeof score);
  });
}

void write_commands(CommandWriter& out, std::string_view key, const Value& value) {
  ItemCommands items(&out, "ZADD", key, 2);
  set_of(value).for_each([&](std::string_view member, double score) {
    items.add(format_double(score));
    items.add(member);
  });
  items.finish();
}

// The length of a textual score, or one of three scores that are no numbers.
constexpr uint8_t kNotANumber = 253;
constexpr uint8_t kInfinity = 254;
constexpr uint8_t kMinusInfinity = 255;

Result<double> read_text_score(RdbDecoder& in) {
  constexpr std::string_view kExpected = "a score";
  const uint64_t began = in.offset();
  Result<uint8_t> head = in.byte(kExpected);
  if (!head.ok()) return head.error();
  switch (head.value()) {
    case kNotANumber:
      return in.corrupt("a score is not a number", began);
    case kInfinity:
      return std::numeric_limits<double>::infinity();
    case kMinusInfinity:
      return -std::numeric_limits<double>::infinity();
    default:
      break;
  }
  char text[kNotANumber];
  if (Status status = in.raw(text, head.value(), kExpected); !status.ok()) return status.error();
  const auto score = parse_double({text, head.value()});
  if (!score) return in.corrupt("a score is not a number", began);
  return *score;
}

Result<double> read_binary_score(RdbDecoder& in) {
  const uint64_t began = in.offset();
  Result<uint64_t> bits = in.little_endian(sizeof(double), "a score");
  if (!bits.ok()) return bits.error();
  const auto score = std::bit_cast<double>(bits.value());
  if (std::isnan(score)) return in.corrupt("a score is not a number", began);
  return score;
}

Result<RdbValue> read_members(RdbDecoder& in, std::string_view key, const EncodingLimits& limits,
                              Result<double> (*read_score)(RdbDecoder&), size_t min_score_bytes) {
  const uint64_t began = in.offset();
  Result<uint64_t> members = in.count(1 + min_score_bytes, "the number of a sorted set's members");
  if (!members.ok()) return members.error();
  if (members.value() == 0) return empty_collection(in, key, began);
  auto set = std::make_unique<SortedSetValue>();
  set->prepare(members.value(), limits.sorted_set);
  std::string member;  // a score follows
  for (uint64_t i = 0; i < members.value(); ++i) {
    const uint64_t at = in.offset();
    if (Status status = in.string(&member, "a member of a sorted set"); !status.ok()) {
      return status.error();
    }
    Result<double> score = read_score(in);
    if (!score.ok()) return score.error();
    if (!set->set(member, score.value(), limits.sorted_set)) {
      return in.corrupt("the member " + quote(member) + " is twice in the sorted set " + quote(key),
                        at);
    }
  }
  return RdbValue(std::unique_ptr<Value>(std::move(set)));
}

using PackedReader = Result<std::unique_ptr<SortedSetValue>> (*)(std::string_view,
                                                                 const SortedSetLimits&);

Result<RdbValue> read_packed(RdbDecoder& in, std::string_view key, const EncodingLimits& limits,
                             PackedReader reader) {
  const uint64_t began = in.offset();
  const Result<std::string_view> bytes = in.text("a packed sorted set");
  if (!bytes.ok()) return bytes.error();
  Result<std::unique_ptr<SortedSetValue>> set = reader(bytes.value(), limits.sorted_set);
  if (!set.ok()) {
    return in.corrupt(
        "the sorted set at key " + quote(key) + ": " + set.error().to_string() + " of its bytes",
        began);
  }
  if (set.value()->size() == 0) return empty_collection(in, key, began);
  return RdbValue(std::unique_ptr<Value>(std::move(set).value()));
}

Result<RdbValue> read(RdbDecoder& in, uint8_t type, std::string_view key,
                      const EncodingLimits& limits) {
  switch (type) {
    case rdb::kSortedSet:
      return read_members(in, key, limits, read_text_score, 1);
    case rdb::kSortedSetZiplist:
      return read_packed(in, key, limits, SortedSetValue::from_ziplist);
    case rdb::kSortedSetListpack:
      return read_packed(in, key, limits, SortedSetValue::from_listpack);
    default:
      return read_members(in, key, limits, read_binary_score, sizeof(double));
  }
}

}  // namespace

const ValueCodec kSortedSetCodec = {rdb_type, write, write_commands, read};

}  // namespace tandem
