#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem {

// Where a replica of this server stands.
enum class ReplicaPhase : uint8_t { kWaitingForSave, kReceivingSnapshot, kOnline };

struct ReplicaInfo {
  std::string ip;
  int port = 0;  // the one it listens on
  ReplicaPhase phase = ReplicaPhase::kWaitingForSave;
  uint64_t acknowledged_offset = 0;
  int64_t lag_seconds = 0;  // since its last acknowledgement
};

// This server's primary, on a replica. Times in seconds, -1: none.
struct PrimaryInfo {
  std::string host;
  int port = 0;
  bool link_up = false;
  int64_t last_io_seconds_ago = -1;
  int64_t link_down_seconds = -1;
  bool sync_in_progress = false;
  // Of the full sync in progress; the total is 0 while it is not known.
  uint64_t sync_total_bytes = 0;
  uint64_t sync_read_bytes = 0;
  int64_t sync_last_io_seconds_ago = -1;
  uint64_t read_offset = 0;     // received
  uint64_t applied_offset = 0;  // executed
};

// What INFO replication and the replication counters of INFO stats show.
struct ReplicationInfo {
  bool is_replica = false;
  PrimaryInfo primary;
  std::vector<ReplicaInfo> replicas;
  uint64_t good_replicas = 0;  // within min-replicas-max-lag
  std::string replication_id = std::string(40, '0');
  std::string second_replication_id = std::string(40, '0');
  uint64_t offset = 0;
  int64_t second_offset = -1;  // -1: there is no second history
  bool backlog_active = false;
  uint64_t backlog_size = 0;
  uint64_t backlog_first_offset = 0;
  uint64_t backlog_length = 0;

  uint64_t full_syncs = 0;
  uint64_t partial_syncs = 0;
  uint64_t partial_syncs_refused = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

}  // namespace tandem
