#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tandem {

// Lua's memory. Scripts make and drop small blocks of a few sizes all the time: freed ones are kept
// for the next of their size, up to a bound. What Lua holds is counted.
class LuaAllocator {
 public:
  LuaAllocator() = default;
  ~LuaAllocator();
  LuaAllocator(const LuaAllocator&) = delete;
  LuaAllocator& operator=(const LuaAllocator&) = delete;

  // lua_Alloc; `self` is the allocator.
  static void* reallocate(void* self, void* block, size_t old_size, size_t new_size);

  // Above this many bytes in use, allocations fail: Lua raises "not enough memory". Returns the
  // limit so far.
  size_t set_limit(size_t bytes) { return std::exchange(limit_, bytes); }
  // Without the blocks kept.
  size_t bytes_in_use() const { return bytes_in_use_; }

 private:
  static constexpr size_t kGranule = 16;
  static constexpr size_t kClasses = 16;
  static constexpr size_t kMaxSmall = kGranule * kClasses;
  static constexpr size_t kMaxKept = 512;  // blocks of one class

  struct Kept {
    Kept* next;
  };
  struct Class {
    Kept* first = nullptr;
    size_t count = 0;
  };

  static size_t class_of(size_t size) { return (size - 1) / kGranule; }
  void* allocate(size_t size);
  void release(void* block, size_t size);

  std::array<Class, kClasses> classes_;
  size_t bytes_in_use_ = 0;
  size_t limit_ = SIZE_MAX;
};

}  // namespace tandem
