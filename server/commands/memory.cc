// MEMORY.

#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>

#include "functions/function_engine.h"
#include "functions/script_engine.h"
#include "persistence/persistence.h"
#include "replication/replication.h"
#include "server/base/config.h"
#include "server/base/memory.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/memory_report.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

MemoryReport measure(Call& call) {
  const Services& services = call.services;
  const ReplicationInfo replication = services.replication->info();
  return measure_memory(call.executor, {.startup = services.control->startup_memory(),
                                        .backlog = replication.backlog_memory,
                                        .replica_stream = replication.replica_memory,
                                        .aof_buffer = services.persistence->aof_buffer_memory(),
                                        .scripts = services.scripts->cache().source_bytes(),
                                        .functions = services.functions->memory_bytes()});
}

double ratio(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Signed: sharing and swapping can make the wider figure the smaller one.
int64_t beyond(size_t wider, size_t narrower) {
  return static_cast<int64_t>(wider) - static_cast<int64_t>(narrower);
}

void memory_usage(Call& call) {
  for (size_t i = 3; i < call.args.size(); i += 2) {
    if (!equals_ignore_case(call.args[i], "samples") || i + 1 == call.args.size()) {
      return call.syntax_error();
    }
    // A value knows what it holds, or how many of its elements to look at.
    const auto samples = read_integer(call, call.args[i + 1]);
    if (!samples) return;
    if (*samples < 0) return call.syntax_error();
  }
  const Entry* entry = call.db().peek(call.args[2]);
  if (entry == nullptr) return call.reply.null();
  call.reply.integer(static_cast<int64_t>(entry->memory_usage()));
}

void reply_number(Reply& reply, std::string_view name, size_t value) {
  reply.bulk(name);
  reply.integer(static_cast<int64_t>(value));
}

void reply_ratio(Reply& reply, std::string_view name, double value, int64_t bytes,
                 std::string_view bytes_name) {
  reply.bulk(name);
  reply.real(value);
  reply.bulk(bytes_name);
  reply.integer(bytes);
}

void reply_overhead(Reply& reply, const MemoryReport& report) {
  reply_number(reply, "peak.allocated", report.peak);
  reply_number(reply, "total.allocated", report.used);
  reply_number(reply, "startup.allocated", report.sources.startup);
  reply_number(reply, "replication.backlog", report.sources.backlog);
  reply_number(reply, "clients.slaves", report.replicas);
  reply_number(reply, "clients.normal", report.clients);
  reply_number(reply, "cluster.links", 0);
  reply_number(reply, "aof.buffer", report.sources.aof_buffer);
  reply_number(reply, "lua.caches", report.sources.scripts);
  reply_number(reply, "functions.caches", report.sources.functions);
  for (const MemoryReport::Tables& tables : report.databases) {
    reply.bulk("db." + std::to_string(tables.database));
    reply.map(2);
    reply_number(reply, "overhead.hashtable.main", tables.keys);
    reply_number(reply, "overhead.hashtable.expires", tables.volatile_keys);
  }
  // The tables grow a bucket at a time, in place.
  reply_number(reply, "overhead.db.hashtable.lut", report.tables);
  reply_number(reply, "overhead.db.hashtable.rehashing", 0);
  reply_number(reply, "overhead.total", report.overhead());
  reply_number(reply, "db.dict.rehashing.count", 0);
}
constexpr size_t kOverheadFields = 14;

void reply_dataset(Reply& reply, const MemoryReport& report) {
  const size_t keys = report.key_count;
  reply_number(reply, "keys.count", keys);
  reply_number(reply, "keys.bytes-per-key", keys > 0 ? report.since_startup() / keys : 0);
  reply_number(reply, "dataset.bytes", report.dataset());
  reply.bulk("dataset.percentage");
  reply.real(100 * ratio(report.dataset(), report.since_startup()));
  reply.bulk("peak.percentage");
  reply.real(100 * ratio(report.used, report.peak));
}
constexpr size_t kDatasetFields = 5;

void reply_allocator(Reply& reply, const MemoryReport& report) {
  const AllocatorStats& allocator = report.allocator;
  reply_number(reply, "allocator.allocated", allocator.allocated);
  reply_number(reply, "allocator.active", allocator.active);
  reply_number(reply, "allocator.resident", allocator.resident);
  reply_number(reply, "allocator.muzzy", 0);
  reply_ratio(reply, "allocator-fragmentation.ratio", ratio(allocator.active, allocator.allocated),
              beyond(allocator.active, allocator.allocated), "allocator-fragmentation.bytes");
  reply_ratio(reply, "allocator-rss.ratio", ratio(allocator.resident, allocator.active),
              beyond(allocator.resident, allocator.active), "allocator-rss.bytes");
  reply_ratio(reply, "rss-overhead.ratio", ratio(report.resident, allocator.resident),
              beyond(report.resident, allocator.resident), "rss-overhead.bytes");
  // What the name says: physical memory over what is in use.
  reply_ratio(reply, "fragmentation", ratio(report.resident, report.used),
              beyond(report.resident, report.used), "fragmentation.bytes");
}
constexpr size_t kAllocatorFields = 12;

void memory_stats(Call& call) {
  const MemoryReport report = measure(call);
  call.reply.map(kOverheadFields + report.databases.size() + kDatasetFields + kAllocatorFields);
  reply_overhead(call.reply, report);
  reply_dataset(call.reply, report);
  reply_allocator(call.reply, report);
}

// From where on something is worth a word.
constexpr size_t kTooSmallToTell = size_t{5} << 20;
constexpr double kHighPeak = 1.5;
constexpr double kHighFragmentation = 1.4;
constexpr double kHighAllocatorRss = 1.1;
constexpr size_t kHighBytes = size_t{10} << 20;
constexpr size_t kLargeClient = size_t{200} << 10;
constexpr size_t kLargeReplica = size_t{10} << 20;

bool is_high(size_t wider, size_t narrower, double limit) {
  return ratio(wider, narrower) > limit &&
         beyond(wider, narrower) > static_cast<int64_t>(kHighBytes);
}

std::string diagnose(Call& call, const MemoryReport& report) {
  if (report.used < kTooSmallToTell) {
    return "There is hardly any data here yet: less than 5 MiB are in use, too little to judge.\n";
  }
  size_t replicas = 0;
  for (const auto& [id, client] : call.executor.clients()) {
    replicas += client->kind == ClientKind::kReplica ? 1 : 0;
  }
  const size_t clients = call.executor.clients().size() - replicas;
  std::string text;
  if (ratio(report.peak, report.used) > kHighPeak) {
    text +=
        "- Peak: at some time more than half as much again was in use as now. The allocator may "
        "keep pages that are only partly used since; MEMORY PURGE gives back those that are not.\n";
  }
  if (is_high(report.allocator.active, report.allocator.allocated, kHighFragmentation)) {
    text +=
        "- Fragmentation: much of the pages in use is empty, since values of other sizes were "
        "there before. A restart, or a failover to a replica, packs them anew.\n";
  }
  if (is_high(report.allocator.resident, report.allocator.active, kHighAllocatorRss)) {
    text +=
        "- Allocator: it holds more physical memory than pages in use. MEMORY PURGE makes it give "
        "the rest back.\n";
  }
  if (is_high(report.resident, report.allocator.resident, kHighAllocatorRss)) {
    text +=
        "- Process: it occupies much more than the allocator holds: Lua, the stack, or shared "
        "libraries.\n";
  }
  if (clients > 0 && report.clients / clients > kLargeClient) {
    text +=
        "- Clients: on average one takes more than 200 KiB. CLIENT LIST shows which (tot-mem); "
        "some may not read their replies.\n";
  }
  if (replicas > 0 && report.replicas / replicas > kLargeReplica) {
    text +=
        "- Replicas: on average more than 10 MiB wait to be sent to one. A replica or the way to "
        "it is slow.\n";
  }
  if (text.empty()) return "Nothing about this server's memory looks unusual.\n";
  return "What stands out:\n\n" + text;
}

void memory_doctor(Call& call) { call.reply.verbatim("txt", diagnose(call, measure(call))); }

void memory_purge(Call& call) {
  release_unused_memory();
  call.reply.ok();
}

void memory_malloc_stats(Call& call) { call.reply.verbatim("txt", allocator_report()); }

void memory_help(Call& call) {
  reply_help(call,
             {{"DOCTOR", "Explain in words what is unusual about the memory."},
              {"MALLOC-STATS", "Return what the allocator tells of itself."},
              {"PURGE", "Give unused memory back to the system."},
              {"STATS", "Return where the memory is, in bytes."},
              {"USAGE <key> [SAMPLES <count>]",
               "Return the bytes that <key> takes, with its value. SAMPLES says how many elements\n"
               "of a collection to look at, 0 for all; here it makes no difference."}});
}

constexpr CommandRow kRows[] = {
    {.name = "memory",
     .arity = -2,
     .flags = "",
     .categories = "@slow",
     .summary = "What the memory is used for.",
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on subcommand."},
    {.name = "memory|doctor",
     .handler = memory_doctor,
     .arity = 2,
     .flags = "",
     .categories = "@slow",
     .tips = "nondeterministic_output;request_policy:all_shards;response_policy:special",
     .summary = "Explains what is unusual about the memory.",
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "memory|help",
     .handler = memory_help,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow",
     .summary = "Describes the subcommands.",
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "memory|malloc-stats",
     .handler = memory_malloc_stats,
     .arity = 2,
     .flags = "loading",
     .categories = "@slow",
     .tips = "nondeterministic_output;request_policy:all_shards;response_policy:special",
     .summary = "Returns the allocator's own statistics.",
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on how much memory is in use."},
    {.name = "memory|purge",
     .handler = memory_purge,
     .arity = 2,
     .flags = "loading",
     .categories = "@slow",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Gives unused memory back to the system.",
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on how much memory is unused."},
    {.name = "memory|stats",
     .handler = memory_stats,
     .arity = 2,
     .flags = "",
     .categories = "@slow",
     .tips = "nondeterministic_output;request_policy:all_shards;response_policy:special",
     .summary = "Returns where the memory is.",
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of clients"},
    {.name = "memory|usage",
     .handler = memory_usage,
     .arity = -3,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@read,@slow",
     .key_specs = "[RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Estimates the bytes that a key takes.",
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of elements looked at"},
};

}  // namespace

std::span<const CommandRow> memory_commands() { return kRows; }

}  // namespace tandem
