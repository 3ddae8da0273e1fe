#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replication/digest_check.h"

namespace tandem {

// Counters of INFO stats; reset by CONFIG RESETSTAT.
struct ReplicationStats {
  uint64_t sync_full = 0;
  uint64_t sync_partial_ok = 0;
  uint64_t sync_partial_err = 0;
};

// One line slaveN: of INFO replication.
struct ReplicaInfo {
  std::string ip;
  int port = 0;
  std::string_view state;  // "wait_bgsave", "send_bulk" or "online"
  uint64_t offset = 0;     // acknowledged
  bool compressed = false;
  int64_t lag_s = 0;  // since the last acknowledgement
};

// Blocks of the stream, shared by all that have not read them.
struct StreamMemory {
  size_t blocks = 0;
  size_t bytes = 0;
};

// What INFO replication and ROLE say. Times in seconds.
struct ReplicationInfo {
  static constexpr std::string_view kRefusedEmptyPrimary = "refused-empty-primary";

  bool is_replica = false;

  // Of a replica.
  std::string primary_host;
  int primary_port = 0;
  // As in ROLE: connect, connecting, handshake, sync, connected, or that the primary was refused.
  std::string_view link_state;
  bool link_up = false;
  bool link_compressed = false;
  int64_t last_io_ago_s = -1;  // -1: no link
  bool sync_in_progress = false;
  uint64_t read_offset = 0;       // received
  uint64_t applied_offset = 0;    // applied
  int64_t sync_total_bytes = -1;  // -1: not known (diskless)
  uint64_t sync_read_bytes = 0;
  int64_t sync_last_io_ago_s = 0;
  int64_t link_down_since_s = -1;  // -1: it has never been up
  int64_t priority = 100;
  bool read_only = true;
  bool announced = true;

  // Of either role.
  std::vector<ReplicaInfo> replicas;
  int64_t replicas_waiting_psync = 0;
  std::string_view failover_state = "no-failover";
  std::optional<int64_t> good_replicas;  // with min-replicas-to-write
  std::string id;                        // 40 hexadecimal digits
  std::string previous_id;
  uint64_t offset = 0;
  int64_t second_offset = -1;
  bool backlog_active = false;
  int64_t backlog_size = 0;
  uint64_t backlog_first_offset = 0;
  uint64_t backlog_length = 0;
  // What the stream's blocks take: up to the backlog's size, and beyond it for replicas that have
  // not read them yet.
  uint64_t backlog_memory = 0;
  uint64_t replica_memory = 0;

  DigestInfo digests;
  ReplicationStats stats;
  // Of streams and snapshots received and sent: on the wire, and before compression.
  uint64_t bytes_in = 0, raw_bytes_in = 0;
  uint64_t bytes_out = 0, raw_bytes_out = 0;
};

// The lines of INFO replication, without its heading.
std::string info_text(const ReplicationInfo& info);

}  // namespace tandem
