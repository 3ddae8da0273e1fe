#include "server/store/list_value.h"

#include <cassert>
#include <limits>
#include <utility>

namespace tandem {

namespace {

using Item = Listpack::Item;

constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();
// A listpack that is limited by its entries may take this many bytes.
constexpr size_t kMaxBytesByEntries = 8192;
constexpr int64_t kMaxEntries = 32767;
constexpr size_t kSmallestBytes = 4096;
constexpr int64_t kLargestStep = -5;

std::string_view entries_of(std::string_view listpack) {
  return listpack.substr(Listpack::kHeaderBytes, listpack.size() - Listpack::kEmptyBytes);
}

}  // namespace

ListLimits::ListLimits(int64_t list_max_listpack_size) : by_entries(list_max_listpack_size >= 0) {
  if (by_entries) {
    max_bytes = kMaxBytesByEntries;
    max_entries = static_cast<size_t>(std::clamp<int64_t>(list_max_listpack_size, 1, kMaxEntries));
  } else {
    max_bytes = kSmallestBytes << (-1 - std::max(list_max_listpack_size, kLargestStep));
    max_entries = kUnlimited;
  }
}

ListLimits list_limits(const Settings& settings) {
  return ListLimits(settings.list_max_listpack_size);
}

ListValue::~ListValue() {
  if (head_ != nullptr) ListChunk::destroy(head_);
  if (tail_ != nullptr) ListChunk::destroy(tail_);
}

size_t ListValue::memory_usage() const {
  size_t bytes = sizeof(*this) + middle_.memory_usage();
  if (size_ == 0) return bytes;
  constexpr size_t kSample = 64;
  size_t sampled = 0;
  size_t sampled_bytes = 0;
  visit_chunks(0, [&](const ListChunk& chunk, size_t) {
    sampled_bytes += chunk.memory_usage();
    return ++sampled < kSample;
  });
  return bytes + sampled_bytes * chunks() / sampled;
}

std::unique_ptr<Value> ListValue::clone() const {
  auto copy = std::make_unique<ListValue>();
  copy->quicklist_ = quicklist_;
  for_each_chunk(
      [&copy](const ListChunk& chunk) { copy->link(copy->size_, ListChunk::clone(&chunk)); });
  return copy;
}

void ListValue::prepare(size_t bytes, size_t elements, const ListLimits& limits) {
  if (quicklist_) return;
  const size_t packed = Listpack::kEmptyBytes + (head_ != nullptr ? head_->bytes().size() : 0);
  quicklist_ = limits.exceeded_by(packed + bytes, size_ + elements) ||
               packed + bytes + elements * Listpack::kMaxEntryOverhead > Listpack::kMaxBytes;
}

void ListValue::shrink(const ListLimits& limits) {
  if (!quicklist_ || tail_ != nullptr || head_ == nullptr || head_->plain()) return;
  const size_t packed = Listpack::kEmptyBytes + head_->bytes().size();
  quicklist_ = limits.by_entries ? size_ > limits.max_entries / 2 : packed > limits.max_bytes / 2;
}

ListChunk* ListValue::make_chunk(std::string_view text, const Item& item,
                                 const ListLimits& limits) const {
  if (item.span() > packed_limit(limits)) return ListChunk::create_plain(text);
  return ListChunk::push(ListChunk::create(item.span()), ListEnd::kHead, item, ListChunk::kNoLimit);
}

void ListValue::push(ListEnd end, std::string_view text, const ListLimits& limits) {
  const Item item(text);
  ListChunk*& chunk = end == ListEnd::kHead || tail_ == nullptr ? head_ : tail_;
  if (chunk != nullptr && has_room(*chunk, limits)) {
    if (ListChunk* pushed = ListChunk::push(chunk, end, item, packed_limit(limits))) {
      chunk = pushed;
      ++size_;
      return;
    }
  }
  link(end == ListEnd::kHead ? 0 : size_, make_chunk(text, item, limits));
}

void ListValue::pop(ListEnd end) {
  const bool at_head = end == ListEnd::kHead;
  ListChunk*& chunk = at_head || tail_ == nullptr ? head_ : tail_;
  const size_t count = chunk->count();
  if (count == 1) {
    unlink(at_head ? 0 : size_ - 1, 1);
    return;
  }
  chunk = ListChunk::erase(chunk, at_head ? 0 : count - 1, 1);
  --size_;
}

ListValue::Place ListValue::find(size_t index) const {
  assert(index < size_);
  if (index < head_->count()) return {head_, 0};
  if (tail_ != nullptr && index >= tail_first()) return {tail_, tail_first()};
  Place place = middle_.find(index - head_->count());
  place.first += head_->count();
  return place;
}

ListValue::Element ListValue::at(size_t index) const {
  const Place place = find(index);
  return place.chunk->get(index - place.first);
}

void ListValue::set(size_t index, std::string_view text, const ListLimits& limits) {
  const Place place = find(index);
  const Item item(text);
  if (!place.chunk->plain()) {
    ListChunk* chunk =
        ListChunk::replace(place.chunk, index - place.first, item, packed_limit(limits));
    if (chunk != nullptr) {
      edited(place, chunk->count(), chunk);
      return;
    }
  }
  erase(index, 1);
  insert(index, text, limits);
}

void ListValue::insert(size_t index, std::string_view text, const ListLimits& limits) {
  if (index == 0) return push(ListEnd::kHead, text, limits);
  if (index == size_) return push(ListEnd::kTail, text, limits);
  const Item item(text);
  // Between two chunks, behind the first of them as well as before the second.
  Place place = find(index);
  if (place.first == index && !has_room(*place.chunk, limits)) place = find(index - 1);
  const size_t count = place.chunk->count();
  if (has_room(*place.chunk, limits)) {
    ListChunk* chunk =
        ListChunk::insert(place.chunk, index - place.first, item, packed_limit(limits));
    if (chunk != nullptr) {
      edited(place, count, chunk);
      return;
    }
  }
  if (index > place.first && index < place.first + count) split(index);
  link(index, make_chunk(text, item, limits));
}

// All `count` elements are in one chunk.
void ListValue::erase(size_t index, size_t count) {
  const Place place = find(index);
  const size_t old_count = place.chunk->count();
  edited(place, old_count, ListChunk::erase(place.chunk, index - place.first, count));
}

// Makes the index of an element within a chunk a boundary.
void ListValue::split(size_t index) {
  const Place place = find(index);
  const size_t old_count = place.chunk->count();
  ListChunk* left = place.chunk;
  ListChunk* right = ListChunk::split(&left, index - place.first);
  edited(place, old_count, left);
  link(index, right);
}

size_t ListValue::erase_matching(const ListNeedle& needle, ListEnd from, size_t limit) {
  size_t erased = 0;
  // From the tail, `at` is behind what has not been seen.
  size_t at = from == ListEnd::kHead ? 0 : size_;
  while (erased < limit && (from == ListEnd::kHead ? at < size_ : at > 0)) {
    const Place place = find(from == ListEnd::kHead ? at : at - 1);
    const size_t count = place.chunk->count();
    size_t erased_here = 0;
    ListChunk* chunk =
        ListChunk::erase_matching(place.chunk, needle, from, limit - erased, &erased_here);
    if (erased_here > 0) edited(place, count, chunk);
    erased += erased_here;
    at = from == ListEnd::kHead ? at + count - erased_here : place.first;
  }
  return erased;
}

std::unique_ptr<Value> ListValue::trim(ListEnd end, size_t count) {
  if (count == 0) return nullptr;
  if (end == ListEnd::kTail) {
    const size_t boundary = size_ - count;
    const Place place = find(boundary);
    if (boundary > place.first) {
      erase(boundary, std::min(count, place.first + place.chunk->count() - boundary));
    }
    return boundary < size_ ? cut(boundary) : nullptr;
  }
  const Place place = find(count);
  if (count > place.first) erase(place.first, count - place.first);
  if (place.first == 0) return nullptr;
  std::unique_ptr<ListValue> kept = cut(place.first);
  swap(*kept);
  return kept;
}

// The chunks from a boundary on, which is neither the beginning nor the end, as a list of their
// own.
std::unique_ptr<ListValue> ListValue::cut(size_t boundary) {
  auto right = std::make_unique<ListValue>();
  right->quicklist_ = quicklist_;
  if (boundary == tail_first()) {
    right->head_ = tail_;
  } else {
    right->middle_ = middle_.split(boundary - head_->count());
    right->head_ = right->middle_.pop(ListEnd::kHead);
    right->tail_ = tail_;
  }
  tail_ = middle_.empty() ? nullptr : middle_.pop(ListEnd::kTail);
  right->size_ = size_ - boundary;
  size_ = boundary;
  return right;
}

void ListValue::swap(ListValue& other) {
  std::swap(head_, other.head_);
  std::swap(tail_, other.tail_);
  std::swap(middle_, other.middle_);
  std::swap(size_, other.size_);
  std::swap(quicklist_, other.quicklist_);
}

void ListValue::load(std::string_view text, const ListLimits& limits) {
  quicklist_ = true;
  push(ListEnd::kTail, text, limits);
}

void ListValue::load_packed(std::string_view listpack, const ListLimits& limits) {
  quicklist_ = true;
  const std::string_view entries = entries_of(listpack);
  const auto* const begin = reinterpret_cast<const uint8_t*>(entries.data());
  const auto* const end = begin + entries.size();
  size_t count = 0;
  for (const uint8_t* p = begin; p != end; p += Listpack::span_at(p)) ++count;
  if (count == 0) return;
  if (!limits.exceeded_by(listpack.size(), count)) {
    link(size_, ListChunk::create_packed(entries, count));
    return;
  }
  Listpack::Scratch scratch;
  for (const uint8_t* p = begin; p != end; p += Listpack::span_at(p)) {
    push(ListEnd::kTail, Listpack::entry_at(p).text(scratch), limits);
  }
}

void ListValue::finish_loading(const ListLimits& limits) {
  quicklist_ = tail_ != nullptr || head_ == nullptr || head_->plain() ||
               limits.exceeded_by(Listpack::kEmptyBytes + head_->bytes().size(), size_);
}

// Puts in a chunk so that it begins at a boundary.
void ListValue::link(size_t boundary, ListChunk* chunk) {
  const size_t count = chunk->count();
  assert(quicklist_ || head_ == nullptr);
  if (head_ == nullptr) {
    head_ = chunk;
  } else if (boundary == 0) {
    if (tail_ == nullptr) {
      tail_ = head_;
    } else {
      middle_.push(ListEnd::kHead, head_);
    }
    head_ = chunk;
  } else if (boundary == size_) {
    if (tail_ != nullptr) middle_.push(ListEnd::kTail, tail_);
    tail_ = chunk;
  } else {
    middle_.insert(boundary - head_->count(), chunk);
  }
  size_ += count;
}

// Takes out and frees the chunk that begins at `first` and has, or had before it was emptied,
// `count` elements.
void ListValue::unlink(size_t first, size_t count) {
  ListChunk* chunk = nullptr;
  if (first == 0) {
    chunk = head_;
    if (!middle_.empty()) {
      head_ = middle_.pop(ListEnd::kHead);
    } else {
      head_ = std::exchange(tail_, nullptr);
    }
  } else if (first + count == size_) {
    chunk = tail_;
    tail_ = middle_.empty() ? nullptr : middle_.pop(ListEnd::kTail);
  } else {
    chunk = middle_.remove(first - head_->count());
  }
  ListChunk::destroy(chunk);
  size_ -= count;
}

// A chunk that was found at `place` with `old_count` elements has been edited and is now `chunk`.
void ListValue::edited(const Place& place, size_t old_count, ListChunk* chunk) {
  const bool is_head = place.first == 0;
  const bool is_tail = !is_head && place.first + old_count == size_;
  if (is_head) {
    head_ = chunk;
  } else if (is_tail) {
    tail_ = chunk;
  }
  if (chunk->count() == 0) {
    unlink(place.first, old_count);
    return;
  }
  if (!is_head && !is_tail) middle_.update(place.first - head_->count(), chunk);
  size_ = size_ - old_count + chunk->count();
}

}  // namespace tandem
