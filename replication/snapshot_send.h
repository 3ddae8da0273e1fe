#pragma once

#include <atomic>
#include <cstdint>

#include "persistence/rdb_writer.h"
#include "server/base/byte_stream.h"
#include "server/base/result.h"

namespace tandem {

// A number that a child process writes and its parent reads.
class SharedCounter {
 public:
  SharedCounter();
  ~SharedCounter();
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;

  void add(uint64_t count) { *value_ += count; }
  uint64_t value() const { return *value_; }

 private:
  std::atomic<uint64_t>* value_;
};

// In a child process: writes a snapshot for replicas, compressed as a whole if they take it so.
// Counts its bytes before that into `raw_bytes`.
Status send_snapshot(ByteSink* sink, const SnapshotSource& source, SnapshotOptions options,
                     bool compressed, SharedCounter* raw_bytes);

}  // namespace tandem
