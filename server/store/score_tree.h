#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "server/base/prefetch.h"
#include "server/store/sorted_set_element.h"

namespace tandem {

// The elements of a sorted set in order: a B+ tree whose inner nodes know how many elements are
// below each child, so that ranks are found, and found again from elements, in O(log n). Leaves are
// chained, for ranges.
//
// Elements belong to the caller and must stay where they are while they are in the tree. No two of
// them are equal. Not thread-safe.
class ScoreTree {
 private:
  struct Node;
  struct Leaf;
  struct Inner;

 public:
  // A place in the order. Invalid beyond both ends, and after any change of the tree.
  class Cursor {
   public:
    bool valid() const { return leaf_ != nullptr; }
    const SortedSetElement& operator*() const { return *leaf_->items[index_]; }
    const SortedSetElement* operator->() const { return leaf_->items[index_]; }
    void next() {
      if (++index_ < leaf_->count) {
        prefetch_item(index_ + kLookAhead);
      } else {
        leaf_ = leaf_->next;
        index_ = 0;
      }
    }
    void previous() {
      if (index_ > 0) {
        --index_;
        if (index_ >= kLookAhead) prefetch_item(index_ - kLookAhead);
      } else {
        leaf_ = leaf_->previous;
        if (leaf_ != nullptr) index_ = leaf_->count - 1;
      }
    }

   private:
    friend class ScoreTree;
    static constexpr uint32_t kLookAhead = 6;
    Cursor() = default;
    Cursor(const Leaf* leaf, uint32_t index) : leaf_(leaf), index_(index) {}
    void prefetch_item(uint32_t index) const {
      if (index < leaf_->count) prefetch(leaf_->items[index]);
    }

    const Leaf* leaf_ = nullptr;
    uint32_t index_ = 0;
  };

  ScoreTree() = default;
  ScoreTree(const ScoreTree&) = delete;
  ScoreTree& operator=(const ScoreTree&) = delete;
  ~ScoreTree();

  size_t size() const { return size_; }
  // Bytes of the tree itself, elements not included.
  size_t memory_usage() const { return leaves_ * sizeof(Leaf) + inners_ * sizeof(Inner); }

  void insert(SortedSetElement* element);
  // The element is in the tree.
  void erase(const SortedSetElement* element);
  // Changes the score of an element of the tree, and its place when that is another one.
  void set_score(SortedSetElement* element, double score);
  // Takes `count` elements from `rank` on out, all of which exist, and calls dispose(element) for
  // each.
  template <typename Dispose>
  void erase_range(size_t rank, size_t count, Dispose&& dispose) {
    while (count > 0) {
      Path path;
      const auto [leaf, index] = descend_to(rank, &path);
      const size_t here = leaf->count - index;
      const auto taken = static_cast<uint32_t>(here < count ? here : count);
      for (uint32_t i = 0; i < taken; ++i) dispose(leaf->items[index + i]);
      remove(path, leaf, index, taken);
      count -= taken;
    }
  }

  // The rank of an element of the tree: how many are before it.
  size_t rank_of(const SortedSetElement& element) const {
    return count_before([&](double score, const SortedSetElement& other) {
      if (score != element.score()) return score < element.score();
      return other.member() < element.member();
    });
  }
  // The element of a rank below size().
  Cursor at(size_t rank) const;
  // How many elements satisfy before(score, element), which must hold for those up to some place in
  // the order and for none behind it. The score is that of the element.
  template <typename Before>
  size_t count_before(Before&& before) const;

 private:
  // Nodes fill the allocator's size classes.
  static constexpr uint32_t kLeafItems = 61;
  static constexpr uint32_t kInnerChildren = 63;
  static constexpr uint32_t kMaxHeight = 16;

  struct Node {
    uint32_t count = 0;
  };
  struct Leaf : Node {
    Leaf* previous = nullptr;
    Leaf* next = nullptr;
    SortedSetElement* items[kLeafItems];
  };
  // Child i holds counts[i] elements, the first of which is lows[i], of score scores[i].
  struct Inner : Node {
    double scores[kInnerChildren];
    const SortedSetElement* lows[kInnerChildren];
    size_t counts[kInnerChildren];
    Node* children[kInnerChildren];
  };
  static_assert(sizeof(Leaf) == 512 && sizeof(Inner) == 2024);

  // The way from the root to a leaf: the inner nodes and which child was taken. Level 0 is the
  // parent of leaves.
  struct Step {
    Inner* node;
    uint32_t index;
  };
  using Path = std::array<Step, kMaxHeight>;

  // Where an element goes. At either end of the order a full node is left full: what arrives sorted
  // fills the tree.
  enum class Place : uint8_t { kFirst, kMiddle, kLast };

  // The first index in [0, count) for which holds(index) is false.
  template <typename Holds>
  static uint32_t partition_point(uint32_t count, Holds&& holds) {
    uint32_t low = 0;
    while (count > 0) {
      const uint32_t half = count / 2;
      if (holds(low + half)) {
        low += half + 1;
        count -= half + 1;
      } else {
        count = half;
      }
    }
    return low;
  }

  Leaf* new_leaf();
  Inner* new_inner();
  void free_leaf(Leaf* leaf);
  void free_inner(Inner* inner);
  void free_below(Node* node, uint32_t height);

  Leaf* descend(double score, std::string_view member, Path* path) const;
  std::pair<Leaf*, uint32_t> descend_to(size_t rank, Path* path) const;
  static uint32_t lower_bound(const Leaf& leaf, double score, std::string_view member);

  const SortedSetElement* first_of(const Node* node, uint32_t level) const;
  size_t count_of(const Node* node, uint32_t level) const;
  void refresh(Inner* parent, uint32_t index, uint32_t level);
  static void move_children(Inner* to, uint32_t at, const Inner* from, uint32_t first,
                            uint32_t count);

  Leaf* split_leaf(Leaf* leaf, Place place);
  void insert_child(const Path& path, uint32_t level, Node* child, Place place);
  void remove(const Path& path, Leaf* leaf, uint32_t index, uint32_t count);
  void repair(Inner* parent, uint32_t index, uint32_t level);
  bool merge_or_share(Leaf* left, Leaf* right);
  bool merge_or_share(Inner* left, Inner* right);
  void collapse_root();

  Node* root_ = nullptr;  // null: empty; a Leaf when height_ is 0
  uint32_t height_ = 0;   // levels of inner nodes
  size_t size_ = 0;
  size_t leaves_ = 0;
  size_t inners_ = 0;
};

template <typename Before>
size_t ScoreTree::count_before(Before&& before) const {
  if (root_ == nullptr) return 0;
  size_t rank = 0;
  const Node* node = root_;
  for (uint32_t level = height_; level > 0; --level) {
    const auto& inner = static_cast<const Inner&>(*node);
    const uint32_t child = partition_point(
        inner.count, [&](uint32_t i) { return before(inner.scores[i], *inner.lows[i]); });
    if (child == 0) return rank;
    for (uint32_t i = 0; i + 1 < child; ++i) rank += inner.counts[i];
    node = inner.children[child - 1];
  }
  const auto& leaf = static_cast<const Leaf&>(*node);
  return rank + partition_point(leaf.count, [&](uint32_t i) {
           return before(leaf.items[i]->score(), *leaf.items[i]);
         });
}

}  // namespace tandem
