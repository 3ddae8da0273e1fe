#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "persistence/keyspace_loader.h"
#include "persistence/rdb_reader.h"
#include "server/base/env.h"
#include "server/base/result.h"
#include "server/store/keyspace.h"

namespace tandem {

// Reads a snapshot file into a keyspace of its own, off the loop: the live one is served meanwhile.
class SnapshotLoad : public std::enable_shared_from_this<SnapshotLoad> {
 public:
  SnapshotLoad(int databases, int64_t now_ms)
      : keyspace_(std::make_shared<Keyspace>(databases)),
        loader_(keyspace_.get(), {.now_ms = now_ms, .drop_expired = false}) {
    keyspace_->set_time(now_ms);
  }

  // Makes `file` durable and reads it. `done` is called on the loop, unless the load has been
  // abandoned before.
  void start(Env& env, std::shared_ptr<WritableFile> file, std::string path,
             const RdbReadOptions& options, std::function<void(Status)> done);
  void abandon() { done_ = nullptr; }

  // After `done`.
  std::shared_ptr<Keyspace> take_keyspace() { return std::move(keyspace_); }
  const Keyspace& keyspace() const { return *keyspace_; }
  const KeyspaceLoader& loader() const { return loader_; }
  // Of the snapshot, before it was compressed.
  uint64_t raw_bytes() const { return raw_bytes_; }

 private:
  std::shared_ptr<Keyspace> keyspace_;
  KeyspaceLoader loader_;
  Status result_;
  uint64_t raw_bytes_ = 0;
  std::function<void(Status)> done_;
};

}  // namespace tandem
