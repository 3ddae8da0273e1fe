#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "persistence/aof_syncs.h"
#include "persistence/aof_tail.h"
#include "persistence/background_step.h"
#include "persistence/held_replies.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/result.h"
#include "server/exec/executor.h"

namespace tandem {

// Brings the stream of effects into the AOF's current file: buffers what a turn of the loop
// produced, writes it at the turn's end, and makes it durable as `appendfsync` says, off the loop.
// What fails is kept and tried again. With `always` a reply goes out only when a sync that began
// after its effects were written has succeeded, and so does the stream to replicas: while the file
// can be written and synced, they are not ahead of what this server has after a loss of power.
class AofWriter {
 public:
  AofWriter(Config& config, Env& env, Clock& clock, Executor& executor);
  ~AofWriter();
  AofWriter(const AofWriter&) = delete;
  AofWriter& operator=(const AofWriter&) = delete;

  // Asked when everything buffered has been written; the answer is synced_mark() once that is
  // durable.
  std::function<uint64_t()> stream_position = [] { return uint64_t{0}; };

  // Called when more is durable than before.
  std::function<void()> on_synced = [] {};

  // Called when more of the stream may go to replicas than stream_limit() has said.
  std::function<void()> on_stream_released = [] {};

  // Goes on at the end of `file`. Everything buffered so far belongs to the file before it, which
  // must have taken it (flush()); it is made durable and closed in the background. Until then
  // nothing is written to `file`: a machine that is lost must not leave what came later without
  // what came before.
  void switch_to(std::shared_ptr<AofTail> file);
  // The file before this one is still being made durable.
  bool switching() const { return retiring_ != nullptr; }
  // Drops the file and what is buffered: whatever took their place, or the user's wish, has made
  // them superfluous.
  void close();
  // The same without forgetting a failed sync: see sync_failed().
  void drop_file();
  bool is_open() const { return file_ != nullptr; }

  void append(std::string_view bytes) { buffer_.append(bytes); }
  // At the end of a turn of the loop, and from cron. `child_active`: no-appendfsync-on-rewrite
  // applies.
  void end_of_turn(bool child_active);
  // Writes everything that is buffered. Waits for the disk while switching().
  Status flush();
  // flush(), and all of it is durable when this returns. Releases every held reply.
  Status sync_now();

  // Why writing or syncing fails at present; ok when it does not.
  const Status& last_status() const { return last_status_; }
  // A sync failed. What it was to make durable may be lost even though a later sync succeeds: the
  // file has been dropped, last_status() stays what it is, and nothing more counts as durable,
  // until a rewrite has replaced all of it and says so with replaced().
  bool sync_failed() const { return sync_failed_; }
  // Somebody else's sync of the current file.
  void report_failed_sync(const Status& status);
  void replaced();
  uint64_t bytes_written() const { return file_bytes_; }  // to the current file
  size_t buffered() const { return buffer_.size(); }
  // What the buffer takes: more than is in it, once it has grown.
  size_t buffer_memory() const;
  // Where the stream of bytes ends that has been appended, over all files, and how much of it is
  // durable.
  uint64_t position() const { return written_.bytes + buffer_.size(); }
  uint64_t synced() const { return synced_.bytes; }
  bool sync_running() const { return syncs_.any() || switching(); }
  uint64_t delayed_syncs() const { return delayed_syncs_; }
  void reset_stats() { delayed_syncs_ = 0; }
  uint64_t synced_mark() const { return synced_.mark; }
  // Up to where the stream may go to replicas now, as synced_mark() counts; UINT64_MAX: all of it.
  uint64_t stream_limit();

 private:
  uint64_t tellable() const;
  void release(uint64_t position);
  void retire_file();
  void retired(const Status& status, const AofPosition& end);
  bool must_postpone();
  Status timed_flush(bool child_active);
  void start_sync();
  void sync_ended(const std::shared_ptr<AofTail>& file, const AofTail::Synced& synced,
                  int64_t took_us);
  void advance_synced(const AofPosition& position);
  void wrote(uint64_t bytes);
  void failed(const Status& status);
  void failed_sync(const Status& status);
  void refuse_replies();
  void succeeded();
  void retry();

  Config& config_;
  Env& env_;
  Clock& clock_;
  Executor& executor_;
  LatencyMonitor& latency_;
  HeldReplies held_;
  AofSyncs syncs_;
  // Shared with syncs that are under way in the background.
  std::shared_ptr<AofTail> file_;
  std::string buffer_;

  // The file before file_, while it is being made durable.
  std::shared_ptr<AofTail> retired_;
  std::unique_ptr<BackgroundStep> retiring_;

  AofPosition written_;
  AofPosition synced_;
  uint64_t file_bytes_ = 0;

  bool write_failed_ = false;  // the last one
  bool sync_failed_ = false;
  bool failed_in_turn_ = false;   // in the one that has not ended yet
  bool syncs_suspended_ = false;  // no-appendfsync-on-rewrite, while there is a child
  bool stream_waits_ = false;     // stream_limit() has been less than all
  int64_t last_sync_ms_ = 0;
  int64_t postponed_since_ms_ = -1;
  int64_t last_retry_ms_ = 0;
  uint64_t delayed_syncs_ = 0;
  Status last_status_;
};

}  // namespace tandem
