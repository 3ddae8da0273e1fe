#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"

namespace tandem {

// A file open for appending. Not thread-safe but for sync(), which may run on another thread while
// append() goes on.
class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes
  // Writes all of `bytes` or fails. After a failure the file may hold a part of them; size() tells
  // how much.
  virtual Status append(std::string_view bytes) = 0;
  // Makes everything appended before the call durable (fdatasync).
  virtual Status sync() = 0;
  // Begins to write what was appended since the last call to the device and waits for no more than
  // what the call before began: a sync() at the end of a large file then has little left to do.
  virtual Status begin_sync() { return {}; }
  virtual Status truncate(uint64_t size) = 0;
  virtual uint64_t size() const = 0;
};

// A file open for reading at any position.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Reads up to `length` bytes at `offset` into `out`; 0 at the end of the file.
  virtual Result<size_t> read(uint64_t offset, char* out, size_t length) = 0;
  virtual uint64_t size() const = 0;
};

// An exclusive lock on a directory or a file, held until destroyed or until the process ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// A child process that was forked to write a snapshot.
using ChildId = int64_t;
struct ChildExit {
  bool ok = false;      // exited with code 0
  bool killed = false;  // by a signal
  int code = 0;         // the exit code or the signal
};

// The machine as the server sees it: files, child processes and a thread for slow work. Paths are
// as the operating system takes them. Every error names the path and the system's reason.
class Env {
 public:
  virtual ~Env() = default;

  virtual Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) = 0;
  // Creates the file or empties an existing one.
  virtual Result<std::unique_ptr<WritableFile>> create(const std::string& path) = 0;
  virtual Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Result<uint64_t> file_size(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status create_directory(const std::string& path) = 0;  // success if it is there
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  // Makes creations, renames and removals inside the directory durable.
  virtual Status sync_directory(const std::string& directory) = 0;
  // A directory itself; for any other path a file that is created if need be.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

  // Runs `body` in a copy of this process (fork) and exits the copy with what it returns. The copy
  // shares no later change of memory. A simulated world runs `body` at once and reports its end to
  // the next poll_child().
  virtual Result<ChildId> fork_child(std::function<int()> body) = 0;
  // The same for a copy that goes on talking over a connection: it keeps this socket, where other
  // copies have none. A world without real sockets refuses.
  virtual Result<ChildId> fork_child_with_socket(int socket, std::function<int()> body);
  // Null while the child runs; its end is reported once.
  virtual std::unique_ptr<ChildExit> poll_child(ChildId child) = 0;
  virtual void kill_child(ChildId child) = 0;

  // Runs `work` off the loop, jobs one after another in the order given, then `done` on the loop.
  // `work` must not touch what the loop owns. Only the loop thread calls this.
  virtual void run_in_background(std::function<void()> work, std::function<void()> done) = 0;
  // The same beside all other work, `delay_us` from now at the earliest: jobs of one lane run one
  // after another, those of different lanes may end in any order. A lane is a thread, so let there
  // be few; they are numbered from 0.
  virtual void run_in_lane(size_t lane, int64_t delay_us, std::function<void()> work,
                           std::function<void()> done) = 0;
  // run_in_background() for work that nobody waits for, and that no job of run_in_background()
  // shall wait for.
  virtual void run_at_leisure(std::function<void()> work);
};

// Reads a whole file; kLimit when it is larger than `max_bytes`.
Result<std::string> read_file(Env& env, const std::string& path, uint64_t max_bytes);
// Replaces `path` by a file of `content`: temporary file, fsync, rename, fsync of the directory.
Status write_file_atomically(Env& env, const std::string& path, std::string_view content);

}  // namespace tandem
