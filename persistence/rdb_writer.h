#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "persistence/child_progress.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_strings.h"
#include "server/base/byte_stream.h"
#include "server/base/result.h"
#include "server/base/settings.h"
#include "server/store/keyspace.h"

namespace tandem {

// Where this server stands in its replication history; travels with a snapshot so that a restarted
// server can ask for a partial resync.
struct ReplicationPosition {
  std::string id;  // 40 hexadecimal digits; empty: none is written
  uint64_t offset = 0;
  int stream_db = 0;  // the database selected in the stream at that offset; -1: none yet
};

// How keys' access clocks are to be read.
enum class AccessRecord : uint8_t { kNone, kIdle, kFrequency };

// What a snapshot is made of. The keyspace must not change while it is written.
struct SnapshotSource {
  Keyspace* keyspace = nullptr;        // null: a snapshot without keys
  std::vector<std::string> libraries;  // the source text of every function library
  ReplicationPosition position;
  int64_t now_ms = 0;  // Unix time, for the ctime field and idle times
  uint64_t used_memory = 0;
  AccessRecord access = AccessRecord::kNone;
  ChildProgress* progress = nullptr;  // told of each key, when set
  bool aof_base = false;              // the file will be the base of an AOF
  int64_t key_delay_us = 0;           // rdb-key-save-delay, see pause_for_tests()
};

struct SnapshotOptions {
  // 10, 11 or 80. What a version cannot hold is written as an older form of the same value; only
  // the expiry of hash fields has none, and is left out before 80 (see version_for()).
  int version = rdb::kVersion;
  RdbCompression compression = RdbCompression::kLzf;
  bool checksum = true;  // rdbchecksum; without it the checksum is written as 0
  uint64_t sync_every =
      0;  // bytes of a file after which writing them to the device begins; 0: never
};

// Writes a whole RDB file to `sink` and finishes it, compressing and summing up on the way: in a
// child process for BGSAVE, rewrites and full syncs; on the loop only for SAVE, for a shutdown and
// for the AOF that a start begins with, for which everybody waits anyhow. An expired key is written
// with its expiry: whoever loads it decides.
Status write_snapshot(ByteSink* sink, const SnapshotSource& source, const SnapshotOptions& options);

// The version to write when `wanted` is asked for: a newer one where that alone holds all there is.
int version_for(const Entry& entry, int wanted = rdb::kVersion);
int version_for(const Keyspace& keyspace, int wanted = rdb::kVersion);

// One value: the type byte, and the value that follows the key. `version` chooses between
// encodings that exist since different versions.
uint8_t rdb_type_of(const Entry& entry, int version);
void write_rdb_value(RdbEncoder& out, const Entry& entry, int version);

}  // namespace tandem
