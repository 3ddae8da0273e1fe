#include "server/store/score_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tandem {
namespace {

// A tree beside an ordered set that says what should be in it.
class ScoreTreeTest : public ::testing::Test {
 protected:
  using Key = std::pair<double, std::string>;

  ~ScoreTreeTest() override {
    for (const auto& [key, element] : elements_) SortedSetElement::destroy(element);
  }

  void insert(double score, const std::string& member) {
    SortedSetElement* element = SortedSetElement::create(member, score);
    ASSERT_TRUE(elements_.emplace(Key(score, member), element).second);
    tree_.insert(element);
  }
  void erase(std::map<Key, SortedSetElement*>::iterator at) {
    tree_.erase(at->second);
    SortedSetElement::destroy(at->second);
    elements_.erase(at);
  }
  void set_score(std::map<Key, SortedSetElement*>::iterator at, double score) {
    SortedSetElement* element = at->second;
    const Key key(score, at->first.second);
    elements_.erase(at);
    tree_.set_score(element, score);
    elements_.emplace(key, element);
  }
  void erase_range(size_t rank, size_t count) {
    auto at = std::next(elements_.begin(), static_cast<long>(rank));
    tree_.erase_range(rank, count, [&](SortedSetElement* element) {
      ASSERT_EQ(element, at->second);
      SortedSetElement::destroy(element);
      at = elements_.erase(at);
    });
  }

  // Everything the tree can be asked agrees with the model.
  void check() {
    ASSERT_EQ(tree_.size(), elements_.size());
    if (elements_.empty()) {
      EXPECT_EQ(tree_.memory_usage(), 0u);
      return;
    }
    auto forward = tree_.at(0);
    size_t rank = 0;
    for (const auto& [key, element] : elements_) {
      ASSERT_TRUE(forward.valid());
      ASSERT_EQ(&*forward, element) << rank;
      ASSERT_EQ(tree_.rank_of(*element), rank);
      ASSERT_EQ(&*tree_.at(rank), element);
      ++rank;
      forward.next();
    }
    EXPECT_FALSE(forward.valid());
    auto backward = tree_.at(rank - 1);
    for (auto at = elements_.rbegin(); at != elements_.rend(); ++at) {
      ASSERT_EQ(&*backward, at->second);
      backward.previous();
    }
    EXPECT_FALSE(backward.valid());
  }
  std::map<Key, SortedSetElement*>::iterator random_element() {
    return std::next(elements_.begin(), static_cast<long>(random_() % elements_.size()));
  }

  std::mt19937 random_{7};
  ScoreTree tree_;
  std::map<Key, SortedSetElement*> elements_;
};

TEST_F(ScoreTreeTest, AscendingInsertionsFillTheLeaves) {
  constexpr int kCount = 20000;
  for (int i = 0; i < kCount; ++i) insert(i, "m" + std::to_string(i));
  check();
  // Eight bytes an element, and little more.
  EXPECT_LT(tree_.memory_usage(), static_cast<size_t>(kCount * 9.5));
}

TEST_F(ScoreTreeTest, DescendingInsertionsFillTheLeaves) {
  constexpr int kCount = 20000;
  for (int i = kCount; i-- > 0;) insert(i, "m");
  check();
  EXPECT_LT(tree_.memory_usage(), static_cast<size_t>(kCount * 9.5));
}

TEST_F(ScoreTreeTest, EqualScoresAreOrderedByBytes) {
  insert(1, "b");
  insert(1, "a");
  insert(1, "a\xff");
  insert(1, std::string("a\0", 2));
  insert(1, "");
  insert(0, "z");
  check();
}

TEST_F(ScoreTreeTest, RandomChanges) {
  for (int step = 0; step < 60000; ++step) {
    // Grows to some thousands of elements, shrinks to few, and grows again.
    const bool growing = step / 12000 % 2 == 0;
    const unsigned die = random_() % 10;
    if (elements_.empty() || die < (growing ? 6u : 2u)) {
      // Few scores and few names, so that ties abound.
      const double score = static_cast<double>(random_() % 50);
      const std::string member = std::to_string(random_() % 2000);
      if (!elements_.contains({score, member})) insert(score, member);
    } else if (die < 8) {
      erase(random_element());
    } else {
      const auto at = random_element();
      const double score = at->first.first + static_cast<double>(random_() % 3) - 1;
      if (!elements_.contains({score, at->first.second})) set_score(at, score);
    }
    if (step % 3000 == 0) check();
  }
  check();
  while (!elements_.empty()) erase(random_element());
  check();
}

TEST_F(ScoreTreeTest, RangesAreTakenOutWhole) {
  for (int round = 0; round < 30; ++round) {
    while (elements_.size() < 8000) {
      const double score = static_cast<double>(random_() % 100000);
      if (!elements_.contains({score, "m"})) insert(score, "m");
    }
    const size_t rank = random_() % elements_.size();
    erase_range(rank, random_() % (elements_.size() - rank) + 1);
    check();
  }
  erase_range(0, elements_.size());
  check();
}

TEST_F(ScoreTreeTest, ScoreChangesInPlaceReachTheInnerNodes) {
  for (int i = 0; i < 10000; ++i) insert(10 * i, "m" + std::to_string(i));
  // Each stays between its neighbours, the first element of each leaf too.
  for (int i = 0; i < 10000; ++i) {
    set_score(elements_.find({10.0 * i, "m" + std::to_string(i)}), 10 * i + 5);
  }
  check();
  EXPECT_EQ(tree_.count_before([](double score, const SortedSetElement&) { return score < 505; }),
            50u);
}

}  // namespace
}  // namespace tandem
