#include "functions/lua_allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace tandem {

LuaAllocator::~LuaAllocator() {
  for (Class& kept : classes_) {
    while (kept.first != nullptr) std::free(std::exchange(kept.first, kept.first->next));
  }
}

void LuaAllocator::release(LuaMemoryOwner* owner) {
  if (owner->bytes_ == 0) {
    delete owner;
  } else {
    owner->released_ = true;
  }
}

void* LuaAllocator::allocate(size_t size) {
  if (size > kMaxSmall) return std::malloc(size);
  Class& kept = classes_[class_of(size)];
  if (kept.first == nullptr) return std::malloc((class_of(size) + 1) * kGranule);
  --kept.count;
  return std::exchange(kept.first, kept.first->next);
}

void LuaAllocator::release_block(void* block, size_t size) {
  if (size > kMaxSmall) return std::free(block);
  Class& kept = classes_[class_of(size)];
  if (kept.count == kMaxKept) return std::free(block);
  ++kept.count;
  kept.first = new (block) Kept{kept.first};
}

// Sizes are with the header.
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

void* LuaAllocator::reallocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto* allocator = static_cast<LuaAllocator*>(self);
  if (block == nullptr) {
    LuaMemoryOwner* const owner = allocator->current_;
    if (new_size == 0 || new_size > owner->limit_ || owner->bytes_ > owner->limit_ - new_size) {
      return nullptr;
    }
    void* made = allocator->allocate(new_size + sizeof(Header));
    if (made == nullptr) return nullptr;
    owner->bytes_ += new_size;
    allocator->bytes_in_use_ += new_size;
    return new (made) Header{owner} + 1;
  }
  Header* const header = header_of(block);
  LuaMemoryOwner* const owner = header->owner;
  if (new_size == 0) {
    allocator->release_block(header, old_size + sizeof(Header));
    allocator->bytes_in_use_ -= old_size;
    owner->bytes_ -= old_size;
    if (owner->bytes_ == 0 && owner->released_) delete owner;
    return nullptr;
  }
  if (new_size > old_size && (new_size - old_size > owner->limit_ ||
                              owner->bytes_ > owner->limit_ - (new_size - old_size))) {
    return nullptr;
  }
  void* moved = allocator->resize(header, old_size + sizeof(Header), new_size + sizeof(Header));
  if (moved == nullptr) return nullptr;
  owner->bytes_ += new_size - old_size;
  allocator->bytes_in_use_ += new_size - old_size;
  return static_cast<Header*>(moved) + 1;
}

}  // namespace tandem
