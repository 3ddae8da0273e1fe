#include "server/store/score_tree.h"

#include <cassert>
#include <cstring>

namespace tandem {

namespace {

// A node below a quarter is filled up from a neighbour, or merged with it when both fit with some
// room to spare.
constexpr uint32_t too_small(uint32_t capacity) { return capacity / 4; }
constexpr uint32_t merged_size(uint32_t capacity) { return capacity / 4 * 3; }

template <typename T>
void move_items(T* to, const T* from, uint32_t count) {
  std::memmove(static_cast<void*>(to), from, count * sizeof(T));
}

}  // namespace

ScoreTree::~ScoreTree() {
  if (root_ != nullptr) free_below(root_, height_);
}

ScoreTree::Leaf* ScoreTree::new_leaf() {
  ++leaves_;
  return new Leaf;
}

ScoreTree::Inner* ScoreTree::new_inner() {
  ++inners_;
  return new Inner;
}

void ScoreTree::free_leaf(Leaf* leaf) {
  --leaves_;
  delete leaf;
}

void ScoreTree::free_inner(Inner* inner) {
  --inners_;
  delete inner;
}

void ScoreTree::free_below(Node* node, uint32_t height) {
  if (height == 0) {
    free_leaf(static_cast<Leaf*>(node));
    return;
  }
  auto* inner = static_cast<Inner*>(node);
  for (uint32_t i = 0; i < inner->count; ++i) free_below(inner->children[i], height - 1);
  free_inner(inner);
}

// The leaf that holds this element, or would. At each level: the last child whose first element is
// not behind it, or the first child.
ScoreTree::Leaf* ScoreTree::descend(double score, std::string_view member, Path* path) const {
  Node* node = root_;
  for (uint32_t level = height_; level-- > 0;) {
    auto* inner = static_cast<Inner*>(node);
    const uint32_t behind = partition_point(inner->count, [&](uint32_t i) {
      if (inner->scores[i] != score) return inner->scores[i] < score;
      return inner->lows[i]->member() <= member;
    });
    const uint32_t child = behind == 0 ? 0 : behind - 1;
    (*path)[level] = {inner, child};
    node = inner->children[child];
  }
  return static_cast<Leaf*>(node);
}

std::pair<ScoreTree::Leaf*, uint32_t> ScoreTree::descend_to(size_t rank, Path* path) const {
  assert(rank < size_);
  Node* node = root_;
  for (uint32_t level = height_; level-- > 0;) {
    auto* inner = static_cast<Inner*>(node);
    uint32_t child = 0;
    while (rank >= inner->counts[child]) rank -= inner->counts[child++];
    (*path)[level] = {inner, child};
    node = inner->children[child];
  }
  return {static_cast<Leaf*>(node), static_cast<uint32_t>(rank)};
}

uint32_t ScoreTree::lower_bound(const Leaf& leaf, double score, std::string_view member) {
  return partition_point(leaf.count,
                         [&](uint32_t i) { return in_order(*leaf.items[i], score, member); });
}

ScoreTree::Cursor ScoreTree::at(size_t rank) const {
  Path path;
  const auto [leaf, index] = descend_to(rank, &path);
  return {leaf, index};
}

// Of a child of an inner node at `level`.
const SortedSetElement* ScoreTree::first_of(const Node* node, uint32_t level) const {
  return level == 0 ? static_cast<const Leaf*>(node)->items[0]
                    : static_cast<const Inner*>(node)->lows[0];
}

size_t ScoreTree::count_of(const Node* node, uint32_t level) const {
  if (level == 0) return node->count;
  const auto* inner = static_cast<const Inner*>(node);
  size_t count = 0;
  for (uint32_t i = 0; i < inner->count; ++i) count += inner->counts[i];
  return count;
}

// Makes what a node at `level` knows of a child true again.
void ScoreTree::refresh(Inner* parent, uint32_t index, uint32_t level) {
  const Node* child = parent->children[index];
  parent->lows[index] = first_of(child, level);
  parent->scores[index] = parent->lows[index]->score();
  parent->counts[index] = count_of(child, level);
}

// As memmove; the counts of the nodes are the caller's.
void ScoreTree::move_children(Inner* to, uint32_t at, const Inner* from, uint32_t first,
                              uint32_t count) {
  move_items(to->scores + at, from->scores + first, count);
  move_items(to->lows + at, from->lows + first, count);
  move_items(to->counts + at, from->counts + first, count);
  move_items(to->children + at, from->children + first, count);
}

void ScoreTree::insert(SortedSetElement* element) {
  if (root_ == nullptr) root_ = new_leaf();
  Path path;
  Leaf* leaf = descend(element->score(), element->member(), &path);
  uint32_t index = lower_bound(*leaf, element->score(), element->member());
  ++size_;
  bool is_first = index == 0;
  for (uint32_t level = 0; level < height_; ++level) {
    const auto [node, child] = path[level];
    ++node->counts[child];
    if (is_first) {
      node->lows[child] = element;
      node->scores[child] = element->score();
    }
    is_first = is_first && child == 0;
  }
  Leaf* right = nullptr;
  Place place = Place::kMiddle;
  if (leaf->count == kLeafItems) {
    if (leaf->next == nullptr && index == leaf->count) {
      place = Place::kLast;
    } else if (leaf->previous == nullptr && index == 0) {
      place = Place::kFirst;
    }
    right = split_leaf(leaf, place);
  }
  Leaf* target = leaf;
  if (index > leaf->count || place == Place::kLast) {
    index -= leaf->count;
    target = right;
  }
  move_items(target->items + index + 1, target->items + index, target->count - index);
  target->items[index] = element;
  ++target->count;
  if (right != nullptr) insert_child(path, 0, right, place);
}

// Moves the second part of a full leaf to a new one behind it, which is returned.
ScoreTree::Leaf* ScoreTree::split_leaf(Leaf* leaf, Place place) {
  uint32_t kept = leaf->count / 2;
  if (place == Place::kFirst) kept = 0;
  if (place == Place::kLast) kept = leaf->count;
  Leaf* right = new_leaf();
  right->count = leaf->count - kept;
  move_items(right->items, leaf->items + kept, right->count);
  leaf->count = kept;
  right->previous = leaf;
  right->next = leaf->next;
  if (right->next != nullptr) right->next->previous = right;
  leaf->next = right;
  return right;
}

// Adds a child to the path's node at `level`, right behind the path's child, part of which it was.
void ScoreTree::insert_child(const Path& path, uint32_t level, Node* child, Place place) {
  if (level == height_) {
    assert(height_ < kMaxHeight);
    Inner* root = new_inner();
    root->count = 2;
    root->children[0] = root_;
    root->children[1] = child;
    refresh(root, 0, level);
    refresh(root, 1, level);
    root_ = root;
    ++height_;
    return;
  }
  Inner* node = path[level].node;
  uint32_t at = path[level].index + 1;
  refresh(node, at - 1, level);
  Inner* right = nullptr;
  Inner* target = node;
  if (node->count == kInnerChildren) {
    // No node but the root ever has a single child, so that each has a neighbour.
    uint32_t kept = node->count / 2;
    if (place == Place::kFirst) kept = 1;
    if (place == Place::kLast) kept = node->count - 1;
    right = new_inner();
    right->count = node->count - kept;
    move_children(right, 0, node, kept, right->count);
    node->count = kept;
    if (at > kept) {
      at -= kept;
      target = right;
    }
  }
  move_children(target, at + 1, target, at, target->count - at);
  ++target->count;
  target->children[at] = child;
  refresh(target, at, level);
  if (right != nullptr) insert_child(path, level + 1, right, place);
}

void ScoreTree::erase(const SortedSetElement* element) {
  Path path;
  Leaf* leaf = descend(element->score(), element->member(), &path);
  const uint32_t index = lower_bound(*leaf, element->score(), element->member());
  assert(leaf->items[index] == element);
  remove(path, leaf, index, 1);
}

void ScoreTree::set_score(SortedSetElement* element, double score) {
  Path path;
  const std::string_view member = element->member();
  Leaf* leaf = descend(element->score(), member, &path);
  const uint32_t index = lower_bound(*leaf, element->score(), member);
  assert(leaf->items[index] == element);
  const SortedSetElement* before = nullptr;
  const SortedSetElement* after = nullptr;
  if (index > 0) {
    before = leaf->items[index - 1];
  } else if (leaf->previous != nullptr) {
    before = leaf->previous->items[leaf->previous->count - 1];
  }
  if (index + 1 < leaf->count) {
    after = leaf->items[index + 1];
  } else if (leaf->next != nullptr) {
    after = leaf->next->items[0];
  }
  const bool stays = (before == nullptr || in_order(*before, score, member)) &&
                     (after == nullptr || in_order(score, member, *after));
  if (!stays) {
    remove(path, leaf, index, 1);
    element->set_score(score);
    insert(element);
    return;
  }
  element->set_score(score);
  bool is_first = index == 0;
  for (uint32_t level = 0; level < height_ && is_first; ++level) {
    path[level].node->scores[path[level].index] = score;
    is_first = path[level].index == 0;
  }
}

// Takes some elements out of a leaf that `path` leads to.
void ScoreTree::remove(const Path& path, Leaf* leaf, uint32_t index, uint32_t count) {
  move_items(leaf->items + index, leaf->items + index + count, leaf->count - index - count);
  leaf->count -= count;
  size_ -= count;
  bool is_first = index == 0;
  bool is_small = leaf->count < too_small(kLeafItems);
  for (uint32_t level = 0; level < height_; ++level) {
    const auto [node, child] = path[level];
    node->counts[child] -= count;
    if (is_small) {
      repair(node, child, level);
    } else if (is_first) {
      node->lows[child] = first_of(node->children[child], level);
      node->scores[child] = node->lows[child]->score();
    }
    is_first = is_first && child == 0;
    is_small = node->count < too_small(kInnerChildren);
  }
  collapse_root();
}

// Fills a child that has become small from a neighbour, or makes one of the two.
void ScoreTree::repair(Inner* parent, uint32_t index, uint32_t level) {
  if (parent->count < 2) return;
  const uint32_t left = index == 0 ? 0 : index - 1;
  const uint32_t right = left + 1;
  Node* left_child = parent->children[left];
  Node* right_child = parent->children[right];
  const bool merged =
      level == 0
          ? merge_or_share(static_cast<Leaf*>(left_child), static_cast<Leaf*>(right_child))
          : merge_or_share(static_cast<Inner*>(left_child), static_cast<Inner*>(right_child));
  if (merged) {
    move_children(parent, right, parent, right + 1, parent->count - right - 1);
    --parent->count;
  } else {
    refresh(parent, right, level);
  }
  refresh(parent, left, level);
}

// Whether the right one is gone: all it had is in the left one.
bool ScoreTree::merge_or_share(Leaf* left, Leaf* right) {
  const uint32_t total = left->count + right->count;
  if (total <= merged_size(kLeafItems)) {
    move_items(left->items + left->count, right->items, right->count);
    left->count = total;
    left->next = right->next;
    if (left->next != nullptr) left->next->previous = left;
    free_leaf(right);
    return true;
  }
  const uint32_t kept = total / 2;
  if (left->count > kept) {
    const uint32_t moved = left->count - kept;
    move_items(right->items + moved, right->items, right->count);
    move_items(right->items, left->items + kept, moved);
  } else {
    const uint32_t moved = kept - left->count;
    move_items(left->items + left->count, right->items, moved);
    move_items(right->items, right->items + moved, right->count - moved);
  }
  left->count = kept;
  right->count = total - kept;
  return false;
}

bool ScoreTree::merge_or_share(Inner* left, Inner* right) {
  const uint32_t total = left->count + right->count;
  if (total <= merged_size(kInnerChildren)) {
    move_children(left, left->count, right, 0, right->count);
    left->count = total;
    free_inner(right);
    return true;
  }
  const uint32_t kept = total / 2;
  if (left->count > kept) {
    const uint32_t moved = left->count - kept;
    move_children(right, moved, right, 0, right->count);
    move_children(right, 0, left, kept, moved);
  } else {
    const uint32_t moved = kept - left->count;
    move_children(left, left->count, right, 0, moved);
    move_children(right, 0, right, moved, right->count - moved);
  }
  left->count = kept;
  right->count = total - kept;
  return false;
}

void ScoreTree::collapse_root() {
  while (height_ > 0 && root_->count == 1) {
    auto* old = static_cast<Inner*>(root_);
    root_ = old->children[0];
    --height_;
    free_inner(old);
  }
  if (height_ == 0 && root_->count == 0) {
    free_leaf(static_cast<Leaf*>(root_));
    root_ = nullptr;
  }
}

}  // namespace tandem
