#include "tests/sim/sim_env.h"

#include <algorithm>
#include <utility>

namespace tandem {

namespace {

constexpr int kKilled = 9;

Error failure(const char* action, const std::string& path, const char* reason) {
  return make_error(ErrorKind::kIo, std::string("Can't ") + action + " " + path + ": " + reason);
}

Error not_found(const char* action, const std::string& path) {
  return make_error(ErrorKind::kNotFound,
                    std::string("Can't ") + action + " " + path + ": No such file or directory");
}

class Lock final : public FileLock {
 public:
  Lock(std::shared_ptr<std::map<std::string, bool>> held, std::string path)
      : held_(std::move(held)), path_(std::move(path)) {}
  ~Lock() override { held_->erase(path_); }

 private:
  std::shared_ptr<std::map<std::string, bool>> held_;
  std::string path_;
};

// Temporary files carry the process id, which differs from run to run.
std::string without_numbers(std::string path) {
  std::erase_if(path, [](char c) { return c >= '0' && c <= '9'; });
  return path;
}

}  // namespace

class SimEnv::Writer final : public WritableFile {
 public:
  Writer(SimEnv* env, std::string path, SimDisk::FilePtr file)
      : env_(*env),
        path_(std::move(path)),
        file_(std::move(file)),
        known_given_up_(file_->times_given_up) {}

  Status append(std::string_view bytes) override {
    const size_t part = bytes.empty() ? 0 : env_.world_.random().below(bytes.size());
    if (env_.gone()) return {};
    if (env_.dies_now(path_)) {
      file_->bytes.append(bytes.substr(0, part));
      return {};
    }
    const DiskFaults& faults = env_.disk_.faults();
    if (faults.no_space || faults.write_error) {
      file_->bytes.append(bytes.substr(0, part));
      env_.trace("writes in part", path_, part);
      return failure("write to", path_,
                     faults.no_space ? "No space left on device" : "Input/output error");
    }
    file_->bytes.append(bytes);
    env_.trace("writes", path_, bytes.size());
    return {};
  }

  Status sync() override {
    DiskFaults& faults = env_.disk_.faults();
    const bool fails_now = faults.sync_error || std::exchange(faults.one_sync_error, false);
    // What was given up is told once through every opened file.
    const bool fails = fails_now || known_given_up_ != file_->times_given_up;
    Status status;
    if (env_.proceeds(path_, "sync", fails, &status)) {
      file_->sync();
    } else if (fails && !env_.gone()) {
      if (fails_now && faults.forgetful) file_->fail_to_sync();
      known_given_up_ = file_->times_given_up;
    }
    return status;
  }

  Status truncate(uint64_t size) override {
    Status status;
    if (env_.proceeds(path_, "truncate", env_.disk_.faults().write_error, &status)) {
      file_->truncate(size);
    }
    return status;
  }

  uint64_t size() const override { return file_->bytes.size(); }

 private:
  SimEnv& env_;
  const std::string path_;
  SimDisk::FilePtr file_;
  uint64_t known_given_up_;
};

class SimEnv::Reader final : public ReadableFile {
 public:
  explicit Reader(SimDisk::FilePtr file) : file_(std::move(file)) {}
  Result<size_t> read(uint64_t offset, char* out, size_t length) override {
    if (offset >= file_->bytes.size()) return size_t{0};
    return file_->bytes.copy(out, length, offset);
  }
  uint64_t size() const override { return file_->bytes.size(); }

 private:
  SimDisk::FilePtr file_;
};

SimEnv::~SimEnv() {
  world_.drop_events(this);
  // Jobs own what they were to free; nothing that they do is seen any more.
  dead_ = true;
  for (Job& job : background_) {
    if (job.work) job.work();
  }
}

void SimEnv::trace(const char* action, const std::string& path, uint64_t number) {
  world_.trace(host_, std::string(action) + " " + without_numbers(path), number);
}

bool SimEnv::dies_now(const std::string& path) {
  if (in_child_ && child_operations_left_ > 0 && --child_operations_left_ == 0) {
    child_gone_ = true;
    world_.trace(host_, "child is killed at the disk");
    return true;
  }
  if (path.find(dies_only_in_) == std::string::npos) return false;
  if (operations_left_ < 0 || --operations_left_ > 0) return false;
  dead_ = true;
  world_.trace(host_, "dies at the disk");
  return true;
}

bool SimEnv::proceeds(const std::string& path, const char* action, bool fails, Status* status) {
  if (gone() || dies_now(path)) return false;
  trace(fails ? "cannot" : "does", std::string(action) + " " + path);
  if (fails) *status = failure(action, path, "Input/output error");
  return !fails;
}

Status SimEnv::can_link(const std::string& path, const char* action, bool* proceed) {
  *proceed = false;
  if (!gone() && !disk_.is_directory(parent_directory(path))) return not_found(action, path);
  const DiskFaults& faults = disk_.faults();
  Status status;
  *proceed =
      proceeds(path, action, faults.write_error || faults.no_space || faults.name_error, &status);
  return status;
}

Result<std::unique_ptr<WritableFile>> SimEnv::open_writable(const std::string& path,
                                                            bool truncate) {
  SimDisk::FilePtr file = disk_.find(path);
  Status status;
  bool proceed = true;
  if (file == nullptr) {
    status = can_link(path, "open", &proceed);
    file = std::make_shared<SimDisk::File>();
    if (proceed) disk_.link(path, file);
  } else if (truncate) {
    proceed = proceeds(path, "empty", disk_.faults().write_error, &status);
    if (proceed) file->truncate(0);
  }
  if (!status.ok()) return status.error();
  return std::unique_ptr<WritableFile>(std::make_unique<Writer>(this, path, std::move(file)));
}

Result<std::unique_ptr<WritableFile>> SimEnv::open_append(const std::string& path) {
  return open_writable(path, false);
}

Result<std::unique_ptr<WritableFile>> SimEnv::create(const std::string& path) {
  return open_writable(path, true);
}

Result<std::unique_ptr<ReadableFile>> SimEnv::open_read(const std::string& path) {
  SimDisk::FilePtr file = disk_.find(path);
  if (file == nullptr) return not_found("open", path);
  return std::unique_ptr<ReadableFile>(std::make_unique<Reader>(std::move(file)));
}

bool SimEnv::exists(const std::string& path) {
  return disk_.is_directory(path) || disk_.find(path) != nullptr;
}

Result<uint64_t> SimEnv::file_size(const std::string& path) {
  const SimDisk::FilePtr file = disk_.find(path);
  if (file == nullptr) return not_found("read", path);
  return uint64_t{file->bytes.size()};
}

Status SimEnv::rename(const std::string& from, const std::string& to) {
  if (!gone() && disk_.find(from) == nullptr) return not_found("rename", from);
  bool proceed = false;
  const Status status = can_link(to, "rename to", &proceed);
  if (proceed) disk_.rename(from, to);
  return status;
}

Status SimEnv::remove(const std::string& path) {
  if (!gone() && disk_.find(path) == nullptr) return not_found("remove", path);
  const bool fails = disk_.faults().write_error || disk_.faults().name_error;
  Status status;
  if (proceeds(path, "remove", fails, &status)) disk_.remove(path);
  return status;
}

Status SimEnv::create_directory(const std::string& path) {
  if (disk_.is_directory(path)) return {};
  bool proceed = false;
  const Status status = can_link(path, "create directory", &proceed);
  if (proceed) disk_.make_directory(path);
  return status;
}

Result<std::vector<std::string>> SimEnv::list(const std::string& directory) {
  if (!disk_.is_directory(directory)) return not_found("list", directory);
  return disk_.list(directory);
}

Status SimEnv::sync_directory(const std::string& directory) {
  Status status;
  if (proceeds(directory, "sync directory", disk_.faults().sync_error, &status)) {
    disk_.sync_directory(directory);
  }
  return status;
}

Result<std::unique_ptr<FileLock>> SimEnv::lock(const std::string& path) {
  if (!locks_->emplace(path, true).second) return failure("lock", path, "it is locked");
  return std::unique_ptr<FileLock>(std::make_unique<Lock>(locks_, path));
}

Result<ChildId> SimEnv::fork_child(std::function<int()> body) {
  constexpr int64_t kLongestChildUs = 1'500'000;
  if (world_.one_in(50)) {
    return make_error(ErrorKind::kIo, "Can't fork: Cannot allocate memory");
  }
  world_.trace(host_, "forks");
  in_child_ = true;
  const int code = body();
  in_child_ = child_gone_ = false;
  const bool killed = std::exchange(child_operations_left_, -1) >= 0;
  Child& child = children_[++last_child_];
  child.exit = {.ok = code == 0, .killed = false, .code = code};
  if (killed) child.exit = {.ok = false, .killed = true, .code = kKilled};
  child.ends_us = world_.now_us() + world_.between(0, kLongestChildUs);
  return last_child_;
}

std::unique_ptr<ChildExit> SimEnv::poll_child(ChildId id) {
  const auto child = children_.find(id);
  if (child == children_.end() || world_.now_us() < child->second.ends_us) return nullptr;
  world_.trace(host_, "child ends", static_cast<uint64_t>(child->second.exit.code));
  auto exit = std::make_unique<ChildExit>(child->second.exit);
  children_.erase(child);
  return exit;
}

void SimEnv::kill_child(ChildId id) {
  const auto child = children_.find(id);
  // One that has ended already cannot be killed any more.
  if (child == children_.end() || world_.now_us() >= child->second.ends_us) return;
  child->second.exit = {.ok = false, .killed = true, .code = kKilled};
  child->second.ends_us = world_.now_us();
}

void SimEnv::add_job(Jobs* jobs, int64_t delay_us, std::function<void()> work,
                     std::function<void()> done) {
  jobs->push_back({delay_us, std::move(work), std::move(done)});
  if (jobs->size() == 1) start_job(jobs);
}

// A job takes effect somewhere between its start and the moment the loop hears of its end.
void SimEnv::start_job(Jobs* jobs) {
  const int64_t slowest_us = disk_.faults().slowest_sync_us;
  const int64_t takes_us = world_.between(20, world_.one_in(20) ? slowest_us : slowest_us / 20);
  const int64_t until_effect_us = world_.between(0, takes_us);
  const int64_t delay_us = jobs->front().delay_us + until_effect_us;
  world_.schedule(this, delay_us, [this, jobs, rest_us = takes_us - until_effect_us] {
    if (dead_) return;
    jobs->front().work();
    jobs->front().work = nullptr;
    world_.schedule(this, rest_us, [this, jobs] {
      if (dead_) return;
      std::function<void()> done = std::move(jobs->front().done);
      jobs->pop_front();
      if (!jobs->empty()) start_job(jobs);
      if (done) run_on_loop_(std::move(done));
    });
  });
}

}  // namespace tandem
