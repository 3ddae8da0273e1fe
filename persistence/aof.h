#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/aof_changes.h"
#include "persistence/aof_loader.h"
#include "persistence/aof_manifest.h"
#include "persistence/aof_writer.h"
#include "persistence/background_step.h"
#include "persistence/rdb_writer.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/result.h"
#include "server/exec/effects.h"
#include "server/exec/executor.h"

namespace tandem {

// What the AOF asks of the engine that owns it.
class AofHost {
 public:
  virtual ~AofHost() = default;
  virtual SnapshotSource snapshot_source() = 0;
  virtual SnapshotOptions snapshot_options() const = 0;
  virtual AofLoader::Options aof_loader_options() = 0;
  virtual ChildProgress* child_progress() = 0;
  virtual bool child_active() const = 0;
  // Takes the place of the one child that there may be, for a rewrite: kInvalid when there is one.
  // From then on it is active, whether it runs or not, until it is given back.
  virtual Status claim_child() = 0;
  virtual void release_child() = 0;
  // Forks the rewriting child; `done` hears from cron() whether it succeeded.
  virtual Status fork_rewrite(std::function<int()> body, std::function<void(bool ok)> done) = 0;
  virtual void kill_rewrite() = 0;  // if it runs
};

// The append-only file: a base and incremental files in a directory of their own, listed by a
// manifest. A sink of the stream of effects.
//
// Every change of the set of files is committed by renaming a new manifest over the old one, after
// the files it names are durable and before those it no longer names are deleted. A process killed
// anywhere in between leaves a manifest whose files hold a whole dataset.
//
// A rewrite makes these changes in the background (aof_changes.h). First the next incremental file
// is made and named by the manifest, while writes still go to the one before it: should the process
// end, that one is the last with anything in it, and may end inside a command. Then the loop forks
// the child and goes on in the new file, as soon as the one before it is durable (AofWriter).
class Aof final : public EffectSink {
 public:
  Aof(Config& config, Env& env, Clock& clock, Executor& executor, AofHost& host);
  ~Aof() override;

  // At the start with `appendonly yes`: loads what is there and opens it for appending. An AOF of
  // one file, as servers before Redis 7 wrote, is taken over. Without any, begins one with the
  // (empty) dataset as it is. On an error nothing on disk has changed.
  Status load_and_open();
  // Whether there is one on disk, in the configured place.
  bool exists() const;
  // Runs the files through the Executor again.
  Status reload();

  // Turns the AOF on while the server runs: with a rewrite of the dataset, or once a child that
  // runs has ended. Until it is done a restart finds what was there before.
  Status start();
  void stop();
  // Before the process leaves: an AOF whose first rewrite has not been completed is written here
  // and now.
  Status finish_start();
  bool enabled() const { return state_ != State::kOff; }
  // What is on disk does not lead to this dataset until the rewrite that will has been completed
  // (State::kStarting): nothing counts as durable meanwhile.
  bool starting() const { return state_ == State::kStarting; }
  // The dataset is another one now: begins anew, as start() does.
  void restart();

  // BGREWRITEAOF.
  Status begin_rewrite();
  void schedule_rewrite() { rewrite_scheduled_ = true; }
  bool rewrite_scheduled() const { return rewrite_scheduled_; }
  // From the moment it is asked for until all is as it should be on disk, or as it was before.
  bool rewrite_running() const { return rewrite_.phase != Phase::kNone; }

  void cron();
  void end_of_turn() { writer_.end_of_turn(host_.child_active()); }

  EffectTarget target() const override { return kEffectToAof; }
  bool wants_effects() const override { return writer_.is_open(); }
  void on_effects(std::string_view bytes) override;
  // See Persistence::on_forwarded_stream().
  void on_forwarded_stream(int db, std::string_view bytes);

  AofWriter& writer() { return writer_; }
  const AofWriter& writer() const { return writer_; }

  struct Stats {
    uint64_t base_size = 0;  // of the whole AOF after the last rewrite or at the start
    uint64_t rewrites = 0;
    uint64_t consecutive_failures = 0;
    bool last_rewrite_ok = true;
    int64_t last_rewrite_s = -1;
    int64_t rewrite_started_ms = -1;  // monotonic; -1: none runs
  };
  // What load_and_open() or reload() found.
  const LoadCounts& loaded() const { return loaded_; }
  const Stats& stats() const { return stats_; }
  void reset_stats();
  // Bytes of all files of the AOF.
  uint64_t size() const { return settled_size_ + writer_.bytes_written(); }

 private:
  enum class State : uint8_t {
    kOff,
    kOn,
    // On, but what the manifest names does not lead to this dataset: it is another one's, or a sync
    // has failed behind it. The rewrite that will has not been completed. Effects go to a temporary
    // incremental file while it runs.
    kStarting,
  };

  enum class Phase : uint8_t {
    kNone,
    kPreparing,   // in the background: AofPreparation
    kPrepared,    // the fork has to wait for a moment at which the dataset is whole
    kWriting,     // the child writes the base
    kCommitting,  // in the background: AofCommit
    kCleaning,    // in the background: its files are removed, it has failed or been cancelled
  };
  struct Rewrite {
    Phase phase = Phase::kNone;
    State of = State::kOff;  // the AOF's when it began
    bool cancelled = false;  // it is of a dataset or a state that is over
    bool as_rdb = true;
    std::string temporary;  // what the child writes
    // What has been prepared, until it is used.
    std::optional<AofFile> incremental;  // kOn: what the manifest on disk says of it
    std::shared_ptr<AofTail> file;
  };

  static constexpr const char* kTemporaryIncremental = "temp-appendonly.aof.incr";

  std::string path(const std::string& name) const;
  std::string manifest_path() const;
  std::string parent_directory() const;
  AofPlace place() const { return {.directory = directory_, .manifest_path = manifest_path()}; }
  std::string single_file_path() const;
  std::string base_path() const;
  Status read_manifest();
  Status lock_directory();
  void release_lock();

  // Of the files that hold the dataset, in their order.
  std::vector<std::string> data_paths() const;
  Status load_files(AofLoader& loader);
  Status write_base(const std::string& name, bool as_rdb);
  Status create_first_base();
  Status settle_base(bool take_over);
  Status cut_last_file(const AofLoader& loader);
  Status sync_last_file();
  Status open_for_appending();
  void switch_to(std::shared_ptr<AofTail> file);
  void append_timestamp();

  Status prepare_directory();
  AofPreparation plan_preparation(std::optional<AofFile>* incremental);
  void prepared(const AofPreparation& preparation);
  void fork_when_possible();
  Status fork_and_switch();
  void child_ended(bool ok);
  AofCommit plan_commit(const std::string& temporary, bool as_rdb, bool with_temporary);
  void committed(AofCommit& commit);
  void adopt_names(AofCommit& commit);
  void adopt_base(const AofCommit& commit);
  void cancel_rewrite();
  void rewrite_failed(const std::string& reason);
  void count_failure(const std::string& reason);
  void clean_up();
  void rewrite_over();
  void delete_history();
  bool should_grow_rewrite() const;
  bool rewrite_throttled() const;

  Config& config_;
  Env& env_;
  Clock& clock_;
  Executor& executor_;
  AofHost& host_;
  AofWriter writer_;

  State state_ = State::kOff;
  std::string directory_;
  AofManifest manifest_;
  std::unique_ptr<FileLock> lock_;
  LoadCounts loaded_;
  uint64_t settled_size_ = 0;  // of all files but the one being written
  bool needs_select_ = false;  // for on_forwarded_stream(): the file does not say which database
  int64_t last_timestamp_s_ = 0;

  bool rewrite_scheduled_ = false;
  Rewrite rewrite_;
  int64_t last_failure_ms_ = 0;
  Stats stats_;
  // What runs in the background, where one thing is done after the other: of the rewrite, and the
  // deletion of what it has made history.
  std::unique_ptr<BackgroundStep> step_;
  std::unique_ptr<BackgroundStep> deletion_;
};

}  // namespace tandem
