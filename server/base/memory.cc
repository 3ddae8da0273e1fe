#include "server/base/memory.h"

#include <malloc.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>

#ifdef TANDEM_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

namespace tandem {

namespace {

std::atomic<size_t> peak{0};

#ifdef TANDEM_JEMALLOC

// jemalloc counts what each thread allocated and freed since it began, at fixed addresses that live
// as long as the thread. Their differences, summed over threads, are what is in use; one thread's
// alone means nothing, because another may free what it allocated.
class ThreadCounters {
 public:
  void add(const uint64_t* allocated, const uint64_t* freed) {
    std::lock_guard guard(mutex_);
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.allocated.load(std::memory_order_relaxed) != nullptr) continue;
      slot.freed.store(freed, std::memory_order_relaxed);
      slot.allocated.store(allocated, std::memory_order_release);
      if (i >= slots_in_use_) slots_in_use_.store(i + 1, std::memory_order_release);
      return;
    }
  }

  // The thread ends: its difference stays, its addresses go.
  void remove(const uint64_t* allocated) {
    std::lock_guard guard(mutex_);
    for (Slot& slot : slots_) {
      if (slot.allocated.load(std::memory_order_relaxed) != allocated) continue;
      ended_threads_.fetch_add(difference(slot), std::memory_order_relaxed);
      slot.allocated.store(nullptr, std::memory_order_release);
      return;
    }
  }

  size_t in_use() const {
    int64_t sum = ended_threads_.load(std::memory_order_relaxed);
    const size_t slots = slots_in_use_.load(std::memory_order_acquire);
    for (size_t i = 0; i < slots; ++i) sum += difference(slots_[i]);
    return sum > 0 ? static_cast<size_t>(sum) : 0;
  }

 private:
  static constexpr size_t kMaxThreads = 32;
  struct Slot {
    std::atomic<const uint64_t*> allocated{nullptr};
    std::atomic<const uint64_t*> freed{nullptr};
  };

  static int64_t difference(const Slot& slot) {
    const uint64_t* allocated = slot.allocated.load(std::memory_order_acquire);
    if (allocated == nullptr) return 0;
    const uint64_t* freed = slot.freed.load(std::memory_order_relaxed);
    return static_cast<int64_t>(__atomic_load_n(allocated, __ATOMIC_RELAXED) -
                                __atomic_load_n(freed, __ATOMIC_RELAXED));
  }

  std::mutex mutex_;
  std::array<Slot, kMaxThreads> slots_;
  std::atomic<size_t> slots_in_use_{0};  // all later ones are empty
  std::atomic<int64_t> ended_threads_{0};
};

// Outlives every thread's registration, whatever the order of destruction.
ThreadCounters& counters() {
  static auto* const instance = new ThreadCounters;
  return *instance;
}

class Registration {
 public:
  Registration() {
    uint64_t* freed = nullptr;
    size_t size = sizeof freed;
    if (mallctl("thread.allocatedp", &allocated_, &size, nullptr, 0) != 0 ||
        mallctl("thread.deallocatedp", &freed, &size, nullptr, 0) != 0) {
      allocated_ = nullptr;
      return;
    }
    counters().add(allocated_, freed);
  }
  ~Registration() {
    if (allocated_ != nullptr) counters().remove(allocated_);
  }
  void touch() {}

 private:
  uint64_t* allocated_ = nullptr;
};

size_t read_size(const char* name) {
  size_t value = 0, size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

std::string allocator_name() {
  const char* version = nullptr;
  size_t size = sizeof version;
  if (mallctl("version", &version, &size, nullptr, 0) != 0) return "jemalloc";
  // "5.3.0-0-g54eaed1d…"
  std::string text = version;
  return "jemalloc-" + text.substr(0, text.find('-'));
}

#endif

}  // namespace

#ifdef TANDEM_JEMALLOC

void register_memory_thread() {
  thread_local Registration registration;
  registration.touch();
}

size_t memory_used() {
  thread_local bool registered = false;
  if (!registered) {
    register_memory_thread();
    registered = true;
  }
  return counters().in_use();
}

size_t allocation_size(const void* block) { return block == nullptr ? 0 : sallocx(block, 0); }

AllocatorStats read_allocator_stats() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);
  return {read_size("stats.allocated"), read_size("stats.active"), read_size("stats.resident")};
}

std::string allocator_report() {
  std::string text;
  malloc_stats_print(
      [](void* to, const char* piece) { static_cast<std::string*>(to)->append(piece); }, &text,
      nullptr);
  return text;
}

void release_unused_memory() {
  char command[64];
  std::snprintf(command, sizeof command, "arena.%u.purge", MALLCTL_ARENAS_ALL);
  mallctl(command, nullptr, nullptr, nullptr, 0);
}

void set_allocator_background_thread(bool enabled) {
  mallctl("background_thread", nullptr, nullptr, &enabled, sizeof enabled);
}

#else

namespace {
std::string allocator_name() { return "libc"; }
}  // namespace

void register_memory_thread() {}

size_t memory_used() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

size_t allocation_size(const void* block) { return malloc_usable_size(const_cast<void*>(block)); }

AllocatorStats read_allocator_stats() {
  const size_t used = memory_used();
  return {used, used, process_resident_bytes()};
}

std::string allocator_report() { return "Stats not supported for the current allocator"; }

void release_unused_memory() { malloc_trim(0); }
void set_allocator_background_thread(bool) {}

#endif

const std::string& memory_allocator_name() {
  static const std::string name = allocator_name();
  return name;
}

size_t memory_peak() { return peak.load(std::memory_order_relaxed); }

void update_memory_peak() {
  const size_t used = memory_used();
  if (used > memory_peak()) peak.store(used, std::memory_order_relaxed);
}

size_t process_resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long total = 0, resident = 0;
  const int fields = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace tandem
