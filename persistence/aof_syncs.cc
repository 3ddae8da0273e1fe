#include "persistence/aof_syncs.h"

#include <algorithm>

namespace tandem {

namespace {

// Between the beginnings of two syncs.
constexpr int64_t kShortestGapUs = 100;

}  // namespace

void AofSyncs::cover(const std::shared_ptr<AofTail>& file) {
  if (file->sync_expected()) return;
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [](Slot& s) { return !s.used; });
  if (slot != slots_.end()) start(static_cast<size_t>(slot - slots_.begin()), file);
}

void AofSyncs::start(size_t number, const std::shared_ptr<AofTail>& file) {
  const int64_t gap_us = std::max(kShortestGapUs, usual_us_ / int64_t{AofTail::kSyncs});
  const int64_t now_us = clock_.monotonic_us();
  // One alone has nothing to wait for.
  const int64_t wait_us =
      running_ == 0 ? 0 : std::max(int64_t{0}, last_began_us_ + gap_us - now_us);
  last_began_us_ = now_us + wait_us;
  slots_[number] = {.used = true, .began_us = last_began_us_};
  ++running_;
  file->expect_sync();
  auto synced = std::make_shared<AofTail::Synced>();
  env_.run_in_lane(
      number, wait_us, [file, number, synced] { *synced = file->sync(number); },
      [this, file, number, synced, alive = alive_] {
        if (*alive) end(number, file, *synced);
      });
}

void AofSyncs::end(size_t number, const std::shared_ptr<AofTail>& file,
                   const AofTail::Synced& synced) {
  const int64_t took_us = clock_.monotonic_us() - slots_[number].began_us;
  usual_us_ += (took_us - usual_us_) / 8;
  slots_[number].used = false;
  --running_;
  ended_(file, synced, took_us);
}

}  // namespace tandem
