#include "server/base/posix_env.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "server/base/log.h"
#include "server/base/memory.h"

namespace tandem {

namespace {

Error system_error(const char* action, const std::string& path, int code = errno) {
  const ErrorKind kind = code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo;
  return make_error(kind, std::string("Can't ") + action + " " + path + ": " + std::strerror(code));
}

// Repeats a system call that a signal interrupted.
template <typename Call>
auto retry(Call call) {
  while (true) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(FileDescriptor fd, std::string path, uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  Status append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = retry([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
      if (written < 0) return system_error("write to", path_);
      bytes.remove_prefix(static_cast<size_t>(written));
      size_ += static_cast<uint64_t>(written);
    }
    return {};
  }

  Status sync() override {
    if (retry([&] { return ::fdatasync(fd_.get()); }) != 0) return system_error("sync", path_);
    return {};
  }

  Status begin_sync() override {
    constexpr unsigned kBegin = SYNC_FILE_RANGE_WRITE;
    constexpr unsigned kAwait =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (Status status = sync_range(begun_, size_, kBegin); !status.ok()) return status;
    if (Status status = sync_range(awaited_, begun_, kAwait); !status.ok()) return status;
    awaited_ = std::exchange(begun_, size_);
    return {};
  }

  Status truncate(uint64_t size) override {
    if (retry([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return system_error("truncate", path_);
    }
    size_ = size;
    begun_ = std::min(begun_, size);
    awaited_ = std::min(awaited_, size);
    return {};
  }

  uint64_t size() const override { return size_; }

 private:
  // Not every file system can do a range; sync() will do.
  Status sync_range(uint64_t from, uint64_t to, unsigned flags) {
    if (from >= to) return {};
    const int result = retry([&] {
      return ::sync_file_range(fd_.get(), static_cast<off64_t>(from),
                               static_cast<off64_t>(to - from), flags);
    });
    if (result == 0 || errno == ENOSYS || errno == EINVAL || errno == ESPIPE) return {};
    return system_error("sync", path_);
  }

  FileDescriptor fd_;
  std::string path_;
  uint64_t size_;
  uint64_t begun_ = 0;    // begin_sync() has been told of the bytes up to here,
  uint64_t awaited_ = 0;  // and has waited for those up to here
};

class PosixReadableFile final : public ReadableFile {
 public:
  PosixReadableFile(FileDescriptor fd, std::string path, uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  Result<size_t> read(uint64_t offset, char* out, size_t length) override {
    ssize_t count =
        retry([&] { return ::pread(fd_.get(), out, length, static_cast<off_t>(offset)); });
    // A pipe has no positions; it can be read from its front to its end.
    if (count < 0 && errno == ESPIPE && offset == passed_) {
      count = retry([&] { return ::read(fd_.get(), out, length); });
      if (count > 0) passed_ += static_cast<uint64_t>(count);
    }
    if (count < 0) return system_error("read", path_);
    return static_cast<size_t>(count);
  }

  uint64_t size() const override { return size_; }

 private:
  FileDescriptor fd_;
  std::string path_;
  uint64_t size_;
  uint64_t passed_ = 0;  // bytes read of a pipe
};

// The descriptors of the locks this process holds: a forked child shares flock() locks with its
// parent and would keep them alive, so it closes its copies.
using HeldLocks = std::set<int>;

class PosixFileLock final : public FileLock {
 public:
  PosixFileLock(FileDescriptor fd, std::shared_ptr<HeldLocks> held)
      : fd_(std::move(fd)), held_(std::move(held)) {
    held_->insert(fd_.get());
  }
  ~PosixFileLock() override { held_->erase(fd_.get()); }

 private:
  FileDescriptor fd_;
  std::shared_ptr<HeldLocks> held_;
};

// One thread that runs jobs in the order given.
class Worker {
 public:
  enum class Priority : uint8_t { kOfTheLoop, kLow };
  using Time = std::chrono::steady_clock::time_point;

  Worker(PostToLoop post_to_loop, Priority priority, const char* name)
      : post_to_loop_(std::move(post_to_loop)), priority_(priority), name_(name) {}
  ~Worker() {
    if (!thread_.joinable()) return;
    {
      std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void add(std::function<void()> work, std::function<void()> done, Time not_before = {}) {
    if (!thread_.joinable()) start();
    {
      std::lock_guard guard(mutex_);
      jobs_.push_back({std::move(work), std::move(done), not_before});
    }
    wake_.notify_one();
  }

 private:
  struct Job {
    std::function<void()> work;
    std::function<void()> done;
    Time not_before;
  };

  // Signals are the loop thread's to handle, but for those that this thread's own faults raise:
  // blocked, they would end the process without a crash report.
  void start() {
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&blocked, signal);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread_.native_handle(), name_);
    if (priority_ == Priority::kOfTheLoop) return;
    // Where both share a core, handing over a job must not take it from the loop at once.
    const sched_param no_priority{};
    pthread_setschedparam(thread_.native_handle(), SCHED_BATCH, &no_priority);
  }

  void run() {
    register_memory_thread();
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      if (job.not_before != Time{}) std::this_thread::sleep_until(job.not_before);
      job.work();
      job.work = nullptr;
      if (job.done) post_to_loop_(std::move(job.done));
      lock.lock();
    }
  }

  PostToLoop post_to_loop_;
  const Priority priority_;
  const char* const name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

constexpr int kNoSocket = -1;

// Closes the child's copies of the parent's sockets: a connection that the parent closes must end
// for its peer, and a listening port must be free once the parent is gone.
void close_sockets_but(int kept) {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return;
  std::vector<int> sockets;
  while (const dirent* entry = ::readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    struct stat status {};
    if (fd > STDERR_FILENO && fd != kept && ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)) {
      sockets.push_back(fd);
    }
  }
  ::closedir(directory);
  for (int fd : sockets) ::close(fd);
}

// The first thing a child does; false when its parent is gone already.
bool become_child(pid_t parent, const HeldLocks& locks, int kept_socket) {
  // What the parent does on a signal (end in order, on its loop) the child cannot do. The terminal
  // sends its interrupt to both; the parent then decides about the child.
  ::signal(SIGINT, SIG_IGN);
  for (int signal : {SIGTERM, SIGHUP, SIGUSR1, SIGCHLD}) ::signal(signal, SIG_DFL);
  // An orphan would go on to rename its file over that of a restarted server.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int fd : locks) ::close(fd);
  close_sockets_but(kept_socket);
  set_log_role('C');
  return ::getppid() == parent;
}

int run_child(const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& failure) {
    log_warning(std::string("Child process failed: ") + failure.what());
    return 1;
  }
}

class PosixEnv final : public Env {
 public:
  explicit PosixEnv(PostToLoop post_to_loop)
      : post_to_loop_(std::move(post_to_loop)),
        worker_(post_to_loop_, Worker::Priority::kOfTheLoop, "tandem-worker"),
        leisure_(post_to_loop_, Worker::Priority::kLow, "tandem-leisure") {}

  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    return open_writable(path, 0);
  }
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return open_writable(path, O_TRUNC);
  }

  Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override {
    auto opened = open_file(path, O_RDONLY);
    if (!opened.ok()) return opened.error();
    struct stat status {};
    if (::fstat(opened.value().get(), &status) != 0) return system_error("read", path);
    if (S_ISDIR(status.st_mode)) return system_error("read", path, EISDIR);
    return std::unique_ptr<ReadableFile>(std::make_unique<PosixReadableFile>(
        std::move(opened).value(), path, static_cast<uint64_t>(status.st_size)));
  }

  bool exists(const std::string& path) override {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0;
  }

  Result<uint64_t> file_size(const std::string& path) override {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return system_error("read", path);
    return static_cast<uint64_t>(status.st_size);
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return system_error("rename", from + " to " + to);
    }
    return {};
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return system_error("remove", path);
    return {};
  }

  Status create_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) return {};
    const int code = errno;
    struct stat status {};
    if (code == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
    return system_error("create directory", path, code);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
    if (!stream) return system_error("list", directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return system_error("list", directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status sync_directory(const std::string& directory) override {
    auto opened = open_file(directory, O_RDONLY | O_DIRECTORY);
    if (!opened.ok()) return opened.error();
    // Some file systems cannot sync a directory and say EINVAL; they leave us nothing to do.
    if (retry([&] { return ::fsync(opened.value().get()); }) != 0 && errno != EINVAL) {
      return system_error("sync", directory);
    }
    return {};
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    struct stat status {};
    const bool is_directory = ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    auto opened = open_file(path, is_directory ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT);
    if (!opened.ok()) return opened.error();
    if (retry([&] { return ::flock(opened.value().get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return system_error("lock", path);
      return make_error(ErrorKind::kIo, "Can't lock " + path + ": another process holds the lock");
    }
    return std::unique_ptr<FileLock>(
        std::make_unique<PosixFileLock>(std::move(opened).value(), held_locks_));
  }

  Result<ChildId> fork_child(std::function<int()> body) override {
    return fork_child_with_socket(kNoSocket, std::move(body));
  }

  Result<ChildId> fork_child_with_socket(int socket, std::function<int()> body) override {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
      return make_error(ErrorKind::kIo, std::string("Can't fork: ") + std::strerror(errno));
    }
    if (child > 0) return ChildId{child};
    in_child_ = true;
    // _exit(): buffers and destructors that the child copied are the parent's to flush and run.
    ::_exit(become_child(parent, *held_locks_, socket) ? run_child(body) : 1);
  }

  std::unique_ptr<ChildExit> poll_child(ChildId child) override {
    int status = 0;
    const pid_t ended =
        retry([&] { return ::waitpid(static_cast<pid_t>(child), &status, WNOHANG); });
    if (ended == 0) return nullptr;
    auto end = std::make_unique<ChildExit>();
    if (ended < 0) {
      // Somebody else collected it; how it ended is lost.
      end->code = -1;
    } else if (WIFSIGNALED(status)) {
      end->killed = true;
      end->code = WTERMSIG(status);
    } else {
      end->code = WEXITSTATUS(status);
      end->ok = end->code == 0;
    }
    return end;
  }

  void kill_child(ChildId child) override {
    if (child > 0) ::kill(static_cast<pid_t>(child), SIGKILL);
  }

  void run_in_background(std::function<void()> work, std::function<void()> done) override {
    assert(!in_child_);
    worker_.add(std::move(work), std::move(done));
  }

  void run_in_lane(size_t lane, int64_t delay_us, std::function<void()> work,
                   std::function<void()> done) override {
    assert(!in_child_);
    if (lane >= lanes_.size()) lanes_.resize(lane + 1);
    std::unique_ptr<Worker>& worker = lanes_[lane];
    if (worker == nullptr) {
      // A sync that begins when the loop has nothing more to do covers more of what it has written.
      worker = std::make_unique<Worker>(post_to_loop_, Worker::Priority::kLow, "tandem-lane");
    }
    const auto delay = std::chrono::microseconds(delay_us);
    worker->add(std::move(work), std::move(done),
                delay_us > 0 ? std::chrono::steady_clock::now() + delay : Worker::Time{});
  }

  void run_at_leisure(std::function<void()> work) override {
    assert(!in_child_);
    leisure_.add(std::move(work), nullptr);
  }

 private:
  static Result<FileDescriptor> open_file(const std::string& path, int flags) {
    const int fd = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
    if (fd < 0) return system_error("open", path);
    return FileDescriptor(fd);
  }

  static Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path, int flags) {
    // O_APPEND in both cases, so that a truncated file goes on at its new end.
    auto opened = open_file(path, O_WRONLY | O_CREAT | O_APPEND | flags);
    if (!opened.ok()) return opened.error();
    struct stat status {};
    if (::fstat(opened.value().get(), &status) != 0) return system_error("open", path);
    return std::unique_ptr<WritableFile>(std::make_unique<PosixWritableFile>(
        std::move(opened).value(), path, static_cast<uint64_t>(status.st_size)));
  }

  std::shared_ptr<HeldLocks> held_locks_ = std::make_shared<HeldLocks>();
  bool in_child_ = false;
  const PostToLoop post_to_loop_;
  Worker worker_;
  Worker leisure_;
  std::vector<std::unique_ptr<Worker>> lanes_;
};

}  // namespace

std::unique_ptr<Env> make_posix_env(PostToLoop post_to_loop) {
  return std::make_unique<PosixEnv>(std::move(post_to_loop));
}

}  // namespace tandem
