#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/log.h"

namespace tandem {

enum class AppendFsync : uint8_t { kEverySecond, kAlways, kNo };
enum class ReplCompression : uint8_t { kNo, kLz4 };
enum class DisklessLoad : uint8_t { kDisabled, kOnEmptyDb, kSwapDb, kFlushBeforeLoad };
enum class MaxmemoryPolicy : uint8_t {
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl,
  kAllkeysLru,
  kAllkeysLfu,
  kAllkeysRandom,
  kNoEviction
};
// Who may use a command or directive that can harm the machine.
enum class ProtectedAction : uint8_t { kNo, kYes, kLocal };
enum class PropagationErrorBehavior : uint8_t { kIgnore, kPanic, kPanicOnReplicas };
enum class SanitizeDumpPayload : uint8_t { kNo, kYes, kClients };
enum class AclPubsubDefault : uint8_t { kResetChannels, kAllChannels };
// What `rdbcompression` asks for: nothing, each string as LZF, or the whole file as an LZ4 frame.
enum class RdbCompression : uint8_t { kNone, kLzf, kLz4 };
enum class RdbVersionCheck : uint8_t { kStrict, kRelaxed };
enum class Supervised : uint8_t { kNo, kAuto, kUpstart, kSystemd };

// What a signal's shutdown does; a set of these.
enum ShutdownFlag : uint8_t {
  kShutdownSave = 1,
  kShutdownNosave = 2,
  kShutdownNow = 4,
  kShutdownForce = 8
};

// The event classes of notify-keyspace-events; a set of these.
enum KeyspaceEvent : uint32_t {
  kEventKeyspace = 1u << 0,   // K
  kEventKeyevent = 1u << 1,   // E
  kEventGeneric = 1u << 2,    // g
  kEventString = 1u << 3,     // $
  kEventList = 1u << 4,       // l
  kEventSet = 1u << 5,        // s
  kEventHash = 1u << 6,       // h
  kEventSortedSet = 1u << 7,  // z
  kEventExpired = 1u << 8,    // x
  kEventEvicted = 1u << 9,    // e
  kEventStream = 1u << 10,    // t
  kEventKeyMiss = 1u << 11,   // m
  kEventModule = 1u << 13,    // d
  kEventNew = 1u << 14,       // n
  // A: all but key misses and new keys.
  kEventAll = kEventGeneric | kEventString | kEventList | kEventSet | kEventHash | kEventSortedSet |
              kEventExpired | kEventEvicted | kEventStream | kEventModule
};

// Save when `changes` writes came in `seconds`.
struct SavePoint {
  int64_t seconds = 0;
  int64_t changes = 0;
  bool operator==(const SavePoint&) const = default;
};

// A client whose pending output passes `hard_bytes`, or `soft_bytes` for `soft_seconds`, is closed.
// 0: no limit.
struct OutputBufferLimit {
  uint64_t hard_bytes = 0;
  uint64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
  bool operator==(const OutputBufferLimit&) const = default;
};
enum class ClientClass : uint8_t { kNormal, kReplica, kPubsub };
inline constexpr size_t kClientClasses = 3;

// Every setting with its default, as plain fields that hot code reads. A field is named as its
// directive; what it means is what Valkey documents. Sizes are bytes unless the name says
// otherwise. Written only by Config.
struct Settings {
  // Network.
  std::vector<std::string> bind = {"*", "-::*"};  // a leading '-': not an error when unavailable
  std::string bind_source_addr;
  int64_t port = 6379;  // 0: no TCP
  std::string unixsocket;
  int64_t unixsocketperm = 0;  // 0: as the umask makes it
  std::string unixsocketgroup;
  int64_t tcp_backlog = 511;
  int64_t tcp_keepalive = 300;  // seconds; 0: off
  int64_t timeout = 0;          // seconds a client may be idle; 0: for ever
  bool protected_mode = true;
  int64_t maxclients = 10000;
  int64_t max_new_connections_per_cycle = 10;
  std::array<OutputBufferLimit, kClientClasses> client_output_buffer_limit = {{
      {0, 0, 0},
      {256ull << 20, 64ull << 20, 60},
      {32ull << 20, 8ull << 20, 60},
  }};
  int64_t client_query_buffer_limit = int64_t{1} << 30;
  int64_t proto_max_bulk_len = int64_t{512} << 20;

  // The process.
  bool daemonize = false;
  Supervised supervised = Supervised::kNo;
  std::string pidfile;
  bool set_proc_title = true;
  std::string proc_title_template = "{title} {listen-addr} {server-mode}";
  LogLevel loglevel = LogLevel::kNotice;
  std::string logfile;
  bool hide_user_data_from_log = true;
  bool crash_log_enabled = true;
  int64_t databases = 16;
  int64_t hz = 10;
  bool dynamic_hz = true;
  std::string dir;                // absolute
  int64_t shutdown_timeout = 10;  // seconds
  unsigned shutdown_on_sigint = 0;
  unsigned shutdown_on_sigterm = 0;

  // Access.
  std::string requirepass;
  std::string aclfile;
  std::vector<std::vector<std::string>> users;  // the words behind each `user` line
  int64_t acllog_max_len = 128;
  AclPubsubDefault acl_pubsub_default = AclPubsubDefault::kResetChannels;
  ProtectedAction enable_protected_configs = ProtectedAction::kNo;
  ProtectedAction enable_debug_command = ProtectedAction::kNo;
  ProtectedAction enable_module_command = ProtectedAction::kNo;
  // Old and new name; an empty new name removes the command.
  std::vector<std::pair<std::string, std::string>> renamed_commands;
  bool extended_redis_compatibility = false;

  // Memory and encodings.
  int64_t maxmemory = 0;          // 0: no limit
  int64_t maxmemory_clients = 0;  // negative: percent of maxmemory
  MaxmemoryPolicy maxmemory_policy = MaxmemoryPolicy::kNoEviction;
  int64_t maxmemory_samples = 5;
  int64_t maxmemory_eviction_tenacity = 10;
  int64_t lfu_log_factor = 10;
  int64_t lfu_decay_time = 1;  // minutes
  int64_t active_expire_effort = 1;
  bool activerehashing = true;
  // Large values are always freed in the background; these only tell what an effect may say.
  bool lazyfree_lazy_eviction = true;
  bool lazyfree_lazy_expire = true;
  bool lazyfree_lazy_server_del = true;
  bool lazyfree_lazy_user_del = true;
  bool lazyfree_lazy_user_flush = true;
  bool jemalloc_bg_thread = true;
  int64_t hash_max_listpack_entries = 512;
  int64_t hash_max_listpack_value = 64;
  int64_t list_max_listpack_size = -2;  // positive: entries; -1..-5: 4, 8, 16, 32, 64 KiB
  int64_t set_max_intset_entries = 512;
  int64_t set_max_listpack_entries = 128;
  int64_t set_max_listpack_value = 64;
  int64_t zset_max_listpack_entries = 128;
  int64_t zset_max_listpack_value = 64;
  int64_t stream_node_max_bytes = 4096;
  int64_t stream_node_max_entries = 100;
  int64_t hll_sparse_max_bytes = 3000;
  int64_t tracking_table_max_keys = 1000000;

  // Watching.
  int64_t slowlog_log_slower_than = 10000;  // microseconds; -1: off
  int64_t slowlog_max_len = 128;
  int64_t commandlog_request_larger_than = int64_t{1} << 20;
  int64_t commandlog_large_request_max_len = 128;
  int64_t commandlog_reply_larger_than = int64_t{1} << 20;
  int64_t commandlog_large_reply_max_len = 128;
  int64_t latency_monitor_threshold = 0;  // milliseconds
  bool latency_tracking = true;
  std::vector<double> latency_tracking_info_percentiles = {50, 99, 99.9};
  unsigned notify_keyspace_events = 0;

  // Functions and scripts.
  int64_t busy_reply_threshold = 5000;  // milliseconds
  // Milliseconds that the code of a library may run when a client loads it; 0: no limit.
  int64_t function_load_timeout = 5000;
  // Bytes that a function's call may add to what Lua holds; 0: no limit.
  int64_t function_memory_limit = int64_t{1} << 30;
  bool lua_enable_insecure_api = false;
  std::vector<std::string> functions_preload;  // paths

  // Snapshots.
  std::vector<SavePoint> save = {{3600, 1}, {300, 100}, {60, 10000}};
  std::string dbfilename = "dump.rdb";
  RdbCompression rdbcompression = RdbCompression::kLzf;
  int rdb_version = 11;  // 10, 11 or 80
  bool rdbchecksum = true;
  bool rdb_del_sync_files = false;
  bool rdb_save_incremental_fsync = true;
  RdbVersionCheck rdb_version_check = RdbVersionCheck::kStrict;
  bool stop_writes_on_bgsave_error = true;
  SanitizeDumpPayload sanitize_dump_payload = SanitizeDumpPayload::kNo;
  int64_t rdb_key_save_delay = 0;  // microseconds, for tests
  int64_t key_load_delay = 0;      // microseconds, for tests
  int64_t loading_process_events_interval_bytes = int64_t{2} << 20;

  // Append-only file.
  bool appendonly = false;
  std::string appendfilename = "appendonly.aof";
  std::string appenddirname = "appendonlydir";
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  bool no_appendfsync_on_rewrite = false;
  int64_t auto_aof_rewrite_percentage = 100;
  int64_t auto_aof_rewrite_min_size = int64_t{64} << 20;
  bool aof_load_truncated = true;
  bool aof_use_rdb_preamble = true;
  bool aof_timestamp_enabled = false;
  bool aof_rewrite_incremental_fsync = true;
  bool aof_disable_auto_gc = false;

  // Replication.
  std::string replicaof_host;  // empty: a primary
  int64_t replicaof_port = 0;
  std::string primaryauth;
  std::string primaryuser;
  bool replica_serve_stale_data = true;
  bool replica_read_only = true;
  bool replica_lazy_flush = false;
  bool replica_ignore_maxmemory = true;
  bool replica_ignore_disk_write_errors = false;
  bool replica_announced = true;
  std::string replica_announce_ip;
  int64_t replica_announce_port = 0;
  int64_t replica_priority = 100;
  bool replica_refuse_empty_primary = false;
  bool repl_diskless_sync = true;
  ReplCompression repl_compression = ReplCompression::kNo;
  int64_t repl_diskless_sync_delay = 5;  // seconds
  int64_t repl_diskless_sync_max_replicas = 0;
  DisklessLoad repl_diskless_load = DisklessLoad::kDisabled;
  int64_t repl_ping_replica_period = 10;  // seconds
  int64_t repl_digest_period = 0;         // seconds; 0: replicas are not compared
  int64_t repl_timeout = 60;              // seconds
  bool repl_disable_tcp_nodelay = false;
  int64_t repl_backlog_size = int64_t{1} << 20;
  int64_t repl_backlog_ttl = 3600;  // seconds
  int64_t min_replicas_to_write = 0;
  int64_t min_replicas_max_lag = 10;  // seconds
  bool import_mode = false;           // keys leave when the source of the import says so
  PropagationErrorBehavior propagation_error_behavior = PropagationErrorBehavior::kIgnore;
  std::string availability_zone;

  // What was set of the directives that have no field here, by their names.
  std::map<std::string_view, std::string> unused;
};

}  // namespace tandem
