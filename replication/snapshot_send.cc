#include "replication/snapshot_send.h"

#include <sys/mman.h>

#include <new>

#include "persistence/lz4_envelope.h"
#include "server/base/lz4_frame.h"

namespace tandem {

namespace {

class CountingSink final : public ByteSink {
 public:
  CountingSink(ByteSink* out, SharedCounter* counter) : out_(*out), counter_(*counter) {}
  Status write(std::string_view bytes) override {
    counter_.add(bytes.size());
    return out_.write(bytes);
  }
  Status finish() override { return out_.finish(); }

 private:
  ByteSink& out_;
  SharedCounter& counter_;
};

}  // namespace

SharedCounter::SharedCounter() {
  void* page =
      mmap(nullptr, sizeof *value_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  value_ = new (page) std::atomic<uint64_t>(0);
}

SharedCounter::~SharedCounter() { munmap(value_, sizeof *value_); }

Status send_snapshot(ByteSink* sink, const SnapshotSource& source, SnapshotOptions options,
                     bool compressed, SharedCounter* raw_bytes) {
  if (!compressed) {
    // Nobody but this server's own tools reads a compressed file that did not ask for it.
    if (options.compression == RdbCompression::kLz4) options.compression = RdbCompression::kLzf;
    CountingSink counted(sink, raw_bytes);
    return write_snapshot(&counted, source, options);
  }
  if (Status status = write_envelope(sink, EnvelopeKind::kSnapshot); !status.ok()) return status;
  // Compressing strings by themselves besides would cost time and gain nothing.
  options.compression = RdbCompression::kNone;
  Lz4FrameSink frame(sink);
  CountingSink counted(&frame, raw_bytes);
  return write_snapshot(&counted, source, options);
}

}  // namespace tandem
