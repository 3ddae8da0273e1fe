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

void* LuaAllocator::allocate(size_t size) {
  if (size > kMaxSmall) return std::malloc(size);
  Class& kept = classes_[class_of(size)];
  if (kept.first == nullptr) return std::malloc((class_of(size) + 1) * kGranule);
  --kept.count;
  return std::exchange(kept.first, kept.first->next);
}

void LuaAllocator::release(void* block, size_t size) {
  if (size > kMaxSmall) return std::free(block);
  Class& kept = classes_[class_of(size)];
  if (kept.count == kMaxKept) return std::free(block);
  ++kept.count;
  kept.first = new (block) Kept{kept.first};
}

void* LuaAllocator::reallocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto* allocator = static_cast<LuaAllocator*>(self);
  if (block == nullptr) old_size = 0;
  if (new_size > old_size && allocator->bytes_in_use_ + (new_size - old_size) > allocator->limit_) {
    return nullptr;
  }
  if (block == nullptr) {
    if (new_size == 0) return nullptr;
    void* made = allocator->allocate(new_size);
    if (made != nullptr) allocator->bytes_in_use_ += new_size;
    return made;
  }
  if (new_size == 0) {
    allocator->release(block, old_size);
    allocator->bytes_in_use_ -= old_size;
    return nullptr;
  }
  void* moved = block;
  if (old_size > kMaxSmall && new_size > kMaxSmall) {
    moved = std::realloc(block, new_size);
  } else if (old_size > kMaxSmall || new_size > kMaxSmall ||
             class_of(old_size) != class_of(new_size)) {
    moved = allocator->allocate(new_size);
    if (moved != nullptr) {
      std::memcpy(moved, block, std::min(old_size, new_size));
      allocator->release(block, old_size);
    }
  }
  if (moved != nullptr) allocator->bytes_in_use_ += new_size - old_size;
  return moved;
}

}  // namespace tandem
