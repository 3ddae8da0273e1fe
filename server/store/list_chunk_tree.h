#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "server/store/list_chunk.h"

namespace tandem {

// A sequence of chunks in a B+ tree whose nodes count the elements below them, so that the chunk
// that holds the element at an index is found, and chunks come and go anywhere, in O(log n). Owns
// its chunks; none is empty.
//
// Indexes count elements of the whole tree. "A boundary" is an index where a chunk begins, or
// elements().
class ListChunkTree {
 public:
  ListChunkTree() = default;
  ListChunkTree(ListChunkTree&& other) noexcept
      : root_(std::exchange(other.root_, nullptr)), elements_(std::exchange(other.elements_, 0)) {}
  ListChunkTree& operator=(ListChunkTree&& other) noexcept {
    std::swap(root_, other.root_);
    std::swap(elements_, other.elements_);
    return *this;
  }
  ~ListChunkTree() { destroy(root_); }

  bool empty() const { return root_ == nullptr; }
  size_t elements() const { return elements_; }
  size_t chunks() const { return root_ == nullptr ? 0 : root_->chunks; }
  // Allocated bytes, the chunks' apart.
  size_t memory_usage() const { return memory_usage(root_); }

  struct Place {
    ListChunk* chunk = nullptr;
    size_t first = 0;  // index of the chunk's first element
  };
  // `index` < elements().
  Place find(size_t index) const;

  void insert(size_t boundary, ListChunk* chunk);
  void push(ListEnd end, ListChunk* chunk) { insert(end == ListEnd::kHead ? 0 : elements_, chunk); }
  // The chunk that begins at `first`, which is the caller's then. It may have been emptied.
  ListChunk* remove(size_t first);
  // The tree is not empty.
  ListChunk* pop(ListEnd end) {
    return remove(end == ListEnd::kHead ? 0 : find(elements_ - 1).first);
  }
  // Notes that the chunk that began at `first` has been edited: where it is now. It is not empty.
  void update(size_t first, ListChunk* chunk);
  // A tree of all chunks from a boundary on, which leave this one.
  ListChunkTree split(size_t boundary);

  // Calls visit(chunk, offset) for the chunk that holds the element at `index`, with where that is
  // in it, then with 0 for all behind it, until it returns false; tells whether it never did.
  template <typename Visit>
  bool visit(size_t index, Visit&& visit) const {
    return index >= elements_ || visit_from(root_, index, visit);
  }
  // As visit(), towards the head; the offset is that of the last element for the chunks in front.
  template <typename Visit>
  bool visit_back(size_t index, Visit&& visit) const {
    return root_ == nullptr || visit_back_from(root_, index, visit);
  }

 private:
  // Makes a node fill one of the allocator's size classes.
  static constexpr size_t kFanout = 30;

  struct Node {
    uint32_t size = 0;   // children
    uint32_t level = 0;  // 0: the children are chunks
    size_t chunks = 0;   // below this node
    std::array<size_t, kFanout> counts;
    std::array<void*, kFanout> children;

    Node* node(size_t slot) const { return static_cast<Node*>(children[slot]); }
    ListChunk* chunk(size_t slot) const { return static_cast<ListChunk*>(children[slot]); }
    size_t elements() const;
    size_t chunks_in(size_t slot) const { return level == 0 ? 1 : node(slot)->chunks; }
    // The child that holds the element at *index, from which the elements before it are taken.
    size_t descend(size_t* index) const;
    void open(size_t slot, size_t count, void* child);
    void close(size_t slot);
    // Moves the children from `slot` on to the end of another node of this level.
    void move_tail(size_t slot, Node* to);
  };

  static void destroy(Node* node);
  static size_t memory_usage(const Node* node);
  static Node* insert_below(Node* node, size_t boundary, ListChunk* chunk);
  static Node* add_child(Node* node, size_t slot, size_t count, void* child);
  static ListChunk* remove_below(Node* node, size_t first, size_t* count);
  static void merge_child(Node* node, size_t slot);
  static Node* split_node(Node* node, size_t boundary);
  static Node* lower_root(Node* root);

  template <typename Visit>
  static bool visit_from(const Node* node, size_t index, Visit& visit) {
    for (size_t slot = node->descend(&index); slot < node->size; ++slot, index = 0) {
      const bool go_on = node->level == 0 ? visit(*node->chunk(slot), index)
                                          : visit_from(node->node(slot), index, visit);
      if (!go_on) return false;
    }
    return true;
  }
  template <typename Visit>
  static bool visit_back_from(const Node* node, size_t index, Visit& visit) {
    for (size_t slot = node->descend(&index) + 1; slot-- > 0;) {
      const bool go_on = node->level == 0 ? visit(*node->chunk(slot), index)
                                          : visit_back_from(node->node(slot), index, visit);
      if (!go_on) return false;
      if (slot > 0) index = node->counts[slot - 1] - 1;
    }
    return true;
  }

  Node* root_ = nullptr;
  size_t elements_ = 0;
};

}  // namespace tandem
