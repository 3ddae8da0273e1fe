#include "persistence/aof_writer.h"

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
      executor_(executor),
      latency_(executor.watch().latency()),
      held_(executor),
      syncs_(env, clock,
             [this](const std::shared_ptr<AofTail>& file, const AofTail::Synced& synced,
                    int64_t took_us) { sync_ended(file, synced, took_us); }) {
  executor_.sendable_output = [this](Client& client) {
    return held_.sendable(client, position(), tellable());
  };
}

AofWriter::~AofWriter() {
  executor_.sendable_output = [](Client&) { return OutputBuffer::kAll; };
}

void AofWriter::switch_to(std::shared_ptr<AofTail> file) {
  if (file_ != nullptr && synced_.bytes < written_.bytes) retire_file();
  file_ = std::move(file);
  // The stream so far is in the files before this one, or in the dataset that the new base is made
  // of; it may be another stream than it was.
  written_.mark = stream_position();
  if (synced_.bytes == written_.bytes) synced_.mark = written_.mark;
  wrote(0);
}

// In the lane of a sync: other work in the background may take long, and writes wait for this.
void AofWriter::retire_file() {
  retired_ = std::move(file_);
  auto outcome = std::make_shared<Status>();
  retiring_ = std::make_unique<BackgroundStep>(
      env_, /*lane=*/0, [old = retired_, outcome] { *outcome = old->sync_all(); },
      [this, outcome, end = written_] { retired(*outcome, end); });
}

void AofWriter::retired(const Status& status, const AofPosition& end) {
  retiring_.reset();
  retired_.reset();
  if (!status.ok()) return failed_sync(status);
  if (!write_failed_) succeeded();
  advance_synced(end);
}

void AofWriter::close() {
  sync_failed_ = false;
  drop_file();
}

void AofWriter::drop_file() {
  retiring_.reset();
  retired_.reset();
  file_.reset();
  file_bytes_ = 0;
  written_.bytes += std::exchange(buffer_, {}).size();
  write_failed_ = false;
  if (sync_failed_) return;
  synced_.bytes = written_.bytes;
  last_status_ = {};
  release(synced_.bytes);
}

size_t AofWriter::buffer_memory() const {
  const bool within_the_object = buffer_.capacity() <= std::string().capacity();
  return within_the_object ? 0 : allocation_size(buffer_.data());
}

Status AofWriter::flush() {
  if (retiring_ != nullptr) {
    retiring_->finish();
    if (sync_failed_) return last_status_;
  }
  if (file_ == nullptr || buffer_.empty()) return {};
  const uint64_t size_before = file_->size();
  Status status = file_->append(buffer_);
  write_failed_ = !status.ok();
  if (write_failed_) {
    // A half command at the end would be taken for damage: take it back, or go on behind it.
    size_t taken = file_->size() - size_before;
    if (taken > 0 && file_->truncate(size_before).ok()) taken = 0;
    buffer_.erase(0, taken);
    wrote(taken);
    return status;
  }
  written_.mark = stream_position();
  wrote(buffer_.size());
  buffer_.clear();
  if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
  return {};
}

void AofWriter::wrote(uint64_t bytes) {
  written_.bytes += bytes;
  file_bytes_ = file_->size();
  file_->set_written(written_);
}

Status AofWriter::timed_flush(bool child_active) {
  const LatencyTimer any(latency_, clock_, "aof-write");
  const LatencyTimer timer(latency_, clock_,
                           syncs_.any()   ? "aof-write-pending-fsync"
                           : child_active ? "aof-write-active-child"
                                          : "aof-write-alone");
  return flush();
}

// With `everysec` a write waits for a running sync, but not forever.
bool AofWriter::must_postpone() {
  if (config_.settings().appendfsync != AppendFsync::kEverySecond || !syncs_.any()) {
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
  syncs_suspended_ = child_active && config_.settings().no_appendfsync_on_rewrite;
  if (!last_status_.ok()) {
    if (std::exchange(failed_in_turn_, false)) refuse_replies();
    return retry();
  }
  if (file_ == nullptr) return;
  if (switching()) return;
  if (!buffer_.empty() && !must_postpone()) {
    if (Status status = timed_flush(child_active); !status.ok()) {
      failed(status);
      failed_in_turn_ = false;
      return refuse_replies();
    }
  }
  const Settings& settings = config_.settings();
  if (synced_.bytes == written_.bytes || settings.appendfsync == AppendFsync::kNo) {
    return release(written_.bytes);
  }
  const bool always = settings.appendfsync == AppendFsync::kAlways;
  if (!always) release(written_.bytes);
  if (syncs_suspended_) {
    // Held while the files were switched.
    if (!held_.empty() || stream_waits_) start_sync();
    return;
  }
  if (always) {
    start_sync();
  } else if (!syncs_.any() && clock_.monotonic_ms() - last_sync_ms_ >= kSyncIntervalMs) {
    start_sync();
  }
}

// The position up to which clients and replicas may hear of changes.
uint64_t AofWriter::tellable() const {
  if (file_ == nullptr) return position();
  const bool always = config_.settings().appendfsync == AppendFsync::kAlways;
  if (!last_status_.ok()) return always && failed_in_turn_ ? synced_.bytes : position();
  if (always && (switching() || !syncs_suspended_)) return synced_.bytes;
  // What is buffered is lost with the process, and a disk that hangs may keep it there for longer
  // than any policy allows.
  return switching() ? written_.bytes : position();
}

uint64_t AofWriter::stream_limit() {
  const uint64_t told = tellable();
  if (told == position()) return UINT64_MAX;
  stream_waits_ = true;
  return told == synced_.bytes ? synced_.mark : written_.mark;
}

void AofWriter::release(uint64_t position) {
  held_.release(position);
  if (std::exchange(stream_waits_, false)) on_stream_released();
}

void AofWriter::start_sync() {
  last_sync_ms_ = clock_.monotonic_ms();
  syncs_.cover(file_);
}

void AofWriter::sync_ended(const std::shared_ptr<AofTail>& file, const AofTail::Synced& synced,
                           int64_t took_us) {
  if (config_.settings().appendfsync == AppendFsync::kAlways) {
    latency_.add("aof-fsync-always", took_us);
  }
  if (file != file_ && file != retired_) return;  // it has been dropped, or replaced
  if (!synced.status.ok()) return failed_sync(synced.status);
  if (sync_failed_) return;
  // A write that failed meanwhile is not made good by this.
  if (!write_failed_) succeeded();
  advance_synced(synced.position);
  // Replies that came while no further sync could begin wait for one.
  if (file_ != nullptr && !switching() && synced_.bytes < written_.bytes &&
      (!held_.empty() || stream_waits_)) {
    start_sync();
  }
}

// Syncs that overlap may end in any order. Marks do not always grow: a full sync begins a stream
// anew.
void AofWriter::advance_synced(const AofPosition& position) {
  if (position.bytes >= synced_.bytes) synced_ = position;
  release(synced_.bytes);
  on_synced();
}

Status AofWriter::sync_now() {
  if (sync_failed_) return last_status_;
  if (file_ == nullptr) return {};
  if (Status status = flush(); !status.ok()) {
    if (!sync_failed_) failed(status);
    return status;
  }
  if (Status status = file_->sync_all(); !status.ok()) {
    failed_sync(status);
    return status;
  }
  succeeded();
  advance_synced(written_);
  return {};
}

// This turn's commands ran before writes were refused. With `always` nobody may hear of what they
// did.
void AofWriter::refuse_replies() {
  if (config_.settings().appendfsync != AppendFsync::kAlways) return;
  held_.disconnect_all();
}

void AofWriter::failed(const Status& status) {
  if (last_status_.ok()) {
    failed_in_turn_ = true;
    log_warning("Error writing the AOF: " + status.error().message +
                ". Writes are refused until it can be written again");
  }
  last_status_ = status;
  last_retry_ms_ = clock_.monotonic_ms();
  held_.disconnect_beyond(synced_.bytes);
}

// Neither what the file holds nor what would be written behind it can be relied on. What it is
// replaced by holds that too.
void AofWriter::failed_sync(const Status& status) {
  sync_failed_ = true;
  failed(status);
  drop_file();
}

void AofWriter::report_failed_sync(const Status& status) {
  if (file_ != nullptr) failed_sync(status);
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
  if (file_ == nullptr || switching() || syncs_.any() || !due) return;
  last_retry_ms_ = clock_.monotonic_ms();
  if (Status status = flush(); !status.ok()) return failed(status);
  // What is written counts only once it is durable.
  if (!sync_failed_) start_sync();
}

}  // namespace tandem
