#pragma once

#include <cstddef>

namespace tandem {

// Lua's memory: what it holds is counted.
class LuaAllocator {
 public:
  LuaAllocator() = default;
  LuaAllocator(const LuaAllocator&) = delete;
  LuaAllocator& operator=(const LuaAllocator&) = delete;

  // lua_Alloc; `self` is the allocator.
  static void* reallocate(void* self, void* block, size_t old_size, size_t new_size);

  size_t bytes_in_use() const { return bytes_in_use_; }

 private:
  size_t bytes_in_use_ = 0;
};

}  // namespace tandem
