// A set in any of its RDB forms is refused, or every command can walk and change it and what is
// written of it reads back. The first byte of the input is the RDB type, as in DUMP.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/random.h"
#include "server/store/set_value.h"

namespace tandem {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::unique_ptr<SetValue> read_set(uint8_t type, std::string_view bytes,
                                   const EncodingLimits& limits) {
  StringSource source(bytes);
  RdbDecoder in(&source);
  auto value = read_rdb_value(in, type, "key", limits);
  if (!value.ok()) return nullptr;
  return std::unique_ptr<SetValue>(
      static_cast<SetValue*>(std::get<std::unique_ptr<Value>>(value.value()).release()));
}

void walk(const SetValue& set) {
  SetValue::Scratch scratch;
  size_t count = 0;
  set.for_each([&](const SetValue::Member& member) {
    require(set.contains(member));
    require(set.contains(member.text(scratch)));
    ++count;
  });
  require(count == set.size());
}

void change(SetValue& set, const EncodingLimits& limits) {
  Random random(1);
  if (set.size() > 2) {
    const size_t before = set.size();
    const auto taken = set.take_random(random, before / 2, limits.set);
    require(taken->size() + set.size() == before);
    walk(*taken);
  }
  set.add("a word", limits.set);
  set.add(SetValue::Member(INT64_MIN), limits.set);
  require(set.erase("a word"));
  SetValue::Scratch scratch;
  const std::string member(set.random(random).text(scratch));
  require(set.erase(member));
  walk(set);
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  if (size == 0) return 0;
  const uint8_t type = data[0];
  if (type != rdb::kSet && type != rdb::kSetIntset && type != rdb::kSetListpack) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  EncodingLimits small;
  small.set = {.max_intset_entries = 3, .max_listpack_entries = 3, .max_listpack_value = 8};
  for (const EncodingLimits& limits : {EncodingLimits(), small}) {
    const auto set = read_set(type, bytes, limits);
    if (set == nullptr) continue;
    walk(*set);
    for (const int version : {10, 11}) {
      std::string written;
      StringSink sink(&written);
      RdbEncoder out(&sink, /*compress=*/true);
      codec_of(ValueType::kSet).write(out, *set, version);
      require(out.flush().ok());
      const auto again =
          read_set(codec_of(ValueType::kSet).rdb_type(*set, version), written, limits);
      require(again != nullptr && again->size() == set->size());
    }
    change(*set, limits);
  }
  return 0;
}
