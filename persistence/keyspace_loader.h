#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "persistence/progress.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/store/bulk_insert.h"
#include "server/store/keyspace.h"

namespace tandem {

struct LoadCounts {
  uint64_t keys_loaded = 0;
  uint64_t keys_expired = 0;
  uint64_t commands_applied = 0;  // of an AOF
  uint64_t commands_failed = 0;
};

struct ExpiredKey {
  int db = 0;
  std::string name;
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
    int64_t key_delay_us = 0;  // key-load-delay, see pause_for_tests()
    LoadWatch* watch = nullptr;
  };
  KeyspaceLoader(Keyspace* keyspace, const Options& options)
      : keyspace_(keyspace), options_(options) {}

  Status on_aux(std::string_view name, std::string_view value) override;
  Status on_database_size(int db, uint64_t keys, uint64_t with_expiry) override;
  Status on_library(std::string source) override;
  Status on_key(const RdbKey& key, RdbValue value) override;
  Status on_end() override { return insert_waiting(); }

  const LoadCounts& counts() const { return counts_; }
  const std::vector<std::string>& libraries() const { return libraries_; }
  // Set when the snapshot carried a replication id.
  std::optional<ReplicationPosition> position() const {
    return position_.id.empty() ? std::nullopt : std::optional(position_);
  }
  // The dropped keys of a snapshot with a position: replicas that resume from there have them.
  const std::vector<ExpiredKey>& expired() const { return expired_; }

 private:
  Status insert_waiting();
  uint32_t access_clock_of(const RdbKey& key) const;

  Keyspace* keyspace_;
  const Options options_;
  LoadCounts counts_;
  std::vector<std::string> libraries_;
  ReplicationPosition position_{.stream_db = -1};
  std::vector<ExpiredKey> expired_;
  BulkInsert waiting_;  // tagged with their offsets
  int waiting_db_ = 0;  // where all of them belong
};

}  // namespace tandem
