#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/child_progress.h"
#include "persistence/keyspace_loader.h"
#include "persistence/progress.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/result.h"
#include "server/exec/executor.h"

namespace tandem {

class Aof;

// What persistence needs of the engines beside it; set by the composition root before load().
struct PersistenceHooks {
  // The source text of every function library, for a snapshot.
  std::function<std::vector<std::string>()> library_sources = [] {
    return std::vector<std::string>();
  };
  // Replaces all function libraries by these; on an error none has changed.
  std::function<Status(const std::vector<std::string>& sources)> load_libraries =
      [](const std::vector<std::string>&) { return Status(); };
  // Adds these to the function libraries. Those of the same name are replaced or, without
  // `replace`, an error; on an error nothing has changed.
  std::function<Status(const std::vector<std::string>& sources, bool replace)> add_libraries =
      [](const std::vector<std::string>&, bool) { return Status(); };
  // Where this server stands in its replication history.
  std::function<ReplicationPosition()> replication_position = [] { return ReplicationPosition(); };
  // What the loaded RDB file said about it; called once, by load(), and only for an RDB.
  std::function<void(const ReplicationPosition&)> restore_position =
      [](const ReplicationPosition&) {};
  // Called from time to time while load() reads: lets those be served who may be then.
  std::function<void()> serve_while_loading = [] {};
  // More of the AOF is durable than before (WAITAOF).
  std::function<void()> log_synced = [] {};
  // More of the replication stream may go out than stream_limit() has said.
  std::function<void()> stream_released = [] {};
};

// What becomes of the dataset that there is when an RDB file is loaded: it goes, or stays unless
// the file has a key or library of the same name, or stays but for those.
enum class ReloadMode : uint8_t { kReplace, kAdd, kMerge };

// What a child process was forked for. There is one at a time, counting an AOF rewrite from its
// preparation until its end is on disk.
enum class ChildPurpose : uint8_t { kNone, kSave, kAofRewrite, kReplication };

// The fields of INFO persistence, without those that only the composition root knows. Times in
// seconds, -1: none. "cow": bytes of memory that a child had to copy because one of both wrote.
struct PersistenceInfo {
  bool loading = false;
  // These only while it loads.
  int64_t loading_start_time = 0;  // Unix time
  uint64_t loading_total_bytes = 0;
  uint64_t loading_rdb_used_mem = 0;  // what the file says its writer used
  uint64_t loading_loaded_bytes = 0;
  double loading_loaded_perc = 0;
  int64_t loading_eta_seconds = 0;
  uint64_t loading_bytes_per_sec = 0;
  uint64_t rdb_changes_since_last_save = 0;
  bool rdb_bgsave_in_progress = false;
  int64_t rdb_last_save_time = 0;  // Unix time
  bool rdb_last_bgsave_ok = true;
  int64_t rdb_last_bgsave_time_sec = -1;
  int64_t rdb_current_bgsave_time_sec = -1;
  uint64_t rdb_saves = 0;
  uint64_t rdb_last_load_keys_expired = 0;
  uint64_t rdb_last_load_keys_loaded = 0;
  uint64_t current_cow_peak = 0;
  uint64_t current_cow_size = 0;
  int64_t current_cow_size_age = 0;
  double current_fork_perc = 0;
  int64_t latest_fork_us = 0;
  uint64_t total_forks = 0;
  uint64_t current_save_keys_processed = 0;
  uint64_t current_save_keys_total = 0;
  uint64_t current_save_keys_per_sec = 0;
  int64_t current_save_eta_seconds = -1;
  uint64_t rdb_last_cow_size = 0;
  uint64_t dump_payload_sanitizations = 0;
  uint64_t aof_last_cow_size = 0;
  bool aof_enabled = false;
  bool aof_starting = false;  // see Aof::starting()
  bool aof_rewrite_in_progress = false;
  bool aof_rewrite_scheduled = false;
  int64_t aof_last_rewrite_time_sec = -1;
  int64_t aof_current_rewrite_time_sec = -1;
  bool aof_last_bgrewrite_ok = true;
  uint64_t aof_rewrites = 0;
  uint64_t aof_rewrites_consecutive_failures = 0;
  bool aof_last_write_ok = true;
  // The rest is shown only while the AOF is on.
  uint64_t aof_current_size = 0;
  uint64_t aof_base_size = 0;
  bool aof_pending_rewrite = false;
  uint64_t aof_buffer_length = 0;
  uint64_t aof_buffer_memory = 0;
  uint64_t aof_pending_bio_fsync = 0;
  uint64_t aof_delayed_fsync = 0;
};

// Keeps the dataset on disk: snapshots (RDB files) and the append-only file. Runs on the loop
// thread. Reads its settings from the Config each time they matter, so CONFIG SET takes effect at
// once; it turns the AOF on and off itself when `appendonly` changes.
class Persistence final {
 public:
  Persistence(Config& config, Env& env, Clock& clock, Executor& executor);
  ~Persistence();
  Persistence(const Persistence&) = delete;
  Persistence& operator=(const Persistence&) = delete;

  PersistenceHooks& hooks() { return hooks_; }

  // Before load(), when this server will write files by itself: makes sure that no other does so in
  // the same directory. kIo when one does.
  Status lock_directory();
  // Loads the dataset before the first request is served: from the AOF when it is on, else from the
  // RDB file if there is one. Then the AOF is open. An error names the file and where in it, and
  // nothing on disk has changed.
  Status load();

  // Ten times a second: collects a finished child, starts what save points, schedules and the
  // AOF's growth ask for, retries failed writes.
  void cron();
  // At the end of each loop turn, before output is sent: hands the AOF what the turn's commands
  // did. With `appendfsync always` replies then wait for the fsync that covers it
  // (Executor::sendable_output).
  void end_of_turn();

  // SAVE: writes the RDB file now. kInvalid while a child saves.
  Status save();
  // BGSAVE. kInvalid when a child runs.
  Status start_background_save();
  // BGSAVE CANCEL: ends a save that runs, or forgets a scheduled one. What it found.
  enum class Cancelled : uint8_t { kNothing, kRunning, kScheduled };
  Cancelled cancel_background_save();
  // When a child runs already: as soon as it has ended.
  void schedule_background_save() { save_scheduled_ = true; }
  // BGREWRITEAOF. kInvalid when a child runs, see schedule_rewrite().
  Status start_rewrite();
  void schedule_rewrite();
  // Unix time in seconds of the last successful save (the start, before one).
  int64_t last_save_time() const { return last_save_s_; }

  // The one child at a time. Runs `body` in it; `done` is told by cron() whether it exited with 0.
  // Replication writes its full syncs this way.
  Status fork_child(ChildPurpose purpose, std::function<int()> body,
                    std::function<void(const ChildExit&)> done);
  ChildPurpose child() const { return child_purpose_; }
  // Ends the child, if it has that purpose; its `done` is called from the next cron().
  void kill_child(ChildPurpose purpose);

  // What a snapshot taken now holds, for a full sync.
  SnapshotSource snapshot_source();
  SnapshotOptions snapshot_options() const;
  RdbReadOptions read_options() const;

  bool aof_enabled() const;

  // A replica has loaded a full sync: what the AOF holds belongs to another history. Begins a new
  // one with a rewrite; until that is done the old files stay what a restart would load. To be
  // called after the dataset has changed and before the first effect on it.
  void dataset_replaced();
  // The stream of this replica's primary as it was received: whole commands, never a part of a
  // MULTI … EXEC. `db` is the database that is selected where `bytes` begins.
  void on_forwarded_stream(int db, std::string_view bytes);
  // Bytes of replication stream that are durable in the AOF, for REPLCONF ACK's FACK: the position
  // given by replication_position() when the last completed fsync began; 0 when the AOF is off.
  uint64_t synced_position() const;
  // Up to which replication offset the stream may go to replicas now: not beyond what is durable
  // here, with `appendfsync always`. UINT64_MAX: all of it.
  uint64_t stream_limit();
  // Where the AOF ends now, in bytes written since the start, and whether it is durable up to such
  // a position. Never while the AOF is off or its first file is being made.
  uint64_t log_position() const;
  bool durable(uint64_t log_position) const;

  // DEBUG RELOAD (without its save) and DEBUG LOADAOF: the dataset anew from the file.
  Status reload_from_rdb(ReloadMode mode = ReloadMode::kReplace);
  Status reload_from_aof();

  // Before the process leaves: ends a child, writes the RDB file if `save`, makes the AOF durable.
  // An error means that a save failed; the server should then go on.
  Status shut_down(bool save);
  // Whether any save point is configured.
  bool has_save_points() const;

  // Everything that is buffered is written and everything written is durable when this returns.
  Status sync_aof();

  // A payload of RESTORE held packed data, which has been checked from end to end.
  void count_payload_check() { ++payload_checks_; }

  PersistenceInfo info() const;
  // The memory of what waits to be written to the AOF.
  size_t aof_buffer_memory() const;
  // CONFIG RESETSTAT.
  void reset_stats();

 private:
  class Host;

  Status save_now();
  Status take_over(Keyspace& loaded, const std::vector<std::string>& libraries, ReloadMode mode);
  Status claim_child(ChildPurpose purpose);
  void release_child();
  Status run_child(std::function<int()> body, std::function<void(const ChildExit&)> done);
  void collect_child();
  void log_child_progress();
  void check_save_points();
  void update_misconf();
  void background_save_done(const ChildExit& exit);
  Status load_dataset(std::vector<ExpiredKey>* expired);
  Status load_rdb(std::vector<ExpiredKey>* expired);
  void propagate_expired(const std::vector<ExpiredKey>& expired);
  Status load_libraries(const std::vector<std::string>& sources);
  Result<RdbEnd> read_rdb(RdbTarget* target);
  KeyspaceLoader::Options loader_options() const;
  AccessRecord access_record() const;
  void tell_version() const;
  void save_succeeded(uint64_t dirty_covered);
  std::string rdb_path() const;

  Config& config_;
  Env& env_;
  Clock& clock_;
  Executor& executor_;
  PersistenceHooks hooks_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Aof> aof_;

  ChildPurpose child_purpose_ = ChildPurpose::kNone;
  ChildProgress child_progress_;
  std::optional<ChildId> child_;  // while it runs: a rewrite takes its place before and after
  std::function<void(const ChildExit&)> child_done_;

  bool loading_ = false;
  bool save_scheduled_ = false;
  bool save_cancelled_ = false;
  bool last_save_ok_ = true;
  bool aof_was_ok_ = true;  // at the end of the last turn
  uint64_t dirty_at_fork_ = 0;
  int64_t last_save_s_ = 0;
  int64_t last_save_try_s_ = 0;
  int64_t child_started_ms_ = 0;
  int64_t latest_fork_us_ = 0;
  uint64_t total_forks_ = 0;
  int64_t last_save_took_s_ = -1;
  uint64_t saves_ = 0;
  uint64_t payload_checks_ = 0;
  uint64_t last_save_copied_ = 0;
  uint64_t last_rewrite_copied_ = 0;
  LoadCounts last_load_;
  std::unique_ptr<LoadProgress> load_progress_;  // while load() runs
  Progress child_work_;                          // of the running child, in keys
  std::unique_ptr<FileLock> directory_lock_;
  std::string locked_directory_;
};

}  // namespace tandem
