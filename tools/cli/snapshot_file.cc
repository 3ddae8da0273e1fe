#include "tools/cli/snapshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "server/base/crc64.h"
#include "server/base/numbers.h"

namespace tandem::cli {
namespace {

constexpr int kTemporaryNames = 100;
constexpr char kEndOfFileOpcode = '\xff';
constexpr int64_t kFirstVersionWithChecksum = 5;

Error file_error(const char* verb, const std::string& path) {
  return make_error(ErrorKind::kIo,
                    std::string("Error ") + verb + " '" + path + "': " + std::strerror(errno));
}

std::string directory_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The version an RDB file's first nine bytes name.
std::optional<int64_t> rdb_version(std::string_view head) {
  size_t digits = head.starts_with("REDIS") ? 5 : head.starts_with("VALKEY") ? 6 : head.size();
  std::string_view text = head.substr(digits);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  return std::strtoll(std::string(text).c_str(), nullptr, 10);
}

}  // namespace

SnapshotFile::~SnapshotFile() {
  if (fd_ >= 0 && fd_ != STDOUT_FILENO) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Status SnapshotFile::open(const std::string& path) {
  path_ = path;
  if (path == "-") {
    fd_ = STDOUT_FILENO;
    return {};
  }
  struct stat existing {};
  if (stat(path.c_str(), &existing) != 0) return open_beside(path);
  if (!S_ISREG(existing.st_mode)) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    return fd_ >= 0 ? Status() : Status(file_error("opening", path));
  }
  // A file that may not be written must not be replaced through its directory either.
  if (access(path.c_str(), W_OK) != 0) return file_error("opening", path);
  char resolved[PATH_MAX];
  if (realpath(path.c_str(), resolved) == nullptr) return file_error("opening", path);
  Status opened = open_beside(resolved);
  if (!opened) return opened;
  // A server that could use the old file must be able to use the new one.
  if (fchown(fd_, existing.st_uid, existing.st_gid) != 0 && errno != EPERM) {
    return file_error("changing the owner of", path);
  }
  if (fchmod(fd_, existing.st_mode & 07777) != 0) return file_error("changing the mode of", path);
  return {};
}

Status SnapshotFile::open_beside(const std::string& path) {
  target_ = path;
  for (int attempt = 0; attempt < kTemporaryNames; ++attempt) {
    std::string name = path + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(attempt);
    fd_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd_ >= 0) {
      temporary_ = name;
      return {};
    }
    if (errno != EEXIST) break;
  }
  return file_error("opening", path_);
}

Status SnapshotFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("writing", path_);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status SnapshotFile::sync() {
  if (temporary_.empty() || fsync(fd_) == 0) return {};
  return file_error("syncing", path_);
}

Status SnapshotFile::commit() {
  if (temporary_.empty()) return {};
  if (Status synced = sync(); !synced) return synced;
  if (rename(temporary_.c_str(), target_.c_str()) != 0) return file_error("renaming to", path_);
  temporary_.clear();
  int directory = ::open(directory_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return {};
}

void SnapshotCheck::feed(std::string_view bytes) {
  if (head_.size() < kHeadBytes) head_.append(bytes.substr(0, kHeadBytes - head_.size()));
  if (bytes.size() < kTailBytes) {
    tail_.append(bytes);
    if (tail_.size() <= kTailBytes) return;
    size_t settled = tail_.size() - kTailBytes;
    checksum_ = crc64(checksum_, std::string_view(tail_).substr(0, settled));
    tail_.erase(0, settled);
    return;
  }
  checksum_ = crc64(checksum_, tail_);
  checksum_ = crc64(checksum_, bytes.substr(0, bytes.size() - kTailBytes));
  tail_ = bytes.substr(bytes.size() - kTailBytes);
}

Status SnapshotCheck::finish() const {
  auto bad = [](const char* what) {
    return make_error(ErrorKind::kCorrupt, std::string("Transfer failed: ") + what);
  };
  std::optional<int64_t> version = rdb_version(head_);
  if (head_.size() < kHeadBytes || !version) return bad("what the server sent is no RDB file");
  if (*version < kFirstVersionWithChecksum) return {};
  if (tail_.size() < kTailBytes || tail_[0] != kEndOfFileOpcode) {
    return bad("the snapshot does not end as an RDB file does");
  }
  uint64_t stored = 0;
  for (size_t i = kTailBytes - 1; i > 0; --i) {
    stored = stored << 8 | static_cast<unsigned char>(tail_[i]);
  }
  // Zero: the server writes no checksums.
  if (stored != 0 && stored != crc64(checksum_, std::string_view(tail_).substr(0, 1))) {
    return bad("the snapshot's checksum does not match");
  }
  return {};
}

}  // namespace tandem::cli
