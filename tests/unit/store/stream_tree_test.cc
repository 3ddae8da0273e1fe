#include "server/store/stream_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "server/base/random.h"

namespace tandem {
namespace {

using Tree = StreamTree<std::string>;
using Model = std::map<StreamId, std::string>;

// Both directions of the tree, and the searches around `probe`, agree with the model.
void expect_equal(const Tree& tree, const Model& model, const StreamId& probe) {
  ASSERT_EQ(tree.size(), model.size());
  auto it = tree.begin();
  for (const auto& [id, value] : model) {
    ASSERT_FALSE(it.at_end());
    ASSERT_EQ(it->id, id);
    ASSERT_EQ(it->value, value);
    ++it;
  }
  ASSERT_TRUE(it.at_end());
  it = tree.last();
  for (auto expected = model.rbegin(); expected != model.rend(); ++expected, --it) {
    ASSERT_FALSE(it.at_end());
    ASSERT_EQ(it->id, expected->first);
  }
  ASSERT_TRUE(it.at_end());
  const auto above = model.lower_bound(probe);
  const auto found = tree.lower_bound(probe);
  ASSERT_EQ(found.at_end(), above == model.end());
  if (!found.at_end()) {
    ASSERT_EQ(found->id, above->first);
  }
  const auto below = model.upper_bound(probe);
  const auto floor = tree.floor(probe);
  ASSERT_EQ(floor.at_end(), below == model.begin());
  if (!floor.at_end()) {
    ASSERT_EQ(floor->id, std::prev(below)->first);
  }
  ASSERT_EQ(tree.contains(probe), model.contains(probe));
}

TEST(StreamTree, AgreesWithAMapUnderRandomEdits) {
  Random random(7);
  Tree tree;
  Model model;
  // Grows past three levels, then shrinks to nothing.
  for (int round = 0; round < 40'000; ++round) {
    const StreamId id{random.below(300), random.below(100)};
    const bool growing = round < 20'000;
    if (random.below(10) < (growing ? 8u : 2u)) {
      const std::string value = std::to_string(round);
      const auto [at, added] = tree.insert(id, value);
      ASSERT_EQ(added, model.emplace(id, value).second);
      ASSERT_EQ(at->id, id);
    } else if (growing || random.below(2) == 0) {
      ASSERT_EQ(tree.erase(id), model.erase(id) == 1);
    } else if (const auto at = tree.lower_bound(id); !at.at_end()) {
      const auto next = model.erase(model.find(at->id));
      const auto following = tree.erase(at);
      ASSERT_EQ(following.at_end(), next == model.end());
      if (!following.at_end()) {
        ASSERT_EQ(following->id, next->first);
      }
    }
    if (round % 500 == 0) expect_equal(tree, model, {random.below(300), random.below(100)});
  }
  expect_equal(tree, model, {150, 50});
  while (!model.empty()) {
    const auto victim = model.lower_bound({random.below(300), 0});
    const StreamId id = victim != model.end() ? victim->first : model.begin()->first;
    ASSERT_TRUE(tree.erase(id));
    model.erase(id);
    if (model.size() % 100 == 0) expect_equal(tree, model, id);
  }
  EXPECT_TRUE(tree.begin().at_end());
  EXPECT_TRUE(tree.last().at_end());
}

TEST(StreamTree, AQueueStaysSmall) {
  Tree tree;
  for (uint64_t i = 0; i < 100'000; ++i) {
    tree.insert({i, 0}, "x");
    if (i >= 1000) tree.erase(tree.begin());
  }
  ASSERT_EQ(tree.size(), 1000u);
  EXPECT_EQ(tree.begin()->id.ms, 99'000u);
  EXPECT_LT(tree.memory_usage(), 1000 * (sizeof(Tree::Item) + 8));
}

TEST(StreamTree, AppendingFillsLeavesToTheBrim) {
  struct Nothing {};
  StreamTree<Nothing> tree;
  for (uint64_t i = 0; i < 100'000; ++i) tree.insert({i, 0});
  EXPECT_LT(tree.memory_usage(), 100'000u * 18);
}

TEST(StreamId, StepsAndPrints) {
  StreamId id{5, UINT64_MAX};
  EXPECT_TRUE(id.increment());
  EXPECT_EQ(id, (StreamId{6, 0}));
  EXPECT_TRUE(id.decrement());
  EXPECT_EQ(id, (StreamId{5, UINT64_MAX}));
  StreamId highest = StreamId::max();
  EXPECT_FALSE(highest.increment());
  EXPECT_EQ(highest, StreamId::max());
  StreamId zero;
  EXPECT_FALSE(zero.decrement());
  EXPECT_TRUE(zero.is_zero());
  EXPECT_EQ(std::string_view(StreamIdText(StreamId::max())),
            "18446744073709551615-18446744073709551615");
  char bytes[StreamId::kBytes];
  StreamId{0x0102030405060708, 9}.to_bytes(bytes);
  EXPECT_EQ(std::string_view(bytes, 8), "\1\2\3\4\5\6\7\x8");
  EXPECT_EQ(StreamId::from_bytes(bytes), (StreamId{0x0102030405060708, 9}));
}

}  // namespace
}  // namespace tandem
