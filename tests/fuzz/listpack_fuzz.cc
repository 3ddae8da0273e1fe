// Bytes that pass the check can be walked and edited; what comes out passes it again. The first
// byte of the input says how to read the rest: as a listpack, a ziplist, a zipmap or an intset.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/store/intset.h"
#include "server/store/legacy_packed.h"
#include "server/store/listpack.h"

namespace tandem {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void fuzz_listpack(std::string_view bytes) {
  auto result = Listpack::validate(bytes);
  if (!result) return;
  Listpack list = std::move(result).value();
  Listpack::Scratch scratch;
  size_t count = 0;
  for (auto p = list.first(); p != Listpack::kNone; p = list.next(p)) {
    const std::string_view text = list.read(p, scratch);
    require(text.size() == list.get(p).text_size());
    require(list.equals(p, text));
    ++count;
  }
  require(count == list.length());
  size_t backwards = 0;
  for (auto p = list.last(); p != Listpack::kNone; p = list.previous(p)) ++backwards;
  require(backwards == count);
  if (count > 0) {
    // A copy of the text: an item must not view the listpack it is stored in.
    const std::string middle(list.read(list.at(static_cast<int64_t>(count / 2)), scratch));
    require(list.find(middle, list.first()) != Listpack::kNone);
    list.replace(list.at(-1), middle);
    list.insert_after(list.at(0), "12345678");
    list.erase(list.at(static_cast<int64_t>(count / 2)));
  }
  list.append(bytes.substr(0, 300));
  list.prepend(int64_t{-5});
  require(Listpack::check(list.bytes()).ok());
}

void fuzz_intset(std::string_view bytes) {
  auto result = Intset::validate(bytes);
  if (!result) return;
  Intset set = std::move(result).value();
  require(set.contains(set.at(set.size() / 2)));
  set.erase(set.at(0));
  set.add(INT64_MAX);
  set.add(0);
  require(Intset::check(set.bytes()).ok());
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      tandem::fuzz_listpack(bytes);
      break;
    case 1:
      (void)tandem::read_ziplist(bytes, [](const auto&) { return tandem::Status(); });
      break;
    case 2:
      (void)tandem::read_zipmap(bytes, [](auto, auto) { return tandem::Status(); });
      break;
    default:
      tandem::fuzz_intset(bytes);
  }
  return 0;
}
