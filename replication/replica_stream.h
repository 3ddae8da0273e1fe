#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "replication/backlog.h"
#include "replication/stream_compressor.h"
#include "server/base/output_buffer.h"

namespace tandem {

// The replication stream on its way to one replica, from a place in the backlog on: its link sends
// the backlog's blocks as they are, or compressed piece by piece as it takes them.
class ReplicaStream final : public OutputSource {
 public:
  // Told what has gone out: bytes of the stream, and bytes on the wire.
  using Sent = std::function<void(size_t raw, size_t wire)>;

  // The offset of the last byte of the stream that may go out at present.
  using Limit = std::function<uint64_t()>;

  // With a `compressor` the stream is compressed. It is closed at first: what has not been read is
  // kept, and nothing goes out.
  ReplicaStream(Backlog* backlog, uint64_t offset, std::shared_ptr<StreamCompressor> compressor,
                Limit limit, Sent sent)
      : reader_(backlog, offset),
        compressor_(std::move(compressor)),
        limit_(std::move(limit)),
        sent_(std::move(sent)) {
    if (compressor_ != nullptr) packed_ = compressor_->beginning();
  }

  void open() { open_ = true; }
  // Nothing goes out any more, and nothing is kept for it.
  void end() {
    open_ = false;
    reader_.release();
  }
  const BacklogReader& reader() const { return reader_; }
  bool compressed() const { return compressor_ != nullptr; }

  size_t size() const override { return unsent_packed() + reader_.size(); }
  bool sendable() const override { return open_ && (unsent_packed() > 0 || readable() > 0); }
  std::string_view front() override;
  void consume(size_t length) override;

 private:
  size_t unsent_packed() const { return packed_.size() - packed_sent_; }

  // How much more may be read from the backlog now.
  size_t readable() const;
  std::string_view next_piece() const { return reader_.front().substr(0, readable()); }

  BacklogReader reader_;
  std::shared_ptr<StreamCompressor> compressor_;
  Limit limit_;
  Sent sent_;
  bool open_ = false;
  // Read and compressed, but not gone out.
  std::string packed_;
  size_t packed_sent_ = 0;
};

}  // namespace tandem
