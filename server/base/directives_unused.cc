#include "server/base/directive.h"
#include "server/base/numbers.h"

// The directives of Redis 7 and Valkey 7.2 to 9 that Tandem has no use for, so that their
// configuration files are accepted and CONFIG GET and SET answer.

namespace tandem {

namespace {

constexpr int64_t kMaxInt = INT32_MAX;
constexpr int64_t kMax = INT64_MAX;

// `flags` without kUnused, which every row has.
Directive unused_bool(std::string_view name, std::string_view default_value, unsigned flags = 0,
                      std::string_view alias = "") {
  return {name, alias, UnusedField{UnusedType::kBool, default_value}, flags | kUnused};
}

Directive unused_integer(std::string_view name, std::string_view default_value, int64_t min,
                         int64_t max, unsigned flags = 0, std::string_view alias = "") {
  return {name, alias, UnusedField{UnusedType::kInteger, default_value, {}, min, max},
          flags | kUnused};
}

Directive unused_memory(std::string_view name, std::string_view default_value, int64_t min,
                        int64_t max = kMax, unsigned flags = 0) {
  return {name, "", UnusedField{UnusedType::kMemory, default_value, {}, min, max}, flags | kUnused};
}

Directive unused_text(std::string_view name, std::string_view default_value = "",
                      unsigned flags = 0, std::string_view alias = "") {
  return {name, alias, UnusedField{UnusedType::kString, default_value}, flags | kUnused};
}

Directive unused_enum(std::string_view name, std::string_view default_value, std::string_view names,
                      unsigned flags = 0) {
  return {name, "", UnusedField{UnusedType::kEnum, default_value, names}, flags | kUnused};
}

constexpr std::string_view kOomValues = "oom-score-adj-values";
constexpr int64_t kMaxOomScore = 2000;

Status set_oom_values(Settings& settings, std::span<const std::string> words, bool) {
  auto refuse = [](const char* reason) { return make_error(ErrorKind::kInvalid, reason); };
  if (words.size() != 3) return refuse("wrong number of arguments");
  for (const std::string& word : words) {
    const auto value = parse_int64(word);
    if (!value || *value < -kMaxOomScore || *value > kMaxOomScore) {
      return refuse("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    }
  }
  settings.unused[kOomValues] = words[0] + " " + words[1] + " " + words[2];
  return {};
}

std::string get_oom_values(const Settings& settings) {
  const auto set = settings.unused.find(kOomValues);
  return set == settings.unused.end() ? "0 200 800" : set->second;
}

const Directive kRows[] = {
    // Threads.
    unused_integer("io-threads", "1", 1, 256),
    unused_bool("io-threads-do-reads", "no", kImmutable),
    unused_integer("events-per-io-thread", "2", 0, kMaxInt, kHidden),
    unused_bool("io-threads-always-active", "no", kHidden),
    unused_integer("prefetch-batch-max-size", "16", 0, 128),
    unused_integer("min-io-threads-avoid-copy-reply", "7", 0, kMaxInt, kHidden),
    unused_memory("min-string-size-avoid-copy-reply", "16384", 0, kMaxInt, kHidden),
    unused_memory("min-string-size-avoid-copy-reply-threaded", "65536", 0, kMaxInt, kHidden),
    unused_text("server-cpulist", "", kImmutable, "server_cpulist"),
    unused_text("bio-cpulist", "", kImmutable, "bio_cpulist"),
    unused_text("aof-rewrite-cpulist", "", kImmutable, "aof_rewrite_cpulist"),
    unused_text("bgsave-cpulist", "", kImmutable, "bgsave_cpulist"),

    // The machine.
    unused_enum("oom-score-adj", "no", "no, yes, relative, absolute"),
    {kOomValues, "", CustomField{set_oom_values, get_oom_values}, kMultiWord | kUnused},
    unused_bool("disable-thp", "yes", kImmutable),
    unused_text("ignore-warnings"),
    unused_integer("socket-mark-id", "0", 0, UINT32_MAX, kImmutable),
    unused_bool("mptcp", "no", kImmutable),
    unused_bool("repl-mptcp", "no"),
    unused_text("rdma-bind", "", kMultiWord),
    unused_integer("rdma-port", "0", 0, 65535),
    unused_memory("rdma-rx-size", "1048576", 65536, 16 << 20, kImmutable),
    unused_integer("rdma-completion-vector", "-1", -1, 1024, kImmutable),

    // Logs and diagnosis.
    unused_bool("always-show-logo", "no", kImmutable),
    unused_bool("syslog-enabled", "no", kImmutable),
    unused_text("syslog-ident", "valkey", kImmutable),
    unused_enum("syslog-facility", "local0",
                "user, local0, local1, local2, local3, local4, local5, local6, local7", kImmutable),
    unused_enum("log-format", "legacy", "legacy, logfmt"),
    unused_enum("log-timestamp-format", "legacy", "legacy, iso8601, milliseconds"),
    unused_bool("crash-memcheck-enabled", "yes"),
    unused_bool("use-exit-on-panic", "no", kHidden),
    unused_bool("debug-assert-enabled", "no", kImmutable | kHidden),
    unused_bool("enable-debug-assert", "no", kImmutable | kHidden),
    unused_text("debug-context", "", kHidden),
    unused_integer("watchdog-period", "0", 0, kMaxInt, kHidden),
    unused_text("locale-collate"),
    unused_text("hash-seed", "", kImmutable | kHidden),

    // Memory.
    unused_integer("list-compress-depth", "0", 0, kMaxInt),
    unused_bool("activedefrag", "no"),
    unused_integer("active-defrag-cycle-min", "1", 1, 99),
    unused_integer("active-defrag-cycle-max", "25", 1, 99),
    unused_integer("active-defrag-cycle-us", "500", 0, 100000),
    unused_integer("active-defrag-threshold-lower", "10", 0, 1000),
    unused_integer("active-defrag-threshold-upper", "100", 0, 1000),
    unused_integer("active-defrag-max-scan-fields", "1000", 1, kMax),
    unused_memory("active-defrag-ignore-bytes", "104857600", 1),
    unused_bool("lazyexpire-nested-arbitrary-keys", "yes", kHidden),

    // Names of old versions, which Valkey reads and forgets.
    unused_text("list-max-ziplist-entries", "", kFileOnly),
    unused_text("list-max-ziplist-value", "", kFileOnly),
    unused_text("lua-replicate-commands", "", kFileOnly),

    // Replication.
    unused_bool("dual-channel-replication-enabled", "no"),
    unused_bool("auto-failover-on-shutdown", "no"),
    unused_memory("replica-full-sync-buffer-limit", "0", 0),

    // TLS.
    unused_integer("tls-port", "0", 0, 65535),
    unused_integer("max-new-tls-connections-per-cycle", "1", 1, 1000),
    unused_text("tls-cert-file"),
    unused_text("tls-key-file"),
    unused_text("tls-key-file-pass", "", kSensitive),
    unused_text("tls-client-cert-file"),
    unused_text("tls-client-key-file"),
    unused_text("tls-client-key-file-pass", "", kSensitive),
    unused_text("tls-dh-params-file"),
    unused_text("tls-ca-cert-file"),
    unused_text("tls-ca-cert-dir"),
    unused_enum("tls-auth-clients", "yes", "no, yes, optional"),
    unused_enum("tls-auth-clients-user", "off", "off, CN, URI"),
    unused_integer("tls-auto-reload-interval", "0", 0, kMaxInt),
    unused_bool("tls-replication", "no"),
    unused_bool("tls-cluster", "no"),
    unused_text("tls-protocols"),
    unused_text("tls-ciphers"),
    unused_text("tls-ciphersuites"),
    unused_bool("tls-prefer-server-ciphers", "no"),
    unused_bool("tls-session-caching", "yes"),
    unused_integer("tls-session-cache-size", "20480", 0, kMaxInt),
    unused_integer("tls-session-cache-timeout", "300", 0, kMaxInt),

    // Cluster.
    unused_bool("cluster-enabled", "no", kImmutable),
    unused_text("cluster-config-file", "nodes.conf", kImmutable),
    unused_integer("cluster-node-timeout", "15000", 0, kMax),
    unused_integer("cluster-ping-interval", "0", 0, kMax, kHidden),
    unused_integer("cluster-port", "0", 0, 65535, kImmutable),
    unused_integer("cluster-databases", "1", 1, kMaxInt, kImmutable),
    unused_text("cluster-announce-ip"),
    unused_text("cluster-announce-client-ipv4"),
    unused_text("cluster-announce-client-ipv6"),
    unused_integer("cluster-announce-port", "0", 0, 65535),
    unused_integer("cluster-announce-client-port", "0", 0, 65535),
    unused_integer("cluster-announce-tls-port", "0", 0, 65535),
    unused_integer("cluster-announce-client-tls-port", "0", 0, 65535),
    unused_integer("cluster-announce-bus-port", "0", 0, 65535),
    unused_text("cluster-announce-hostname"),
    unused_text("cluster-announce-human-nodename"),
    unused_enum("cluster-preferred-endpoint-type", "ip", "ip, hostname, unknown-endpoint"),
    unused_integer("cluster-replica-validity-factor", "10", 0, kMaxInt, 0,
                   "cluster-slave-validity-factor"),
    unused_bool("cluster-replica-no-failover", "no", 0, "cluster-slave-no-failover"),
    unused_integer("cluster-migration-barrier", "1", 0, kMaxInt),
    unused_bool("cluster-allow-replica-migration", "yes"),
    unused_bool("cluster-require-full-coverage", "yes"),
    unused_bool("cluster-allow-reads-when-down", "no"),
    unused_bool("cluster-allow-pubsubshard-when-down", "yes"),
    unused_memory("cluster-link-sendbuf-limit", "0", 0),
    unused_integer("cluster-blacklist-ttl", "60", 0, kMax),
    unused_integer("cluster-manual-failover-timeout", "5000", 1, kMaxInt),
    unused_bool("cluster-slot-stats-enabled", "no"),
    unused_integer("cluster-slot-migration-log-max-len", "1000", 0, kMax),
    unused_integer("cluster-message-gossip-perc", "10", 1, 100),
    unused_enum("cluster-config-save-behavior", "sync", "sync, best-effort"),
    unused_memory("slot-migration-max-failover-repl-bytes", "0", -1),
};

}  // namespace

std::span<const Directive> unused_directives() { return kRows; }

}  // namespace tandem
