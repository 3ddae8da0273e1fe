#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/store/listpack.h"

namespace tandem {

enum class ListEnd : uint8_t { kHead, kTail };

// A text that elements are compared with; parsed once, since an element that is an integer is
// stored as one.
class ListNeedle {
 public:
  explicit ListNeedle(std::string_view text) : text_(text), integer_(parse_int64(text)) {}
  bool matches(const Listpack::Entry& element) const {
    return element.is_integer() ? integer_ == element.integer() : element.string() == text_;
  }

 private:
  std::string_view text_;
  std::optional<int64_t> integer_;
};

// A run of a list's elements in one block. Packed: as entries of a listpack, with room that may be
// at either end, so that adding or taking one there moves nothing else. Plain: one element, too
// large to be packed.
//
// Made, moved and freed through static functions like a node of a C container: an edit that
// returns a chunk may have moved it. Offsets of elements count from 0 at the head.
class ListChunk {
 public:
  using Entry = Listpack::Entry;
  using Item = Listpack::Item;

  static constexpr size_t kNoLimit = Listpack::kMaxBytes;

  // The fixed part of the block.
  static constexpr size_t kOverhead = 16;

  // Empty and packed, with room for `bytes` of entries.
  static ListChunk* create(size_t bytes);
  // Packed, from bytes that Listpack::check() has accepted, without header and end mark.
  static ListChunk* create_packed(std::string_view entries, size_t count);
  static ListChunk* create_plain(std::string_view element);
  static ListChunk* clone(const ListChunk* chunk);
  static void destroy(ListChunk* chunk);

  bool plain() const { return capacity_ == 0; }
  size_t count() const { return count_; }
  // Bytes of the entries, or of the plain element.
  std::string_view bytes() const {
    const char* start = reinterpret_cast<const char*>(data());
    if (plain()) return {start, size_t{begin_} << 32 | end_};
    return {start + begin_, end_ - begin_};
  }
  size_t memory_usage() const;

  // The element at `offset` < count(): a view into the chunk.
  Entry get(size_t offset) const {
    return plain() ? Entry(bytes()) : Listpack::entry_at(at(offset));
  }
  Entry front() const { return plain() ? Entry(bytes()) : Listpack::entry_at(data() + begin_); }
  Entry back() const {
    return plain() ? Entry(bytes()) : Listpack::entry_at(Listpack::entry_before(data() + end_));
  }

  // Calls visit(element) for up to `count` elements from `offset` on, until it returns false; tells
  // whether it never did.
  template <typename Visit>
  bool visit(size_t offset, size_t count, Visit&& visit) const {
    if (plain()) return offset != 0 || count == 0 || visit(Entry(bytes()));
    const uint8_t* const end = data() + end_;
    for (const uint8_t* p = at(offset); p != end && count > 0; --count) {
      // Before the visit, to have both reads of the head in one place.
      const uint8_t* const following = p + Listpack::span_at(p);
      if (!visit(Listpack::entry_at(p))) return false;
      p = following;
    }
    return true;
  }
  // As visit(), towards the head: the first element visited is the one at `offset`.
  template <typename Visit>
  bool visit_back(size_t offset, size_t count, Visit&& visit) const {
    if (plain()) return count == 0 || visit(Entry(bytes()));
    const uint8_t* const begin = data() + begin_;
    for (const uint8_t* p = at(offset); count > 0; --count) {
      if (!visit(Listpack::entry_at(p))) return false;
      if (p == begin) break;
      p = Listpack::entry_before(p);
    }
    return true;
  }

  // Adds an element to a packed chunk at one end, or before the one at `offset` (count(): behind
  // all). Null, with nothing changed, when the entries would take more than `max_bytes`. The room
  // beyond them is what the allocator gives.
  static ListChunk* push(ListChunk* chunk, ListEnd end, const Item& item, size_t max_bytes);
  static ListChunk* insert(ListChunk* chunk, size_t offset, const Item& item, size_t max_bytes);
  // Replaces the element at `offset` of a packed chunk; null as above.
  static ListChunk* replace(ListChunk* chunk, size_t offset, const Item& item, size_t max_bytes);

  // Removes `count` elements from `offset` on; there are as many. The chunk may end up empty.
  static ListChunk* erase(ListChunk* chunk, size_t offset, size_t count);
  // Removes up to `limit` elements that match, the first ones in the direction away from `from`,
  // and adds how many to *erased.
  static ListChunk* erase_matching(ListChunk* chunk, const ListNeedle& needle, ListEnd from,
                                   size_t limit, size_t* erased);
  // Makes a chunk of the elements from `offset` on, which leave this one. 0 < offset < count().
  static ListChunk* split(ListChunk** chunk, size_t offset);

 private:
  uint8_t* data() { return reinterpret_cast<uint8_t*>(this) + kOverhead; }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(this) + kOverhead; }
  const uint8_t* at(size_t offset) const;
  static ListChunk* allocate(size_t bytes);
  static ListChunk* reallocate(ListChunk* chunk, size_t bytes, ListEnd room_at);
  static ListChunk* trim(ListChunk* chunk);
  static ListChunk* make_room(ListChunk* chunk, size_t bytes, ListEnd end, size_t max_bytes);
  void erase_bytes(uint32_t from, uint32_t to);

  uint32_t capacity_;  // of data(); 0: plain
  uint32_t count_;
  // Where the entries lie in data(). Of a plain chunk the two halves of its size, the high one
  // first.
  uint32_t begin_, end_;
};

}  // namespace tandem
