#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/byte_stream.h"
#include "server/base/env.h"

namespace tandem {

// A file as a ByteSink. The caller syncs and closes the file.
class FileSink final : public ByteSink {
 public:
  // `file` outlives the sink.
  explicit FileSink(WritableFile* file) : file_(file) {}
  Status write(std::string_view bytes) override { return file_->append(bytes); }

 private:
  WritableFile* file_;
};

// A file as a ByteSource, from its beginning to where it ended when it was opened. Does not buffer:
// its readers do.
class FileSource final : public ByteSource {
 public:
  // `file` outlives the source.
  explicit FileSource(ReadableFile* file, uint64_t offset = 0)
      : file_(file), size_(file->size()), offset_(offset) {}
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
    }
    return {};
  }
  uint64_t offset() const override { return offset_; }
  uint64_t remaining_bound() const override { return size_ > offset_ ? size_ - offset_ : 0; }

 private:
  ReadableFile* file_;
  const uint64_t size_;
  uint64_t offset_;
};

}  // namespace tandem
