// What is read as a sorted set from outside can be walked, asked and changed like any other, and
// what is written of it reads back the same. The first byte of the input chooses the RDB type.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/byte_stream.h"
#include "server/store/sorted_set_value.h"

namespace tandem {
namespace {

using Pairs = std::vector<std::pair<std::string, double>>;

void require(bool holds) {
  if (!holds) std::abort();
}

Pairs pairs_of(const SortedSetValue& set) {
  Pairs pairs;
  set.for_each([&](std::string_view member, double score) { pairs.emplace_back(member, score); });
  return pairs;
}

// The bytes, or the string of these bytes for the packed types, as a value of the type.
std::unique_ptr<SortedSetValue> read(uint8_t type, std::string_view bytes,
                                     const EncodingLimits& limits) {
  StringSource source(bytes);
  RdbDecoder in(&source);
  Result<RdbValue> value = read_rdb_value(in, type, "key", limits);
  if (!value.ok()) return nullptr;
  auto& owned = std::get<std::unique_ptr<Value>>(value.value());
  return std::unique_ptr<SortedSetValue>(static_cast<SortedSetValue*>(owned.release()));
}

std::string written(const SortedSetValue& set) {
  std::string bytes;
  StringSink sink(&bytes);
  RdbEncoder out(&sink, false);
  kSortedSetCodec.write(out, set, rdb::kVersion);
  require(out.flush().ok());
  return bytes;
}

void check(const SortedSetValue& set) {
  const Pairs pairs = pairs_of(set);
  require(!pairs.empty() && pairs.size() == set.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& [member, score] = pairs[i];
    require(!std::isnan(score));
    require(i == 0 || in_order(pairs[i - 1].second, pairs[i - 1].first, score, member));
    require(set.score(member) == score);
    require(set.rank(member)->rank == i);
  }
  const ScoreRange scores = {.min = pairs.front().second, .max = pairs.back().second};
  require(set.range(scores).count == pairs.size());
}

void fuzz(uint8_t type, std::string_view bytes, const EncodingLimits& limits) {
  const auto set = read(type, bytes, limits);
  if (set == nullptr) return;
  check(*set);
  const auto again = read(kSortedSetCodec.rdb_type(*set, rdb::kVersion), written(*set), limits);
  require(again != nullptr && pairs_of(*again) == pairs_of(*set));

  const Pairs pairs = pairs_of(*set);
  const std::string middle = pairs[pairs.size() / 2].first;
  set->update(middle, 1, {.increment = true}, limits.sorted_set);
  set->set(pairs[0].first, 1e9, limits.sorted_set);
  set->set("a new member", 0, limits.sorted_set);
  check(*set);
  if (set->size() > 2) set->erase_range({1, set->size() - 2});
  check(*set);
  set->erase(middle);
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  if (size == 0) return 0;
  constexpr uint8_t kTypes[] = {rdb::kSortedSet, rdb::kSortedSet2, rdb::kSortedSetZiplist,
                                rdb::kSortedSetListpack};
  const uint8_t type = kTypes[data[0] % 4];
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (type == rdb::kSortedSetZiplist || type == rdb::kSortedSetListpack) {
    std::string string;
    StringSink sink(&string);
    RdbEncoder out(&sink, false);
    out.string(bytes);
    (void)out.flush();
    bytes = std::move(string);
  }
  EncodingLimits limits;
  fuzz(type, bytes, limits);
  limits.sorted_set.max_listpack_entries = 2;
  fuzz(type, bytes, limits);
  return 0;
}
