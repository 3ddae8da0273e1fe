#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "replication/backlog.h"
#include "server/base/output_buffer.h"

namespace tandem {

// The replication stream on its way to one replica, from a place in the backlog on: its link sends
// the backlog's blocks as they are.
class ReplicaStream final : public OutputSource {
 public:
  // `sent` is told how many bytes have gone out. The stream is closed at first: what it has not
  // read is kept, and nothing goes out.
  ReplicaStream(Backlog* backlog, uint64_t offset, std::function<void(size_t)> sent)
      : reader_(backlog, offset), sent_(std::move(sent)) {}

  void open() { open_ = true; }
  // Nothing goes out any more, and nothing is kept for it.
  void end() {
    open_ = false;
    reader_.release();
  }
  const BacklogReader& reader() const { return reader_; }

  size_t size() const override { return reader_.size(); }
  bool sendable() const override { return open_ && reader_.size() > 0; }
  std::string_view front() override { return open_ ? reader_.front() : std::string_view(); }
  void consume(size_t length) override {
    reader_.advance(length);
    sent_(length);
  }

 private:
  BacklogReader reader_;
  std::function<void(size_t)> sent_;
  bool open_ = false;
};

}  // namespace tandem
