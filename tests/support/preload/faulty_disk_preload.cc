// Preloaded into a server (LD_PRELOAD): lets its files fail as DiskFaults says, and keeps account
// of what has been made durable.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "tests/support/disk_faults.h"
#include "tests/support/preload/map_shared.h"

namespace {

using tandem::DiskFaults;

char directory[PATH_MAX];

DiskFaults* map_faults() {
  if (getcwd(directory, sizeof directory) == nullptr) return nullptr;
  return tandem::map_shared<DiskFaults>(tandem::kDiskFaultsVariable);
}

// Other libraries' constructors may write before this one's has run.
DiskFaults* faults = nullptr;
__attribute__((constructor)) void attach() { faults = map_faults(); }

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool inside(const char* path) { return std::strncmp(path, directory, std::strlen(directory)) == 0; }

bool path_of(int fd, char (&path)[PATH_MAX]) {
  char link[32];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[std::max<ssize_t>(length, 0)] = 0;
  return length > 0 && inside(path);
}

bool applies(const DiskFaults::Rule& rule, const char* path) {
  return rule.error != 0 && std::strstr(path, rule.part) != nullptr;
}

// True, with errno set, when the operation on the path is to fail.
bool fails(DiskFaults::Operation operation, const char* path) {
  DiskFaults::Rule& rule = faults->rules[operation];
  if (!applies(rule, path)) return false;
  errno = rule.error;
  ++rule.failures;
  return true;
}

DiskFaults::Durable* durable(const struct stat& status) {
  return S_ISREG(status.st_mode) ? tandem::find_durable(faults, status.st_ino, true) : nullptr;
}

int sync_with(int fd, const char* name) {
  const auto sync = next<int (*)(int)>(name);
  char path[PATH_MAX];
  struct stat status {};
  if (faults == nullptr || !path_of(fd, path) || fstat(fd, &status) != 0) return sync(fd);
  if (const int delay = faults->sync_delay_ms; delay > 0) {
    const timespec wait{.tv_sec = delay / 1000, .tv_nsec = delay % 1000 * 1'000'000L};
    nanosleep(&wait, nullptr);
  }
  DiskFaults::Durable* file = durable(status);
  if (fails(DiskFaults::kSync, path)) {
    if (file != nullptr) file->lost = true;
    return -1;
  }
  const int result = sync(fd);
  if (result != 0 || file == nullptr || file->lost) return result;
  // Another thread's sync, which began later, may have made more durable meanwhile.
  const auto size = static_cast<uint64_t>(status.st_size);
  uint64_t known = file->bytes;
  while (known < size && !file->bytes.compare_exchange_weak(known, size)) {
  }
  return result;
}

// A file that begins anew may have the number of one that is gone.
int opened(int fd, int flags) {
  char path[PATH_MAX];
  struct stat status {};
  if (fd < 0 || (flags & O_ACCMODE) == O_RDONLY || !path_of(fd, path)) return fd;
  if (fstat(fd, &status) != 0 || status.st_size != 0) return fd;
  if (DiskFaults::Durable* file = durable(status)) {
    file->bytes = 0;
    file->lost = false;
  }
  return fd;
}

int open_with(const char* name, const char* path, int flags, mode_t mode) {
  const auto open_file = next<int (*)(const char*, int, ...)>(name);
  if (faults == nullptr) return open_file(path, flags, mode);
  if ((flags & O_ACCMODE) != O_RDONLY && inside(path) && fails(DiskFaults::kOpen, path)) return -1;
  return opened(open_file(path, flags, mode), flags);
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
  const auto write_file = next<ssize_t (*)(int, const void*, size_t)>("write");
  char path[PATH_MAX];
  if (faults == nullptr || faults->rules[DiskFaults::kWrite].error == 0 || !path_of(fd, path)) {
    return write_file(fd, bytes, count);
  }
  DiskFaults::Rule& rule = faults->rules[DiskFaults::kWrite];
  if (!applies(rule, path)) return write_file(fd, bytes, count);
  const auto room = std::clamp<int64_t>(rule.room, 0, static_cast<int64_t>(count));
  if (room == 0 && fails(DiskFaults::kWrite, path)) return -1;
  rule.room -= room;
  return write_file(fd, bytes, static_cast<size_t>(room));
}

int fsync(int fd) { return sync_with(fd, "fsync"); }
int fdatasync(int fd) { return sync_with(fd, "fdatasync"); }

int rename(const char* from, const char* to) {
  if (faults != nullptr && inside(to) && fails(DiskFaults::kRename, to)) return -1;
  return next<int (*)(const char*, const char*)>("rename")(from, to);
}

int ftruncate(int fd, off_t size) {
  const int result = next<int (*)(int, off_t)>("ftruncate")(fd, size);
  char path[PATH_MAX];
  struct stat status {};
  if (result != 0 || faults == nullptr || !path_of(fd, path) || fstat(fd, &status) != 0) {
    return result;
  }
  if (DiskFaults::Durable* file = durable(status)) {
    file->bytes = std::min(file->bytes.load(), static_cast<uint64_t>(size));
  }
  return result;
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = static_cast<mode_t>((flags & O_CREAT) != 0 ? va_arg(more, int) : 0);
  va_end(more);
  return open_with("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = static_cast<mode_t>((flags & O_CREAT) != 0 ? va_arg(more, int) : 0);
  va_end(more);
  return open_with("open64", path, flags, mode);
}

}  // extern "C"
