#include "functions/lua_allocator.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace tandem {

LuaAllocator::~LuaAllocator() {
  // A class keeps its last slab when that is empty.
  for (Slab* slab : with_room_) {
    while (slab != nullptr) std::free(std::exchange(slab, slab->next));
  }
  while (spare_ != nullptr) std::free(std::exchange(spare_, spare_->next));
}

void LuaAllocator::release(LuaMemoryOwner* owner) {
  if (owner->bytes_ == 0) {
    delete owner;
  } else {
    owner->released_ = true;
  }
}

LuaAllocator::Slab* LuaAllocator::make_slab(size_t size_class) {
  void* memory = spare_;
  if (memory != nullptr) {
    spare_ = spare_->next;
    --spare_count_;
  } else {
    memory = std::aligned_alloc(kSlabBytes, kSlabBytes);
    if (memory == nullptr) return nullptr;
  }
  Slab* const slab = new (memory) Slab;
  slab->size_class = size_class;
  // To AddressSanitizer, what is no block in use may not be touched. Elsewhere this does nothing.
  ASAN_POISON_MEMORY_REGION(slab + 1, kSlabBytes - sizeof(Slab));
  return slab;
}

// Behind the first: that one is used up before a slab with little room has its turn.
void LuaAllocator::list(Slab* slab) {
  Slab*& first = with_room_[slab->size_class];
  slab->has_room = true;
  slab->previous = first;
  slab->next = first == nullptr ? nullptr : first->next;
  if (slab->next != nullptr) slab->next->previous = slab;
  (first == nullptr ? first : first->next) = slab;
}

void LuaAllocator::unlist(Slab* slab) {
  slab->has_room = false;
  if (slab->next != nullptr) slab->next->previous = slab->previous;
  if (slab->previous != nullptr) {
    slab->previous->next = slab->next;
  } else {
    with_room_[slab->size_class] = slab->next;
  }
}

// Null when the slab is full.
inline void* LuaAllocator::take_block(Slab* slab, size_t size_class) {
  const size_t block_size = (size_class + 1) * kGranule;
  void* block = slab->free;
  if (block != nullptr) {
    ASAN_UNPOISON_MEMORY_REGION(block, block_size);
    slab->free = slab->free->next;
  } else {
    if (slab->fresh + block_size > kSlabBytes) return nullptr;
    block = reinterpret_cast<char*>(slab) + slab->fresh;
    ASAN_UNPOISON_MEMORY_REGION(block, block_size);
    slab->fresh += block_size;
  }
  ++slab->used;
  return block;
}

void* LuaAllocator::allocate_from_other_slab(size_t size_class) {
  Slab*& first = with_room_[size_class];
  if (first != nullptr) unlist(first);
  if (first == nullptr) {
    Slab* const slab = make_slab(size_class);
    if (slab == nullptr) return nullptr;
    list(slab);
  }
  return take_block(first, size_class);
}

void LuaAllocator::on_emptied_or_unlisted(Slab* slab) {
  if (!slab->has_room) list(slab);
  const bool only_one = slab->previous == nullptr && slab->next == nullptr;
  if (slab->used > 0 || only_one) return;
  unlist(slab);
  if (spare_count_ == kMaxSpare) return std::free(slab);
  ++spare_count_;
  slab->next = spare_;
  spare_ = slab;
}

// Sizes of blocks are with the header from here on.

inline void* LuaAllocator::allocate(size_t size) {
  if (size > kMaxSmall) return std::malloc(size);
  const size_t size_class = class_of(size);
  Slab* const slab = with_room_[size_class];
  void* const block = slab == nullptr ? nullptr : take_block(slab, size_class);
  return block != nullptr ? block : allocate_from_other_slab(size_class);
}

inline void LuaAllocator::release_block(void* block, size_t size) {
  if (size > kMaxSmall) return std::free(block);
  Slab* const slab = slab_of(block);
  slab->free = new (block) FreeBlock{slab->free};
  ASAN_POISON_MEMORY_REGION(block, (class_of(size) + 1) * kGranule);
  if (--slab->used == 0 || !slab->has_room) on_emptied_or_unlisted(slab);
}

void* LuaAllocator::resize(Header* header, size_t old_size, size_t new_size) {
  if (old_size > kMaxSmall && new_size > kMaxSmall) return std::realloc(header, new_size);
  if (old_size <= kMaxSmall && new_size <= kMaxSmall && class_of(old_size) == class_of(new_size)) {
    return header;
  }
  void* moved = allocate(new_size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, header, std::min(old_size, new_size));
  release_block(header, old_size);
  return moved;
}

void* LuaAllocator::make(size_t size) {
  LuaMemoryOwner& owner = *current_;
  if (size == 0 || size > owner.limit_ || owner.bytes_ > owner.limit_ - size) return nullptr;
  void* made = allocate(size + sizeof(Header));
  if (made == nullptr) return nullptr;
  owner.bytes_ += size;
  bytes_in_use_ += size;
  return new (made) Header{&owner} + 1;
}

void* LuaAllocator::change(Header* header, size_t old_size, size_t new_size) {
  LuaMemoryOwner& owner = *header->owner;
  if (new_size > old_size &&
      (new_size - old_size > owner.limit_ || owner.bytes_ > owner.limit_ - (new_size - old_size))) {
    return nullptr;
  }
  void* moved = resize(header, old_size + sizeof(Header), new_size + sizeof(Header));
  if (moved == nullptr) return nullptr;
  owner.bytes_ += new_size - old_size;
  bytes_in_use_ += new_size - old_size;
  return static_cast<Header*>(moved) + 1;
}

void LuaAllocator::drop(Header* header, size_t size) {
  LuaMemoryOwner* const owner = header->owner;
  bytes_in_use_ -= size;
  owner->bytes_ -= size;
  if (owner->bytes_ == 0 && owner->released_) [[unlikely]]
    delete_owner(owner);
  release_block(header, size + sizeof(Header));
}

void LuaAllocator::delete_owner(LuaMemoryOwner* owner) { delete owner; }

// Nearly every call makes a small block, where the first slab has room, or drops one: these are
// done here, without a call.
void* LuaAllocator::reallocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto* const allocator = static_cast<LuaAllocator*>(self);
  if (block != nullptr) {
    if (new_size != 0) return allocator->change(header_of(block), old_size, new_size);
    allocator->drop(header_of(block), old_size);
    return nullptr;
  }
  // Also when nothing is asked for: that is one less than the least.
  if (new_size - 1 >= kMaxSmall - sizeof(Header)) return allocator->make(new_size);
  LuaMemoryOwner& owner = *allocator->current_;
  const size_t size_class = class_of(new_size + sizeof(Header));
  Slab* const slab = allocator->with_room_[size_class];
  if (slab == nullptr || owner.bytes_ + new_size > owner.limit_) return allocator->make(new_size);
  void* const made = take_block(slab, size_class);
  if (made == nullptr) return allocator->make(new_size);
  owner.bytes_ += new_size;
  allocator->bytes_in_use_ += new_size;
  return new (made) Header{&owner} + 1;
}

}  // namespace tandem
