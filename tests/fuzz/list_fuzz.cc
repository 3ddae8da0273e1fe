// A list from an RDB value of any of its types, or from a RESTORE payload, is refused or is one
// that every command can walk and change, and that comes back the same from what it is written as.
// The first byte of the input chooses the type and the limits.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/store/list_value.h"

namespace tandem {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string> elements_of(const ListValue& list) {
  std::vector<std::string> elements;
  Listpack::Scratch scratch;
  list.visit([&](const ListValue::Element& element) {
    elements.emplace_back(element.text(scratch));
    return true;
  });
  require(elements.size() == list.size());
  size_t left = list.size();
  list.visit_back(list.size() - 1, list.size(), [&](const ListValue::Element& element) {
    require(element.text(scratch) == elements[--left]);
    return true;
  });
  require(left == 0);
  return elements;
}

std::unique_ptr<ListValue> read(std::string_view bytes, uint8_t type,
                                const EncodingLimits& limits) {
  StringSource source(bytes);
  RdbDecoder in(&source);
  Result<RdbValue> decoded = read_rdb_value(in, type, "key", limits);
  if (!decoded.ok()) return nullptr;
  auto& value = std::get<std::unique_ptr<Value>>(decoded.value());
  return std::unique_ptr<ListValue>(static_cast<ListValue*>(value.release()));
}

void use(ListValue& list, const ListLimits& limits) {
  std::vector<std::string> expected = elements_of(list);
  Listpack::Scratch scratch;
  const size_t middle = list.size() / 2;
  require(list.at(middle).text(scratch) == expected[middle]);
  const std::string text = expected[middle];

  list.prepare(text.size() + 100, 4, limits);
  list.insert(middle, text, limits);
  list.set(middle + 1, std::string(100, 'x'), limits);
  list.push(ListEnd::kHead, "head", limits);
  list.push(ListEnd::kTail, "-12", limits);
  expected.insert(expected.begin() + static_cast<ptrdiff_t>(middle), text);
  expected[middle + 1] = std::string(100, 'x');
  expected.insert(expected.begin(), "head");
  expected.emplace_back("-12");
  require(elements_of(list) == expected);

  list.trim(ListEnd::kHead, middle + 1);
  expected.erase(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(middle) + 1);
  require(elements_of(list) == expected);
  list.trim(ListEnd::kTail, 1);
  expected.pop_back();
  const size_t erased = list.erase_matching(ListNeedle(text), ListEnd::kTail, SIZE_MAX);
  require(erased == std::erase(expected, text));
  list.shrink(limits);
  require(elements_of(list) == expected);
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  if (size == 0) return 0;
  constexpr uint8_t kTypes[] = {rdb::kListQuicklist2, rdb::kListQuicklist, rdb::kListZiplist,
                                rdb::kList};
  EncodingLimits limits;
  if ((data[0] & 4) != 0) limits.list = ListLimits(2);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::unique_ptr<ListValue> list = read(bytes, kTypes[data[0] & 3], limits);
  if (list == nullptr) return 0;

  std::string written;
  StringSink sink(&written);
  RdbEncoder out(&sink, true);
  codec_of(ValueType::kList).write(out, *list, rdb::kVersion);
  require(out.flush().ok());
  std::unique_ptr<ListValue> back = read(written, rdb::kListQuicklist2, limits);
  require(back != nullptr && elements_of(*back) == elements_of(*list));
  require(back->encoding_name() == list->encoding_name());

  const std::unique_ptr<Value> copy = list->clone();
  use(*list, limits.list);
  require(elements_of(static_cast<const ListValue&>(*copy)) == elements_of(*back));
  return 0;
}
