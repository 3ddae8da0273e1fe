// The part of Aof that replaces the base: BGREWRITEAOF.

#include <unistd.h>

#include <algorithm>
#include <optional>
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
// While writes are refused until a rewrite succeeds, it is tried more often: service is to resume
// soon after the disk can be written again.
constexpr int64_t kFirstRepairDelayMs = 1000;
constexpr uint64_t kMostRepairDoublings = 4;

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
  if (Status status = host_.claim_child(); !status.ok()) return status;
  rewrite_scheduled_ = false;
  if (writer_.sync_failed()) state_ = State::kStarting;
  if (Status status = prepare_directory(); !status.ok()) {
    host_.release_child();
    release_lock();
    return status;
  }
  // From here on the snapshot has everything.
  if (state_ == State::kStarting) writer_.drop_file();
  rewrite_ = {.phase = Phase::kPreparing, .of = state_};
  stats_.rewrite_started_ms = clock_.monotonic_ms();
  log_notice("Background append only file rewriting started");
  auto preparation = std::make_shared<AofPreparation>(plan_preparation(&rewrite_.incremental));
  step_ = std::make_unique<BackgroundStep>(
      env_, std::nullopt, [&env = env_, preparation] { preparation->run(env); },
      [this, preparation] { prepared(*preparation); });
  return {};
}

// An AOF that is off has not been looked at yet.
Status Aof::prepare_directory() {
  if (lock_ != nullptr) return {};
  if (Status status = read_manifest(); !status.ok()) return status;
  return lock_directory();
}

// What the snapshot will not see goes to a file of its own.
AofPreparation Aof::plan_preparation(std::optional<AofFile>* incremental) {
  AofPreparation plan{.place = place()};
  if (state_ == State::kOn) {
    AofManifest next = manifest_;
    *incremental = next.add_incremental(config_.settings().appendfilename);
    // Whatever comes of it, the name is taken.
    manifest_.incremental_sequence = next.incremental_sequence;
    plan.current = path(manifest_.incremental.back().name);
    plan.incremental = path((*incremental)->name);
    plan.manifest = std::move(next);
    return plan;
  }
  plan.parent = parent_directory();
  if (enabled()) plan.incremental = path(kTemporaryIncremental);
  return plan;
}

void Aof::prepared(const AofPreparation& preparation) {
  step_.reset();
  rewrite_.file = preparation.file;
  const bool of_this_file = rewrite_.of == State::kOn && state_ == State::kOn;
  if (of_this_file && !preparation.current_synced.ok()) {
    writer_.report_failed_sync(preparation.current_synced);
  }
  if (rewrite_.cancelled) return clean_up();
  if (!preparation.status.ok()) return rewrite_failed(preparation.status.error().message);
  rewrite_.phase = Phase::kPrepared;
  fork_when_possible();
}

// Not while half of the dataset is loaded, nor inside a command that runs for long: the snapshot
// would have half of its changes. cron() tries again.
void Aof::fork_when_possible() {
  if (executor_.call_depth() > 0 || executor_.state().loading || writer_.switching()) return;
  if (Status status = fork_and_switch(); !status.ok()) rewrite_failed(status.error().message);
}

Status Aof::fork_and_switch() {
  if (rewrite_.of == State::kOn) {
    if (!writer_.is_open()) return make_error(ErrorKind::kIo, "the file before it is lost");
    if (Status status = writer_.flush(); !status.ok()) return status;
  }
  rewrite_.as_rdb = config_.settings().aof_use_rdb_preamble;
  rewrite_.temporary = "temp-rewriteaof-bg-" + std::to_string(::getpid()) + ".aof";
  SnapshotSource source = host_.snapshot_source();
  source.aof_base = true;
  source.progress = host_.child_progress();
  auto body = [&env = env_, file = path(rewrite_.temporary), source = std::move(source),
               options = host_.snapshot_options(), as_rdb = rewrite_.as_rdb] {
    Status status = write_new_base(env, file, source, options, as_rdb);
    if (status.ok()) return 0;
    log_warning("Write error writing the new AOF base: " + status.error().message);
    return 1;
  };
  Status forked = host_.fork_rewrite(std::move(body), [this](bool ok) { child_ended(ok); });
  if (!forked.ok()) return forked;
  rewrite_.phase = Phase::kWriting;
  if (rewrite_.of == State::kOff) return {};
  if (rewrite_.incremental) {
    manifest_.incremental.push_back(*std::exchange(rewrite_.incremental, std::nullopt));
  }
  switch_to(std::exchange(rewrite_.file, nullptr));
  return {};
}

void Aof::child_ended(bool ok) {
  if (rewrite_.cancelled) return clean_up();
  if (!ok) return rewrite_failed("the child process did not finish it");
  rewrite_.phase = Phase::kCommitting;
  auto commit = std::make_shared<AofCommit>(
      plan_commit(rewrite_.temporary, rewrite_.as_rdb, rewrite_.of == State::kStarting));
  step_ = std::make_unique<BackgroundStep>(
      env_, std::nullopt, [&env = env_, &clock = clock_, commit] { commit->run(env, clock); },
      [this, commit] { committed(*commit); });
}

// `with_temporary`: what is written goes to the temporary incremental file, which gets a name too.
AofCommit Aof::plan_commit(const std::string& temporary, bool as_rdb, bool with_temporary) {
  const std::string& stem = config_.settings().appendfilename;
  AofCommit plan{.place = place(), .manifest = manifest_};
  const std::string base = manifest_.next_base_name(stem, as_rdb);
  if (with_temporary) plan.manifest.add_incremental(stem);
  plan.manifest.replace_base(base, plan.manifest.incremental.size() - (enabled() ? 1 : 0));
  plan.renames.push_back({temporary, *plan.manifest.base});
  if (with_temporary) {
    plan.renames.push_back({kTemporaryIncremental, plan.manifest.incremental.back()});
  }
  // Whatever comes of it, the names are taken.
  manifest_.base_sequence = plan.manifest.base_sequence;
  manifest_.incremental_sequence = plan.manifest.incremental_sequence;
  return plan;
}

void Aof::committed(AofCommit& commit) {
  step_.reset();
  adopt_names(commit);
  if (rewrite_.cancelled) return clean_up();
  if (!commit.status.ok()) return rewrite_failed(commit.status.error().message);
  if (state_ == State::kStarting && !writer_.is_open()) {
    return rewrite_failed("what was written meanwhile could not be synced");
  }
  adopt_base(commit);
  stats_.last_rewrite_ok = true;
  stats_.consecutive_failures = 0;
  ++stats_.rewrites;
  log_notice("Background AOF rewrite finished successfully");
  delete_history();
  rewrite_over();
}

// After a failure the new manifest may be in place all the same, so what it names stays until
// another one is: both hold a whole dataset.
void Aof::adopt_names(AofCommit& commit) {
  if (commit.rename_us > 0) executor_.watch().latency().add("aof-rename", commit.rename_us);
  if (commit.status.ok()) {
    manifest_ = std::move(commit.manifest);
    return;
  }
  for (const AofCommit::Rename& rename : commit.renames) manifest_.history.push_back(rename.to);
}

void Aof::adopt_base(const AofCommit& commit) {
  if (state_ == State::kStarting) {
    state_ = State::kOn;
    writer_.replaced();
    writer_.on_synced();
  }
  settled_size_ = commit.base_bytes;
  stats_.base_size = size();
}

Status Aof::finish_start() {
  if (!enabled() || (state_ == State::kOn && !writer_.sync_failed())) return {};
  state_ = State::kStarting;
  cancel_rewrite();
  while (step_ != nullptr) step_->finish();
  if (deletion_ != nullptr) deletion_->finish();
  if (Status status = prepare_directory(); !status.ok()) return status;
  writer_.drop_file();
  std::optional<AofFile> unnamed;
  AofPreparation preparation = plan_preparation(&unnamed);
  preparation.run(env_);
  if (!preparation.status.ok()) return preparation.status;
  switch_to(std::move(preparation.file));
  const bool as_rdb = config_.settings().aof_use_rdb_preamble;
  // A child that was just killed may still write to the other one.
  const std::string temporary = "temp-rewriteaof-" + std::to_string(::getpid()) + ".aof";
  SnapshotSource source = host_.snapshot_source();
  source.aof_base = true;
  Status status = write_new_base(env_, path(temporary), source, host_.snapshot_options(), as_rdb);
  if (!status.ok()) return status;
  AofCommit commit = plan_commit(temporary, as_rdb, /*with_temporary=*/true);
  commit.run(env_, clock_);
  adopt_names(commit);
  if (commit.status.ok()) adopt_base(commit);
  return commit.status;
}

// What is under way in the background, or has ended and not been heard of, counts no more.
void Aof::cancel_rewrite() {
  if (!rewrite_running() || rewrite_.phase == Phase::kCleaning) return;
  rewrite_.cancelled = true;
  if (rewrite_.phase == Phase::kWriting) host_.kill_rewrite();
  if (rewrite_.phase == Phase::kPrepared) clean_up();
}

void Aof::rewrite_failed(const std::string& reason) {
  count_failure(reason);
  clean_up();
}

void Aof::count_failure(const std::string& reason) {
  log_warning("Background AOF rewrite failed: " + reason);
  stats_.last_rewrite_ok = false;
  ++stats_.consecutive_failures;
  last_failure_ms_ = clock_.monotonic_ms();
}

// The next rewrite uses some of the names again: it has to wait for this.
void Aof::clean_up() {
  rewrite_.phase = Phase::kCleaning;
  // The manifest may name it. It is empty and stays, until another manifest does not.
  if (rewrite_.incremental) manifest_.history.push_back(*rewrite_.incremental);
  std::vector<std::string> files;
  if (!rewrite_.temporary.empty()) files.push_back(path(rewrite_.temporary));
  if (rewrite_.of == State::kStarting) {
    if (state_ == State::kStarting) writer_.drop_file();
    files.push_back(path(kTemporaryIncremental));
  }
  auto work = [&env = env_, files = std::move(files), unused = std::move(rewrite_.file)] {
    for (const std::string& file : files) {
      if (env.exists(file)) (void)env.remove(file);
    }
  };
  step_ = std::make_unique<BackgroundStep>(env_, std::nullopt, std::move(work), [this] {
    step_.reset();
    rewrite_over();
  });
}

void Aof::rewrite_over() {
  stats_.last_rewrite_s = (clock_.monotonic_ms() - stats_.rewrite_started_ms) / 1000;
  stats_.rewrite_started_ms = -1;
  rewrite_ = {};
  host_.release_child();
  release_lock();
}

void Aof::delete_history() {
  if (manifest_.history.empty() || config_.settings().aof_disable_auto_gc) return;
  auto deletion = std::make_shared<AofDeletion>();
  deletion->place = place();
  deletion->manifest = manifest_;
  auto done = [this, deletion] {
    deletion_.reset();
    std::erase_if(manifest_.history, [&](const AofFile& file) {
      const std::vector<std::string>& deleted = deletion->deleted;
      return std::find(deleted.begin(), deleted.end(), file.name) != deleted.end();
    });
    // The next start finds files in the manifest that are gone already.
    if (const Status& status = deletion->status; !status.ok()) {
      log_warning("Can't remove deleted files from the AOF manifest: " + status.error().message);
    }
    release_lock();
  };
  deletion_ = std::make_unique<BackgroundStep>(
      env_, std::nullopt, [&env = env_, deletion] { deletion->run(env); }, std::move(done));
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
    const int64_t delay = kFirstRepairDelayMs
                          << std::min(stats_.consecutive_failures, kMostRepairDoublings);
    return stats_.consecutive_failures > 0 && clock_.monotonic_ms() - last_failure_ms_ < delay;
  }
  if (stats_.consecutive_failures < kFailuresBeforeDelay) return false;
  const uint64_t doublings =
      std::min<uint64_t>(stats_.consecutive_failures - kFailuresBeforeDelay, 6);
  const int64_t delay = std::min(kFirstDelayMs << doublings, kMaxDelayMs);
  return clock_.monotonic_ms() - last_failure_ms_ < delay;
}

void Aof::cron() {
  if (rewrite_.phase == Phase::kPrepared) fork_when_possible();
  if (host_.child_active()) return;
  const bool wanted = state_ == State::kStarting || writer_.sync_failed() || should_grow_rewrite();
  if (!rewrite_scheduled_ && (!wanted || rewrite_throttled())) return;
  if (Status status = begin_rewrite(); !status.ok()) count_failure(status.error().message);
}

void Aof::reset_stats() {
  stats_.rewrites = 0;
  writer_.reset_stats();
}

}  // namespace tandem
