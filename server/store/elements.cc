#include "server/store/elements.h"

#include <algorithm>

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

// Sorts hashes rather than compare each name with every other one.
bool has_duplicates(const Listpack& list, size_t step) {
  std::vector<std::pair<uint64_t, Listpack::Position>> names;
  names.reserve(list.length() / step);
  Listpack::Scratch scratch;
  for (const Listpack::Position position : element_positions(list, step)) {
    names.emplace_back(hash_bytes(list.read(position, scratch)), position);
  }
  std::sort(names.begin(), names.end());
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = i + 1; j < names.size() && names[j].first == names[i].first; ++j) {
      if (list.equals(names[i].second, list.read(names[j].second, scratch))) return true;
    }
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
