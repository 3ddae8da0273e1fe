#include "server/base/memory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

namespace tandem {
namespace {

#ifdef TANDEM_JEMALLOC

constexpr size_t kBlock = size_t{1} << 20;

TEST(MemoryTest, UsedFollowsAllocationsOfThisThread) {
  const size_t before = memory_used();
  void* block = std::malloc(kBlock);
  EXPECT_EQ(memory_used(), before + allocation_size(block));
  std::free(block);
  EXPECT_EQ(memory_used(), before);
}

TEST(MemoryTest, BlockFreedByAnotherRegisteredThreadIsGone) {
  const size_t before = memory_used();
  void* block = std::malloc(kBlock);
  std::thread([block] {
    register_memory_thread();
    std::free(block);
  }).join();
  // The thread's own small allocations remain in the difference.
  EXPECT_LT(memory_used(), before + kBlock / 2);
}

TEST(MemoryTest, SlotsOfEndedThreadsAreReused) {
  const size_t before = memory_used();
  std::vector<void*> blocks;
  for (int i = 0; i < 50; ++i) {
    std::thread([&blocks] {
      register_memory_thread();
      blocks.push_back(std::malloc(kBlock));
    }).join();
  }
  EXPECT_GE(memory_used(), before + blocks.size() * kBlock);
  for (void* block : blocks) std::free(block);
  EXPECT_LT(memory_used(), before + kBlock);
}

TEST(MemoryTest, AllocatorIsNamedWithItsVersion) {
  EXPECT_TRUE(memory_allocator_name().starts_with("jemalloc-5.")) << memory_allocator_name();
}

#endif

TEST(MemoryTest, AllocationSizeIsAtLeastWhatWasAsked) {
  void* block = std::calloc(1, 100);
  EXPECT_GE(allocation_size(block), 100u);
  std::free(block);
  EXPECT_EQ(allocation_size(nullptr), 0u);
}

TEST(MemoryTest, PeakStaysAfterTheMemoryIsFreed) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  {
    std::vector<char> big(size_t{8} << 20, 'x');
    update_memory_peak();
  }
  update_memory_peak();
  EXPECT_GE(memory_peak(), size_t{8} << 20);
}

TEST(MemoryTest, StatsGrowOutwards) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  const AllocatorStats stats = read_allocator_stats();
  EXPECT_GT(stats.allocated, 0u);
  EXPECT_LE(stats.allocated, stats.active);
  EXPECT_GT(process_resident_bytes(), 0u);
}

}  // namespace
}  // namespace tandem
