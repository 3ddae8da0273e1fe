#include "server/store/list_value.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/random.h"

namespace tandem {
namespace {

using Model = std::vector<std::string>;

const ListLimits kDefault;
constexpr ListEnd kHead = ListEnd::kHead;
constexpr ListEnd kTail = ListEnd::kTail;

std::string text(const ListValue::Element& element) {
  Listpack::Scratch scratch;
  return std::string(element.text(scratch));
}

Model contents(const ListValue& list) {
  Model out;
  list.visit([&out](const ListValue::Element& element) {
    out.push_back(text(element));
    return true;
  });
  return out;
}

// As a command pushes.
void push(ListValue& list, ListEnd end, std::string_view element, const ListLimits& limits) {
  list.prepare(element.size(), 1, limits);
  list.push(end, element, limits);
}

void fill(ListValue& list, int count, const ListLimits& limits = kDefault) {
  for (int i = 0; i < count; ++i) push(list, kTail, std::to_string(i), limits);
}

TEST(ListValue, GrowsAndShrinksAtBothEnds) {
  ListValue list;
  push(list, kTail, "b", kDefault);
  push(list, kHead, "a", kDefault);
  push(list, kTail, "12", kDefault);
  EXPECT_EQ(contents(list), (Model{"a", "b", "12"}));
  EXPECT_EQ(text(list.peek(kHead)), "a");
  EXPECT_EQ(text(list.peek(kTail)), "12");
  EXPECT_EQ(list.encoding_name(), "listpack");
  list.pop(kHead);
  EXPECT_EQ(contents(list), (Model{"b", "12"}));
  list.pop(kTail);
  list.pop(kTail);
  EXPECT_EQ(list.size(), 0u);
  EXPECT_EQ(contents(list), Model{});
  push(list, kHead, "again", kDefault);
  EXPECT_EQ(contents(list), Model{"again"});
}

TEST(ListValue, LimitsAreThoseOfTheDirective) {
  EXPECT_EQ(ListLimits(-1).max_bytes, 4096u);
  EXPECT_EQ(ListLimits(-2).max_bytes, 8192u);
  EXPECT_EQ(ListLimits(-5).max_bytes, 65536u);
  EXPECT_EQ(ListLimits(-100).max_bytes, 65536u);
  EXPECT_EQ(ListLimits(0).max_entries, 1u);
  EXPECT_EQ(ListLimits(128).max_entries, 128u);
  EXPECT_EQ(ListLimits(1 << 30).max_entries, 32767u);
}

TEST(ListValue, BecomesAQuicklistAndAListpackAgainAtHalf) {
  const ListLimits limits(8);
  ListValue list;
  fill(list, 8, limits);
  EXPECT_EQ(list.encoding_name(), "listpack");
  push(list, kTail, "8", limits);
  EXPECT_EQ(list.encoding_name(), "quicklist");
  for (int i = 0; i < 4; ++i) {
    list.pop(kTail);
    list.shrink(limits);
    EXPECT_EQ(list.encoding_name(), "quicklist") << list.size();
  }
  list.pop(kTail);
  list.shrink(limits);
  EXPECT_EQ(list.encoding_name(), "listpack");
  EXPECT_EQ(contents(list), (Model{"0", "1", "2", "3"}));
}

TEST(ListValue, BecomesAQuicklistByBytes) {
  ListValue list;
  const std::string element(1000, 'x');
  for (int i = 0; i < 8; ++i) push(list, kTail, element, kDefault);
  EXPECT_EQ(list.encoding_name(), "listpack");
  push(list, kTail, element, kDefault);
  EXPECT_EQ(list.encoding_name(), "quicklist");
  while (list.size() > 4) list.pop(kTail);
  list.shrink(kDefault);
  EXPECT_EQ(list.encoding_name(), "listpack");
  push(list, kTail, std::string(8192, 'y'), kDefault);
  EXPECT_EQ(list.encoding_name(), "quicklist");
  EXPECT_EQ(list.chunks(), 2u);
  while (list.size() > 1) list.pop(kHead);
  list.shrink(kDefault);
  EXPECT_EQ(list.encoding_name(), "quicklist") << "a large element is not packed";
  EXPECT_EQ(text(list.at(0)), std::string(8192, 'y'));
}

// Everything at once against a vector, with chunks of all kinds.
class ListValueModelTest : public testing::TestWithParam<int> {
 protected:
  std::string element() {
    switch (random_.below(12)) {
      case 0:
        return std::string(random_.below(300), 'm');
      case 1:
        return std::string(random_.below(20000), 'l');
      case 2:
        return "";
      case 3:
        return std::to_string(static_cast<int64_t>(random_.next()));
      default:
        return std::to_string(random_.below(50));
    }
  }
  size_t index() { return random_.below(model_.size()); }
  ListEnd end() { return random_.below(2) == 0 ? kHead : kTail; }
  void prepare(const std::string& added) { list_->prepare(added.size(), 1, limits_); }

  void add() {
    const std::string added = element();
    prepare(added);
    if (random_.below(3) > 0) {
      const ListEnd where = end();
      list_->push(where, added, limits_);
      model_.insert(where == kHead ? model_.begin() : model_.end(), added);
    } else {
      const size_t at = random_.below(model_.size() + 1);
      list_->insert(at, added, limits_);
      model_.insert(model_.begin() + static_cast<ptrdiff_t>(at), added);
    }
  }
  void pop() {
    const ListEnd where = end();
    EXPECT_EQ(text(list_->peek(where)), where == kHead ? model_.front() : model_.back());
    list_->pop(where);
    model_.erase(where == kHead ? model_.begin() : model_.end() - 1);
  }
  void set() {
    const size_t at = index();
    const std::string added = element();
    prepare(added);
    list_->set(at, added, limits_);
    model_[at] = added;
  }
  void erase_matching() {
    const std::string wanted = model_[index()];
    const ListEnd from = end();
    const size_t limit = random_.below(4) == 0 ? SIZE_MAX : 1 + random_.below(3);
    if (from == kTail) std::reverse(model_.begin(), model_.end());
    size_t erased = 0;
    std::erase_if(model_, [&](const std::string& s) {
      return erased < limit && s == wanted && ++erased > 0;
    });
    if (from == kTail) std::reverse(model_.begin(), model_.end());
    EXPECT_EQ(list_->erase_matching(ListNeedle(wanted), from, limit), erased);
  }
  void trim() {
    const size_t count =
        random_.below(4) == 0 ? index() : random_.below(std::min<size_t>(3, model_.size()));
    const ListEnd where = end();
    list_->trim(where, count);
    const auto begin =
        where == kHead ? model_.begin() : model_.end() - static_cast<ptrdiff_t>(count);
    model_.erase(begin, begin + static_cast<ptrdiff_t>(count));
  }
  void step() {
    const uint64_t chance = random_.below(100);
    if (model_.empty() || chance < 57) return add();
    if (chance < 75) return pop();
    if (chance < 94) return set();
    if (chance < 98) return erase_matching();
    trim();
  }
  void compare() {
    ASSERT_EQ(list_->size(), model_.size());
    ASSERT_EQ(contents(*list_), model_);
    if (model_.empty()) return;
    const size_t at = index();
    EXPECT_EQ(text(list_->at(at)), model_[at]);
    const size_t count = random_.below(model_.size() - at + 1);
    Model range;
    EXPECT_TRUE(list_->visit(at, count, [&](const ListValue::Element& e) {
      range.push_back(text(e));
      return true;
    }));
    EXPECT_EQ(range, Model(model_.begin() + static_cast<ptrdiff_t>(at),
                           model_.begin() + static_cast<ptrdiff_t>(at + count)));
    range.clear();
    list_->visit_back(at, at + 1, [&](const ListValue::Element& e) {
      range.insert(range.begin(), text(e));
      return true;
    });
    EXPECT_EQ(range, Model(model_.begin(), model_.begin() + static_cast<ptrdiff_t>(at) + 1));
  }

  ListLimits limits_{GetParam()};
  Random random_{static_cast<uint64_t>(GetParam() + 1000)};
  std::unique_ptr<ListValue> list_ = std::make_unique<ListValue>();
  Model model_;
};

TEST_P(ListValueModelTest, IsASequence) {
  for (int i = 0; i < 6000; ++i) {
    step();
    if (i % 20 == 0) {
      compare();
      ASSERT_FALSE(HasFailure()) << "after step " << i;
    }
    if (i % 500 == 0) {
      std::unique_ptr<Value> copy = list_->clone();
      list_.reset(static_cast<ListValue*>(copy.release()));
    }
    list_->shrink(limits_);
  }
}

INSTANTIATE_TEST_SUITE_P(Limits, ListValueModelTest, testing::Values(-2, -1, 1, 2, 7, 128),
                         [](const auto& test) {
                           return test.param < 0 ? "bytes" + std::to_string(-test.param)
                                                 : "entries" + std::to_string(test.param);
                         });

TEST(ListValue, FindsAnywhereInManyChunks) {
  const ListLimits one(1);
  constexpr size_t kCount = 50000;
  ListValue list;
  // From the middle outwards, so that both ends have filled the tree.
  for (size_t i = 0; i < kCount / 2; ++i) {
    push(list, kHead, std::to_string(kCount / 2 - 1 - i), one);
    push(list, kTail, std::to_string(kCount / 2 + i), one);
  }
  EXPECT_EQ(list.chunks(), kCount);
  for (size_t i = 0; i < kCount; i += 7) ASSERT_EQ(text(list.at(i)), std::to_string(i));
  EXPECT_EQ(list.free_effort(), kCount);
  // About as much as what is in it: the tree is full.
  EXPECT_LT(list.memory_usage(), kCount * (32 + 24));

  std::unique_ptr<Value> back = list.trim(kTail, 20000);
  std::unique_ptr<Value> front = list.trim(kHead, 10001);
  ASSERT_EQ(list.size(), 19999u);
  EXPECT_EQ(list.chunks(), 19999u);
  EXPECT_EQ(text(list.at(0)), "10001");
  EXPECT_EQ(text(list.at(12345)), "22346");
  EXPECT_EQ(text(list.at(19998)), "29999");
  EXPECT_EQ(back->size() + front->size(), 30001u);
  EXPECT_EQ(text(static_cast<ListValue&>(*back).at(0)), "30000");
  EXPECT_EQ(text(static_cast<ListValue&>(*front).at(10000)), "10000");
}

TEST(ListValue, AQueueThatStaysShortStaysSmall) {
  ListValue list;
  fill(list, 100);
  const size_t before = list.memory_usage();
  for (int i = 0; i < 100000; ++i) {
    push(list, kTail, std::to_string(i % 100), kDefault);
    list.pop(kHead);
  }
  EXPECT_LE(list.memory_usage(), 2 * before);
  EXPECT_EQ(list.encoding_name(), "listpack");
  while (list.size() > 3) list.pop(kHead);
  EXPECT_LT(list.memory_usage(), before);
}

TEST(ListValue, LoadsListpacksOfOtherLimits) {
  Listpack packed;
  Model expected;
  for (int i = 0; i < 3000; ++i) {
    expected.push_back(i % 3 == 0 ? std::to_string(i) : "element " + std::to_string(i));
    packed.append(expected.back());
  }
  ListValue large;
  large.load_packed(packed.bytes(), kDefault);
  large.load_packed(Listpack().bytes(), kDefault);
  large.load("one more", kDefault);
  large.finish_loading(kDefault);
  EXPECT_EQ(large.encoding_name(), "quicklist");
  EXPECT_GT(large.chunks(), 2u);
  expected.push_back("one more");
  EXPECT_EQ(contents(large), expected);

  ListValue small;
  small.load_packed(packed.bytes(), ListLimits(-5));
  EXPECT_EQ(small.chunks(), 1u);
  small.finish_loading(ListLimits(-5));
  EXPECT_EQ(small.encoding_name(), "listpack");
  expected.pop_back();
  EXPECT_EQ(contents(small), expected);
}

}  // namespace
}  // namespace tandem
