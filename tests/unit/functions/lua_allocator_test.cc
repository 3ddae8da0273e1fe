#include "functions/lua_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

namespace tandem {
namespace {

TEST(LuaAllocatorTest, KeepsWhatIsInABlockThatGrowsAndShrinks) {
  LuaAllocator allocator;
  auto resize = [&](void* block, size_t from, size_t to) {
    return static_cast<char*>(LuaAllocator::reallocate(&allocator, block, from, to));
  };
  char* block = resize(nullptr, 0, 10);
  std::memcpy(block, "0123456789", 10);
  size_t size = 10;
  for (size_t next : {16u, 17u, 255u, 256u, 257u, 5000u, 300u, 256u, 33u, 11u}) {
    block = resize(block, size, next);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(std::memcmp(block, "0123456789", 10), 0) << next;
    EXPECT_EQ(allocator.bytes_in_use(), next);
    size = next;
  }
  EXPECT_EQ(resize(block, size, 0), nullptr);
  EXPECT_EQ(allocator.bytes_in_use(), 0u);
  EXPECT_EQ(resize(nullptr, 0, 0), nullptr);
}

TEST(LuaAllocatorTest, BlocksDoNotOverlap) {
  LuaAllocator allocator;
  std::vector<std::pair<char*, size_t>> blocks;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 2000; ++i) {
      const auto size = static_cast<size_t>(1 + (i * 37) % 300);
      auto* block = static_cast<char*>(LuaAllocator::reallocate(&allocator, nullptr, 0, size));
      std::memset(block, i % 128, size);
      blocks.emplace_back(block, size);
    }
    for (size_t i = 0; i < blocks.size(); ++i) {
      const auto [block, size] = blocks[i];
      for (size_t at = 0; at < size; ++at) ASSERT_EQ(block[at], static_cast<char>(i % 128));
      LuaAllocator::reallocate(&allocator, block, size, 0);
    }
    blocks.clear();
    EXPECT_EQ(allocator.bytes_in_use(), 0u);
  }
}

#ifdef __SANITIZE_ADDRESS__
TEST(LuaAllocatorTest, AddressSanitizerSeesWhoUsesAFreedBlock) {
  LuaAllocator allocator;
  const auto make = [&] {
    return static_cast<volatile char*>(LuaAllocator::reallocate(&allocator, nullptr, 0, 40));
  };
  volatile char* const kept = make();
  volatile char* const freed = make();
  freed[39] = 'x';
  LuaAllocator::reallocate(&allocator, const_cast<char*>(freed), 40, 0);
  kept[39] = 'x';
  EXPECT_DEATH(freed[0] = 'y', "use-after-poison");
  EXPECT_DEATH(freed[39] = 'y', "use-after-poison");
  volatile char* const again = make();
  EXPECT_EQ(again, freed);
  again[39] = 'z';
}
#endif

TEST(LuaAllocatorTest, ABlockCountsForItsOwnerUntilItIsFreed) {
  LuaAllocator allocator;
  auto resize = [&](void* block, size_t from, size_t to) {
    return LuaAllocator::reallocate(&allocator, block, from, to);
  };
  LuaMemoryOwner* const first = LuaAllocator::make_owner();
  LuaMemoryOwner* const second = LuaAllocator::make_owner();
  void* block = nullptr;
  {
    const LuaAllocator::OwnerScope scope(allocator, first);
    block = resize(nullptr, 0, 100);
  }
  {
    const LuaAllocator::OwnerScope scope(allocator, second);
    block = resize(block, 100, 5000);
    EXPECT_EQ(first->bytes(), 5000u);
    EXPECT_EQ(second->bytes(), 0u);
    second->set_limit(50);
    EXPECT_EQ(resize(nullptr, 0, 51), nullptr);
    resize(resize(nullptr, 0, 50), 50, 0);
    first->set_limit(5000);
    EXPECT_EQ(resize(block, 5000, 5001), nullptr);
  }
  // Released with a block in use: it goes when the block does.
  LuaAllocator::release(first);
  LuaAllocator::release(second);
  resize(block, 5000, 0);
  EXPECT_EQ(allocator.bytes_in_use(), 0u);
}

// Slabs fill up, empty, are given back and are used for other sizes.
TEST(LuaAllocatorTest, BlocksThatComeAndGoInAnyOrderKeepTheirBytes) {
  LuaAllocator allocator;
  struct Block {
    unsigned char* bytes;
    size_t size;
    unsigned char fill;
  };
  std::vector<Block> blocks;
  std::mt19937 chance(7);
  size_t total = 0;
  const auto drop = [&](size_t index) {
    const Block block = blocks[index];
    EXPECT_TRUE(std::all_of(block.bytes, block.bytes + block.size,
                            [&](unsigned char byte) { return byte == block.fill; }));
    EXPECT_EQ(LuaAllocator::reallocate(&allocator, block.bytes, block.size, 0), nullptr);
    total -= block.size;
    blocks[index] = blocks.back();
    blocks.pop_back();
  };
  // Tides of up to several megabytes: more than is kept when they fall.
  for (const size_t tide : {30'000u, 100u, 20'000u, 0u, 5'000u, 0u}) {
    while (blocks.size() != tide) {
      const bool rising = blocks.size() < tide;
      if (!blocks.empty() && chance() % 8 < (rising ? 2 : 7)) {
        drop(chance() % blocks.size());
        continue;
      }
      const size_t size = 1 + chance() % 280;
      void* made = LuaAllocator::reallocate(&allocator, nullptr, 0, size);
      ASSERT_NE(made, nullptr);
      const auto fill = static_cast<unsigned char>(chance());
      std::memset(made, fill, size);
      blocks.push_back({static_cast<unsigned char*>(made), size, fill});
      total += size;
    }
    EXPECT_EQ(allocator.bytes_in_use(), total);
  }
}

TEST(LuaAllocatorTest, ASmallBlockBeyondTheLimitIsRefused) {
  LuaAllocator allocator;
  LuaMemoryOwner* const owner = LuaAllocator::make_owner();
  const LuaAllocator::OwnerScope scope(allocator, owner);
  void* const first = LuaAllocator::reallocate(&allocator, nullptr, 0, 40);
  owner->set_limit(100);
  EXPECT_EQ(LuaAllocator::reallocate(&allocator, nullptr, 0, 61), nullptr);
  void* const second = LuaAllocator::reallocate(&allocator, nullptr, 0, 60);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(owner->bytes(), 100u);
  LuaAllocator::reallocate(&allocator, first, 40, 0);
  LuaAllocator::reallocate(&allocator, second, 60, 0);
  LuaAllocator::release(owner);
}

}  // namespace
}  // namespace tandem
