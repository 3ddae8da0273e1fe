// The part of Aof that replaces the base: BGREWRITEAOF.

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "persistence/aof.h"
#include "persistence/aof_rewrite.h"
#include "persistence/file_streams.h"
#include "server/base/log.h"

namespace tandem {

namespace {

// After this many failed rewrites in a row they are started by themselves only after a delay, which
// then doubles up to an hour.
constexpr uint64_t kFailuresBeforeDelay = 3;
constexpr int64_t kFirstDelayMs = 60 * 1000;
constexpr int64_t kMaxDelayMs = 60 * kFirstDelayMs;
// While writes are refused until a rewrite succeeds, it is tried more often.
constexpr int64_t kFirstRepairDelayMs = 1000;

Status write_new_base(Env& env, const std::string& path, const SnapshotSource& source,
                      const SnapshotOptions& options, bool as_rdb) {
  Result<std::unique_ptr<WritableFile>> file = env.create(path);
  if (!file.ok()) return file.error();
  FileSink sink(file.value().get(), options.sync_every);
  Status status =
      as_rdb ? write_snapshot(&sink, source, options) : write_dataset_as_commands(&sink, source);
  return status.ok() ? file.value()->sync() : status;
}

}  // namespace

Status Aof::begin_rewrite() {
  if (host_.child_active()) return make_error(ErrorKind::kInvalid, "a child process runs already");
  rewrite_scheduled_ = false;
  if (writer_.sync_failed()) state_ = State::kStarting;
  if (Status status = prepare_directory(); !status.ok()) return status;
  if (enabled()) {
    if (Status status = open_next_incremental(); !status.ok()) return status;
  }
  rewrite_as_rdb_ = config_.settings().aof_use_rdb_preamble;
  rewrite_temporary_ = "temp-rewriteaof-bg-" + std::to_string(::getpid()) + ".aof";
  SnapshotSource source = host_.snapshot_source();
  source.aof_base = true;
  source.progress = host_.child_progress();
  auto body = [&env = env_, file = path(rewrite_temporary_), source = std::move(source),
               options = host_.snapshot_options(), as_rdb = rewrite_as_rdb_] {
    Status status = write_new_base(env, file, source, options, as_rdb);
    if (status.ok()) return 0;
    log_warning("Write error writing the new AOF base: " + status.error().message);
    return 1;
  };
  Status forked = host_.fork_rewrite(std::move(body), [this](bool ok) { finish_rewrite(ok); });
  if (!forked.ok()) return forked;
  rewrite_running_ = true;
  stats_.rewrite_started_ms = clock_.monotonic_ms();
  log_notice("Background append only file rewriting started");
  return {};
}

// An AOF that is off has not been looked at yet.
Status Aof::prepare_directory() {
  if (lock_ != nullptr) return {};
  if (Status status = read_manifest(); !status.ok()) return status;
  return lock_directory();
}

// What the snapshot will not see goes to a file of its own from here on.
Status Aof::open_next_incremental() {
  if (state_ == State::kStarting) {
    writer_.drop_file();
    // A new file: that an old one was emptied would not be durable before its next sync, and a
    // power loss could bring its content back.
    const std::string temporary = path(kTemporaryIncremental);
    if (env_.exists(temporary)) {
      if (Status status = env_.remove(temporary); !status.ok()) return status;
    }
    Result<std::shared_ptr<AofTail>> file = AofTail::create(env_, temporary);
    if (!file.ok()) return file.error();
    switch_to(std::move(file).value());
    return {};
  }
  // Durable before the manifest names a file behind it: a file that is not the last must be whole.
  if (Status status = writer_.sync_now(); !status.ok()) return status;
  AofManifest next = manifest_;
  const std::string name = next.add_incremental(config_.settings().appendfilename).name;
  Result<std::shared_ptr<AofTail>> file = AofTail::create(env_, path(name));
  if (!file.ok()) return file.error();
  Status status = write_manifest(next);
  if (!status.ok()) {
    // The new manifest may be in place after all; its file is empty and stays, and the next attempt
    // takes another name.
    manifest_.incremental_sequence = next.incremental_sequence;
    return status;
  }
  manifest_ = std::move(next);
  switch_to(std::move(file).value());
  return {};
}

void Aof::finish_rewrite(bool ok) {
  rewrite_running_ = false;
  const int64_t took_ms = clock_.monotonic_ms() - stats_.rewrite_started_ms;
  stats_.last_rewrite_s = took_ms / 1000;
  stats_.rewrite_started_ms = -1;
  if (std::exchange(rewrite_cancelled_, false)) return discard_rewrite();
  if (!ok) return rewrite_failed("the child process did not finish it");
  if (state_ == State::kStarting && !writer_.is_open()) {
    return rewrite_failed("what was written meanwhile could not be synced");
  }
  if (Status status = commit_rewrite(); !status.ok()) {
    return rewrite_failed(status.error().message);
  }
  stats_.last_rewrite_ok = true;
  stats_.consecutive_failures = 0;
  ++stats_.rewrites;
  log_notice("Background AOF rewrite finished successfully");
  delete_history();
}

Status Aof::commit_rewrite() {
  AofManifest next = manifest_;
  const std::string& stem = config_.settings().appendfilename;
  const std::string base = next.next_base_name(stem, rewrite_as_rdb_);
  {
    const LatencyTimer timer(executor_.watch().latency(), clock_, "aof-rename");
    if (Status status = env_.rename(path(rewrite_temporary_), path(base)); !status.ok()) {
      return status;
    }
  }
  if (state_ == State::kStarting) {
    const std::string name = next.add_incremental(stem).name;
    Status status = env_.rename(path(kTemporaryIncremental), path(name));
    if (!status.ok()) return status;
  }
  next.replace_base(base, next.incremental.size() - (enabled() ? 1 : 0));
  if (Status status = write_manifest(next); !status.ok()) {
    // The new manifest may be in place after all. What it names stays, and the next attempt takes
    // other names, so that both manifests hold a whole dataset.
    manifest_.base_sequence = next.base_sequence;
    manifest_.incremental_sequence = next.incremental_sequence;
    return status;
  }
  manifest_ = std::move(next);
  if (std::exchange(state_, enabled() ? State::kOn : State::kOff) == State::kStarting) {
    writer_.replaced();
    writer_.on_synced();
  }
  const Result<uint64_t> base_bytes = env_.file_size(path(base));
  settled_size_ = base_bytes.ok() ? base_bytes.value() : 0;
  stats_.base_size = size();
  if (!enabled()) lock_.reset();
  return {};
}

Status Aof::finish_start() {
  if (!enabled() || (state_ == State::kOn && !writer_.sync_failed())) return {};
  state_ = State::kStarting;
  cancel_rewrite();
  if (Status status = prepare_directory(); !status.ok()) return status;
  if (Status status = open_next_incremental(); !status.ok()) return status;
  rewrite_as_rdb_ = config_.settings().aof_use_rdb_preamble;
  // A child that was just killed may still write to the other one.
  rewrite_temporary_ = "temp-rewriteaof-" + std::to_string(::getpid()) + ".aof";
  SnapshotSource source = host_.snapshot_source();
  source.aof_base = true;
  Status status = write_new_base(env_, path(rewrite_temporary_), source, host_.snapshot_options(),
                                 rewrite_as_rdb_);
  return status.ok() ? commit_rewrite() : status;
}

// The child may have finished before it could be killed: what it wrote counts no more.
void Aof::cancel_rewrite() {
  if (!rewrite_running_) return;
  rewrite_cancelled_ = true;
  host_.kill_rewrite();
}

void Aof::discard_rewrite() {
  if (!rewrite_temporary_.empty()) (void)env_.remove(path(rewrite_temporary_));
  if (state_ == State::kStarting) {
    writer_.drop_file();
    (void)env_.remove(path(kTemporaryIncremental));
  }
}

void Aof::rewrite_failed(const std::string& reason) {
  log_warning("Background AOF rewrite failed: " + reason);
  stats_.last_rewrite_ok = false;
  ++stats_.consecutive_failures;
  last_failure_ms_ = clock_.monotonic_ms();
  discard_rewrite();
}

// History is deleted last: by now the manifest on disk does not need it.
void Aof::delete_history() {
  if (manifest_.history.empty() || config_.settings().aof_disable_auto_gc) return;
  auto files = std::make_shared<std::vector<std::string>>();
  for (const AofFile& file : manifest_.history) files->push_back(file.name);
  auto work = [&env = env_, directory = directory_, files] {
    std::erase_if(*files, [&](const std::string& name) {
      const std::string file = directory + "/" + name;
      return env.exists(file) && !env.remove(file).ok();
    });
  };
  env_.run_in_background(std::move(work), [this, files, alive = alive_] {
    if (!*alive) return;
    std::erase_if(manifest_.history, [&](const AofFile& file) {
      return std::find(files->begin(), files->end(), file.name) != files->end();
    });
    // Should this fail, the next start finds files in the manifest that are gone already.
    if (lock_ == nullptr) return;
    if (Status status = write_manifest(manifest_); !status.ok()) {
      log_warning("Can't remove deleted files from the AOF manifest: " + status.error().message);
    }
  });
}

bool Aof::should_grow_rewrite() const {
  const Settings& settings = config_.settings();
  const uint64_t bytes = size();
  if (state_ != State::kOn || settings.auto_aof_rewrite_percentage <= 0) return false;
  if (bytes <= static_cast<uint64_t>(settings.auto_aof_rewrite_min_size)) return false;
  const uint64_t base = std::max<uint64_t>(stats_.base_size, 1);
  const uint64_t growth = bytes > base ? (bytes - base) * 100 / base : 0;
  return growth >= static_cast<uint64_t>(settings.auto_aof_rewrite_percentage);
}

bool Aof::rewrite_throttled() const {
  if (writer_.sync_failed()) {
    const int64_t delay = kFirstRepairDelayMs << std::min<uint64_t>(stats_.consecutive_failures, 6);
    return stats_.consecutive_failures > 0 && clock_.monotonic_ms() - last_failure_ms_ < delay;
  }
  if (stats_.consecutive_failures < kFailuresBeforeDelay) return false;
  const uint64_t doublings =
      std::min<uint64_t>(stats_.consecutive_failures - kFailuresBeforeDelay, 6);
  const int64_t delay = std::min(kFirstDelayMs << doublings, kMaxDelayMs);
  return clock_.monotonic_ms() - last_failure_ms_ < delay;
}

void Aof::cron() {
  if (host_.child_active()) return;
  const bool wanted = state_ == State::kStarting || writer_.sync_failed() || should_grow_rewrite();
  if (!rewrite_scheduled_ && (!wanted || rewrite_throttled())) return;
  if (Status status = begin_rewrite(); !status.ok()) rewrite_failed(status.error().message);
}

void Aof::reset_stats() {
  stats_.rewrites = 0;
  writer_.reset_stats();
}

}  // namespace tandem
