// The hash table under the keyspace, big hashes and sets.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/random.h"
#include "server/store/table.h"

namespace tandem {
namespace {

struct Element {
  std::string name;
};

struct ElementTraits {
  static std::string_view key(const Element* element) { return element->name; }
};

using ElementTable = Table<Element, ElementTraits>;

// Elements with 16-byte keys, in the order in which they are looked for: not the order in memory.
class Elements {
 public:
  explicit Elements(size_t count) : elements_(count) {
    for (size_t i = 0; i < count; ++i) elements_[i].name = "key:" + std::to_string(1000000000 + i);
    order_.reserve(count);
    for (Element& element : elements_) order_.push_back(&element);
    Random random(1);
    for (size_t i = count; i > 1; --i) std::swap(order_[i - 1], order_[random.below(i)]);
  }

  size_t size() const { return order_.size(); }
  Element* operator[](size_t i) const { return order_[i]; }
  void insert_into(ElementTable& table) const {
    for (Element* element : order_) table.insert(element);
  }

 private:
  std::vector<Element> elements_;
  std::vector<Element*> order_;
};

constexpr int64_t kSmall = 1000, kLarge = 1'000'000;

void BM_Insert(benchmark::State& state) {
  const Elements elements(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    ElementTable table;
    elements.insert_into(table);
    benchmark::DoNotOptimize(table.size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Insert)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMicrosecond);

void BM_Find(benchmark::State& state) {
  const Elements elements(static_cast<size_t>(state.range(0)));
  ElementTable table;
  elements.insert_into(table);
  size_t i = 0;
  for (auto _ : state) {
    if (table.find(elements[i]->name) == nullptr) std::abort();
    if (++i == elements.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Find)->Arg(kSmall)->Arg(kLarge);

void BM_FindAbsent(benchmark::State& state) {
  const Elements elements(static_cast<size_t>(state.range(0)));
  ElementTable table;
  elements.insert_into(table);
  std::string name = "none:00000000000";
  uint64_t i = 0;
  for (auto _ : state) {
    ++i;
    std::memcpy(name.data() + 8, &i, sizeof i);
    benchmark::DoNotOptimize(table.find(name));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FindAbsent)->Arg(kSmall)->Arg(kLarge);

void BM_EraseAndInsert(benchmark::State& state) {
  const Elements elements(static_cast<size_t>(state.range(0)));
  ElementTable table;
  elements.insert_into(table);
  size_t i = 0;
  for (auto _ : state) {
    const uint64_t hash = hash_bytes(elements[i]->name);
    table.insert(table.erase(elements[i]->name, hash), hash);
    if (++i == elements.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_EraseAndInsert)->Arg(kSmall)->Arg(kLarge);

void BM_Scan(benchmark::State& state) {
  const Elements elements(static_cast<size_t>(state.range(0)));
  ElementTable table;
  elements.insert_into(table);
  for (auto _ : state) {
    size_t seen = 0;
    uint64_t cursor = 0;
    do {
      cursor = table.scan(cursor, [&](Element*) { ++seen; });
    } while (cursor != 0);
    if (seen != elements.size()) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Scan)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem
