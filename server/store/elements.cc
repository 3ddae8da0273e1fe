#include "server/store/elements.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "server/base/hash.h"

namespace tandem {

namespace {

Listpack::Position next_element(const Listpack& list, Listpack::Position position, size_t step) {
  while (step-- > 0) position = list.next(position);
  return position;
}

}  // namespace

std::vector<Listpack::Position> element_positions(const Listpack& list, size_t step) {
  std::vector<Listpack::Position> positions;
  positions.reserve(list.length() / step);
  for (auto p = list.first(); p != Listpack::kNone; p = next_element(list, p, step)) {
    positions.push_back(p);
  }
  return positions;
}

// Compares each name with those before it whose hash leads to the same place.
bool has_duplicates(const Listpack& list, size_t step) {
  constexpr size_t kFew = 512;
  std::array<Listpack::Position, kFew> few;
  std::vector<Listpack::Position> many;
  const size_t places = std::bit_ceil(2 * (list.length() / step) + 1);
  if (places > kFew) many.resize(places);
  const std::span<Listpack::Position> seen(places > kFew ? many.data() : few.data(), places);
  std::fill(seen.begin(), seen.end(), Listpack::kNone);
  Listpack::Scratch scratch;
  const auto* const begin = reinterpret_cast<const uint8_t*>(list.bytes().data());
  const uint8_t* const end = begin + list.total_bytes() - 1;
  for (const uint8_t* entry = begin + Listpack::kHeaderBytes; entry != end;) {
    const std::string_view name = Listpack::entry_at(entry).text(scratch);
    size_t place = hash_bytes(name) & (places - 1);
    for (; seen[place] != Listpack::kNone; place = (place + 1) & (places - 1)) {
      if (list.equals(seen[place], name)) return true;
    }
    seen[place] = static_cast<Listpack::Position>(entry - begin);
    for (size_t i = 0; i < step; ++i) entry += Listpack::span_at(entry);
  }
  return false;
}

// Selection sampling (Knuth, 3.4.2 S): each element is taken with the chance that what is still
// wanted has among what is left.
std::vector<Listpack::Position> sample_elements(const Listpack& list, size_t step, Random& random,
                                                size_t count) {
  std::vector<Listpack::Position> sample;
  sample.reserve(count);
  size_t left = list.length() / step;
  for (auto p = list.first(); sample.size() < count; p = next_element(list, p, step)) {
    if (random.below(left--) < count - sample.size()) sample.push_back(p);
  }
  return sample;
}

}  // namespace tandem
