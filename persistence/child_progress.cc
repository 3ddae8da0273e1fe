#include "persistence/child_progress.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "server/base/clock.h"

namespace tandem {

namespace {

int64_t now_s() { return system_clock().monotonic_us() / 1'000'000; }

// The private, changed pages of this process; 0 when the system does not say.
uint64_t private_dirty_bytes() {
  std::FILE* file = std::fopen("/proc/self/smaps_rollup", "re");
  if (file == nullptr) return 0;
  constexpr char kName[] = "Private_Dirty:";
  char line[256];
  uint64_t kilobytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, kName, sizeof kName - 1) != 0) continue;
    kilobytes = std::strtoull(line + sizeof kName - 1, nullptr, 10);
    break;
  }
  std::fclose(file);
  return kilobytes * 1024;
}

}  // namespace

ChildProgress::ChildProgress() : parent_(::getpid()) {
  void* memory =
      ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  page_ = new (memory) Page{};
}

ChildProgress::~ChildProgress() { ::munmap(page_, sizeof(Page)); }

void ChildProgress::reset() {
  page_->keys = 0;
  page_->copied = 0;
  page_->peak = 0;
  page_->measured_s = 0;
}

void ChildProgress::measure() {
  // A simulated child is no process of its own and has copied nothing.
  if (::getpid() == parent_) return;
  page_->copied = private_dirty_bytes();
  page_->peak = std::max(page_->peak.load(), page_->copied.load());
  page_->measured_s = now_s();
}

void ChildProgress::measure_if_due() {
  if (now_s() > page_->measured_s) measure();
}

int64_t ChildProgress::measured_ago_s() const {
  const int64_t at = page_->measured_s;
  return at == 0 ? 0 : now_s() - at;
}

}  // namespace tandem
