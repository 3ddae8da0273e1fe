#include "persistence/aof_writer.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/base/memory.h"

namespace tandem {

namespace {

constexpr int64_t kSyncIntervalMs = 1000;
// How long a write waits for a sync that is under way, since writing to a file that is being synced
// may block the loop.
constexpr int64_t kMaxPostponeMs = 2000;
constexpr int64_t kRetryIntervalMs = 1000;
// A buffer that grew beyond this is given back once it is written.
constexpr size_t kKeptBuffer = 1024 * 1024;

}  // namespace

AofWriter::AofWriter(Config& config, Env& env, Clock& clock, Executor& executor)
    : config_(config),
      env_(env),
      clock_(clock),
      latency_(executor.watch().latency()),
      held_(executor) {}

AofWriter::~AofWriter() { *alive_ = false; }

void AofWriter::switch_to(std::unique_ptr<WritableFile> file) {
  if (file_ != nullptr) {
    auto outcome = std::make_shared<Status>();
    env_.run_in_background([old = std::move(file_), outcome] { *outcome = old->sync(); },
                           [this, outcome, alive = alive_] {
                             if (*alive && file_ != nullptr && !outcome->ok()) failed(*outcome);
                           });
  }
  file_ = std::move(file);
  file_bytes_ = file_->size();
}

void AofWriter::close() {
  sync_failed_ = false;
  drop_file();
}

void AofWriter::drop_file() {
  file_.reset();
  file_bytes_ = 0;
  written_ += std::exchange(buffer_, {}).size();
  if (sync_failed_) return;
  synced_ = written_;
  last_status_ = {};
  held_.release(written_);
}

size_t AofWriter::buffer_memory() const {
  const bool within_the_object = buffer_.capacity() <= std::string().capacity();
  return within_the_object ? 0 : allocation_size(buffer_.data());
}

Status AofWriter::flush() {
  if (file_ == nullptr || buffer_.empty()) return {};
  const uint64_t size_before = file_->size();
  Status status = file_->append(buffer_);
  if (!status.ok()) {
    // A half command at the end would be taken for damage: take it back, or go on behind it.
    size_t taken = file_->size() - size_before;
    if (taken > 0 && file_->truncate(size_before).ok()) taken = 0;
    buffer_.erase(0, taken);
    written_ += taken;
    file_bytes_ = file_->size();
    return status;
  }
  written_ += buffer_.size();
  file_bytes_ = file_->size();
  written_mark_ = stream_position();
  buffer_.clear();
  if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
  return {};
}

Status AofWriter::timed_flush(bool child_active) {
  const LatencyTimer any(latency_, clock_, "aof-write");
  const LatencyTimer timer(latency_, clock_,
                           sync_running_  ? "aof-write-pending-fsync"
                           : child_active ? "aof-write-active-child"
                                          : "aof-write-alone");
  return flush();
}

// With `everysec` a write waits for a running sync, but not forever.
bool AofWriter::must_postpone() {
  if (config_.settings().appendfsync != AppendFsync::kEverySecond || !sync_running_) {
    postponed_since_ms_ = -1;
    return false;
  }
  const int64_t now = clock_.monotonic_ms();
  if (postponed_since_ms_ < 0) postponed_since_ms_ = now;
  if (now - postponed_since_ms_ < kMaxPostponeMs) return true;
  ++delayed_syncs_;
  log_notice(
      "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without "
      "waiting for fsync to complete, this may slow down the server.");
  postponed_since_ms_ = -1;
  return false;
}

void AofWriter::end_of_turn(bool child_active) {
  if (!last_status_.ok()) {
    if (std::exchange(failed_in_turn_, false)) refuse_replies();
    return retry();
  }
  if (file_ == nullptr) return;
  if (!buffer_.empty() && !must_postpone()) {
    if (Status status = timed_flush(child_active); !status.ok()) {
      failed(status);
      failed_in_turn_ = false;
      return refuse_replies();
    }
  }
  const Settings& settings = config_.settings();
  if (synced_ == written_ || settings.appendfsync == AppendFsync::kNo) {
    if (!held_.empty()) held_.release(written_);
    return;
  }
  const bool always = settings.appendfsync == AppendFsync::kAlways;
  if (!always && !held_.empty()) held_.release(written_);
  if (child_active && settings.no_appendfsync_on_rewrite) return;
  if (always) held_.hold_all(written_);
  if (sync_running_) return;
  if (always || clock_.monotonic_ms() - last_sync_ms_ >= kSyncIntervalMs) start_sync();
}

void AofWriter::start_sync() {
  sync_running_ = true;
  last_sync_ms_ = clock_.monotonic_ms();
  auto outcome = std::make_shared<Status>();
  env_.run_in_background(
      [file = file_, outcome] { *outcome = file->sync(); },
      [this, outcome, position = written_, mark = written_mark_, alive = alive_] {
        if (*alive) sync_done(*outcome, position, mark);
      });
}

void AofWriter::sync_done(const Status& status, uint64_t position, uint64_t mark) {
  sync_running_ = false;
  if (config_.settings().appendfsync == AppendFsync::kAlways) {
    latency_.add("aof-fsync-always", 1000 * (clock_.monotonic_ms() - last_sync_ms_));
  }
  if (file_ == nullptr) return;
  if (!status.ok()) return failed_sync(status);
  if (sync_failed_) return;
  succeeded();
  synced_ = std::max(synced_, position);
  synced_mark_ = std::max(synced_mark_, mark);
  held_.release(synced_);
  on_synced();
  // Replies that came meanwhile wait for the next one.
  if (file_ != nullptr && !held_.empty()) start_sync();
}

Status AofWriter::sync_now() {
  if (sync_failed_) return last_status_;
  if (file_ == nullptr) return {};
  if (Status status = flush(); !status.ok()) {
    failed(status);
    return status;
  }
  if (Status status = file_->sync(); !status.ok()) {
    failed_sync(status);
    return status;
  }
  succeeded();
  synced_ = written_;
  synced_mark_ = written_mark_;
  held_.release(synced_);
  on_synced();
  return {};
}

// This turn's commands ran before writes were refused. With `always` nobody may hear of what they
// did.
void AofWriter::refuse_replies() {
  if (config_.settings().appendfsync != AppendFsync::kAlways) return;
  held_.hold_all(synced_ + 1);
  held_.disconnect_beyond(synced_);
}

void AofWriter::failed(const Status& status) {
  if (last_status_.ok()) {
    failed_in_turn_ = true;
    log_warning("Error writing the AOF: " + status.error().message +
                ". Writes are refused until it can be written again");
  }
  last_status_ = status;
  last_retry_ms_ = clock_.monotonic_ms();
  held_.disconnect_beyond(synced_);
}

// Neither what the file holds nor what would be written behind it can be relied on. What it is
// replaced by holds that too.
void AofWriter::failed_sync(const Status& status) {
  sync_failed_ = true;
  failed(status);
  drop_file();
}

void AofWriter::replaced() {
  if (!std::exchange(sync_failed_, false)) return;
  // The turn's end makes the new file durable, and only then are writes accepted.
  last_retry_ms_ = clock_.monotonic_ms() - kRetryIntervalMs;
}

void AofWriter::succeeded() {
  if (last_status_.ok()) return;
  last_status_ = {};
  log_notice("The AOF can be written again; writes are accepted");
}

void AofWriter::retry() {
  const bool due = clock_.monotonic_ms() - last_retry_ms_ >= kRetryIntervalMs;
  if (file_ == nullptr || sync_running_ || !due) return;
  last_retry_ms_ = clock_.monotonic_ms();
  if (Status status = flush(); !status.ok()) return failed(status);
  // What is written counts only once it is durable.
  if (!sync_failed_) start_sync();
}

}  // namespace tandem
