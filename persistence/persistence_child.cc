// The part of Persistence that keeps the one child process.

#include <utility>

#include "persistence/persistence.h"
#include "server/base/log.h"

namespace tandem {

Status Persistence::claim_child(ChildPurpose purpose) {
  if (child_purpose_ != ChildPurpose::kNone) {
    return make_error(ErrorKind::kInvalid, "a child process runs already");
  }
  child_purpose_ = purpose;
  return {};
}

void Persistence::release_child() { child_purpose_ = ChildPurpose::kNone; }

Status Persistence::fork_child(ChildPurpose purpose, std::function<int()> body,
                               std::function<void(const ChildExit&)> done) {
  if (Status status = claim_child(purpose); !status.ok()) return status;
  Status status = run_child(std::move(body), std::move(done));
  if (!status.ok()) release_child();
  return status;
}

Status Persistence::run_child(std::function<int()> body,
                              std::function<void(const ChildExit&)> done) {
  child_progress_.reset();
  child_work_.begin(clock_.monotonic_ms(), executor_.keyspace().total_size());
  const int64_t forking_us = clock_.monotonic_us();
  Result<ChildId> child = [&] {
    const LatencyTimer timer(executor_.watch().latency(), clock_, "fork");
    return env_.fork_child([this, body = std::move(body)] {
      const int code = body();
      child_progress_.measure();
      return code;
    });
  }();
  if (!child.ok()) return child.error();
  latest_fork_us_ = clock_.monotonic_us() - forking_us;
  ++total_forks_;
  child_ = child.value();
  child_done_ = std::move(done);
  child_started_ms_ = clock_.monotonic_ms();
  return {};
}

void Persistence::collect_child() {
  if (!child_) return;
  const std::unique_ptr<ChildExit> exit = env_.poll_child(*child_);
  if (exit == nullptr) return;
  child_.reset();
  const bool rewrite = child_purpose_ == ChildPurpose::kAofRewrite;
  (rewrite ? last_rewrite_copied_ : last_save_copied_) = child_progress_.peak_copied_bytes();
  // A rewrite has work to do before the next child may begin.
  if (!rewrite) release_child();
  std::exchange(child_done_, nullptr)(*exit);
}

void Persistence::log_child_progress() {
  if (!child_) return;
  const int64_t now_ms = clock_.monotonic_ms();
  if (!child_work_.due_for_log(now_ms)) return;
  child_work_.update(now_ms, child_progress_.keys());
  const char* name = child_purpose_ == ChildPurpose::kSave         ? "Background saving: "
                     : child_purpose_ == ChildPurpose::kAofRewrite ? "AOF rewriting: "
                                                                   : "Snapshot for replicas: ";
  log_notice(name + child_work_.text("keys"));
}

void Persistence::kill_child(ChildPurpose purpose) {
  if (child_ && child_purpose_ == purpose) env_.kill_child(*child_);
}

}  // namespace tandem
