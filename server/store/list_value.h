#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "server/base/settings.h"
#include "server/store/list_chunk.h"
#include "server/store/list_chunk_tree.h"
#include "server/store/value.h"

namespace tandem {

// How large a listpack of a list may get, from list-max-listpack-size.
struct ListLimits {
  // Positive: entries. -1 to -5: 4, 8, 16, 32, 64 KiB.
  explicit ListLimits(int64_t list_max_listpack_size);
  ListLimits() : ListLimits(-2) {}

  bool exceeded_by(size_t bytes, size_t entries) const {
    return bytes > max_bytes || entries > max_entries;
  }
  // Bytes of entries that one chunk of a quicklist may hold; the block has a fixed part too.
  size_t chunk_bytes() const { return max_bytes - ListChunk::kOverhead; }

  size_t max_bytes;
  size_t max_entries;
  bool by_entries;
};

ListLimits list_limits(const Settings& settings);

// The value of a list key. A small one is a single chunk of packed elements; a larger one, which
// answers "quicklist", is a first and a last chunk, where lists grow and shrink, and a tree of all
// chunks between them, which finds an index in logarithmic time.
//
// Elements that are returned or passed to a visitor are views, valid until the list changes. What
// is passed in must not lie in the list. An index is < size() where nothing else is said.
class ListValue final : public Value {
 public:
  using Element = Listpack::Entry;

  ListValue() = default;
  ListValue(const ListValue&) = delete;
  ListValue& operator=(const ListValue&) = delete;
  ~ListValue() override;

  ValueType type() const override { return ValueType::kList; }
  std::string_view encoding_name() const override { return quicklist_ ? "quicklist" : "listpack"; }
  size_t size() const override { return size_; }
  size_t memory_usage() const override;
  std::unique_ptr<Value> clone() const override;
  size_t free_effort() const override { return chunks(); }
  // How many listpacks and large elements it is made of.
  size_t chunks() const {
    return (head_ != nullptr ? 1 : 0) + (tail_ != nullptr ? 1 : 0) + middle_.chunks();
  }

  // To be called before elements are added or one is replaced: becomes a quicklist when `bytes` of
  // text in `elements` elements more would pass the limits.
  void prepare(size_t bytes, size_t elements, const ListLimits& limits);
  // To be called when elements have been removed or one was replaced: a quicklist that is down to
  // half the limits becomes a listpack again.
  void shrink(const ListLimits& limits);

  void push(ListEnd end, std::string_view text, const ListLimits& limits);
  // The list is not empty.
  Element peek(ListEnd end) const {
    return end == ListEnd::kHead ? head_->front() : last_chunk()->back();
  }
  void pop(ListEnd end);

  Element at(size_t index) const;
  void set(size_t index, std::string_view text, const ListLimits& limits);
  // In front of the element at `index`; behind all for size().
  void insert(size_t index, std::string_view text, const ListLimits& limits);
  // Removes up to `limit` elements that match, the ones nearest to that end; returns how many.
  size_t erase_matching(const ListNeedle& needle, ListEnd from, size_t limit);
  // Removes `count` elements, fewer than there are, at one end. Whole chunks among them are not
  // freed but returned, for the caller to free where that disturbs nobody; null when there are
  // none.
  std::unique_ptr<Value> trim(ListEnd end, size_t count);

  // Calls visit(element) for `count` elements from `first` on, of which there are as many, until it
  // returns false; tells whether it never did. The list must not change meanwhile.
  template <typename Visit>
  bool visit(size_t first, size_t count, Visit&& visit) const {
    bool wanted = true;
    if (count == 0) return wanted;
    visit_chunks(first, [&](const ListChunk& chunk, size_t offset) {
      const size_t here = std::min(count, chunk.count() - offset);
      count -= here;
      wanted = chunk.visit(offset, here, visit);
      return wanted && count > 0;
    });
    return wanted;
  }
  template <typename Visit>
  bool visit(Visit&& visit) const {
    return this->visit(0, size_, visit);
  }
  // As visit(), from `last` towards the head.
  template <typename Visit>
  bool visit_back(size_t last, size_t count, Visit&& visit) const {
    bool wanted = true;
    if (count == 0) return wanted;
    visit_chunks_back(last, [&](const ListChunk& chunk, size_t offset) {
      const size_t here = std::min(count, offset + 1);
      count -= here;
      wanted = chunk.visit_back(offset, here, visit);
      return wanted && count > 0;
    });
    return wanted;
  }
  // Calls visit(chunk) for each chunk.
  template <typename Visit>
  void for_each_chunk(Visit&& visit) const {
    if (size_ == 0) return;
    visit_chunks(0, [&visit](const ListChunk& chunk, size_t) {
      visit(chunk);
      return true;
    });
  }

  // For a loader: adds elements at the tail without asking whether the list should become a
  // quicklist; at the end finish_loading() decides what it is. The packed ones are those of a
  // listpack that Listpack::check() has accepted.
  void load(std::string_view text, const ListLimits& limits);
  void load_packed(std::string_view listpack, const ListLimits& limits);
  void finish_loading(const ListLimits& limits);

 private:
  // A chunk and where it begins.
  using Place = ListChunkTree::Place;

  const ListChunk* last_chunk() const { return tail_ != nullptr ? tail_ : head_; }
  size_t tail_first() const { return size_ - tail_->count(); }
  Place find(size_t index) const;
  size_t packed_limit(const ListLimits& limits) const {
    return quicklist_ ? limits.chunk_bytes() : ListChunk::kNoLimit;
  }
  bool has_room(const ListChunk& chunk, const ListLimits& limits) const {
    return !chunk.plain() && (!quicklist_ || chunk.count() < limits.max_entries);
  }
  ListChunk* make_chunk(std::string_view text, const Listpack::Item& item,
                        const ListLimits& limits) const;
  void link(size_t boundary, ListChunk* chunk);
  void unlink(size_t first, size_t count);
  void edited(const Place& place, size_t old_count, ListChunk* chunk);
  void erase(size_t index, size_t count);
  void split(size_t index);
  std::unique_ptr<ListValue> cut(size_t boundary);
  void swap(ListValue& other);

  // visit(chunk, offset) from the element at `first` on until it returns false.
  template <typename Visit>
  void visit_chunks(size_t first, Visit&& visit) const {
    if (first < head_->count()) {
      if (!visit(*head_, first)) return;
      first = 0;
    } else {
      first -= head_->count();
    }
    if (!middle_.visit(first, visit) || tail_ == nullptr) return;
    visit(*tail_, first > middle_.elements() ? first - middle_.elements() : 0);
  }
  template <typename Visit>
  void visit_chunks_back(size_t last, Visit&& visit) const {
    if (tail_ != nullptr && last >= tail_first()) {
      if (!visit(*tail_, last - tail_first())) return;
      last = tail_first() - 1;
    }
    if (last >= head_->count()) {
      if (!middle_.visit_back(last - head_->count(), visit)) return;
      last = head_->count() - 1;
    }
    visit(*head_, last);
  }

  // Elements at both ends are added and taken without looking at the tree. head_ is null when the
  // list is empty, and tail_ when there is one chunk; the tree is empty then.
  ListChunk* head_ = nullptr;
  ListChunk* tail_ = nullptr;
  ListChunkTree middle_;
  size_t size_ = 0;
  bool quicklist_ = false;  // otherwise there is one chunk, and it is packed
};

}  // namespace tandem
