#pragma once

#include <cstdint>
#include <string_view>

#include "persistence/progress.h"
#include "server/base/byte_stream.h"
#include "server/base/env.h"

namespace tandem {

// A file as a ByteSink. The caller syncs and closes the file.
class FileSink final : public ByteSink {
 public:
  // `file` outlives the sink. After each `sync_every` bytes writing them to the device begins, so
  // that the sync at the end stalls nobody else's; 0: never.
  explicit FileSink(WritableFile* file, uint64_t sync_every = 0)
      : file_(file), sync_every_(sync_every) {}
  Status write(std::string_view bytes) override {
    if (Status status = file_->append(bytes); !status.ok()) return status;
    unsynced_ += bytes.size();
    if (sync_every_ == 0 || unsynced_ < sync_every_) return {};
    unsynced_ = 0;
    return file_->begin_sync();
  }

 private:
  WritableFile* file_;
  const uint64_t sync_every_;
  uint64_t unsynced_ = 0;
};

// A file as a ByteSource, from its beginning to where it ended when it was opened. Does not buffer:
// its readers do.
class FileSource final : public ByteSource {
 public:
  // `file` outlives the source, and so does `watch`, which hears of each read.
  explicit FileSource(ReadableFile* file, uint64_t offset = 0, LoadWatch* watch = nullptr)
      : file_(file), size_(file->size()), offset_(offset), watch_(watch) {}
  Status read(char* out, size_t length) override {
    while (length > 0) {
      Result<size_t> count = file_->read(offset_, out, length);
      if (!count.ok()) return count.error();
      if (count.value() == 0) {
        return make_error(ErrorKind::kCorrupt, "unexpected end of the file", offset_);
      }
      offset_ += count.value();
      out += count.value();
      length -= count.value();
      if (watch_ == nullptr) continue;
      if (Status status = watch_->loaded(count.value()); !status.ok()) return status;
    }
    return {};
  }
  uint64_t offset() const override { return offset_; }
  uint64_t remaining_bound() const override { return size_ > offset_ ? size_ - offset_ : 0; }

 private:
  ReadableFile* file_;
  const uint64_t size_;
  uint64_t offset_;
  LoadWatch* watch_;
};

}  // namespace tandem
