#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/byte_stream.h"
#include "server/base/result.h"

namespace tandem {

// Takes a snapshot off a link: `$<length>` and that many bytes, or `$EOF:<mark of 40 bytes>`, bytes
// of unknown number and the mark again. Line breaks before it keep the link alive.
class SnapshotReceiver {
 public:
  // `sink` outlives the receiver.
  explicit SnapshotReceiver(ByteSink* sink) : sink_(*sink) {}

  // How many bytes from the front of `input` are done with; the rest is to be shown again with what
  // comes next. An error ends the transfer.
  Result<size_t> receive(std::string_view input);
  // The snapshot is whole; what follows is the stream.
  bool done() const { return state_ == State::kDone; }
  // -1: not known.
  int64_t total_bytes() const { return total_; }
  uint64_t received_bytes() const { return received_; }

 private:
  enum class State : uint8_t { kHeader, kCounted, kMarked, kDone };

  Result<size_t> receive_header(std::string_view input);
  Status parse_header(std::string_view line);
  Result<size_t> receive_counted(std::string_view input);
  Result<size_t> receive_marked(std::string_view input);

  ByteSink& sink_;
  State state_ = State::kHeader;
  int64_t total_ = -1;
  uint64_t received_ = 0;
  std::string mark_;
};

}  // namespace tandem
