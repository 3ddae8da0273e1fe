#include "persistence/persistence.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "persistence/aof.h"
#include "persistence/keyspace_merge.h"
#include "persistence/rdb_file.h"
#include "server/base/log.h"
#include "server/base/memory.h"

namespace tandem {

namespace {

// After a failed save the next one by save points waits this long.
constexpr int64_t kSaveRetryDelayS = 5;
// rdb-save-incremental-fsync, aof-rewrite-incremental-fsync.
constexpr uint64_t kSyncEvery = uint64_t{4} << 20;

constexpr std::string_view kSaveMisconf =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is configured "
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error "
    "option). Please check the Redis logs for details about the RDB error.";

// "No space left on device" of "Can't write to /data/x: No space left on device".
std::string system_reason(const std::string& message) {
  const size_t colon = message.rfind(": ");
  return colon == std::string::npos ? message : message.substr(colon + 2);
}

std::string background_temporary_name() { return "temp-bg-" + std::to_string(::getpid()) + ".rdb"; }

double seconds_since(int64_t started_ms, Clock& clock) {
  return static_cast<double>(clock.monotonic_ms() - started_ms) / 1000;
}

std::string format_seconds(double seconds) {
  const std::string text = std::to_string(seconds);
  return text.substr(0, text.find('.') + 4) + " seconds";
}

// While the dataset is read, nothing of it expires and no effect of it travels.
class LoadingScope {
 public:
  LoadingScope(Executor& executor, bool* loading) : executor_(executor), loading_(loading) {
    *loading_ = true;
    executor_.state().loading = true;
    executor_.effects().suspend();
    expiry_policy_ = executor_.keyspace().expiry_policy();
    executor_.keyspace().set_expiry_policy(ExpiryPolicy::kIgnore);
  }
  ~LoadingScope() {
    executor_.keyspace().set_expiry_policy(expiry_policy_);
    executor_.effects().resume();
    executor_.state().loading = false;
    *loading_ = false;
  }
  LoadingScope(const LoadingScope&) = delete;
  LoadingScope& operator=(const LoadingScope&) = delete;

 private:
  Executor& executor_;
  bool* loading_;
  ExpiryPolicy expiry_policy_;
};

}  // namespace

class Persistence::Host final : public AofHost {
 public:
  explicit Host(Persistence& owner) : owner_(owner) {}

  SnapshotSource snapshot_source() override { return owner_.snapshot_source(); }
  SnapshotOptions snapshot_options() const override {
    SnapshotOptions options = owner_.snapshot_options();
    const bool sync = owner_.config_.settings().aof_rewrite_incremental_fsync;
    options.sync_every = sync ? kSyncEvery : 0;
    return options;
  }
  AofLoader::Options aof_loader_options() override {
    return {
        .rdb = owner_.read_options(),
        .access = owner_.access_record(),
        .accept_truncated = owner_.config_.settings().aof_load_truncated,
        .key_delay_us = owner_.config_.settings().key_load_delay,
        .watch = owner_.load_progress_.get(),
        .load_libraries = [this](const auto& sources) { return owner_.load_libraries(sources); }};
  }
  ChildProgress* child_progress() override { return &owner_.child_progress_; }
  bool child_active() const override { return owner_.child() != ChildPurpose::kNone; }
  Status claim_child() override { return owner_.claim_child(ChildPurpose::kAofRewrite); }
  void release_child() override { owner_.release_child(); }
  Status fork_rewrite(std::function<int()> body, std::function<void(bool)> done) override {
    return owner_.run_child(std::move(body),
                            [done = std::move(done)](const ChildExit& exit) { done(exit.ok); });
  }
  void kill_rewrite() override { owner_.kill_child(ChildPurpose::kAofRewrite); }

 private:
  Persistence& owner_;
};

Persistence::Persistence(Config& config, Env& env, Clock& clock, Executor& executor)
    : config_(config),
      env_(env),
      clock_(clock),
      executor_(executor),
      host_(std::make_unique<Host>(*this)),
      aof_(std::make_unique<Aof>(config, env, clock, executor, *host_)),
      last_save_s_(clock.wall_ms() / 1000) {
  aof_->writer().on_synced = [this] { hooks_.log_synced(); };
  aof_->writer().on_stream_released = [this] { hooks_.stream_released(); };
  aof_->writer().stream_position = [this] { return hooks_.replication_position().offset; };
  config_.on_change({"save", "dir"}, [this] { return lock_directory(); });
  config_.on_change({"appendonly"}, [this]() -> Status {
    if (!config_.settings().appendonly) {
      aof_->stop();
      return {};
    }
    Status started = aof_->start();
    if (started.ok()) return {};
    log_warning("Can't turn the AOF on: " + started.error().message);
    return make_error(ErrorKind::kIo, "Unable to turn on AOF. Check server logs.");
  });
}

Persistence::~Persistence() = default;

std::string Persistence::rdb_path() const {
  return join_path(config_.settings().dir, config_.settings().dbfilename);
}

AccessRecord Persistence::access_record() const {
  switch (config_.settings().maxmemory_policy) {
    case MaxmemoryPolicy::kVolatileLru:
    case MaxmemoryPolicy::kAllkeysLru:
      return AccessRecord::kIdle;
    case MaxmemoryPolicy::kVolatileLfu:
    case MaxmemoryPolicy::kAllkeysLfu:
      return AccessRecord::kFrequency;
    default:
      return AccessRecord::kNone;
  }
}

SnapshotSource Persistence::snapshot_source() {
  return {.keyspace = &executor_.keyspace(),
          .libraries = hooks_.library_sources(),
          .position = hooks_.replication_position(),
          .now_ms = clock_.wall_ms(),
          .used_memory = memory_used(),
          .access = access_record(),
          .key_delay_us = config_.settings().rdb_key_save_delay};
}

SnapshotOptions Persistence::snapshot_options() const {
  const Settings& settings = config_.settings();
  return {.version = version_for(executor_.keyspace(), settings.rdb_version),
          .compression = settings.rdbcompression,
          .checksum = settings.rdbchecksum,
          .sync_every = settings.rdb_save_incremental_fsync ? kSyncEvery : 0};
}

RdbReadOptions Persistence::read_options() const {
  const Settings& settings = config_.settings();
  return {.verify_checksum = settings.rdbchecksum,
          .accept_newer = settings.rdb_version_check == RdbVersionCheck::kRelaxed,
          .limits = encoding_limits(settings)};
}

KeyspaceLoader::Options Persistence::loader_options() const {
  return {.now_ms = clock_.wall_ms(),
          .drop_expired = config_.settings().replicaof_host.empty(),
          .access = access_record(),
          .key_delay_us = config_.settings().key_load_delay,
          .watch = load_progress_.get()};
}

Status Persistence::load_libraries(const std::vector<std::string>& sources) {
  return hooks_.load_libraries(sources);
}

// A server that writes nothing by itself may share its files: many can start from one that holds
// functions.
Status Persistence::lock_directory() {
  const Settings& settings = config_.settings();
  if (!settings.appendonly && !has_save_points()) return {};
  const std::string directory = settings.dir.empty() ? "." : settings.dir;
  if (directory_lock_ != nullptr && locked_directory_ == directory) return {};
  Result<std::unique_ptr<FileLock>> lock = env_.lock(directory);
  // A world without locks is one without other servers.
  if (!lock.ok() && lock.error().kind == ErrorKind::kUnsupported) return {};
  if (!lock.ok()) {
    return make_error(
        lock.error().kind,
        "The directory " + directory + " is in use by another server: " + lock.error().message);
  }
  directory_lock_ = std::move(lock).value();
  locked_directory_ = directory;
  return {};
}

Status Persistence::load() {
  if (Status locked = lock_directory(); !locked.ok()) return locked;
  std::vector<ExpiredKey> expired;
  load_progress_ = std::make_unique<LoadProgress>(
      clock_, static_cast<uint64_t>(config_.settings().loading_process_events_interval_bytes),
      [this] { hooks_.serve_while_loading(); });
  Status status = load_dataset(&expired);
  load_progress_.reset();
  if (status.ok()) propagate_expired(expired);
  return status;
}

// Replicas have the keys that loading has dropped, and wait for word of them.
void Persistence::propagate_expired(const std::vector<ExpiredKey>& expired) {
  for (const ExpiredKey& key : expired) {
    const std::string_view del[] = {"DEL", key.name};
    executor_.effects().add(key.db, del);
  }
}

Status Persistence::load_dataset(std::vector<ExpiredKey>* expired) {
  const int64_t started_ms = clock_.monotonic_ms();
  LoadingScope scope(executor_, &loading_);
  if (!config_.settings().appendonly) return load_rdb(expired);
  if (!aof_->exists() && env_.exists(rdb_path())) {
    log_warning(
        "appendonly is yes and there is no AOF yet: starting with an empty dataset. The "
        "RDB file " +
        rdb_path() +
        " is not loaded; to begin an AOF with its data, start "
        "with appendonly no and turn it on with CONFIG SET appendonly yes");
  }
  if (Status status = aof_->load_and_open(); !status.ok()) return status;
  last_load_ = aof_->loaded();
  executor_.set_dirty(0);
  log_notice("DB loaded from append only file: " +
             format_seconds(seconds_since(started_ms, clock_)));
  return {};
}

Result<RdbEnd> Persistence::read_rdb(RdbTarget* target) {
  return load_rdb_file(env_, rdb_path(), read_options(), target, load_progress_.get());
}

Status Persistence::load_rdb(std::vector<ExpiredKey>* expired) {
  if (!env_.exists(rdb_path())) return {};
  const int64_t started_ms = clock_.monotonic_ms();
  KeyspaceLoader loader(&executor_.keyspace(), loader_options());
  if (Result<RdbEnd> end = read_rdb(&loader); !end.ok()) return end.error();
  if (Status status = load_libraries(loader.libraries()); !status.ok()) {
    return make_error(status.error().kind, "Can't load the functions of the RDB file " +
                                               rdb_path() + ": " + status.error().message);
  }
  if (loader.position()) hooks_.restore_position(*loader.position());
  *expired = loader.expired();
  last_load_ = loader.counts();
  log_notice("Done loading RDB, keys loaded: " + std::to_string(last_load_.keys_loaded) +
             ", keys expired: " + std::to_string(last_load_.keys_expired) +
             ", libraries: " + std::to_string(loader.libraries().size()) + ".");
  log_notice("DB loaded from disk: " + format_seconds(seconds_since(started_ms, clock_)));
  return {};
}

Status Persistence::reload_from_rdb(ReloadMode mode) {
  Keyspace aside(executor_.keyspace().database_count());
  KeyspaceLoader loader(&aside, loader_options());
  {
    LoadingScope scope(executor_, &loading_);
    if (Result<RdbEnd> end = read_rdb(&loader); !end.ok()) return end.error();
    if (Status status = take_over(aside, loader.libraries(), mode); !status.ok()) return status;
  }
  last_load_ = loader.counts();
  propagate_expired(loader.expired());
  return {};
}

Status Persistence::take_over(Keyspace& loaded, const std::vector<std::string>& libraries,
                              ReloadMode mode) {
  Keyspace& keyspace = executor_.keyspace();
  if (mode == ReloadMode::kReplace) {
    if (Status status = load_libraries(libraries); !status.ok()) return status;
    keyspace.swap_contents(loaded);
    return {};
  }
  if (mode == ReloadMode::kAdd) {
    if (Status status = check_no_common_key(keyspace, loaded); !status.ok()) return status;
  }
  const bool replace = mode == ReloadMode::kMerge;
  if (Status status = hooks_.add_libraries(libraries, replace); !status.ok()) return status;
  move_keys(loaded, keyspace);
  return {};
}

Status Persistence::reload_from_aof() {
  if (!aof_->enabled()) return make_error(ErrorKind::kInvalid, "the AOF is off");
  if (Status status = aof_->writer().flush(); !status.ok()) return status;
  LoadingScope scope(executor_, &loading_);
  executor_.keyspace().clear();
  if (Status status = load_libraries({}); !status.ok()) return status;
  const uint64_t dirty = executor_.dirty();
  Status status = aof_->reload();
  executor_.set_dirty(dirty);
  last_load_ = aof_->loaded();
  return status;
}

Status Persistence::save() {
  if (child_purpose_ == ChildPurpose::kSave) {
    return make_error(ErrorKind::kInvalid, "Background save already in progress");
  }
  return save_now();
}

// The one case in which a file is newer than rdb-version says: a field that forgot when to expire
// would be worse.
void Persistence::tell_version() const {
  const int wanted = config_.settings().rdb_version;
  const int version = snapshot_options().version;
  if (version == wanted) return;
  log_notice("Fields of hashes expire, which RDB version " + std::to_string(wanted) +
             " cannot hold: writing version " + std::to_string(version));
}

Status Persistence::save_now() {
  const uint64_t dirty = executor_.dirty();
  ++saves_;
  tell_version();
  Status status =
      save_rdb_file(env_, config_.settings().dir, temporary_rdb_name(),
                    config_.settings().dbfilename, snapshot_source(), snapshot_options());
  if (!status.ok()) {
    log_warning("Error saving the RDB file: " + status.error().message);
    return status;
  }
  log_notice("DB saved on disk");
  save_succeeded(dirty);
  return {};
}

void Persistence::save_succeeded(uint64_t dirty_covered) {
  executor_.set_dirty(executor_.dirty() - std::min(executor_.dirty(), dirty_covered));
  last_save_s_ = clock_.wall_ms() / 1000;
  last_save_ok_ = true;
  update_misconf();
}

Status Persistence::start_background_save() {
  if (child_purpose_ != ChildPurpose::kNone) {
    return make_error(ErrorKind::kInvalid, "a child process runs already");
  }
  save_scheduled_ = false;
  dirty_at_fork_ = executor_.dirty();
  last_save_try_s_ = clock_.wall_ms() / 1000;
  ++saves_;
  SnapshotSource source = snapshot_source();
  source.progress = &child_progress_;
  // Named after this process: should the child be killed, its parent has to find the file.
  auto body = [this, source = std::move(source), temporary = background_temporary_name()] {
    Status status = save_rdb_file(env_, config_.settings().dir, temporary,
                                  config_.settings().dbfilename, source, snapshot_options());
    if (status.ok()) {
      log_notice("DB saved on disk");
      return 0;
    }
    log_warning("Error saving the RDB file: " + status.error().message);
    return 1;
  };
  Status forked = fork_child(ChildPurpose::kSave, std::move(body),
                             [this](const ChildExit& exit) { background_save_done(exit); });
  if (!forked.ok()) {
    log_warning("Can't save in background: " + forked.error().message);
    last_save_ok_ = false;
    update_misconf();
    return forked;
  }
  tell_version();
  log_notice("Background saving started");
  return {};
}

void Persistence::background_save_done(const ChildExit& exit) {
  last_save_took_s_ = (clock_.monotonic_ms() - child_started_ms_) / 1000;
  if (exit.ok) {
    log_notice("Background saving terminated with success");
    save_succeeded(dirty_at_fork_);
    return;
  }
  if (exit.killed) {
    log_warning("Background saving terminated by signal " + std::to_string(exit.code));
    (void)env_.remove(join_path(config_.settings().dir, background_temporary_name()));
    // Somebody ended it on purpose: no sign of a bad disk.
    if (std::exchange(save_cancelled_, false)) return;
  } else {
    log_warning("Background saving error");
  }
  last_save_ok_ = false;
  update_misconf();
}

Persistence::Cancelled Persistence::cancel_background_save() {
  if (child_purpose_ == ChildPurpose::kSave) {
    save_cancelled_ = true;
    kill_child(ChildPurpose::kSave);
    return Cancelled::kRunning;
  }
  return std::exchange(save_scheduled_, false) ? Cancelled::kScheduled : Cancelled::kNothing;
}

Status Persistence::start_rewrite() { return aof_->begin_rewrite(); }

void Persistence::schedule_rewrite() { aof_->schedule_rewrite(); }

void Persistence::cron() {
  // A fork in the middle of a function would find half of its changes.
  if (executor_.call_depth() > 0) return;
  collect_child();
  log_child_progress();
  aof_->cron();
  check_save_points();
  update_misconf();
}

void Persistence::check_save_points() {
  if (child_purpose_ != ChildPurpose::kNone) return;
  const int64_t now_s = clock_.wall_ms() / 1000;
  if (!last_save_ok_ && now_s - last_save_try_s_ <= kSaveRetryDelayS) return;
  bool due = save_scheduled_;
  for (const SavePoint& point : config_.settings().save) {
    if (due) break;
    due = executor_.dirty() >= static_cast<uint64_t>(point.changes) &&
          now_s - last_save_s_ > point.seconds;
    if (due) {
      log_notice(std::to_string(point.changes) + " changes in " + std::to_string(point.seconds) +
                 " seconds. Saving...");
    }
  }
  if (due) (void)start_background_save();
}

void Persistence::end_of_turn() {
  aof_->end_of_turn();
  // A sync may have ended at any time since the last turn.
  const bool ok = aof_->writer().last_status().ok();
  if (std::exchange(aof_was_ok_, ok) != ok) update_misconf();
}

void Persistence::update_misconf() {
  std::string& misconf = executor_.state().misconf;
  const Status& aof_status = aof_->writer().last_status();
  if (config_.settings().stop_writes_on_bgsave_error && has_save_points() && !last_save_ok_) {
    misconf = kSaveMisconf;
  } else if (!aof_status.ok()) {
    misconf =
        "MISCONF Errors writing to the AOF file: " + system_reason(aof_status.error().message);
  } else {
    misconf.clear();
  }
}

bool Persistence::has_save_points() const { return !config_.settings().save.empty(); }

bool Persistence::aof_enabled() const { return aof_->enabled(); }

void Persistence::dataset_replaced() { aof_->restart(); }

void Persistence::on_forwarded_stream(int db, std::string_view bytes) {
  aof_->on_forwarded_stream(db, bytes);
}

uint64_t Persistence::log_position() const { return aof_->writer().position(); }

bool Persistence::durable(uint64_t log_position) const {
  const AofWriter& writer = aof_->writer();
  return aof_->enabled() && !aof_->starting() && writer.is_open() &&
         writer.synced() >= log_position;
}

uint64_t Persistence::synced_position() const {
  // What a restart would not load is not on disk, synced or not.
  return aof_->enabled() && !aof_->starting() ? aof_->writer().synced_mark() : 0;
}

uint64_t Persistence::stream_limit() { return aof_->writer().stream_limit(); }

Status Persistence::sync_aof() { return aof_->writer().sync_now(); }

Status Persistence::shut_down(bool save_dataset) {
  for (ChildPurpose purpose : {ChildPurpose::kSave, ChildPurpose::kAofRewrite}) {
    if (child_purpose_ == purpose && child_) {
      log_warning("There is a child saving or rewriting. Killing it!");
      kill_child(purpose);
    }
  }
  if (Status status = aof_->finish_start(); !status.ok()) {
    log_warning("Can't write the initial AOF: " + status.error().message);
    return status;
  }
  if (aof_->enabled()) {
    log_notice("Calling fsync() on the AOF file.");
    if (Status status = sync_aof(); !status.ok()) return status;
  }
  if (!save_dataset) return {};
  log_notice("Saving the final RDB snapshot before exiting.");
  // A child that was just killed may still be there; its temporary file has another name.
  return save_now();
}

size_t Persistence::aof_buffer_memory() const { return aof_->writer().buffer_memory(); }

PersistenceInfo Persistence::info() const {
  const bool saving = child_purpose_ == ChildPurpose::kSave;
  const int64_t now_ms = clock_.monotonic_ms();
  const Aof::Stats& aof = aof_->stats();
  const AofWriter& writer = aof_->writer();
  PersistenceInfo info;
  info.loading = loading_;
  info.rdb_changes_since_last_save = executor_.dirty();
  info.rdb_bgsave_in_progress = saving;
  info.rdb_last_save_time = last_save_s_;
  info.rdb_last_bgsave_ok = last_save_ok_;
  info.rdb_last_bgsave_time_sec = last_save_took_s_;
  info.rdb_current_bgsave_time_sec = saving ? (now_ms - child_started_ms_) / 1000 : -1;
  info.rdb_saves = saves_;
  info.rdb_last_load_keys_expired = last_load_.keys_expired;
  info.rdb_last_load_keys_loaded = last_load_.keys_loaded;
  info.rdb_last_cow_size = last_save_copied_;
  info.dump_payload_sanitizations = payload_checks_;
  info.latest_fork_us = latest_fork_us_;
  info.total_forks = total_forks_;
  info.aof_last_cow_size = last_rewrite_copied_;
  if (child_) {
    info.current_cow_peak = child_progress_.peak_copied_bytes();
    info.current_cow_size = child_progress_.copied_bytes();
    info.current_cow_size_age = child_progress_.measured_ago_s();
    Progress work = child_work_;
    work.update(now_ms, child_progress_.keys());
    info.current_save_keys_processed = work.done();
    info.current_save_keys_total = work.total();
    info.current_save_keys_per_sec = work.rate();
    info.current_save_eta_seconds = work.seconds_left();
    info.current_fork_perc = work.percent();
  }
  if (load_progress_ != nullptr) {
    const Progress& work = load_progress_->progress();
    info.loading_start_time = load_progress_->started_s();
    info.loading_total_bytes = work.total();
    info.loading_rdb_used_mem = load_progress_->used_memory();
    info.loading_loaded_bytes = work.done();
    info.loading_loaded_perc = work.percent();
    info.loading_eta_seconds = std::max<int64_t>(work.seconds_left(), 0);
    info.loading_bytes_per_sec = work.rate();
  }
  info.aof_enabled = aof_->enabled();
  info.aof_rewrite_in_progress = aof_->rewrite_running();
  info.aof_rewrite_scheduled = aof_->rewrite_scheduled();
  info.aof_last_rewrite_time_sec = aof.last_rewrite_s;
  info.aof_current_rewrite_time_sec =
      aof.rewrite_started_ms < 0 ? -1 : (now_ms - aof.rewrite_started_ms) / 1000;
  info.aof_last_bgrewrite_ok = aof.last_rewrite_ok;
  info.aof_rewrites = aof.rewrites;
  info.aof_rewrites_consecutive_failures = aof.consecutive_failures;
  info.aof_last_write_ok = writer.last_status().ok();
  info.aof_current_size = aof_->size();
  info.aof_base_size = aof.base_size;
  info.aof_starting = aof_->starting();
  info.aof_pending_rewrite = aof_->rewrite_scheduled();
  info.aof_buffer_length = writer.buffered();
  info.aof_buffer_memory = writer.buffer_memory();
  info.aof_pending_bio_fsync = writer.sync_running() ? 1 : 0;
  info.aof_delayed_fsync = writer.delayed_syncs();
  return info;
}

void Persistence::reset_stats() {
  saves_ = 0;
  payload_checks_ = 0;
  latest_fork_us_ = 0;
  total_forks_ = 0;
  aof_->reset_stats();
}

}  // namespace tandem
