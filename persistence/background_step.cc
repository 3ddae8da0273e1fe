#include "persistence/background_step.h"

#include <utility>

namespace tandem {

BackgroundStep::BackgroundStep(Env& env, std::optional<size_t> lane, std::function<void()> work,
                               std::function<void()> done)
    : job_(std::make_shared<Job>()) {
  job_->work = std::move(work);
  job_->done = std::move(done);
  auto run = [job = job_] { job->run(); };
  auto end = [job = job_] { job->end(); };
  if (lane) {
    env.run_in_lane(*lane, 0, std::move(run), std::move(end));
  } else {
    env.run_in_background(std::move(run), std::move(end));
  }
}

void BackgroundStep::finish() {
  const std::shared_ptr<Job> job = job_;
  job->run();
  job->end();
}

void BackgroundStep::Job::run() {
  const std::lock_guard lock(mutex);
  if (work) std::exchange(work, nullptr)();
}

void BackgroundStep::Job::end() {
  if (done) std::exchange(done, nullptr)();
}

}  // namespace tandem
