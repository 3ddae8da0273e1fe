#pragma once

#include <string>
#include <vector>

#include "tests/support/partition_proxy.h"
#include "tests/support/process.h"

namespace tandem {

// The options that make a server a replica of `primary`.
ServerProcess::Options replica_of(const ServerProcess& primary);

// True once the replica's link is up and it has applied all that the primary has sent.
bool caught_up(const ServerProcess& primary, const ServerProcess& replica);

// Awaits caught_up(), then expects the same keys (DEBUG DIGEST) and the same libraries.
void expect_same_dataset(const ServerProcess& primary, const ServerProcess& replica);

// The libraries with their code, sorted by name, on one line each.
std::vector<std::string> libraries(const ServerProcess& server);

// A replica with a network of its own between it and its primary.
struct DistantReplica {
  explicit DistantReplica(const ServerProcess& primary, const ServerProcess::Options& more = {});

  PartitionProxy proxy;
  ServerProcess server;
};

// A primary and a replica that follows it.
struct Pair {
  explicit Pair(const ServerProcess::Options& options = {});

  ServerProcess primary;
  ServerProcess replica;
};

}  // namespace tandem
