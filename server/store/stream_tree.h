#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "server/store/stream_id.h"

namespace tandem {

// A map from stream ids to values in the order of the ids: a B+ tree whose leaves are linked. All
// operations take O(log n). It favours what streams do: appending fills each leaf to the brim, and
// taking away from the front never moves what is behind.
//
// V is movable; an empty V takes no memory. Iterators and references are valid until the next
// change of the tree.
template <typename V>
class StreamTree {
 public:
  struct Item {
    StreamId id;
    [[no_unique_address]] V value;
  };

 private:
  static constexpr size_t kLeafItems = 64;
  static constexpr size_t kSlots = 64;
  static constexpr size_t kMaxHeight = 20;  // more than any memory can hold

  struct Leaf {
    std::vector<Item> items;
    Leaf* previous = nullptr;
    Leaf* next = nullptr;
  };
  // A child and a bound: no id below the child is lower than `low`, but below the first child of
  // the leftmost nodes, where the bound is not looked at.
  struct Slot {
    StreamId low;
    void* child;
  };
  struct Inner {
    std::vector<Slot> slots;
  };

 public:
  // A place among the items; end() is behind the last one.
  class Iterator {
   public:
    Iterator() = default;
    Item& operator*() const { return leaf_->items[index_]; }
    Item* operator->() const { return &leaf_->items[index_]; }
    bool at_end() const { return leaf_ == nullptr; }
    bool operator==(const Iterator&) const = default;
    Iterator& operator++() {
      if (++index_ == leaf_->items.size()) {
        leaf_ = leaf_->next;
        index_ = 0;
      }
      return *this;
    }
    // Of the first item: end.
    Iterator& operator--() {
      if (index_ == 0) {
        leaf_ = leaf_->previous;
        index_ = leaf_ != nullptr ? leaf_->items.size() : 1;
      }
      --index_;
      return *this;
    }

   private:
    friend class StreamTree;
    Iterator(Leaf* leaf, size_t index) : leaf_(leaf), index_(index) {}
    Leaf* leaf_ = nullptr;
    size_t index_ = 0;
  };

  StreamTree() = default;
  StreamTree(const StreamTree&) = delete;
  StreamTree& operator=(const StreamTree&) = delete;
  ~StreamTree() { clear(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  Iterator begin() const { return empty() ? Iterator() : Iterator(edge_leaf(true), 0); }
  Iterator end() const { return {}; }
  // The last item, or end().
  Iterator last() const {
    if (empty()) return {};
    Leaf* leaf = edge_leaf(false);
    return {leaf, leaf->items.size() - 1};
  }
  // The first item at `id` or behind it.
  Iterator lower_bound(const StreamId& id) const {
    if (empty()) return {};
    Leaf* leaf = leaf_of(id);
    const size_t index = position_in(*leaf, id);
    if (index < leaf->items.size()) return {leaf, index};
    return {leaf->next, 0};
  }
  // The last item at `id` or before it.
  Iterator floor(const StreamId& id) const {
    Iterator it = lower_bound(id);
    if (it.at_end()) return last();
    return it->id == id ? it : --it;
  }
  Iterator find(const StreamId& id) const {
    const Iterator it = lower_bound(id);
    return it.at_end() || it->id != id ? end() : it;
  }
  bool contains(const StreamId& id) const { return !find(id).at_end(); }

  // Adds an item unless the id is there; returns where it is, and whether it is new.
  std::pair<Iterator, bool> insert(const StreamId& id, V value = {}) {
    if (root_ == nullptr) root_ = new Leaf;
    Path path;
    Leaf* leaf = descend(id, &path);
    const size_t index = position_in(*leaf, id);
    if (index < leaf->items.size() && leaf->items[index].id == id) return {{leaf, index}, false};
    ++size_;
    if (leaf->items.size() < kLeafItems) {
      leaf->items.insert(leaf->items.begin() + to_offset(index), Item{id, std::move(value)});
      return {{leaf, index}, true};
    }
    return {insert_into_full(leaf, index, path, Item{id, std::move(value)}), true};
  }

  // Returns the item that follows, or end().
  Iterator erase(Iterator at) {
    const StreamId id = at->id;
    const bool was_last_of_leaf = at.index_ + 1 == at.leaf_->items.size();
    const bool has_next = !was_last_of_leaf || at.leaf_->next != nullptr;
    const StreamId next = !was_last_of_leaf
                              ? at.leaf_->items[at.index_ + 1].id
                              : (has_next ? at.leaf_->next->items.front().id : StreamId());
    Path path;
    Leaf* leaf = descend(id, &path);
    assert(leaf == at.leaf_);
    leaf->items.erase(leaf->items.begin() + to_offset(at.index_));
    --size_;
    if (leaf->items.size() >= kLeafItems / 4) {
      if (!was_last_of_leaf) return {leaf, at.index_};
      return {leaf->next, 0};
    }
    rebalance(leaf, path);
    return has_next ? find(next) : end();
  }
  // Whether the id was there.
  bool erase(const StreamId& id) {
    const Iterator it = find(id);
    if (it.at_end()) return false;
    erase(it);
    return true;
  }

  void clear() {
    if (root_ != nullptr) destroy(root_, height_);
    root_ = nullptr;
    height_ = 0;
    size_ = 0;
  }

  // Bytes allocated for the tree, not those that the values own; estimated from the first leaves
  // when there are many.
  size_t memory_usage() const {
    constexpr size_t kSample = 32;
    size_t bytes = 0, items = 0, leaves = 0;
    for (const Leaf* leaf = empty() ? nullptr : edge_leaf(true);
         leaf != nullptr && leaves < kSample; leaf = leaf->next) {
      bytes += sizeof(Leaf) + sizeof(Slot) + leaf->items.capacity() * sizeof(Item);
      items += leaf->items.size();
      ++leaves;
    }
    return items == size_ ? bytes : bytes * size_ / items;
  }
  // Allocations, about.
  size_t nodes() const { return size_ / (kLeafItems / 2) + 1; }

 private:
  struct Step {
    Inner* node;
    size_t index;
  };
  // From the root to the leaf's parent.
  struct Path {
    Step steps[kMaxHeight];
    size_t length = 0;
  };

  static ptrdiff_t to_offset(size_t index) { return static_cast<ptrdiff_t>(index); }

  static size_t position_in(const Leaf& leaf, const StreamId& id) {
    const auto& items = leaf.items;
    // Behind the last item is where most insertions go.
    if (!items.empty() && items.back().id < id) return items.size();
    const auto it = std::lower_bound(items.begin(), items.end(), id,
                                     [](const Item& a, const StreamId& b) { return a.id < b; });
    return static_cast<size_t>(it - items.begin());
  }

  // The child under which `id` belongs.
  static size_t child_of(const Inner& node, const StreamId& id) {
    const auto& slots = node.slots;
    const auto it = std::upper_bound(slots.begin() + 1, slots.end(), id,
                                     [](const StreamId& a, const Slot& b) { return a < b.low; });
    return static_cast<size_t>(it - slots.begin()) - 1;
  }

  Leaf* leaf_of(const StreamId& id) const {
    void* node = root_;
    for (size_t level = height_; level > 0; --level) {
      auto* inner = static_cast<Inner*>(node);
      node = inner->slots[child_of(*inner, id)].child;
    }
    return static_cast<Leaf*>(node);
  }

  Leaf* edge_leaf(bool first) const {
    void* node = root_;
    for (size_t level = height_; level > 0; --level) {
      auto* inner = static_cast<Inner*>(node);
      node = first ? inner->slots.front().child : inner->slots.back().child;
    }
    return static_cast<Leaf*>(node);
  }

  Leaf* descend(const StreamId& id, Path* path) {
    void* node = root_;
    for (size_t level = height_; level > 0; --level) {
      auto* inner = static_cast<Inner*>(node);
      const size_t index = child_of(*inner, id);
      path->steps[path->length++] = {inner, index};
      node = inner->slots[index].child;
    }
    return static_cast<Leaf*>(node);
  }

  Iterator insert_into_full(Leaf* leaf, size_t index, const Path& path, Item item) {
    auto* fresh = new Leaf;
    fresh->previous = leaf;
    fresh->next = leaf->next;
    if (leaf->next != nullptr) leaf->next->previous = fresh;
    leaf->next = fresh;
    // What is appended to the end goes on being appended: the full leaf stays full.
    const bool appending = fresh->next == nullptr && index == leaf->items.size();
    const size_t kept = appending ? leaf->items.size() : leaf->items.size() / 2;
    const auto middle = leaf->items.begin() + to_offset(kept);
    fresh->items.assign(std::make_move_iterator(middle),
                        std::make_move_iterator(leaf->items.end()));
    leaf->items.erase(middle, leaf->items.end());
    Leaf* target = leaf;
    if (appending || index > kept) {
      target = fresh;
      index -= kept;
    }
    target->items.insert(target->items.begin() + to_offset(index), std::move(item));
    add_child(path, fresh->items.front().id, fresh);
    return {target, index};
  }

  // Hangs `child` behind the one that the path leads to.
  void add_child(const Path& path, StreamId low, void* child) {
    for (size_t i = path.length; i-- > 0;) {
      auto& slots = path.steps[i].node->slots;
      slots.insert(slots.begin() + to_offset(path.steps[i].index) + 1, Slot{low, child});
      if (slots.size() <= kSlots) return;
      auto* fresh = new Inner;
      const bool appending = path.steps[i].index + 2 == slots.size();
      const auto middle = slots.begin() + to_offset(appending ? slots.size() - 1 : kSlots / 2);
      fresh->slots.assign(middle, slots.end());
      slots.erase(middle, slots.end());
      low = fresh->slots.front().low;
      child = fresh;
    }
    auto* root = new Inner;
    root->slots = {Slot{StreamId(), root_}, Slot{low, child}};
    root_ = root;
    ++height_;
    assert(height_ < kMaxHeight);
  }

  // After an erasure from a leaf that has become small: joins it with a neighbour that has room, or
  // removes it when it is empty; then the same for the nodes above.
  void rebalance(Leaf* leaf, const Path& path) {
    size_t level = path.length;
    if (level == 0) {
      if (leaf->items.empty()) clear();
      return;
    }
    --level;
    Inner* parent = path.steps[level].node;
    size_t index = path.steps[level].index;
    if (leaf->items.empty()) {
      unlink(leaf);
    } else {
      if (index + 1 == parent->slots.size()) {
        if (index == 0) return;
        --index;
      }
      auto* left = static_cast<Leaf*>(parent->slots[index].child);
      auto* right = static_cast<Leaf*>(parent->slots[index + 1].child);
      if (left->items.size() + right->items.size() > kLeafItems) return;
      left->items.insert(left->items.end(), std::make_move_iterator(right->items.begin()),
                         std::make_move_iterator(right->items.end()));
      unlink(right);
      ++index;
    }
    parent->slots.erase(parent->slots.begin() + to_offset(index));
    rebalance_inner(path, level);
  }

  void rebalance_inner(const Path& path, size_t level) {
    while (level > 0 && path.steps[level].node->slots.size() < kSlots / 4) {
      Inner* node = path.steps[level].node;
      --level;
      Inner* parent = path.steps[level].node;
      size_t index = path.steps[level].index;
      if (node->slots.empty()) {
        delete node;
      } else {
        if (index + 1 == parent->slots.size()) {
          if (index == 0) break;
          --index;
        }
        auto* left = static_cast<Inner*>(parent->slots[index].child);
        auto* right = static_cast<Inner*>(parent->slots[index + 1].child);
        if (left->slots.size() + right->slots.size() > kSlots) break;
        // Its first bound may be out of date; the parent's is the one that separates them.
        right->slots.front().low = parent->slots[index + 1].low;
        left->slots.insert(left->slots.end(), right->slots.begin(), right->slots.end());
        delete right;
        ++index;
      }
      parent->slots.erase(parent->slots.begin() + to_offset(index));
    }
    while (height_ > 0 && static_cast<Inner*>(root_)->slots.size() == 1) {
      auto* root = static_cast<Inner*>(root_);
      root_ = root->slots.front().child;
      --height_;
      delete root;
    }
    if (height_ > 0 && static_cast<Inner*>(root_)->slots.empty()) clear();
  }

  void unlink(Leaf* leaf) {
    if (leaf->previous != nullptr) leaf->previous->next = leaf->next;
    if (leaf->next != nullptr) leaf->next->previous = leaf->previous;
    delete leaf;
  }

  // Recursion is as deep as the tree is high.
  static void destroy(void* node, size_t level) {
    if (level == 0) {
      delete static_cast<Leaf*>(node);
      return;
    }
    auto* inner = static_cast<Inner*>(node);
    for (const Slot& slot : inner->slots) destroy(slot.child, level - 1);
    delete inner;
  }

  void* root_ = nullptr;  // a Leaf when height_ is 0
  size_t height_ = 0;     // inner levels
  size_t size_ = 0;
};

}  // namespace tandem
