#include "replication/info.h"

#include <initializer_list>

namespace tandem {

namespace {

class Lines {
 public:
  explicit Lines(std::string* out) : out_(*out) {}
  void add(std::string_view name, std::string_view value) {
    out_.append(name).append(":").append(value).append("\r\n");
  }
  void add(std::string_view name, int64_t value) { add(name, std::to_string(value)); }
  void add(std::string_view name, uint64_t value) { add(name, std::to_string(value)); }
  void add(std::string_view name, int value) { add(name, std::to_string(value)); }
  void add(std::string_view name, bool value) { add(name, value ? "1" : "0"); }
  void add(std::string_view name, const char* value) { add(name, std::string_view(value)); }

 private:
  std::string& out_;
};

void add_sync_progress(const ReplicationInfo& info, Lines* lines) {
  const bool known = info.sync_total_bytes >= 0;
  const auto total = static_cast<uint64_t>(known ? info.sync_total_bytes : 0);
  char percent[32] = "0.00";
  if (total > 0) {
    const double share = static_cast<double>(info.sync_read_bytes) / static_cast<double>(total);
    std::snprintf(percent, sizeof percent, "%.2f", share * 100);
  }
  lines->add("master_sync_total_bytes", total);
  lines->add("master_sync_read_bytes", info.sync_read_bytes);
  lines->add("master_sync_left_bytes", static_cast<int64_t>(total - info.sync_read_bytes));
  lines->add("master_sync_perc", percent);
  lines->add("master_sync_last_io_seconds_ago", info.sync_last_io_ago_s);
}

void add_replica_role(const ReplicationInfo& info, Lines* lines) {
  lines->add("master_host", info.primary_host);
  lines->add("master_port", info.primary_port);
  const bool refused = info.link_state == ReplicationInfo::kRefusedEmptyPrimary;
  lines->add("master_link_status", refused ? info.link_state : info.link_up ? "up" : "down");
  lines->add("master_last_io_seconds_ago", info.last_io_ago_s);
  lines->add("master_sync_in_progress", info.sync_in_progress);
  lines->add("slave_read_repl_offset", info.read_offset);
  lines->add("slave_repl_offset", info.applied_offset);
  // The stream stays with the primary while a snapshot is taken in.
  lines->add("replicas_repl_buffer_size", 0);
  lines->add("replicas_repl_buffer_peak", 0);
  if (info.sync_in_progress) add_sync_progress(info, lines);
  if (!info.link_up) lines->add("master_link_down_since_seconds", info.link_down_since_s);
  if (info.link_up) lines->add("master_link_compression", info.link_compressed ? "lz4" : "no");
  lines->add("slave_priority", info.priority);
  lines->add("slave_read_only", info.read_only);
  lines->add("replica_announced", info.announced);
}

}  // namespace

std::string info_text(const ReplicationInfo& info) {
  std::string text;
  Lines lines(&text);
  lines.add("role", info.is_replica ? "slave" : "master");
  if (info.is_replica) add_replica_role(info, &lines);
  lines.add("connected_slaves", static_cast<uint64_t>(info.replicas.size()));
  if (info.good_replicas) lines.add("min_slaves_good_slaves", *info.good_replicas);
  size_t number = 0;
  for (const ReplicaInfo& replica : info.replicas) {
    lines.add("slave" + std::to_string(number++),
              "ip=" + replica.ip + ",port=" + std::to_string(replica.port) + ",state=" +
                  std::string(replica.state) + ",offset=" + std::to_string(replica.offset) +
                  ",lag=" + std::to_string(replica.lag_s) + ",type=replica" +
                  (replica.compressed ? ",compression=lz4" : ""));
  }
  lines.add("replicas_waiting_psync", info.replicas_waiting_psync);
  lines.add("master_failover_state", info.failover_state);
  lines.add("master_replid", info.id);
  lines.add("master_replid2", info.previous_id);
  lines.add("master_repl_offset", info.offset);
  lines.add("second_repl_offset", info.second_offset);
  lines.add("repl_backlog_active", info.backlog_active);
  lines.add("repl_backlog_size", info.backlog_size);
  lines.add("repl_backlog_first_byte_offset", info.backlog_first_offset);
  lines.add("repl_backlog_histlen", info.backlog_length);
  lines.add("repl_input_raw_bytes", info.raw_bytes_in);
  lines.add("repl_input_wire_bytes", info.bytes_in);
  lines.add("repl_output_raw_bytes", info.raw_bytes_out);
  lines.add("repl_output_wire_bytes", info.bytes_out);
  return text + info_text(info.digests);
}

}  // namespace tandem
