#pragma once

#include <string>
#include <string_view>

#include "server/base/result.h"

namespace tandem::cli {

// A file that appears under its name whole or not at all: written beside its place, made durable
// and renamed by commit(), removed by the destructor if that did not come. "-" is standard output;
// that, and a path that names something else than a regular file, is written to directly.
class SnapshotFile {
 public:
  SnapshotFile() = default;
  ~SnapshotFile();
  SnapshotFile(const SnapshotFile&) = delete;
  SnapshotFile& operator=(const SnapshotFile&) = delete;

  Status open(const std::string& path);
  Status write(std::string_view bytes);
  Status commit();

 private:
  Status open_beside(const std::string& path);

  std::string path_;       // as given, for messages
  std::string target_;     // with symbolic links followed
  std::string temporary_;  // empty when writing directly
  int fd_ = -1;
};

// Looks at the bytes of a snapshot as they pass: they must begin as an RDB file does and end with
// the end-of-file mark and the checksum of everything before it.
class SnapshotCheck {
 public:
  void feed(std::string_view bytes);
  Status finish() const;

 private:
  static constexpr size_t kTailBytes = 9;  // end-of-file opcode and checksum
  static constexpr size_t kHeadBytes = 9;  // "REDIS0011", "VALKEY080"

  std::string head_;
  std::string tail_;       // the last bytes, not yet in checksum_
  uint64_t checksum_ = 0;  // of the bytes before tail_
};

}  // namespace tandem::cli
