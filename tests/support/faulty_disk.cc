#include "tests/support/faulty_disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "tests/support/process.h"

namespace tandem {
namespace {

constexpr std::string_view kLibrary = TANDEM_BINARY_DIR "/tests/libtandem_faulty_disk.so";

[[noreturn]] void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

FaultyDisk::FaultyDisk() {
  const std::string control = dir_.file("faults");
  write_whole(control, std::string(sizeof(DiskFaults), '\0'));
  const int fd = open(control.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) fail_with_errno(control);
  void* mapped = mmap(nullptr, sizeof(DiskFaults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) fail_with_errno(control);
  faults_ = static_cast<DiskFaults*>(mapped);
  // The sanitizer's own library need not be the first.
  write_whole(program(), "#!/bin/sh\nexec env LD_PRELOAD='" + std::string(kLibrary) + "' " +
                             kDiskFaultsVariable + "='" + control +
                             "' ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\" '" +
                             tandem_server_path() + "' \"$@\"\n");
  if (chmod(program().c_str(), 0755) != 0) fail_with_errno(program());
}

FaultyDisk::~FaultyDisk() { munmap(faults_, sizeof(DiskFaults)); }

void FaultyDisk::fail(DiskFaults::Operation operation, std::string_view part, int error) {
  DiskFaults::Rule& rule = faults_->rules[operation];
  if (part.size() >= sizeof rule.part) throw std::invalid_argument("a part this long");
  rule.error = 0;
  part.copy(rule.part, part.size());
  rule.part[part.size()] = 0;
  rule.error = error;
}

void FaultyDisk::fail_writes(std::string_view part, int error, int64_t room) {
  faults_->rules[DiskFaults::kWrite].room = room;
  fail(DiskFaults::kWrite, part, error);
}

void FaultyDisk::heal() {
  for (DiskFaults::Rule& rule : faults_->rules) rule.error = 0;
  faults_->sync_delay_ms = 0;
}

uint64_t FaultyDisk::failures() const {
  uint64_t count = 0;
  for (const DiskFaults::Rule& rule : faults_->rules) count += rule.failures;
  return count;
}

void FaultyDisk::lose_power(const std::string& directory, std::mt19937_64& random) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    if (!entry.is_regular_file() || stat(entry.path().c_str(), &status) != 0) continue;
    DiskFaults::Durable* file = find_durable(faults_, status.st_ino, false);
    if (file == nullptr) continue;
    // In this order: a child of the lost server may live for a moment and go on writing.
    const uint64_t synced = file->bytes;
    const uint64_t size = std::filesystem::file_size(entry.path());
    if (synced > size) throw std::runtime_error(entry.path().string() + ": synced beyond its end");
    const uint64_t more = random() % 2 == 0 ? 0 : random() % (size - synced + 1);
    std::filesystem::resize_file(entry.path(), synced + more);
    // What is left after this is on the disk.
    file->bytes = synced + more;
    file->lost = false;
  }
}

}  // namespace tandem
