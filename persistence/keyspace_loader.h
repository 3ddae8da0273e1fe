#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/store/keyspace.h"

namespace tandem {

struct LoadCounts {
  uint64_t keys_loaded = 0;
  uint64_t keys_expired = 0;
  uint64_t commands_applied = 0;  // of an AOF
  uint64_t commands_failed = 0;
};

// Puts a snapshot's keys into an empty keyspace and keeps its libraries and its place in the
// replication history for the caller to use.
//
// To replace a live dataset only once a snapshot has arrived whole, load into a second Keyspace and
// then exchange their contents with Keyspace::swap_contents().
class KeyspaceLoader final : public RdbTarget {
 public:
  struct Options {
    int64_t now_ms = 0;
    // Drops keys whose time has come: a primary does, a replica leaves that to its primary.
    bool drop_expired = true;
    AccessRecord access = AccessRecord::kNone;
  };
  KeyspaceLoader(Keyspace* keyspace, const Options& options)
      : keyspace_(keyspace), options_(options) {}

  Status on_aux(std::string_view name, std::string_view value) override;
  Status on_library(std::string source) override;
  Status on_key(const RdbKey& key, RdbValue value) override;

  const LoadCounts& counts() const { return counts_; }
  // Of a snapshot that carries a replication id: the keys that were dropped because their time had
  // come. Replicas that go on from there still have them.
  struct DroppedKey {
    int db = 0;
    std::string name;
  };
  const std::vector<DroppedKey>& dropped() const { return dropped_; }
  const std::vector<std::string>& libraries() const { return libraries_; }
  // Set when the snapshot carried a replication id.
  std::optional<ReplicationPosition> position() const {
    return position_.id.empty() ? std::nullopt : std::optional(position_);
  }

 private:
  uint32_t access_clock_of(const RdbKey& key) const;

  Keyspace* keyspace_;
  const Options options_;
  LoadCounts counts_;
  std::vector<DroppedKey> dropped_;
  std::vector<std::string> libraries_;
  ReplicationPosition position_{.stream_db = -1};
};

}  // namespace tandem
