#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "functions/function_set.h"
#include "persistence/persistence.h"
#include "replication/info.h"
#include "server/base/link_counts.h"
#include "server/exec/executor.h"
#include "server/expire_cycle.h"
#include "server/traffic_rates.h"

namespace tandem {

// What INFO is made from: the dispatcher, which knows the clients, the commands, the keys and the
// configuration, and what the engines and the composition root say of themselves.
struct InfoSources {
  Executor& executor;
  std::string run_id;
  int64_t started_ms = 0;     // Unix time
  size_t startup_memory = 0;  // memory_used() once the server was up, before it had data
  TrafficRates::Rates rates;
  LinkCounts links;
  ExpireCycle::Stats expire_cycle;
  PersistenceInfo persistence;
  ReplicationInfo replication;
  const FunctionSet* function_set = nullptr;  // null: there are none
  size_t function_lua_bytes = 0;              // of the functions' Lua state
  size_t scripts = 0;
  size_t script_source_bytes = 0;
  size_t script_lua_bytes = 0;  // of EVAL's Lua state
  uint64_t evicted_scripts = 0;
  size_t idle_outgoing_connections = 0;
  std::optional<int64_t> shutdown_in_ms;  // of a shutdown that waits for replicas
};

// INFO's text for these section names: single ones, "default", "all", "everything", in any case;
// none means "default", and unknown ones are passed over. Sections, fields and their order are
// those of Redis 7.2, as far as there is something to say.
std::string build_info(const InfoSources& sources, std::span<const std::string_view> sections);

}  // namespace tandem
