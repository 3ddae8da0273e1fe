#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/env.h"
#include "server/base/random.h"

namespace tandem {

// Thrown out of an operation of MemoryEnv at which the process is to die.
struct Killed {};

// A disk in memory that remembers what is durable. Files are made durable by sync(), the names in a
// directory by sync_directory(); kill() and lose_power() leave what a real disk may leave. Children
// run at once inside fork_child(); background jobs run in run_jobs().
class MemoryEnv final : public Env {
 public:
  explicit MemoryEnv(uint64_t seed = 1) : random_(seed) {}

  // The process dies (Killed is thrown) at the `operation`-th change of the disk from now; a write
  // it dies in has been done in part.
  void die_at(int operation) { operations_left_ = operation; }
  // Operations on paths that contain `part` fail with this reason until it is cleared.
  void fail(std::string part, std::string reason) {
    failing_part_ = std::move(part);
    failure_ = std::move(reason);
  }
  void stop_failing() { failing_part_.clear(); }
  // What such a sync should have made durable is lost, even if a later one succeeds.
  void fail_syncs(bool fail) { failing_syncs_ = fail; }

  // The process is gone: jobs, locks and children are, the disk stays as it is.
  void kill() {
    operations_left_ = -1;
    jobs_.clear();
    exits_.clear();
    ++*process_;
  }
  // The machine is gone: of what was not synced some is left, some not.
  void lose_power() {
    kill();
    Names kept = durable_;
    for (const Change& change : changes_) {
      if (random_.below(2) == 0) apply(change, &kept);
    }
    names_ = durable_ = kept;
    changes_.clear();
    for (auto& [name, file] : names_) {
      const size_t unsynced = file->bytes.size() - file->synced;
      if (file->lossy) {
        file->bytes.resize(file->synced);
      } else if (unsynced > 0) {
        file->bytes.resize(file->synced + random_.below(unsynced + 1));
      }
      file->lossy = false;
      file->synced = file->bytes.size();
    }
  }
  // Runs the background jobs queued so far, and those that they queue.
  void run_jobs() {
    while (!jobs_.empty()) end_job(0);
  }
  // Each lane is a thread of its own: jobs may begin, and end, in any order.
  void begin_job(size_t index) {
    if (auto work = std::exchange(jobs_[index].first, nullptr)) work();
  }
  void end_job(size_t index) {
    begin_job(index);
    const auto done = std::move(jobs_[index].second);
    jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(index));
    if (done) done();
  }
  size_t jobs() const { return jobs_.size(); }
  // The size of the file at each begin_sync().
  std::vector<size_t> syncs_begun;

  // Files and their contents, for a test to look at or to prepare.
  std::string& content(const std::string& path) {
    auto& file = names_[path];
    if (file == nullptr) file = durable_[path] = std::make_shared<File>();
    return file->bytes;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> paths;
    for (const auto& [path, file] : names_) paths.push_back(path);
    return paths;
  }

  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    if (Status status = change(path); !status.ok()) return status.error();
    if (!names_.contains(path)) link(path, std::make_shared<File>());
    return writable(path);
  }
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    if (Status status = change(path); !status.ok()) return status.error();
    if (names_.contains(path)) {
      names_[path]->bytes.clear();
      names_[path]->synced = 0;
      names_[path]->lossy = false;
    } else {
      link(path, std::make_shared<File>());
    }
    return writable(path);
  }
  Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override {
    if (!names_.contains(path)) return not_found(path);
    return std::unique_ptr<ReadableFile>(std::make_unique<Reader>(names_[path]));
  }
  bool exists(const std::string& path) override {
    return names_.contains(path) || directories_.contains(path);
  }
  Result<uint64_t> file_size(const std::string& path) override {
    if (!names_.contains(path)) return not_found(path);
    return uint64_t{names_[path]->bytes.size()};
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (Status status = change(to); !status.ok()) return status;
    if (!names_.contains(from)) return not_found(from);
    record({from, to, names_[from]});
    return {};
  }
  Status remove(const std::string& path) override {
    if (Status status = change(path); !status.ok()) return status;
    if (!names_.contains(path)) return not_found(path);
    record({path, "", nullptr});
    return {};
  }
  Status create_directory(const std::string& path) override {
    if (Status status = change(path); !status.ok()) return status;
    directories_[path] = true;
    return {};
  }
  Result<std::vector<std::string>> list(const std::string&) override { return files(); }
  Status sync_directory(const std::string& directory) override {
    if (Status status = change(directory); !status.ok()) return status;
    std::erase_if(changes_, [&](const Change& change) {
      const std::string& path = change.to.empty() ? change.from : change.to;
      if (path.substr(0, path.rfind('/')) != directory) return false;
      apply(change, &durable_);
      return true;
    });
    return {};
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    if (locks_[path].lock() != nullptr && *locks_[path].lock() == *process_) {
      return make_error(ErrorKind::kIo, "Can't lock " + path + ": another process holds the lock");
    }
    auto holder = std::make_shared<int>(*process_);
    locks_[path] = holder;
    return std::unique_ptr<FileLock>(std::make_unique<Lock>(std::move(holder)));
  }

  Result<ChildId> fork_child(std::function<int()> body) override {
    if (failing_part_ == "fork") return make_error(ErrorKind::kIo, "Can't fork: " + failure_);
    exits_[++last_child_] = body();
    return last_child_;
  }
  std::unique_ptr<ChildExit> poll_child(ChildId child) override {
    auto found = exits_.find(child);
    if (found == exits_.end() || hold_children) return nullptr;
    auto exit = std::make_unique<ChildExit>();
    exit->code = found->second;
    exit->ok = exit->code == 0;
    exits_.erase(found);
    return exit;
  }
  void kill_child(ChildId) override { hold_children = false; }
  void run_in_background(std::function<void()> work, std::function<void()> done) override {
    jobs_.emplace_back(std::move(work), std::move(done));
  }

  void run_in_lane(size_t, int64_t, std::function<void()> work,
                   std::function<void()> done) override {
    jobs_.emplace_back(std::move(work), std::move(done));
  }

  // Children seem to run on until this is false.
  bool hold_children = false;

 private:
  struct File {
    std::string bytes;
    size_t synced = 0;
    bool lossy = false;  // nothing behind `synced` becomes durable any more
  };
  using FilePtr = std::shared_ptr<File>;
  using Names = std::map<std::string, FilePtr>;
  // A name is made, moved (from, to) or removed (to is empty).
  struct Change {
    std::string from, to;
    FilePtr file;
  };
  struct Lock final : FileLock {
    explicit Lock(std::shared_ptr<int> held) : holder(std::move(held)) {}
    std::shared_ptr<int> holder;
  };

  class Writer final : public WritableFile {
   public:
    Writer(MemoryEnv* env, std::string path, FilePtr file)
        : env_(env), path_(std::move(path)), file_(std::move(file)) {}
    Status append(std::string_view bytes) override {
      if (env_->dies_now()) {
        file_->bytes.append(bytes.substr(0, bytes.size() / 2));
        throw Killed{};
      }
      if (Status status = env_->failure(path_); !status.ok()) {
        file_->bytes.append(bytes.substr(0, bytes.size() / 2));
        return status;
      }
      file_->bytes.append(bytes);
      return {};
    }
    Status sync() override {
      if (env_->failing_syncs_) {
        file_->lossy = true;
        return make_error(ErrorKind::kIo, "Can't sync: I/O error");
      }
      if (Status status = env_->change(path_); !status.ok()) return status;
      if (!file_->lossy) file_->synced = file_->bytes.size();
      return {};
    }
    Status begin_sync() override {
      env_->syncs_begun.push_back(file_->bytes.size());
      return {};
    }
    Status truncate(uint64_t size) override {
      if (Status status = env_->change(path_); !status.ok()) return status;
      file_->bytes.resize(size);
      file_->synced = std::min<size_t>(file_->synced, size);
      return {};
    }
    uint64_t size() const override { return file_->bytes.size(); }

   private:
    MemoryEnv* env_;
    std::string path_;
    FilePtr file_;
  };

  class Reader final : public ReadableFile {
   public:
    explicit Reader(FilePtr file) : file_(std::move(file)) {}
    Result<size_t> read(uint64_t offset, char* out, size_t length) override {
      if (offset >= file_->bytes.size()) return size_t{0};
      return file_->bytes.copy(out, length, offset);
    }
    uint64_t size() const override { return file_->bytes.size(); }

   private:
    FilePtr file_;
  };

  bool dies_now() { return operations_left_ > 0 && --operations_left_ == 0; }
  Status failure(const std::string& path) const {
    if (failing_part_.empty() || path.find(failing_part_) == std::string::npos) return {};
    return make_error(ErrorKind::kIo, "Can't write to " + path + ": " + failure_);
  }
  Status change(const std::string& path) {
    if (dies_now()) throw Killed{};
    return failure(path);
  }
  static Error not_found(const std::string& path) {
    return make_error(ErrorKind::kNotFound, "Can't open " + path + ": No such file or directory");
  }
  static void apply(const Change& change, Names* names) {
    if (change.to != change.from) names->erase(change.from);
    if (!change.to.empty()) (*names)[change.to] = change.file;
  }
  void record(Change change) {
    apply(change, &names_);
    changes_.push_back(std::move(change));
  }
  void link(const std::string& path, FilePtr file) { record({path, path, std::move(file)}); }
  Result<std::unique_ptr<WritableFile>> writable(const std::string& path) {
    return std::unique_ptr<WritableFile>(std::make_unique<Writer>(this, path, names_[path]));
  }

  Random random_;
  Names names_;
  Names durable_;
  std::vector<Change> changes_;  // of names, not durable yet
  std::map<std::string, bool> directories_;
  std::map<std::string, std::weak_ptr<int>> locks_;
  std::shared_ptr<int> process_ = std::make_shared<int>(0);
  std::vector<std::pair<std::function<void()>, std::function<void()>>> jobs_;
  std::map<ChildId, int> exits_;
  ChildId last_child_ = 0;
  int operations_left_ = -1;
  std::string failing_part_;
  std::string failure_;
  bool failing_syncs_ = false;
};

}  // namespace tandem
