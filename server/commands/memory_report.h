#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/base/memory.h"
#include "server/exec/executor.h"

namespace tandem {

// Where the memory is, in bytes: what INFO memory and MEMORY tell.
struct MemoryReport {
  // What the engines and the composition root know; the last two only MEMORY STATS shows.
  struct Sources {
    size_t startup = 0;         // in use once the server was up, before it had data
    size_t backlog = 0;         // of replication
    size_t replica_stream = 0;  // of replication, beyond the backlog's size: for slow replicas
    size_t aof_buffer = 0;      // written by commands and not yet to the file
    size_t scripts = 0;         // cached sources
    size_t functions = 0;       // the libraries, with the Lua state they run in
  };
  struct Tables {
    int database = 0;
    size_t keys = 0;           // the table that finds the keys
    size_t volatile_keys = 0;  // the table of those with an expiry
  };

  Sources sources;
  size_t used = 0;
  size_t peak = 0;
  size_t resident = 0;
  AllocatorStats allocator;
  size_t clients = 0;
  size_t replicas = 0;
  std::vector<Tables> databases;  // those that have keys
  size_t tables = 0;              // of all databases
  size_t key_count = 0;

  // All that is not the dataset.
  size_t overhead() const {
    return sources.startup + tables + clients + replicas + sources.backlog + sources.aof_buffer;
  }
  size_t dataset() const { return used > overhead() ? used - overhead() : 0; }
  size_t since_startup() const { return used > sources.startup ? used - sources.startup : 0; }
};

MemoryReport measure_memory(Executor& executor, const MemoryReport::Sources& sources);

}  // namespace tandem
