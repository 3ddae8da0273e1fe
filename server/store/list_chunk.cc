#include "server/store/list_chunk.h"

#include <malloc.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tandem {

static_assert(sizeof(ListChunk) == ListChunk::kOverhead);

ListChunk* ListChunk::allocate(size_t bytes) {
  void* memory = std::malloc(kOverhead + bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<ListChunk*>(memory);
}

ListChunk* ListChunk::create(size_t bytes) {
  // A capacity of zero would mean plain.
  ListChunk* chunk = allocate(std::max<size_t>(bytes, 1));
  chunk->capacity_ = static_cast<uint32_t>(std::min<size_t>(
      malloc_usable_size(chunk) - kOverhead, kNoLimit + Listpack::kMaxEntryOverhead));
  chunk->count_ = chunk->begin_ = chunk->end_ = 0;
  return chunk;
}

ListChunk* ListChunk::create_packed(std::string_view entries, size_t count) {
  assert(entries.size() <= kNoLimit);
  ListChunk* chunk = create(entries.size());
  std::memcpy(chunk->data(), entries.data(), entries.size());
  chunk->end_ = static_cast<uint32_t>(entries.size());
  chunk->count_ = static_cast<uint32_t>(count);
  return chunk;
}

ListChunk* ListChunk::create_plain(std::string_view element) {
  ListChunk* chunk = allocate(element.size());
  if (!element.empty()) std::memcpy(chunk->data(), element.data(), element.size());
  chunk->capacity_ = 0;
  chunk->count_ = 1;
  chunk->begin_ = static_cast<uint32_t>(uint64_t{element.size()} >> 32);
  chunk->end_ = static_cast<uint32_t>(element.size());
  return chunk;
}

ListChunk* ListChunk::clone(const ListChunk* chunk) {
  return chunk->plain() ? create_plain(chunk->bytes())
                        : create_packed(chunk->bytes(), chunk->count_);
}

void ListChunk::destroy(ListChunk* chunk) { std::free(chunk); }

size_t ListChunk::memory_usage() const { return malloc_usable_size(const_cast<ListChunk*>(this)); }

// The entry at `offset`, or the end of the entries for count(). Walks from the nearer end.
const uint8_t* ListChunk::at(size_t offset) const {
  if (offset <= count_ / 2) {
    const uint8_t* p = data() + begin_;
    for (; offset > 0; --offset) p += Listpack::span_at(p);
    return p;
  }
  const uint8_t* p = data() + end_;
  for (size_t back = count_ - offset; back > 0; --back) p = Listpack::entry_before(p);
  return p;
}

// Moves the entries to a block for `bytes` of them, with the room at one end.
ListChunk* ListChunk::reallocate(ListChunk* chunk, size_t bytes, ListEnd room_at) {
  const uint32_t used = chunk->end_ - chunk->begin_;
  ListChunk* moved = create(bytes);
  moved->count_ = chunk->count_;
  moved->begin_ = room_at == ListEnd::kHead ? moved->capacity_ - used : 0;
  moved->end_ = moved->begin_ + used;
  std::memcpy(moved->data() + moved->begin_, chunk->data() + chunk->begin_, used);
  destroy(chunk);
  return moved;
}

// Gives memory back when most of the block is empty.
ListChunk* ListChunk::trim(ListChunk* chunk) {
  constexpr uint32_t kSmall = 128;
  const uint32_t used = chunk->end_ - chunk->begin_;
  if (chunk->capacity_ <= kSmall || used > chunk->capacity_ / 4 || chunk->count_ == 0) return chunk;
  return reallocate(chunk, used + used / 2, ListEnd::kTail);
}

// Room for `bytes` more at one end; null when the entries would pass max_bytes.
ListChunk* ListChunk::make_room(ListChunk* chunk, size_t bytes, ListEnd end, size_t max_bytes) {
  const bool at_head = end == ListEnd::kHead;
  const uint32_t used = chunk->end_ - chunk->begin_;
  if (used + bytes > max_bytes) return nullptr;
  const uint32_t room = at_head ? chunk->begin_ : chunk->capacity_ - chunk->end_;
  if (bytes <= room) return chunk;
  const uint32_t all_room = chunk->capacity_ - used;
  if (bytes > all_room) return reallocate(chunk, used + bytes, end);
  // There is room at the other end: a queue. It is used when that gives enough for the move to pay.
  if (all_room >= used / 4) {
    const uint32_t begin = at_head ? all_room : 0;
    std::memmove(chunk->data() + begin, chunk->data() + chunk->begin_, used);
    chunk->begin_ = begin;
    chunk->end_ = begin + used;
    return chunk;
  }
  return reallocate(chunk, std::min(used + used / 2 + bytes, max_bytes), end);
}

ListChunk* ListChunk::push(ListChunk* chunk, ListEnd end, const Item& item, size_t max_bytes) {
  const size_t span = item.span();
  chunk = make_room(chunk, span, end, max_bytes);
  if (chunk == nullptr) return nullptr;
  if (end == ListEnd::kHead) {
    chunk->begin_ -= static_cast<uint32_t>(span);
    item.write(chunk->data() + chunk->begin_);
  } else {
    item.write(chunk->data() + chunk->end_);
    chunk->end_ += static_cast<uint32_t>(span);
  }
  ++chunk->count_;
  return chunk;
}

ListChunk* ListChunk::insert(ListChunk* chunk, size_t offset, const Item& item, size_t max_bytes) {
  const size_t span = item.span();
  const bool nearer_head = offset < chunk->count_ / 2;
  chunk = make_room(chunk, span, nearer_head ? ListEnd::kHead : ListEnd::kTail, max_bytes);
  if (chunk == nullptr) return nullptr;
  uint8_t* place = chunk->data() + (chunk->at(offset) - chunk->data());
  if (nearer_head) {
    uint8_t* begin = chunk->data() + chunk->begin_;
    std::memmove(begin - span, begin, static_cast<size_t>(place - begin));
    chunk->begin_ -= static_cast<uint32_t>(span);
    place -= span;
  } else {
    std::memmove(place + span, place, static_cast<size_t>(chunk->data() + chunk->end_ - place));
    chunk->end_ += static_cast<uint32_t>(span);
  }
  item.write(place);
  ++chunk->count_;
  return chunk;
}

ListChunk* ListChunk::replace(ListChunk* chunk, size_t offset, const Item& item, size_t max_bytes) {
  const uint8_t* old = chunk->at(offset);
  const size_t old_span = Listpack::span_at(old);
  const size_t span = item.span();
  if (span > old_span) {
    chunk = make_room(chunk, span - old_span, ListEnd::kTail, max_bytes);
    if (chunk == nullptr) return nullptr;
    old = chunk->at(offset);
  }
  uint8_t* place = chunk->data() + (old - chunk->data());
  std::memmove(place + span, place + old_span,
               static_cast<size_t>(chunk->data() + chunk->end_ - place) - old_span);
  chunk->end_ = static_cast<uint32_t>(chunk->end_ + span - old_span);
  item.write(place);
  return span < old_span ? trim(chunk) : chunk;
}

// Closes a gap by moving what is shorter, the part before it or the one behind.
void ListChunk::erase_bytes(uint32_t from, uint32_t to) {
  if (from - begin_ <= end_ - to) {
    std::memmove(data() + begin_ + (to - from), data() + begin_, from - begin_);
    begin_ += to - from;
  } else {
    std::memmove(data() + from, data() + to, end_ - to);
    end_ -= to - from;
  }
}

ListChunk* ListChunk::erase(ListChunk* chunk, size_t offset, size_t count) {
  assert(offset + count <= chunk->count_);
  if (chunk->plain()) {
    if (count > 0) chunk->count_ = 0;
    return chunk;
  }
  const auto from = static_cast<uint32_t>(chunk->at(offset) - chunk->data());
  const auto to = static_cast<uint32_t>(chunk->at(offset + count) - chunk->data());
  chunk->erase_bytes(from, to);
  chunk->count_ -= static_cast<uint32_t>(count);
  return trim(chunk);
}

ListChunk* ListChunk::erase_matching(ListChunk* chunk, const ListNeedle& needle, ListEnd from,
                                     size_t limit, size_t* erased) {
  size_t matching = 0;
  const auto count_matches = [&](const Entry& element) {
    if (needle.matches(element)) ++matching;
    return true;
  };
  chunk->visit(0, chunk->count_, count_matches);
  if (matching == 0) return chunk;
  // From the tail, the first ones are left out.
  size_t keep = from == ListEnd::kTail && matching > limit ? matching - limit : 0;
  size_t left = std::min(matching, limit);
  *erased += left;
  if (chunk->plain()) {
    chunk->count_ = 0;
    return chunk;
  }
  uint8_t* out = chunk->data() + chunk->begin_;
  const uint8_t* p = out;
  const uint8_t* const end = chunk->data() + chunk->end_;
  chunk->count_ -= static_cast<uint32_t>(left);
  while (left > 0) {
    const size_t span = Listpack::span_at(p);
    if (!needle.matches(Listpack::entry_at(p))) {
      std::memmove(out, p, span);
      out += span;
    } else if (keep > 0) {
      --keep;
      std::memmove(out, p, span);
      out += span;
    } else {
      --left;
    }
    p += span;
  }
  std::memmove(out, p, static_cast<size_t>(end - p));
  chunk->end_ -= static_cast<uint32_t>(p - out);
  return trim(chunk);
}

ListChunk* ListChunk::split(ListChunk** chunk, size_t offset) {
  ListChunk* left = *chunk;
  const std::string_view bytes = left->bytes();
  const auto kept =
      static_cast<size_t>(left->at(offset) - reinterpret_cast<const uint8_t*>(bytes.data()));
  ListChunk* right = create_packed(bytes.substr(kept), left->count_ - offset);
  left->end_ = static_cast<uint32_t>(left->begin_ + kept);
  left->count_ = static_cast<uint32_t>(offset);
  *chunk = reallocate(left, kept, ListEnd::kTail);
  return right;
}

}  // namespace tandem
