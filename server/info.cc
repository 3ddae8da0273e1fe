#include "server/info.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "functions/function_stats.h"
#include "server/base/config.h"
#include "server/base/memory.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/base/version.h"
#include "server/commands/memory_report.h"
#include "server/exec/blocked_clients.h"
#include "server/exec/eviction.h"

namespace tandem {
namespace {

// Writes "name:value" lines.
class InfoText {
 public:
  void begin_section(std::string_view title) {
    if (!text_.empty()) text_ += "\r\n";
    text_.append("# ").append(title).append("\r\n");
  }
  void field(std::string_view name, std::string_view value) {
    text_.append(name).append(":").append(value).append("\r\n");
  }
  void field(std::string_view name, const char* value) { field(name, std::string_view(value)); }
  template <typename T>
  requires std::is_integral_v<T>
  void field(std::string_view name, T value) {
    if constexpr (std::is_same_v<T, bool>) {
      field(name, value ? "1" : "0");
    } else {
      field(name, std::to_string(value));
    }
  }
  // Whole lines, already formed.
  void lines(std::string_view text) { text_.append(text); }
  // With two decimals.
  void decimal(std::string_view name, double value, std::string_view unit = {}) {
    char text[64];
    const int length = std::snprintf(text, sizeof text, "%.2f", value);
    field(name, std::string(text, static_cast<size_t>(length)).append(unit));
  }
  // The bytes, and as a second field the same for people: 1.46M.
  void bytes(const std::string& name, uint64_t value) {
    field(name, value);
    human(name + "_human", value);
  }
  void human(std::string_view name, uint64_t value) {
    static constexpr char kUnits[] = {'K', 'M', 'G', 'T', 'P'};
    if (value < 1024) return field(name, std::to_string(value) + 'B');
    double scaled = static_cast<double>(value) / 1024;
    size_t unit = 0;
    for (; scaled >= 1024 && unit + 1 < sizeof kUnits; ++unit) scaled /= 1024;
    decimal(name, scaled, std::string_view(&kUnits[unit], 1));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

const Settings& settings_of(const InfoSources& from) { return from.executor.config().settings(); }

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// "name=tcp,bind=127.0.0.1,port=6379".
std::string listener(const Settings& settings) {
  std::string text = "name=tcp";
  for (const std::string& address : settings.bind) text += ",bind=" + address;
  return text + ",port=" + std::to_string(settings.port);
}

void add_server(const InfoSources& from, InfoText* out) {
  const Settings& settings = settings_of(from);
  Clock& clock = from.executor.clock();
  utsname system{};
  uname(&system);
  std::error_code no_executable;
  const auto executable = std::filesystem::read_symlink("/proc/self/exe", no_executable);
  const int64_t uptime_s = (clock.wall_ms() - from.started_ms) / 1000;
  out->field("redis_version", kRedisVersion);
  out->field("server_name", "tandem");
  out->field("tandem_version", kTandemVersion);
  out->field("redis_git_sha1", "00000000");
  out->field("redis_git_dirty", 0);
  out->field("redis_build_id", "0");
  out->field("redis_mode", "standalone");
  out->field("os", std::string(system.sysname) + ' ' + system.release + ' ' + system.machine);
  out->field("arch_bits", sizeof(void*) * 8);
  out->field("monotonic_clock", "POSIX clock_gettime");
  out->field("multiplexing_api", "epoll");
  out->field("atomicvar_api", "atomic-builtin");
  out->field("gcc_version", __VERSION__);
  out->field("process_id", getpid());
  out->field("process_supervised", settings.supervised == Supervised::kNo ? "no" : "systemd");
  out->field("run_id", from.run_id);
  out->field("tcp_port", settings.port);
  out->field("server_time_usec", clock.wall_us());
  out->field("uptime_in_seconds", uptime_s);
  out->field("uptime_in_days", uptime_s / 86400);
  out->field("hz", settings.hz);
  out->field("configured_hz", settings.hz);
  out->field("lru_clock", AccessClock::seconds(from.executor.keyspace().now_ms()));
  out->field("executable", executable.string());
  out->field("config_file", from.executor.config().file());
  out->field("io_threads_active", 0);
  if (!settings.availability_zone.empty()) {
    out->field("availability_zone", settings.availability_zone);
  }
  if (from.shutdown_in_ms) out->field("shutdown_in_milliseconds", *from.shutdown_in_ms);
  if (settings.port != 0) out->field("listener0", listener(settings));
}

// What the connections hold together.
struct ClientTotals {
  size_t connected = 0, replicas = 0, blocked = 0, watching = 0, watched_keys = 0;
  size_t largest_input = 0, largest_output = 0;
};

ClientTotals count_clients(const Executor& executor) {
  ClientTotals totals;
  for (const auto& [id, client] : executor.clients()) {
    Link* link = client->link();
    const bool replica = client->kind == ClientKind::kReplica;
    (replica ? totals.replicas : totals.connected) += 1;
    totals.blocked += client->blocked() ? 1 : 0;
    totals.watching += client->watched.empty() ? 0 : 1;
    totals.watched_keys += client->watched.size();
    if (link == nullptr) continue;
    totals.largest_input = std::max(totals.largest_input, link->input_buffered());
    totals.largest_output = std::max(totals.largest_output, link->output().size());
  }
  return totals;
}

void add_clients(const InfoSources& from, InfoText* out) {
  const ClientTotals totals = count_clients(from.executor);
  out->field("connected_clients", totals.connected);
  out->field("cluster_connections", 0);
  out->field("maxclients", settings_of(from).maxclients);
  out->field("client_recent_max_input_buffer", totals.largest_input);
  out->field("client_recent_max_output_buffer", totals.largest_output);
  out->field("blocked_clients", totals.blocked);
  out->field("tracking_clients", from.executor.tracking().client_count());
  out->field("pubsub_clients", from.executor.pubsub().client_count());
  out->field("watching_clients", totals.watching);
  out->field("clients_in_timeout_table", from.executor.blocked().with_deadline());
  out->field("total_watched_keys", totals.watched_keys);
  out->field("total_blocking_keys", from.executor.blocked().key_count());
  out->field("total_blocking_keys_on_nokey", from.executor.blocked().wake_when_gone_key_count());
}

uint64_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return 0;
  return static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes);
}

std::string config_value(const InfoSources& from, std::string_view name) {
  const auto found = from.executor.config().get({&name, 1});
  return found.empty() ? "" : found.front().second;
}

void add_used_memory(const MemoryReport& report, InfoText* out) {
  out->bytes("used_memory", report.used);
  out->bytes("used_memory_rss", report.resident);
  out->bytes("used_memory_peak", report.peak);
  out->decimal("used_memory_peak_perc", ratio(report.used, report.peak) * 100, "%");
  out->field("used_memory_overhead", report.overhead());
  out->field("used_memory_startup", report.sources.startup);
  out->field("used_memory_dataset", report.dataset());
  out->decimal("used_memory_dataset_perc", ratio(report.dataset(), report.since_startup()) * 100,
               "%");
}

void add_lua_memory(const InfoSources& from, InfoText* out) {
  out->field("used_memory_lua", from.script_lua_bytes);
  out->field("used_memory_vm_eval", from.script_lua_bytes);
  out->human("used_memory_lua_human", from.script_lua_bytes);
  out->field("used_memory_scripts_eval", from.script_source_bytes);
  out->field("number_of_cached_scripts", from.scripts);
  const FunctionSet* functions = from.function_set;
  out->field("number_of_functions", functions == nullptr ? 0 : functions->function_count());
  out->field("number_of_libraries", functions == nullptr ? 0 : functions->libraries().size());
  out->field("used_memory_vm_functions", from.function_lua_bytes);
  out->bytes("used_memory_vm_total", from.function_lua_bytes + from.script_lua_bytes);
  const size_t function_bytes = functions == nullptr ? 0 : functions->memory_bytes();
  out->field("used_memory_functions", function_bytes);
  out->bytes("used_memory_scripts", from.script_source_bytes + function_bytes);
}

// Signed: sharing and swapping can make the wider figure the smaller one.
int64_t beyond(size_t wider, size_t narrower) {
  return static_cast<int64_t>(wider) - static_cast<int64_t>(narrower);
}

void add_memory(const InfoSources& from, InfoText* out) {
  const Settings& settings = settings_of(from);
  const MemoryReport report =
      measure_memory(from.executor, {.startup = from.startup_memory,
                                     .backlog = from.replication.backlog_memory,
                                     .replica_stream = from.replication.replica_memory,
                                     .aof_buffer = from.persistence.aof_buffer_memory});
  const AllocatorStats& allocator = report.allocator;
  const size_t used = report.used, resident = report.resident;
  add_used_memory(report, out);
  out->field("allocator_allocated", allocator.allocated);
  out->field("allocator_active", allocator.active);
  out->field("allocator_resident", allocator.resident);
  out->bytes("total_system_memory", physical_memory());
  add_lua_memory(from, out);
  out->bytes("maxmemory", static_cast<uint64_t>(settings.maxmemory));
  out->field("maxmemory_policy", config_value(from, "maxmemory-policy"));
  out->decimal("allocator_frag_ratio", ratio(allocator.active, allocator.allocated));
  out->field("allocator_frag_bytes", beyond(allocator.active, allocator.allocated));
  out->decimal("allocator_rss_ratio", ratio(allocator.resident, allocator.active));
  out->field("allocator_rss_bytes", beyond(allocator.resident, allocator.active));
  out->decimal("rss_overhead_ratio", ratio(resident, allocator.resident));
  out->field("rss_overhead_bytes", beyond(resident, allocator.resident));
  out->decimal("mem_fragmentation_ratio", ratio(resident, used));
  out->field("mem_fragmentation_bytes", beyond(resident, used));
  out->field("mem_not_counted_for_evict", from.executor.eviction().uncounted_bytes());
  out->field("mem_replication_backlog", report.sources.backlog);
  out->field("mem_total_replication_buffers", report.sources.backlog + report.replicas);
  out->field("mem_clients_slaves", report.replicas);
  out->field("mem_clients_normal", report.clients);
  out->field("mem_cluster_links", 0);
  out->field("mem_aof_buffer", from.persistence.aof_buffer_memory);
  out->field("mem_allocator", memory_allocator_name());
  out->field("active_defrag_running", 0);
  const auto& background = from.executor.keyspace().background_counts();
  out->field("lazyfree_pending_objects", background.pending_objects.load());
  out->field("lazyfreed_objects", background.freed_objects.load());
}

std::string_view ok_or_err(bool ok) { return ok ? "ok" : "err"; }

void add_persistence(const InfoSources& from, InfoText* out) {
  const PersistenceInfo& info = from.persistence;
  out->field("loading", info.loading);
  out->field("async_loading", 0);
  out->field("current_cow_peak", info.current_cow_peak);
  out->field("current_cow_size", info.current_cow_size);
  out->field("current_cow_size_age", info.current_cow_size_age);
  out->decimal("current_fork_perc", info.current_fork_perc);
  out->field("current_save_keys_processed", info.current_save_keys_processed);
  out->field("current_save_keys_total", info.current_save_keys_total);
  out->field("current_save_keys_per_sec", info.current_save_keys_per_sec);
  out->field("current_save_eta_seconds", info.current_save_eta_seconds);
  out->field("rdb_changes_since_last_save", info.rdb_changes_since_last_save);
  out->field("rdb_bgsave_in_progress", info.rdb_bgsave_in_progress);
  out->field("rdb_last_save_time", info.rdb_last_save_time);
  out->field("rdb_last_bgsave_status", ok_or_err(info.rdb_last_bgsave_ok));
  out->field("rdb_last_bgsave_time_sec", info.rdb_last_bgsave_time_sec);
  out->field("rdb_current_bgsave_time_sec", info.rdb_current_bgsave_time_sec);
  out->field("rdb_saves", info.rdb_saves);
  out->field("rdb_last_cow_size", info.rdb_last_cow_size);
  out->field("rdb_last_load_keys_expired", info.rdb_last_load_keys_expired);
  out->field("rdb_last_load_keys_loaded", info.rdb_last_load_keys_loaded);
  out->field("aof_enabled", info.aof_enabled);
  out->field("aof_rewrite_in_progress", info.aof_rewrite_in_progress);
  out->field("aof_rewrite_scheduled", info.aof_rewrite_scheduled);
  out->field("aof_last_rewrite_time_sec", info.aof_last_rewrite_time_sec);
  out->field("aof_current_rewrite_time_sec", info.aof_current_rewrite_time_sec);
  out->field("aof_last_bgrewrite_status", ok_or_err(info.aof_last_bgrewrite_ok));
  out->field("aof_rewrites", info.aof_rewrites);
  out->field("aof_rewrites_consecutive_failures", info.aof_rewrites_consecutive_failures);
  out->field("aof_last_write_status", ok_or_err(info.aof_last_write_ok));
  out->field("aof_last_cow_size", info.aof_last_cow_size);
  out->field("module_fork_in_progress", 0);
  out->field("module_fork_last_cow_size", 0);
  if (info.aof_enabled) {
    out->field("aof_current_size", info.aof_current_size);
    out->field("aof_base_size", info.aof_base_size);
    out->field("aof_pending_rewrite", info.aof_pending_rewrite);
    out->field("aof_buffer_length", info.aof_buffer_length);
    out->field("aof_pending_bio_fsync", info.aof_pending_bio_fsync);
    out->field("aof_delayed_fsync", info.aof_delayed_fsync);
  }
  if (!info.loading) return;
  out->field("loading_start_time", info.loading_start_time);
  out->field("loading_total_bytes", info.loading_total_bytes);
  out->field("loading_rdb_used_mem", info.loading_rdb_used_mem);
  out->field("loading_loaded_bytes", info.loading_loaded_bytes);
  out->decimal("loading_loaded_perc", info.loading_loaded_perc);
  out->field("loading_eta_seconds", info.loading_eta_seconds);
  out->field("loading_bytes_per_sec", info.loading_bytes_per_sec);
}

// Nothing moves memory about to make holes in it smaller, so none of these ever counts.
void add_defragmentation(InfoText* out) {
  for (const std::string_view name :
       {"active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits",
        "active_defrag_key_misses", "total_active_defrag_time", "current_active_defrag_time"}) {
    out->field(name, 0);
  }
}

void add_stats(const InfoSources& from, InfoText* out) {
  const ExecutorStats& stats = from.executor.stats();
  const KeyspaceStats& keys = from.executor.keyspace().stats();
  const ReplicationInfo& replication = from.replication;
  out->field("total_connections_received", stats.connections_received);
  out->field("total_commands_processed", stats.commands_processed);
  out->field("instantaneous_ops_per_sec", static_cast<uint64_t>(from.rates.commands));
  out->field("total_net_input_bytes", stats.bytes_in);
  out->field("total_net_output_bytes", stats.bytes_out);
  out->field("total_net_repl_input_bytes", replication.bytes_in);
  out->field("total_net_repl_output_bytes", replication.bytes_out);
  out->decimal("instantaneous_input_kbps", from.rates.bytes_in / 1024);
  out->decimal("instantaneous_output_kbps", from.rates.bytes_out / 1024);
  out->decimal("instantaneous_input_repl_kbps", from.rates.replication_bytes_in / 1024);
  out->decimal("instantaneous_output_repl_kbps", from.rates.replication_bytes_out / 1024);
  out->field("rejected_connections", stats.connections_rejected);
  out->field("sync_full", replication.stats.sync_full);
  out->field("sync_partial_ok", replication.stats.sync_partial_ok);
  out->field("sync_partial_err", replication.stats.sync_partial_err);
  out->field("expired_keys", keys.expired);
  out->field("expired_fields", keys.expired_fields);
  out->decimal("expired_stale_perc", from.expire_cycle.stale_share * 100);
  out->field("expired_time_cap_reached_count", from.expire_cycle.out_of_time);
  out->field("expire_cycle_cpu_milliseconds", from.expire_cycle.spent_us / 1000);
  out->field("evicted_keys", stats.evicted_keys);
  out->field("evicted_clients", stats.evicted_clients);
  out->field("total_eviction_exceeded_time", from.executor.eviction().total_exceeded_ms());
  out->field("current_eviction_exceeded_time", from.executor.eviction().exceeded_ms());
  out->field("keyspace_hits", keys.hits);
  out->field("keyspace_misses", keys.misses);
  const PubSub& pubsub = from.executor.pubsub();
  out->field("pubsub_channels", pubsub.topic_count(SubscriptionKind::kChannel));
  out->field("pubsub_patterns", pubsub.topic_count(SubscriptionKind::kPattern));
  out->field("pubsubshard_channels", pubsub.topic_count(SubscriptionKind::kShardChannel));
  out->field("latest_fork_usec", from.persistence.latest_fork_us);
  out->field("total_forks", from.persistence.total_forks);
  out->field("migrate_cached_sockets", from.idle_outgoing_connections);
  out->field("slave_expires_tracked_keys", 0);
  add_defragmentation(out);
  const Tracking& tracking = from.executor.tracking();
  out->field("tracking_total_keys", tracking.key_count());
  out->field("tracking_total_items", tracking.item_count());
  out->field("tracking_total_prefixes", tracking.prefix_count());
  out->field("unexpected_error_replies", stats.unexpected_errors);
  out->field("total_error_replies", stats.total_error_replies);
  out->field("dump_payload_sanitizations", from.persistence.dump_payload_sanitizations);
  out->field("total_reads_processed", from.links.reads);
  out->field("total_writes_processed", from.links.writes);
  // There are no I/O threads: the loop reads and writes.
  out->field("io_threaded_reads_processed", 0);
  out->field("io_threaded_writes_processed", 0);
  out->field("client_query_buffer_limit_disconnections", stats.client_query_limit_disconnections);
  out->field("client_output_buffer_limit_disconnections", stats.client_output_limit_disconnections);
  out->field("reply_buffer_shrinks", from.links.buffers_shrunk);
  out->field("reply_buffer_expands", from.links.buffers_grown);
}

void add_replication(const InfoSources& from, InfoText* out) {
  out->lines(info_text(from.replication));
}

void add_cpu_time(std::string_view name, const timeval& time, InfoText* out) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%ld.%06ld", static_cast<long>(time.tv_sec),
                                   static_cast<long>(time.tv_usec));
  out->field(name, std::string_view(text, static_cast<size_t>(length)));
}

void add_cpu(const InfoSources&, InfoText* out) {
  rusage self{}, children{}, thread{};
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  getrusage(RUSAGE_THREAD, &thread);
  add_cpu_time("used_cpu_sys", self.ru_stime, out);
  add_cpu_time("used_cpu_user", self.ru_utime, out);
  add_cpu_time("used_cpu_sys_children", children.ru_stime, out);
  add_cpu_time("used_cpu_user_children", children.ru_utime, out);
  add_cpu_time("used_cpu_sys_main_thread", thread.ru_stime, out);
  add_cpu_time("used_cpu_user_main_thread", thread.ru_utime, out);
}

void add_command_stats(const Command& command, InfoText* out) {
  const CommandStats& stats = command.stats;
  if (stats.calls != 0 || stats.rejected != 0 || stats.failed != 0) {
    const uint64_t usec = stats.microseconds();
    const double each = ratio(usec, stats.calls);
    char text[192];
    const int length =
        std::snprintf(text, sizeof text,
                      "calls=%" PRIu64 ",usec=%" PRIu64
                      ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64,
                      stats.calls, usec, each, stats.rejected, stats.failed);
    out->field("cmdstat_" + command.name, std::string_view(text, static_cast<size_t>(length)));
  }
  for (const auto& subcommand : command.subcommands) add_command_stats(*subcommand, out);
}

void add_commandstats(const InfoSources& from, InfoText* out) {
  for (const auto& command : from.executor.commands().commands()) {
    add_command_stats(*command, out);
  }
}

void add_errorstats(const InfoSources& from, InfoText* out) {
  for (const auto& [code, count] : from.executor.stats().errors) {
    // A code may come from a function; it must not look like a field of its own.
    std::string name = code;
    for (char& c : name) {
      if (c == '#' || c == ':' || c == '\r' || c == '\n') c = '_';
    }
    out->field("errorstat_" + name, "count=" + std::to_string(count));
  }
}

// Milliseconds that keys with an expiry have left on average, from a few of them.
int64_t average_ttl_ms(const Database& db, int64_t now_ms) {
  constexpr size_t kEnough = 32, kMaxSteps = 64;
  if (db.volatile_size() == 0) return 0;
  double total_ms = 0;
  size_t counted = 0;
  uint64_t cursor = 0;
  for (size_t step = 0; step < kMaxSteps && counted < kEnough; ++step) {
    cursor = db.scan(cursor, [&](const Entry* entry) {
      if (!entry->has_expiry() || entry->expires_at_ms() <= now_ms) return;
      total_ms += static_cast<double>(entry->expires_at_ms() - now_ms);
      ++counted;
    });
    if (cursor == 0) break;
  }
  return counted == 0 ? 0 : static_cast<int64_t>(total_ms / static_cast<double>(counted));
}

void add_keyspace(const InfoSources& from, InfoText* out) {
  Keyspace& keyspace = from.executor.keyspace();
  for (int i = 0; i < keyspace.database_count(); ++i) {
    const Database& db = keyspace.database(i);
    if (db.size() == 0) continue;
    out->field("db" + std::to_string(i),
               "keys=" + std::to_string(db.size()) +
                   ",expires=" + std::to_string(db.volatile_size()) +
                   ",avg_ttl=" + std::to_string(average_ttl_ms(db, keyspace.now_ms())));
  }
}

void add_cluster(const InfoSources&, InfoText* out) { out->field("cluster_enabled", 0); }

void add_percentiles(const Command& command, const std::vector<double>& percentiles,
                     InfoText* out) {
  if (command.stats.latencies != nullptr) {
    out->field("latency_percentiles_usec_" + command.name,
               command.stats.latencies->describe(percentiles));
  }
  for (const auto& subcommand : command.subcommands) {
    add_percentiles(*subcommand, percentiles, out);
  }
}

void add_latencystats(const InfoSources& from, InfoText* out) {
  const Settings& settings = settings_of(from);
  if (!settings.latency_tracking) return;
  for (const auto& command : from.executor.commands().commands()) {
    add_percentiles(*command, settings.latency_tracking_info_percentiles, out);
  }
}

void add_functionstats(const InfoSources& from, InfoText* out) {
  if (from.function_set == nullptr) return;
  for (const auto& [name, library] : from.function_set->libraries()) {
    for (const auto& function : library->functions) {
      if (!function->stats->used()) continue;
      out->field("functionstat_" + function->name,
                 function_stats_text(*function, settings_of(from)));
    }
  }
}

// There are no modules.
void add_nothing(const InfoSources&, InfoText*) {}

struct Section {
  std::string_view name, title;
  bool by_default;
  void (*add)(const InfoSources&, InfoText*);
};

constexpr Section kSections[] = {
    {"server", "Server", true, add_server},
    {"clients", "Clients", true, add_clients},
    {"memory", "Memory", true, add_memory},
    {"persistence", "Persistence", true, add_persistence},
    {"stats", "Stats", true, add_stats},
    {"replication", "Replication", true, add_replication},
    {"cpu", "CPU", true, add_cpu},
    {"modules", "Modules", true, add_nothing},
    {"commandstats", "Commandstats", false, add_commandstats},
    {"errorstats", "Errorstats", true, add_errorstats},
    {"latencystats", "Latencystats", false, add_latencystats},
    {"functionstats", "Functionstats", false, add_functionstats},
    {"cluster", "Cluster", true, add_cluster},
    {"keyspace", "Keyspace", true, add_keyspace},
};

bool is_wanted(const Section& section, std::span<const std::string_view> wanted) {
  if (wanted.empty()) return section.by_default;
  return std::any_of(wanted.begin(), wanted.end(), [&](std::string_view name) {
    return equals_ignore_case(name, section.name) || equals_ignore_case(name, "all") ||
           equals_ignore_case(name, "everything") ||
           (section.by_default && equals_ignore_case(name, "default"));
  });
}

}  // namespace

std::string build_info(const InfoSources& sources, std::span<const std::string_view> sections) {
  InfoText text;
  for (const Section& section : kSections) {
    if (!is_wanted(section, sections)) continue;
    text.begin_section(section.title);
    section.add(sources, &text);
  }
  return text.take();
}

}  // namespace tandem
