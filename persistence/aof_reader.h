#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/env.h"
#include "server/base/result.h"

namespace tandem {

// Reads the commands of an AOF file: RESP arrays of bulk strings, with lines that begin with '#'
// (timestamps) between them. Buffers no more than the file can hold.
class AofReader {
 public:
  // Starts at `offset`. The file outlives the reader.
  AofReader(ReadableFile* file, uint64_t offset) : file_(file), base_(offset) {}

  enum class Outcome : uint8_t {
    kCommand,    // args() is the next command
    kEnd,        // the file ended behind a whole command
    kTruncated,  // the file ended inside one
  };
  // kCorrupt, with the offset and what was expected there, on a byte that cannot stand where it
  // stands.
  Result<Outcome> next();

  // Valid until the next call of next().
  std::span<const std::string_view> args() const { return args_; }
  // Where the command that next() found or missed begins; at the end, the end.
  uint64_t offset() const { return base_ + begin_; }
  // One past the command that next() found.
  uint64_t end_offset() const { return base_ + at_; }
  // Unix seconds of the last timestamp annotation ("#TS:1700000000") that next() passed.
  std::optional<int64_t> timestamp_s() const { return timestamp_s_; }

 private:
  enum class Step : uint8_t { kDone, kFileEnded };
  struct Piece {
    size_t begin, length;
  };

  Result<bool> available(size_t bytes);
  Result<Step> read_command();
  Result<Step> read_header(char mark, std::string_view expected, uint64_t max, uint64_t* value);
  Result<Step> skip_annotation();
  Error corrupt(std::string_view expected) const;

  ReadableFile* file_;
  uint64_t base_;     // file offset of buffer_[0]
  size_t begin_ = 0;  // of buffer_: where the current command begins
  size_t at_ = 0;     // of buffer_: how far the current command has been read
  std::string buffer_;
  std::vector<Piece> pieces_;
  std::vector<std::string_view> args_;
  std::optional<int64_t> timestamp_s_;
};

}  // namespace tandem
