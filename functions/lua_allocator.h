#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <new>
#include <utility>

namespace tandem {

class LuaHost;

// Whoever blocks of Lua's memory are made for: answers for a block's bytes until the block is
// freed, garbage that waits for the collector included. A block that changes its size stays with
// its owner.
class LuaMemoryOwner {
 public:
  size_t bytes() const { return bytes_; }
  // Above this many bytes, allocations fail: Lua raises "not enough memory". Returns the limit so
  // far.
  size_t set_limit(size_t bytes) { return std::exchange(limit_, bytes); }

  // What was left after the last full collection for this owner, and the limit under which it last
  // asked for room (LuaHost).
  size_t bytes_kept = 0;
  size_t limit_then = 0;

 private:
  friend class LuaAllocator;
  size_t bytes_ = 0;
  size_t limit_ = SIZE_MAX;
  bool released_ = false;
};

// Lua's memory. Scripts make and drop small blocks of a few sizes all the time: these have slabs of
// their own, so that what a call makes stands where the garbage of the calls before it stood, and
// not wherever the keyspace has just freed an entry. What Lua holds is counted, in total and for
// each owner.
class LuaAllocator {
 public:
  // `host` is whose state has its memory here, if it is a host's.
  explicit LuaAllocator(LuaHost* host = nullptr) : host_(host) {}
  ~LuaAllocator();
  LuaAllocator(const LuaAllocator&) = delete;
  LuaAllocator& operator=(const LuaAllocator&) = delete;

  // lua_Alloc; `self` is the allocator.
  static void* reallocate(void* self, void* block, size_t old_size, size_t new_size);
  // The allocator of a Lua state that uses one.
  static LuaAllocator& of(lua_State* lua) {
    void* self = nullptr;
    lua_getallocf(lua, &self);
    return *static_cast<LuaAllocator*>(self);
  }

  LuaHost* host() const { return host_; }

  // An owner lives until it is released and its last block is freed.
  static LuaMemoryOwner* make_owner() { return new LuaMemoryOwner; }
  static void release(LuaMemoryOwner* owner);
  // Blocks made from now on are this one's; null stands for the state itself. Returns the one so
  // far.
  LuaMemoryOwner* set_owner(LuaMemoryOwner* owner) {
    return std::exchange(current_, owner == nullptr ? &own_ : owner);
  }
  LuaMemoryOwner& current_owner() { return *current_; }

  // While it lives, blocks are made for this owner.
  class OwnerScope {
   public:
    OwnerScope(LuaAllocator& allocator, LuaMemoryOwner* owner)
        : allocator_(allocator), before_(allocator.set_owner(owner)) {}
    ~OwnerScope() { allocator_.set_owner(before_); }
    OwnerScope(const OwnerScope&) = delete;
    OwnerScope& operator=(const OwnerScope&) = delete;

   private:
    LuaAllocator& allocator_;
    LuaMemoryOwner* const before_;
  };

  // Without what the allocator adds to each block, and without unused parts of slabs.
  size_t bytes_in_use() const { return bytes_in_use_; }

 private:
  static constexpr size_t kGranule = 16;
  static constexpr size_t kClasses = 17;
  static constexpr size_t kMaxSmall = kGranule * kClasses;  // header included
  static constexpr size_t kSlabBytes = 16 * 1024;           // and what a slab is aligned to
  static constexpr size_t kMaxSpare = 64;                   // empty slabs kept

  // In front of each block that Lua gets.
  struct Header {
    LuaMemoryOwner* owner;
  };
  struct FreeBlock {
    FreeBlock* next;
  };
  // Blocks of one size, behind this.
  struct alignas(kGranule) Slab {
    FreeBlock* free = nullptr;
    size_t fresh = sizeof(Slab);  // the offset from which on there has been no block yet
    size_t used = 0;              // blocks
    size_t size_class = 0;
    bool has_room = true;  // is in the list of its class
    Slab* previous = nullptr;
    Slab* next = nullptr;
  };

  static size_t class_of(size_t size) { return (size - 1) / kGranule; }
  static Header* header_of(void* block) { return static_cast<Header*>(block) - 1; }
  static Slab* slab_of(void* block) {
    return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(block) & ~(kSlabBytes - 1));
  }
  static void* take_block(Slab* slab, size_t size_class);
  void* allocate(size_t size);
  void* allocate_from_other_slab(size_t size_class);
  void release_block(void* block, size_t size);
  void* resize(Header* header, size_t old_size, size_t new_size);
  [[gnu::noinline]] void* make(size_t size);
  [[gnu::noinline]] void* change(Header* header, size_t old_size, size_t new_size);
  void drop(Header* header, size_t size);
  [[gnu::noinline]] static void delete_owner(LuaMemoryOwner* owner);
  Slab* make_slab(size_t size_class);
  void list(Slab* slab);
  void unlist(Slab* slab);
  [[gnu::noinline]] void on_emptied_or_unlisted(Slab* slab);

  std::array<Slab*, kClasses> with_room_{};  // lists; allocations are made from the first
  Slab* spare_ = nullptr;
  size_t spare_count_ = 0;
  size_t bytes_in_use_ = 0;
  LuaHost* const host_;
  LuaMemoryOwner own_;
  LuaMemoryOwner* current_ = &own_;
};

// Lets a standard container live in Lua's memory, counted and limited as Lua's own: past the limit
// it throws std::bad_alloc.
template <typename T>
class LuaStdAllocator {
 public:
  using value_type = T;

  explicit LuaStdAllocator(LuaAllocator& lua) : lua_(&lua) {}
  template <typename U>
  explicit LuaStdAllocator(const LuaStdAllocator<U>& other) : lua_(&other.lua()) {}

  T* allocate(size_t count) {
    if (count > SIZE_MAX / 2 / sizeof(T)) throw std::bad_alloc();
    void* made = LuaAllocator::reallocate(lua_, nullptr, 0, count * sizeof(T));
    if (made == nullptr) throw std::bad_alloc();
    return static_cast<T*>(made);
  }
  void deallocate(T* block, size_t count) {
    LuaAllocator::reallocate(lua_, block, count * sizeof(T), 0);
  }
  LuaAllocator& lua() const { return *lua_; }
  friend bool operator==(const LuaStdAllocator& a, const LuaStdAllocator& b) {
    return a.lua_ == b.lua_;
  }

 private:
  LuaAllocator* lua_;
};

}  // namespace tandem
