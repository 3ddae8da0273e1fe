#include "functions/lua_allocator.h"

#include <cstdlib>

namespace tandem {

void* LuaAllocator::reallocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto* allocator = static_cast<LuaAllocator*>(self);
  if (new_size == 0) {
    std::free(block);
    allocator->bytes_in_use_ -= old_size;
    return nullptr;
  }
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) allocator->bytes_in_use_ += new_size - old_size;
  return moved;
}

}  // namespace tandem
