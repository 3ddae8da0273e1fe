#include "server/store/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tandem {
namespace {

struct Element {
  std::string key;
  int value = 0;
};
struct ElementTraits {
  static std::string_view key(const Element* element) { return element->key; }
};
using TestTable = Table<Element, ElementTraits>;

// A table beside the map that says what it must hold.
class ModelledTable {
 public:
  ~ModelledTable() {
    for (auto& [key, element] : model_) delete element;
  }
  TestTable& table() { return table_; }
  const std::unordered_map<std::string, Element*>& model() const { return model_; }

  void insert(const std::string& key) {
    if (model_.contains(key)) return;
    auto* element = new Element{key, next_value_++};
    model_[key] = element;
    table_.insert(element);
  }
  void erase(const std::string& key) {
    const auto at = model_.find(key);
    Element* erased = table_.erase(key);
    ASSERT_EQ(erased, at == model_.end() ? nullptr : at->second);
    if (erased == nullptr) return;
    model_.erase(at);
    delete erased;
  }
  void check_find(const std::string& key) {
    Element** slot = table_.find(key);
    const auto at = model_.find(key);
    ASSERT_EQ(slot != nullptr, at != model_.end()) << key;
    if (slot != nullptr) {
      ASSERT_EQ(*slot, at->second);
    }
  }
  void check_whole() {
    ASSERT_EQ(table_.size(), model_.size());
    std::unordered_set<const Element*> seen;
    table_.for_each([&](Element* element) {
      ASSERT_TRUE(seen.insert(element).second) << "twice: " << element->key;
    });
    ASSERT_EQ(seen.size(), model_.size());
    for (const auto& [key, element] : model_) {
      ASSERT_TRUE(seen.contains(element)) << "missing: " << key;
      check_find(key);
    }
  }

 private:
  TestTable table_;
  std::unordered_map<std::string, Element*> model_;
  int next_value_ = 0;
};

TEST(TableTest, EmptyTableFindsNothing) {
  TestTable table;
  EXPECT_EQ(table.find("a"), nullptr);
  EXPECT_EQ(table.erase("a"), nullptr);
  EXPECT_EQ(table.scan(0, [](Element*) { FAIL(); }), 0u);
  EXPECT_EQ(table.memory_usage(), 0u);
}

TEST(TableTest, AgreesWithAMapUnderRandomOperations) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    ModelledTable modelled;
    // The balance of insertions drifts, so that the table grows and shrinks several times.
    uint64_t insert_weight = 70;
    for (int step = 0; step < 20000; ++step) {
      if (step % 2500 == 0) insert_weight = 10 + random.below(81);
      const std::string key = "key:" + std::to_string(random.below(4000));
      if (random.below(100) < insert_weight) {
        modelled.insert(key);
      } else {
        modelled.erase(key);
      }
      modelled.check_find("key:" + std::to_string(random.below(4000)));
      if (HasFatalFailure()) return;
    }
    modelled.check_whole();
    while (!modelled.model().empty()) {
      modelled.erase(modelled.model().begin()->first);
      if (HasFatalFailure()) return;
    }
    modelled.check_whole();
    EXPECT_EQ(modelled.table().bucket_count(), 1u);
  }
}

TEST(TableTest, GrowsAndShrinksWithItsContent) {
  ModelledTable modelled;
  for (int i = 0; i < 100000; ++i) modelled.insert(std::to_string(i));
  const TestTable& table = modelled.table();
  EXPECT_GE(table.bucket_count() * 7, table.size());
  // 64 bytes for six elements and the overflow buckets of the unlucky: under 16 bytes an element.
  EXPECT_LT(table.memory_usage(), table.size() * 16);
  for (int i = 0; i < 99900; ++i) modelled.erase(std::to_string(i));
  EXPECT_LE(table.bucket_count(), 50u);
  // The first segment is kept whole.
  EXPECT_LE(table.memory_usage(), 70u * 1024);
  modelled.check_whole();
}

TEST(TableTest, ElementsMayShareAHash) {
  TestTable table;
  constexpr uint64_t kHash = 42;
  // Few enough that the table does not grow, which would ask for their real hashes.
  std::vector<Element> elements;
  for (int i = 0; i < 6; ++i) elements.push_back({"same" + std::to_string(i), i});
  for (Element& element : elements) table.insert(&element, kHash);
  for (Element& element : elements) EXPECT_EQ(*table.find(element.key, kHash), &element);
  EXPECT_EQ(table.find("same6", kHash), nullptr);
  EXPECT_EQ(table.erase("same3", kHash), &elements[3]);
  EXPECT_EQ(table.find("same3", kHash), nullptr);
}

TEST(TableTest, ClearForgetsEverything) {
  ModelledTable modelled;
  for (int i = 0; i < 5000; ++i) modelled.insert(std::to_string(i));
  TestTable moved(std::move(modelled.table()));
  EXPECT_TRUE(modelled.table().empty());
  EXPECT_EQ(moved.size(), 5000u);
  moved.clear();
  EXPECT_EQ(moved.size(), 0u);
  EXPECT_EQ(moved.memory_usage(), 0u);
  EXPECT_EQ(moved.find("1"), nullptr);
  Element again{"again", 1};
  moved.insert(&again);
  EXPECT_EQ(*moved.find("again"), &again);
}

TEST(TableTest, ScanOfAQuietTableVisitsEachElementOnce) {
  for (const int count : {1, 6, 7, 100, 1000, 6144, 6145, 50000}) {
    ModelledTable modelled;
    for (int i = 0; i < count; ++i) modelled.insert(std::to_string(i));
    std::unordered_set<const Element*> seen;
    uint64_t cursor = 0;
    do {
      cursor = modelled.table().scan(
          cursor, [&](Element* element) { ASSERT_TRUE(seen.insert(element).second); });
    } while (cursor != 0);
    EXPECT_EQ(seen.size(), static_cast<size_t>(count));
  }
}

// The guarantee of SCAN: what is there all the time is visited, whatever happens between the steps.
TEST(TableTest, ScanFindsWhatStaysThroughGrowthAndShrinking) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    ModelledTable modelled;
    std::unordered_set<std::string> must_see;
    const uint64_t residents = 1 + random.below(400);
    for (uint64_t i = 0; i < residents; ++i) {
      must_see.insert("stay:" + std::to_string(i));
      modelled.insert("stay:" + std::to_string(i));
    }
    uint64_t guests = random.below(8000);
    for (uint64_t i = 0; i < guests; ++i) modelled.insert("guest:" + std::to_string(i));

    uint64_t cursor = 0;
    uint64_t steps = 0;
    bool growing = random.below(2) == 0;
    do {
      cursor =
          modelled.table().scan(cursor, [&](Element* element) { must_see.erase(element->key); });
      ++steps;
      if (random.below(40) == 0) growing = !growing;
      const uint64_t changes = random.below(60);
      for (uint64_t i = 0; i < changes; ++i) {
        if (growing) {
          modelled.insert("guest:" + std::to_string(guests++));
        } else if (guests > 0) {
          modelled.erase("guest:" + std::to_string(--guests));
        }
      }
      if (HasFatalFailure()) return;
      ASSERT_LT(steps, 1000000u);
    } while (cursor != 0);
    EXPECT_TRUE(must_see.empty()) << must_see.size() << " elements were missed, one is "
                                  << *must_see.begin();
  }
}

TEST(TableTest, ScanEndsWhenTheTableShrinksUnderIt) {
  ModelledTable modelled;
  for (int i = 0; i < 20000; ++i) modelled.insert(std::to_string(i));
  uint64_t cursor = modelled.table().scan(0, [](Element*) {});
  for (int i = 0; i < 19999; ++i) modelled.erase(std::to_string(i));
  int steps = 0;
  while (cursor != 0) {
    cursor = modelled.table().scan(cursor, [](Element*) {});
    ASSERT_LT(++steps, 100);
  }
  // Any number is a cursor: a hostile one must only not crash.
  modelled.table().scan(~uint64_t{0}, [](Element*) {});
  modelled.table().scan(0x123456789abcdef0ULL, [](Element*) {});
}

TEST(TableTest, RandomChoosesEvenly) {
  ModelledTable modelled;
  constexpr int kElements = 50;
  for (int i = 0; i < kElements; ++i) modelled.insert(std::to_string(i));
  Random random(7);
  std::unordered_map<const Element*, int> chosen;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) ++chosen[modelled.table().random(random)];
  ASSERT_EQ(chosen.size(), static_cast<size_t>(kElements));
  for (const auto& [element, count] : chosen) {
    EXPECT_NEAR(count, kDraws / kElements, kDraws / kElements / 5) << element->key;
  }
}

}  // namespace
}  // namespace tandem
