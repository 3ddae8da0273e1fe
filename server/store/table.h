#pragma once

#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/hash.h"
#include "server/base/prefetch.h"
#include "server/base/random.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tandem {

// A hash table of pointers to elements that embed their own key, grown by linear hashing (Litwin,
// 1980): one bucket is split at a time, so no insertion ever pays for more than two buckets and
// there is never a second table. A bucket is one cache line: seven one-byte hash tags, a use mask,
// and seven pointers, the last of which chains an overflow bucket when the mask's top bit is set.
//
// `Traits` says how to get the key of an element: static std::string_view key(const T*). Elements
// belong to the caller; the table neither creates nor frees them. Not thread-safe.
template <typename T, typename Traits>
class Table {
 public:
  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  Table(Table&& other) noexcept { swap(other); }
  Table& operator=(Table&& other) noexcept {
    Table moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Table() { release(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t bucket_count() const { return bucket_count_; }
  // Bytes of the table itself, elements not included.
  size_t memory_usage() const {
    return bucket_capacity() * sizeof(Bucket) + overflow_count_ * sizeof(Bucket) +
           segments_.capacity() * sizeof(Bucket*);
  }

  // The place that holds the element with this key, or null. The element may be replaced through it
  // by another one with the same key. Valid until the next insertion or erasure.
  T** find(std::string_view key, uint64_t hash) const {
    if (size_ == 0) return nullptr;
    for (Bucket* bucket = bucket_of(hash);;) {
      for (unsigned matches = bucket->matches(tag_of(hash)); matches != 0; matches &= matches - 1) {
        T** slot = &bucket->slots[__builtin_ctz(matches)];
        if (Traits::key(*slot) == key) return slot;
      }
      if (!bucket->has_overflow()) return nullptr;
      bucket = bucket->overflow();
    }
  }
  T** find(std::string_view key) const { return find(key, hash_bytes(key)); }

  // Adds an element whose key is not in the table.
  void insert(T* element, uint64_t hash) {
    if (bucket_count_ == 0) add_bucket();
    add_to(bucket_of(hash), element, tag_of(hash));
    ++size_;
    if (size_ > bucket_count_ * kGrowLoad) split_next();
  }
  void insert(T* element) { insert(element, hash_bytes(Traits::key(element))); }

  // Takes the element with this key out and returns it; null when there is none.
  T* erase(std::string_view key, uint64_t hash) {
    if (size_ == 0) return nullptr;
    Bucket* head = bucket_of(hash);
    for (Bucket* bucket = head;;) {
      for (unsigned matches = bucket->matches(tag_of(hash)); matches != 0; matches &= matches - 1) {
        const unsigned slot = static_cast<unsigned>(__builtin_ctz(matches));
        T* element = bucket->slots[slot];
        if (Traits::key(element) != key) continue;
        remove_from(head, bucket, slot);
        --size_;
        for (int i = 0; i < 2 && bucket_count_ > 1 && size_ < bucket_count_ * kShrinkLoad; ++i) {
          merge_last();
        }
        return element;
      }
      if (!bucket->has_overflow()) return nullptr;
      bucket = bucket->overflow();
    }
  }
  T* erase(std::string_view key) { return erase(key, hash_bytes(key)); }

  // Calls visit(T*) for each element. The table must not change meanwhile.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (size_t i = 0; i < bucket_count_; ++i) {
      // Each element is somewhere else in memory: those of the next buckets are asked for early.
      if (i + 2 * kVisitAhead < bucket_count_) tandem::prefetch(bucket_at(i + 2 * kVisitAhead));
      if (i + kVisitAhead < bucket_count_) prefetch_all(bucket_at(i + kVisitAhead));
      visit_chain(bucket_at(i), visit);
    }
  }

  // One step of a scan: calls visit(T*) for the elements of one position and returns the next
  // cursor; 0 starts a scan and ends it. An element that is in the table for the whole scan is
  // visited at least once, whatever is inserted or erased between the steps; some may be visited
  // twice. The cursor counts with its bits reversed, so that splitting or merging a bucket never
  // moves unvisited elements behind it.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const {
    if (bucket_count_ == 0) return 0;
    const uint64_t low_mask = (uint64_t{1} << level_) - 1;
    const size_t index = cursor & low_mask;
    visit_chain(bucket_at(index), visit);
    const size_t buddy = index | (size_t{1} << level_);
    if (buddy < bucket_count_) visit_chain(bucket_at(buddy), visit);
    cursor |= ~low_mask;
    cursor = reverse_bits(cursor);
    ++cursor;
    return reverse_bits(cursor);
  }

  // A uniformly chosen element; the table must not be empty.
  T* random(Random& random) const {
    assert(size_ > 0);
    // A bucket is taken with a probability in proportion to what it holds, so that no element is
    // favoured.
    constexpr size_t kFullChain = 2 * kSlots;
    while (true) {
      const Bucket* head = bucket_at(random.below(bucket_count_));
      size_t held = 0;
      for (const Bucket* b = head; b != nullptr; b = b->next()) held += b->count();
      if (held == 0 || random.below(kFullChain) >= held) continue;
      size_t pick = random.below(held);
      for (const Bucket* b = head; b != nullptr; b = b->next()) {
        if (pick >= b->count()) {
          pick -= b->count();
          continue;
        }
        unsigned used = b->used_slots();
        while (pick-- > 0) used &= used - 1;
        return b->slots[__builtin_ctz(used)];
      }
    }
  }

  // Calls visit(T*) for `count` elements that stand together somewhere in the table, or for all if
  // it has not that many. Cheaper than as many of random(), and not independent of each other. The
  // table must not change meanwhile.
  template <typename Visit>
  void sample(Random& random, size_t count, Visit&& visit) const {
    if (bucket_count_ == 0) return;
    const size_t start = random.below(bucket_count_);
    for (size_t i = 0; i < bucket_count_ && count > 0; ++i) {
      visit_chain(bucket_at((start + i) % bucket_count_), [&](T* element) {
        if (count == 0) return;
        --count;
        visit(element);
      });
    }
  }

  // Makes room for that many elements, so that none of them splits a bucket. Does nothing unless
  // the table is empty.
  void reserve(size_t elements) {
    if (size_ > 0) return;
    while (bucket_count_ < elements / kGrowLoad) add_bucket();
    while (bucket_count_ > size_t{2} << level_) ++level_;
  }

  // Forgets all elements and gives the table's memory back. The caller frees the elements.
  void clear() {
    release();
    segments_.clear();
    segments_.shrink_to_fit();
    size_ = bucket_count_ = first_capacity_ = overflow_count_ = 0;
    level_ = 0;
  }

  // The bucket of `hash`, counted in the order in which buckets stand in memory; the table must not
  // be without any.
  size_t bucket_index(uint64_t hash) const { return index_of(hash); }
  // Starts loading the bucket of `hash` into the cache.
  void prefetch(uint64_t hash) const {
    if (bucket_count_ > 0) tandem::prefetch(bucket_of(hash));
  }

  // Starts loading the elements of that bucket whose tags match.
  void prefetch_elements(uint64_t hash) const {
    if (bucket_count_ == 0) return;
    const Bucket* bucket = bucket_of(hash);
    for (unsigned matches = bucket->matches(tag_of(hash)); matches != 0; matches &= matches - 1) {
      const char* element = reinterpret_cast<const char*>(bucket->slots[__builtin_ctz(matches)]);
      tandem::prefetch(element);
      tandem::prefetch(element + 64);
    }
  }

 private:
  static constexpr size_t kSlots = 7;
  static constexpr size_t kGrowLoad =
      6;  // elements a bucket, on average, above which one bucket is split
  static constexpr size_t kShrinkLoad = 2;  // below which two buckets are merged
  static constexpr size_t kSegmentBuckets = 1024;
  static constexpr size_t kVisitAhead = 3;  // buckets
  static constexpr uint8_t kOverflowBit = 0x80;

  struct alignas(64) Bucket {
    uint8_t tags[kSlots];
    uint8_t used;  // bit i: slots[i] holds an element; top bit: slots[6] is the overflow bucket
    T* slots[kSlots];

    bool has_overflow() const { return (used & kOverflowBit) != 0; }
    Bucket* overflow() const { return reinterpret_cast<Bucket*>(slots[kSlots - 1]); }
    Bucket* next() const { return has_overflow() ? overflow() : nullptr; }
    unsigned used_slots() const { return used & 0x7fU; }
    size_t count() const { return static_cast<size_t>(__builtin_popcount(used_slots())); }
    unsigned free_slots() const { return ~unsigned{used} & (has_overflow() ? 0x3fU : 0x7fU); }

    unsigned matches(uint8_t tag) const {
#if defined(__SSE2__)
      const __m128i word = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(this));
      const __m128i same = _mm_cmpeq_epi8(word, _mm_set1_epi8(static_cast<char>(tag)));
      return static_cast<unsigned>(_mm_movemask_epi8(same)) & used_slots();
#else
      unsigned found = 0;
      for (unsigned i = 0; i < kSlots; ++i) found |= unsigned{tags[i] == tag} << i;
      return found & used_slots();
#endif
    }
    void put(unsigned slot, T* element, uint8_t tag) {
      tags[slot] = tag;
      slots[slot] = element;
      used = static_cast<uint8_t>(used | (1U << slot));
    }
    void drop(unsigned slot) { used = static_cast<uint8_t>(used & ~(1U << slot)); }
  };
  static_assert(sizeof(Bucket) == 64);

  static uint8_t tag_of(uint64_t hash) { return static_cast<uint8_t>(hash >> 56); }
  static uint64_t reverse_bits(uint64_t v) {
    v = ((v >> 1) & 0x5555555555555555ULL) | ((v & 0x5555555555555555ULL) << 1);
    v = ((v >> 2) & 0x3333333333333333ULL) | ((v & 0x3333333333333333ULL) << 2);
    v = ((v >> 4) & 0x0F0F0F0F0F0F0F0FULL) | ((v & 0x0F0F0F0F0F0F0F0FULL) << 4);
    return __builtin_bswap64(v);
  }

  static void prefetch_all(const Bucket* bucket) {
    for (unsigned used = bucket->used_slots(); used != 0; used &= used - 1) {
      const char* element = reinterpret_cast<const char*>(bucket->slots[__builtin_ctz(used)]);
      tandem::prefetch(element);
      tandem::prefetch(element + 64);
    }
  }

  // Buckets below `bucket_count_ - 2^level_` have been split and are addressed with one bit more.
  size_t index_of(uint64_t hash) const {
    const size_t wide = hash & ((uint64_t{2} << level_) - 1);
    return wide < bucket_count_ ? wide : wide & ((uint64_t{1} << level_) - 1);
  }
  Bucket* bucket_of(uint64_t hash) const { return bucket_at(index_of(hash)); }
  Bucket* bucket_at(size_t index) const {
    return segments_[index / kSegmentBuckets] + index % kSegmentBuckets;
  }
  size_t bucket_capacity() const {
    return segments_.size() <= 1 ? first_capacity_ : segments_.size() * kSegmentBuckets;
  }

  static Bucket* allocate_buckets(size_t count) {
    void* memory = std::aligned_alloc(alignof(Bucket), count * sizeof(Bucket));
    if (memory == nullptr) throw std::bad_alloc();
    // A bucket is empty when its mask is 0; the rest is written before it is read.
    auto* buckets = static_cast<Bucket*>(memory);
    for (size_t i = 0; i < count; ++i) buckets[i].used = 0;
    return buckets;
  }

  // Appends an empty bucket. The first segment starts at one bucket and doubles up to a whole
  // segment.
  Bucket* add_bucket() {
    if (bucket_count_ == bucket_capacity()) {
      if (first_capacity_ < kSegmentBuckets) {
        const size_t bigger = first_capacity_ == 0 ? 1 : first_capacity_ * 2;
        Bucket* buckets = allocate_buckets(bigger);
        if (first_capacity_ > 0) {
          std::memcpy(static_cast<void*>(buckets), segments_[0], first_capacity_ * sizeof(Bucket));
          std::free(segments_[0]);
          segments_[0] = buckets;
        } else {
          segments_.push_back(buckets);
        }
        first_capacity_ = bigger;
      } else {
        segments_.push_back(allocate_buckets(kSegmentBuckets));
      }
    }
    Bucket* bucket = bucket_at(bucket_count_);
    bucket->used = 0;
    ++bucket_count_;
    return bucket;
  }

  void drop_last_bucket() {
    --bucket_count_;
    if (segments_.size() > 1 &&
        bucket_count_ + kSegmentBuckets / 2 <= (segments_.size() - 1) * kSegmentBuckets) {
      std::free(segments_.back());
      segments_.pop_back();
    }
  }

  void add_to(Bucket* bucket, T* element, uint8_t tag) {
    while (true) {
      if (const unsigned free_slots = bucket->free_slots()) {
        bucket->put(static_cast<unsigned>(__builtin_ctz(free_slots)), element, tag);
        return;
      }
      if (!bucket->has_overflow()) {
        Bucket* overflow = allocate_buckets(1);
        ++overflow_count_;
        overflow->put(0, bucket->slots[kSlots - 1], bucket->tags[kSlots - 1]);
        bucket->drop(kSlots - 1);
        bucket->used |= kOverflowBit;
        bucket->slots[kSlots - 1] = reinterpret_cast<T*>(overflow);
      }
      bucket = bucket->overflow();
    }
  }

  // Empties slots[slot] of `bucket`, which is in the chain of `head`, and fills the hole from the
  // chain's end so that chains stay as short as they can be.
  void remove_from(Bucket* head, Bucket* bucket, unsigned slot) {
    bucket->drop(slot);
    if (!head->has_overflow()) return;
    Bucket* before = head;
    Bucket* last = head->overflow();
    while (last->has_overflow()) {
      before = last;
      last = last->overflow();
    }
    if (last != bucket && last->used_slots() != 0) {
      const unsigned from = static_cast<unsigned>(__builtin_ctz(last->used_slots()));
      bucket->put(slot, last->slots[from], last->tags[from]);
      last->drop(from);
    }
    if (last->count() > 1) return;
    // One element fits where the chain pointer was.
    before->used = static_cast<uint8_t>(before->used & ~kOverflowBit);
    if (last->used_slots() != 0) {
      const unsigned from = static_cast<unsigned>(__builtin_ctz(last->used_slots()));
      before->put(kSlots - 1, last->slots[from], last->tags[from]);
    }
    std::free(last);
    --overflow_count_;
  }

  // Splits the next bucket in turn: the elements whose hash has the next bit set move to a new
  // bucket at the end.
  void split_next() {
    if (bucket_count_ == size_t{2} << level_) ++level_;
    const size_t from_index = bucket_count_ - (size_t{1} << level_);
    const uint64_t bit = uint64_t{1} << level_;
    for (const Bucket* b = bucket_at(from_index); b != nullptr; b = b->next()) {
      for (unsigned used = b->used_slots(); used != 0; used &= used - 1) {
        tandem::prefetch(b->slots[__builtin_ctz(used)]);
      }
    }
    Bucket* to = add_bucket();
    redistribute(bucket_at(from_index), [&](T* element, uint8_t) {
      return (hash_bytes(Traits::key(element)) & bit) != 0 ? to : nullptr;
    });
  }

  // Undoes the last split: the last bucket's elements go back to the one they came from.
  void merge_last() {
    const size_t last = bucket_count_ - 1;
    if (last < size_t{1} << level_) --level_;
    Bucket* into = bucket_at(last - (size_t{1} << level_));
    redistribute(bucket_at(last), [into](T*, uint8_t) { return into; });
    drop_last_bucket();
  }

  // Empties the chain of `head` and puts each element into the bucket that choose(element, tag)
  // names, or back into `head` when that is null.
  template <typename Choose>
  void redistribute(Bucket* head, Choose&& choose) {
    Bucket first = *head;
    head->used = 0;
    Bucket* chain = first.next();
    redistribute_one(first, head, choose);
    while (chain != nullptr) {
      Bucket* next = chain->next();
      redistribute_one(*chain, head, choose);
      std::free(chain);
      --overflow_count_;
      chain = next;
    }
  }
  template <typename Choose>
  void redistribute_one(const Bucket& source, Bucket* head, Choose&& choose) {
    for (unsigned used = source.used_slots(); used != 0; used &= used - 1) {
      const int slot = __builtin_ctz(used);
      Bucket* target = choose(source.slots[slot], source.tags[slot]);
      add_to(target != nullptr ? target : head, source.slots[slot], source.tags[slot]);
    }
  }

  template <typename Visit>
  static void visit_chain(const Bucket* bucket, Visit&& visit) {
    for (; bucket != nullptr; bucket = bucket->next()) {
      for (unsigned used = bucket->used_slots(); used != 0; used &= used - 1) {
        visit(bucket->slots[__builtin_ctz(used)]);
      }
    }
  }

  void release() {
    for (size_t i = 0; i < bucket_count_; ++i) {
      for (Bucket* b = bucket_at(i)->next(); b != nullptr;) {
        Bucket* next = b->next();
        std::free(b);
        b = next;
      }
    }
    for (Bucket* segment : segments_) std::free(segment);
  }
  void swap(Table& other) noexcept {
    std::swap(segments_, other.segments_);
    std::swap(size_, other.size_);
    std::swap(bucket_count_, other.bucket_count_);
    std::swap(first_capacity_, other.first_capacity_);
    std::swap(overflow_count_, other.overflow_count_);
    std::swap(level_, other.level_);
  }

  std::vector<Bucket*> segments_;
  size_t size_ = 0;
  size_t bucket_count_ = 0;
  size_t first_capacity_ = 0;  // buckets allocated in segments_[0]
  size_t overflow_count_ = 0;
  unsigned level_ = 0;  // 2^level_ <= bucket_count_ <= 2^(level_ + 1)
};

}  // namespace tandem
