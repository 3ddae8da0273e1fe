#include "tests/support/faulty_disk.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace tandem {

FaultyDisk::FaultyDisk()
    : server_("tandem_faulty_disk", kDiskFaultsVariable, sizeof(DiskFaults)),
      faults_(static_cast<DiskFaults*>(server_.shared())) {}

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
    uint64_t synced = file->bytes;
    const uint64_t size = std::filesystem::file_size(entry.path());
    // Whoever made the file was killed before the entry was its own: it is that of one that is gone
    // and had the same number.
    if (synced > size) synced = 0;
    const uint64_t more = random() % 2 == 0 ? 0 : random() % (size - synced + 1);
    std::filesystem::resize_file(entry.path(), synced + more);
    // What is left after this is on the disk.
    file->bytes = synced + more;
    file->lost = false;
  }
}

}  // namespace tandem
