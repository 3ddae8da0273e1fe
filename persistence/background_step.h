#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "server/base/env.h"

namespace tandem {

// Slow work that happens once, off the loop, and that the loop can yet wait for where it has to (a
// shutdown). Made and used on the loop; may be dropped at any time, which does not end the work.
class BackgroundStep {
 public:
  // `work` runs in the background, in that lane if one is given (Env::run_in_lane()); then `done`
  // is called on the loop. `work` must not touch what the loop owns.
  BackgroundStep(Env& env, std::optional<size_t> lane, std::function<void()> work,
                 std::function<void()> done);
  // `done` will not be called any more.
  ~BackgroundStep() { job_->done = nullptr; }
  BackgroundStep(const BackgroundStep&) = delete;
  BackgroundStep& operator=(const BackgroundStep&) = delete;

  // The work has been done when this returns: by now, in the background, or here. Calls `done`,
  // which may destroy this.
  void finish();

 private:
  struct Job {
    void run();
    void end();

    std::mutex mutex;
    std::function<void()> work;  // null once it has been done; guarded by the mutex
    std::function<void()> done;  // of the loop; null once it has been called
  };
  std::shared_ptr<Job> job_;
};

}  // namespace tandem
