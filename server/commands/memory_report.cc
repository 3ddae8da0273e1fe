#include "server/commands/memory_report.h"

#include <algorithm>

#include "server/exec/client.h"

namespace tandem {
MemoryReport measure_memory(Executor& executor, const MemoryReport::Sources& sources) {
  MemoryReport report;
  report.sources = sources;
  report.used = memory_used();
  report.peak = std::max(memory_peak(), report.used);
  report.resident = process_resident_bytes();
  report.allocator = read_allocator_stats();
  report.replicas = sources.replica_stream;
  for (const auto& [id, client] : executor.clients()) {
    if (client->kind != ClientKind::kReplica) report.clients += client->memory_usage();
  }
  Keyspace& keyspace = executor.keyspace();
  for (int i = 0; i < keyspace.database_count(); ++i) {
    const Database& db = keyspace.database(i);
    const size_t tables = db.table_memory(), volatile_keys = db.volatile_table_memory();
    report.tables += tables;
    report.key_count += db.size();
    if (db.size() > 0) report.databases.push_back({i, tables - volatile_keys, volatile_keys});
  }
  return report;
}

}  // namespace tandem
