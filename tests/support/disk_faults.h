#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tandem {

// What a test and the library that it preloads into a server share: a file that both map. All zero
// is a sound disk.
struct DiskFaults {
  enum Operation : uint8_t { kWrite, kSync, kRename, kOpen, kOperations };

  // One operation fails on the files whose path contains `part`.
  struct Rule {
    std::atomic<int> error;  // errno; 0: none fails. To be set after the rest.
    char part[60];
    // Bytes that can still be written before writes fail; the last of these writes is short.
    std::atomic<int64_t> room;
    std::atomic<uint64_t> failures;
  };
  Rule rules[kOperations];
  std::atomic<int> sync_delay_ms;

  // What a lost machine would leave of a file. A sync that failed has lost what it should have made
  // durable, whatever the next one says.
  struct Durable {
    std::atomic<uint64_t> inode;
    std::atomic<uint64_t> bytes;
    std::atomic<bool> lost;  // nothing behind `bytes` becomes durable any more
  };
  static constexpr size_t kFiles = 1024;
  Durable files[kFiles];
};

// Names the file for the library. It looks at files below the directory that the server is started
// in.
inline constexpr const char* kDiskFaultsVariable = "TANDEM_DISK_FAULTS";

// The entry of a file; null when there are too many. With `inode` 0 in a free one.
inline DiskFaults::Durable* find_durable(DiskFaults* faults, uint64_t inode, bool add) {
  for (DiskFaults::Durable& file : faults->files) {
    uint64_t known = file.inode.load();
    if (known == inode) return &file;
    if (known != 0) continue;
    if (!add) return nullptr;
    if (file.inode.compare_exchange_strong(known, inode) || known == inode) return &file;
  }
  return nullptr;
}

}  // namespace tandem
