#pragma once

#include <string>
#include <string_view>

#include "server/base/byte_stream.h"
#include "server/base/result.h"

namespace tandem::cli {

// A file that appears under its name whole or not at all: written beside its place, made durable
// and renamed by commit(), removed by the destructor if that did not come. A file that it replaces
// leaves it its mode and, where that is permitted, its owner. "-" is standard output; that, and a
// path that names something else than a regular file, is written to directly.
class SnapshotFile {
 public:
  SnapshotFile() = default;
  ~SnapshotFile();
  SnapshotFile(const SnapshotFile&) = delete;
  SnapshotFile& operator=(const SnapshotFile&) = delete;

  Status open(const std::string& path);
  Status write(std::string_view bytes);
  // Makes what has been written durable; commit() does it as well.
  Status sync();
  Status commit();

 private:
  Status open_beside(const std::string& path);

  std::string path_;       // as given, for messages
  std::string target_;     // with symbolic links followed
  std::string temporary_;  // empty when writing directly
  int fd_ = -1;
};

// A SnapshotFile as a ByteSink.
class SnapshotFileSink final : public ByteSink {
 public:
  // The file outlives the sink.
  explicit SnapshotFileSink(SnapshotFile* file) : file_(file) {}
  Status write(std::string_view bytes) override { return file_->write(bytes); }

 private:
  SnapshotFile* file_;
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
