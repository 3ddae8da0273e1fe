#pragma once

#include <atomic>
#include <cstdint>

namespace tandem {

// What a child process that writes a snapshot tells its parent: a page of memory that both see.
class ChildProgress {
 public:
  ChildProgress();
  ~ChildProgress();
  ChildProgress(const ChildProgress&) = delete;
  ChildProgress& operator=(const ChildProgress&) = delete;

  // In the parent, before the fork.
  void reset();
  // In the child, after each key: counts it, and once a second measures.
  void key_written() {
    const uint64_t keys = page_->keys.load(std::memory_order_relaxed) + 1;
    page_->keys.store(keys, std::memory_order_relaxed);
    if (keys % kKeysPerLook == 0) measure_if_due();
  }
  // In the child: how much memory it does not share with its parent any more.
  void measure();

  uint64_t keys() const { return page_->keys; }
  // Bytes copied on write by the last measurement, and the most of all.
  uint64_t copied_bytes() const { return page_->copied; }
  uint64_t peak_copied_bytes() const { return page_->peak; }
  // Seconds since the last measurement; 0 when there was none.
  int64_t measured_ago_s() const;

 private:
  static constexpr uint64_t kKeysPerLook = 1024;
  struct Page {
    std::atomic<uint64_t> keys;
    std::atomic<uint64_t> copied;
    std::atomic<uint64_t> peak;
    std::atomic<int64_t> measured_s;  // the system's monotonic clock, which both processes share
  };

  void measure_if_due();

  const int parent_;
  Page* page_;
};

}  // namespace tandem
