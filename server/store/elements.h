#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "server/base/random.h"
#include "server/store/listpack.h"
#include "server/store/table.h"

namespace tandem {

// What the collections made of elements have in common. An element of a listpack is `step` entries,
// the first of which names it: 1 for a set, 2 for a hash.

// Where each element of a listpack begins.
std::vector<Listpack::Position> element_positions(const Listpack& list, size_t step);

// Whether two elements have the same name, as only a listpack from outside can have it.
bool has_duplicates(const Listpack& list, size_t step);

// `count` different random elements; there are more than that.
std::vector<Listpack::Position> sample_elements(const Listpack& list, size_t step, Random& random,
                                                size_t count);

// Makes the first `count` of `elements`, which are not fewer, a random choice of them.
template <typename T>
void shuffle_first(std::vector<T>& elements, Random& random, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    std::swap(elements[i], elements[i + random.below(elements.size() - i)]);
  }
}

// `count` different random elements of a table; there are more than that.
template <typename T, typename Traits>
std::vector<const T*> sample_elements(const Table<T, Traits>& table, Random& random, size_t count) {
  std::vector<const T*> sample;
  // Picking until all are different is quick as long as most picks are new.
  constexpr size_t kFew = 3;
  if (count * kFew < table.size()) {
    std::unordered_set<const T*> taken;
    while (taken.size() < count) {
      const T* element = table.random(random);
      if (taken.insert(element).second) sample.push_back(element);
    }
    return sample;
  }
  sample.reserve(table.size());
  table.for_each([&sample](const T* element) { sample.push_back(element); });
  shuffle_first(sample, random, count);
  sample.resize(count);
  return sample;
}

// Allocated bytes of all elements of a table, estimated from a sample.
template <typename T, typename Traits>
size_t element_memory(const Table<T, Traits>& table) {
  if (table.empty()) return 0;
  // Enough elements for a fair average.
  constexpr size_t kSample = 64;
  size_t sampled = 0;
  size_t sampled_bytes = 0;
  uint64_t cursor = 0;
  do {
    cursor = table.scan(cursor, [&](const T* element) {
      ++sampled;
      sampled_bytes += element->memory_usage();
    });
  } while (cursor != 0 && sampled < kSample);
  return sampled_bytes * table.size() / sampled;
}

}  // namespace tandem
