#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/env.h"
#include "server/base/result.h"

namespace tandem {

// How far the stream of effects has come: in bytes that have been appended to the AOF since the
// start, over all its files, and as AofWriter::stream_position() counts.
struct AofPosition {
  uint64_t bytes = 0;
  uint64_t mark = 0;
};

// The file of the AOF that is being written.
//
// Several syncs of it may be under way, each on a thread of its own. Each vouches for what had been
// written when it began, whatever the others do and whichever ends first: it reads the position
// before it asks the kernel, and it asks through an open file description of its own, because the
// kernel tells each description once, and a description only once, that something could not be
// written back.
class AofTail {
 public:
  static constexpr size_t kSyncs = 4;  // that may be under way

  static Result<std::shared_ptr<AofTail>> create(Env& env, const std::string& path);
  static Result<std::shared_ptr<AofTail>> open_append(Env& env, const std::string& path);

  // On the loop:
  Status append(std::string_view bytes) { return writer_->append(bytes); }
  Status truncate(uint64_t size) { return writer_->truncate(size); }
  uint64_t size() const { return writer_->size(); }
  // All of the stream up to here has been appended, to this file or one before it.
  void set_written(AofPosition position);
  // A sync has been asked for that has yet to begin: it will cover what is written by now. Its
  // sync() ends that.
  void expect_sync() { sync_expected_ = true; }
  bool sync_expected() const { return sync_expected_; }

  // On any thread, one sync at a time of each `number` below kSyncs:
  struct Synced {
    Status status;
    AofPosition position;  // durable, if the files before this one are
  };
  Synced sync(size_t number);
  // On the loop, or on one other thread once nothing is appended any more.
  Status sync_all() { return writer_->sync(); }

 private:
  static Result<std::shared_ptr<AofTail>> opened(Env& env, const std::string& path,
                                                 Result<std::unique_ptr<WritableFile>> writer);

  std::unique_ptr<WritableFile> writer_;
  std::array<std::unique_ptr<WritableFile>, kSyncs> to_sync_;
  // Stored after what they tell of has been written, the mark first; loaded before a sync begins,
  // the mark last.
  std::atomic<uint64_t> written_bytes_{0};
  std::atomic<uint64_t> written_mark_{0};
  std::atomic<bool> sync_expected_{false};
};

}  // namespace tandem
