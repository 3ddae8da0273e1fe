#include "server/base/directive.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

Status set_replicaof(Settings& settings, std::span<const std::string> words, bool) {
  if (words.size() != 2) {
    return make_error(ErrorKind::kInvalid, "wrong number of arguments");
  }
  if (equals_ignore_case(words[0], "no") && equals_ignore_case(words[1], "one")) {
    settings.replicaof_host.clear();
    settings.replicaof_port = 0;
    return {};
  }
  const auto port = parse_int64(words[1]);
  if (words[0].empty() || !port || *port < 0 || *port > 65535) {
    return make_error(ErrorKind::kInvalid, "Invalid primary port");
  }
  settings.replicaof_host = words[0];
  settings.replicaof_port = *port;
  return {};
}

std::string get_replicaof(const Settings& settings) {
  if (settings.replicaof_host.empty()) return "";
  return settings.replicaof_host + " " + std::to_string(settings.replicaof_port);
}

// A primary has no such line.
std::vector<std::string> replicaof_lines(const Settings& settings) {
  if (settings.replicaof_host.empty()) return {};
  return {get_replicaof(settings)};
}

constexpr EnumName kDisklessLoad[] = {
    {"disabled", static_cast<int>(DisklessLoad::kDisabled)},
    {"on-empty-db", static_cast<int>(DisklessLoad::kOnEmptyDb)},
    {"swapdb", static_cast<int>(DisklessLoad::kSwapDb)},
    {"flush-before-load", static_cast<int>(DisklessLoad::kFlushBeforeLoad)}};
constexpr EnumName kCompressions[] = {{"no", static_cast<int>(ReplCompression::kNo)},
                                      {"lz4", static_cast<int>(ReplCompression::kLz4)}};
constexpr EnumName kErrorBehaviors[] = {
    {"ignore", static_cast<int>(PropagationErrorBehavior::kIgnore)},
    {"panic", static_cast<int>(PropagationErrorBehavior::kPanic)},
    {"panic-on-replicas", static_cast<int>(PropagationErrorBehavior::kPanicOnReplicas)}};

constexpr int64_t kMaxInt = INT32_MAX;
constexpr int64_t kMax = INT64_MAX;
using S = Settings;

const Directive kRows[] = {
    {"replicaof", "slaveof", CustomField{set_replicaof, get_replicaof, replicaof_lines},
     kImmutable | kMultiWord},
    {"primaryauth", "masterauth", StringField{&S::primaryauth}, kSensitive},
    {"primaryuser", "masteruser", StringField{&S::primaryuser}, kSensitive},
    {"replica-serve-stale-data", "slave-serve-stale-data", BoolField{&S::replica_serve_stale_data}},
    {"replica-read-only", "slave-read-only", BoolField{&S::replica_read_only}},
    {"replica-lazy-flush", "slave-lazy-flush", BoolField{&S::replica_lazy_flush}},
    {"replica-ignore-maxmemory", "slave-ignore-maxmemory", BoolField{&S::replica_ignore_maxmemory}},
    {"replica-ignore-disk-write-errors", "", BoolField{&S::replica_ignore_disk_write_errors}},
    {"replica-announced", "", BoolField{&S::replica_announced}},
    {"replica-announce-ip", "slave-announce-ip", StringField{&S::replica_announce_ip}},
    {"replica-announce-port", "slave-announce-port",
     IntegerField{&S::replica_announce_port, 0, 65535}},
    {"replica-priority", "slave-priority", IntegerField{&S::replica_priority, 0, kMaxInt}},
    {"replica-refuse-empty-primary", "", BoolField{&S::replica_refuse_empty_primary}},
    {"repl-compression", "", enum_field<&S::repl_compression>(kCompressions)},
    {"repl-diskless-sync", "", BoolField{&S::repl_diskless_sync}},
    {"repl-diskless-sync-delay", "", IntegerField{&S::repl_diskless_sync_delay, 0, kMaxInt}},
    {"repl-diskless-sync-max-replicas", "",
     IntegerField{&S::repl_diskless_sync_max_replicas, 0, kMaxInt}},
    {"repl-diskless-load", "", enum_field<&S::repl_diskless_load>(kDisklessLoad), kDenyLoading},
    {"repl-ping-replica-period", "repl-ping-slave-period",
     IntegerField{&S::repl_ping_replica_period, 1, kMaxInt}},
    {"repl-digest-period", "", IntegerField{&S::repl_digest_period, 0, kMaxInt}},
    {"repl-timeout", "", IntegerField{&S::repl_timeout, 1, kMaxInt}},
    {"repl-disable-tcp-nodelay", "", BoolField{&S::repl_disable_tcp_nodelay}},
    {"repl-backlog-size", "", IntegerField{&S::repl_backlog_size, 1, kMax, IntegerUnit::kMemory}},
    {"repl-backlog-ttl", "", IntegerField{&S::repl_backlog_ttl, 0, kMax}},
    {"min-replicas-to-write", "min-slaves-to-write",
     IntegerField{&S::min_replicas_to_write, 0, kMaxInt}},
    {"min-replicas-max-lag", "min-slaves-max-lag",
     IntegerField{&S::min_replicas_max_lag, 0, kMaxInt}},
    {"import-mode", "", BoolField{&S::import_mode}},
    {"propagation-error-behavior", "", enum_field<&S::propagation_error_behavior>(kErrorBehaviors)},
    {"availability-zone", "", StringField{&S::availability_zone}},
};

}  // namespace

std::span<const Directive> replication_directives() { return kRows; }

}  // namespace tandem
