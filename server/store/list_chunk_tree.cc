#include "server/store/list_chunk_tree.h"

#include <malloc.h>

#include <algorithm>
#include <cassert>

namespace tandem {

size_t ListChunkTree::Node::elements() const {
  size_t sum = 0;
  for (size_t slot = 0; slot < size; ++slot) sum += counts[slot];
  return sum;
}

size_t ListChunkTree::Node::descend(size_t* index) const {
  size_t slot = 0;
  while (*index >= counts[slot]) *index -= counts[slot++];
  assert(slot < size);
  return slot;
}

// Puts a child in front of the one at `slot`. There is room.
void ListChunkTree::Node::open(size_t slot, size_t count, void* child) {
  std::copy_backward(counts.begin() + slot, counts.begin() + size, counts.begin() + size + 1);
  std::copy_backward(children.begin() + slot, children.begin() + size, children.begin() + size + 1);
  counts[slot] = count;
  children[slot] = child;
  ++size;
}

void ListChunkTree::Node::close(size_t slot) {
  std::copy(counts.begin() + slot + 1, counts.begin() + size, counts.begin() + slot);
  std::copy(children.begin() + slot + 1, children.begin() + size, children.begin() + slot);
  --size;
}

void ListChunkTree::Node::move_tail(size_t slot, Node* to) {
  size_t moved = 0;
  for (size_t i = slot; i < size; ++i) moved += chunks_in(i);
  std::copy(counts.begin() + slot, counts.begin() + size, to->counts.begin() + to->size);
  std::copy(children.begin() + slot, children.begin() + size, to->children.begin() + to->size);
  to->size += static_cast<uint32_t>(size - slot);
  size = static_cast<uint32_t>(slot);
  to->chunks += moved;
  chunks -= moved;
}

void ListChunkTree::destroy(Node* node) {
  if (node == nullptr) return;
  for (size_t slot = 0; slot < node->size; ++slot) {
    if (node->level == 0) {
      ListChunk::destroy(node->chunk(slot));
    } else {
      destroy(node->node(slot));
    }
  }
  delete node;
}

// Nodes are all of one size. How many a large tree has, its middle tells; the leaves are counted
// where their parents are.
size_t ListChunkTree::memory_usage(const Node* node) {
  if (node == nullptr) return 0;
  const size_t bytes = malloc_usable_size(const_cast<Node*>(node));
  if (node->level == 0) return bytes;
  if (node->level == 1) return bytes * (1 + node->size);
  return bytes + node->size * memory_usage(node->node(node->size / 2));
}

ListChunkTree::Place ListChunkTree::find(size_t index) const {
  const size_t at = index;
  const Node* node = root_;
  for (;;) {
    const size_t slot = node->descend(&index);
    if (node->level == 0) return {node->chunk(slot), at - index};
    node = node->node(slot);
  }
}

void ListChunkTree::insert(size_t boundary, ListChunk* chunk) {
  assert(boundary <= elements_ && chunk->count() > 0);
  elements_ += chunk->count();
  if (root_ == nullptr) root_ = new Node;
  Node* right = insert_below(root_, boundary, chunk);
  if (right == nullptr) return;
  Node* root = new Node;
  root->level = root_->level + 1;
  root->chunks = root_->chunks + right->chunks;
  root->open(0, root_->elements(), root_);
  root->open(1, right->elements(), right);
  root_ = root;
}

// Returns what the node has split off on its right to make room, or null.
ListChunkTree::Node* ListChunkTree::insert_below(Node* node, size_t boundary, ListChunk* chunk) {
  // A boundary between two children is the end of the first.
  size_t slot = 0;
  while (slot < node->size && boundary > node->counts[slot]) boundary -= node->counts[slot++];
  if (node->level == 0) {
    return add_child(node, boundary == 0 ? slot : slot + 1, chunk->count(), chunk);
  }
  Node* child = node->node(slot);
  Node* right = insert_below(child, boundary, chunk);
  node->counts[slot] += chunk->count();
  ++node->chunks;
  if (right == nullptr) return nullptr;
  const size_t moved = right->elements();
  node->counts[slot] -= moved;
  node->chunks -= right->chunks;
  return add_child(node, slot + 1, moved, right);
}

// Returns what a full node has split off, or null. Adding at the ends leaves full nodes behind, as
// lists grow there.
ListChunkTree::Node* ListChunkTree::add_child(Node* node, size_t slot, size_t count, void* child) {
  Node* right = nullptr;
  Node* target = node;
  if (node->size == kFanout) {
    right = new Node;
    right->level = node->level;
    const size_t kept = slot == 0 || slot == kFanout ? slot : kFanout / 2;
    node->move_tail(kept, right);
    if (slot > kept || slot == kFanout) {
      target = right;
      slot -= kept;
    }
  }
  target->open(slot, count, child);
  target->chunks += target->chunks_in(slot);
  return right;
}

ListChunk* ListChunkTree::remove(size_t first) {
  size_t count = 0;
  ListChunk* chunk = remove_below(root_, first, &count);
  elements_ -= count;
  root_ = lower_root(root_);
  return chunk;
}

// Sets *count to the elements that the chunk had when it was last seen here.
ListChunk* ListChunkTree::remove_below(Node* node, size_t first, size_t* count) {
  const size_t slot = node->descend(&first);
  --node->chunks;
  if (node->level == 0) {
    assert(first == 0);
    ListChunk* chunk = node->chunk(slot);
    *count = node->counts[slot];
    node->close(slot);
    return chunk;
  }
  ListChunk* chunk = remove_below(node->node(slot), first, count);
  node->counts[slot] -= *count;
  merge_child(node, slot);
  return chunk;
}

// Removes an empty child, and joins one that has become small with a neighbour when they fit into
// one node with some room.
void ListChunkTree::merge_child(Node* node, size_t slot) {
  constexpr uint32_t kFew = kFanout / 4;
  Node* child = node->node(slot);
  if (child->size == 0) {
    delete child;
    node->close(slot);
    return;
  }
  if (child->size > kFew || node->size == 1) return;
  const size_t left_slot = slot > 0 ? slot - 1 : slot;
  Node* left = node->node(left_slot);
  Node* right = node->node(left_slot + 1);
  if (left->size + right->size > kFanout - kFew) return;
  right->move_tail(0, left);
  node->counts[left_slot] += node->counts[left_slot + 1];
  delete right;
  node->close(left_slot + 1);
}

ListChunkTree::Node* ListChunkTree::lower_root(Node* root) {
  while (root->level > 0 && root->size == 1) {
    Node* child = root->node(0);
    delete root;
    root = child;
  }
  if (root->size > 0) return root;
  delete root;
  return nullptr;
}

void ListChunkTree::update(size_t first, ListChunk* chunk) {
  assert(chunk->count() > 0);
  // The sums above follow from what the leaf has counted for the chunk.
  size_t at = first;
  Node* node = root_;
  while (node->level > 0) node = node->node(node->descend(&at));
  const size_t slot = node->descend(&at);
  const size_t delta = chunk->count() - node->counts[slot];  // may wrap around, as the sums do then
  node->children[slot] = chunk;
  if (delta == 0) return;
  elements_ += delta;
  at = first;
  for (Node* above = root_; above != node;) {
    const size_t below = above->descend(&at);
    above->counts[below] += delta;
    above = above->node(below);
  }
  node->counts[slot] += delta;
}

ListChunkTree ListChunkTree::split(size_t boundary) {
  ListChunkTree right;
  if (boundary == 0) {
    right = std::move(*this);
  } else if (boundary < elements_) {
    right.elements_ = elements_ - boundary;
    elements_ = boundary;
    right.root_ = lower_root(split_node(root_, boundary));
    root_ = lower_root(root_);
  }
  return right;
}

// 0 < boundary < the node's elements: neither side gets empty.
ListChunkTree::Node* ListChunkTree::split_node(Node* node, size_t boundary) {
  size_t within = boundary;
  size_t slot = node->descend(&within);
  Node* right = new Node;
  right->level = node->level;
  if (within > 0) {
    assert(node->level > 0);
    const size_t whole = node->counts[slot];
    const size_t whole_chunks = node->node(slot)->chunks;
    Node* child = split_node(node->node(slot), within);
    node->counts[slot] = within;
    node->chunks -= whole_chunks - node->node(slot)->chunks;
    right->open(0, whole - within, child);
    right->chunks = child->chunks;
    ++slot;
  }
  node->move_tail(slot, right);
  return right;
}

}  // namespace tandem
