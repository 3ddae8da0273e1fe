#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/base/result.h"
#include "tools/cli/options.h"

namespace tandem::cli {

// A primary or one of its replicas, as it and the server above it describe it.
struct ServerView {
  std::string address;  // "host:port", or the path of a socket
  std::string failure;  // why it could not be asked; then the rest says nothing
  int depth = 0;        // 0: the primary, 1: a replica of it, 2: a replica of that one ...
  bool is_primary = false;
  // Of a replica: INFO's master_link_status, or what keeps it from being up: "syncing".
  std::string link;
  // The state in which the server above has it; empty when that one does not list it.
  std::string state_above;
  int64_t offset = 0;  // of the stream, that it has applied
  // Behind the server above it, as far as that one had come when it was asked just before.
  std::optional<int64_t> lag_bytes;
  // Since the server above last heard from it.
  std::optional<int64_t> silent_seconds;
  // What may still be written before a replica that is cut off now needs a full sync: its place in
  // the backlog of the server above.
  std::optional<int64_t> backlog_left;
  // Function libraries by name, with their code; nothing when the server has no functions, or does
  // not let this account read them.
  std::optional<std::map<std::string, std::string>> libraries;
  // Of repl-digest-period; nothing when no digests have come.
  struct Digests {
    int64_t checked = 0;
    int64_t mismatched = 0;
    // What is known to differ since the last full sync.
    std::string first_bad_key;
    std::string sizes;
    bool libraries = false;

    bool all_same() const { return first_bad_key.empty() && sizes.empty() && !libraries; }
  };
  std::optional<Digests> digests;
};

// The primary first, each replica behind the server that it follows.
using PairView = std::vector<ServerView>;

// Asks the server of the options, the primary above it, and all replicas below that, each over a
// connection of its own with the account of the options. A server that does not answer is there
// with its failure; an error only when the first one cannot be asked. Libraries, which may be many,
// are asked for when they are wanted.
Result<PairView> look_at_pair(const Options& options, bool with_libraries);

// What is not as it should be, for each such thing a line that begins with the server's address.
std::vector<std::string> problems_of(const PairView& view);

// Names of libraries that one of both does not have, or has with other code.
std::vector<std::string> differing_libraries(const ServerView& a, const ServerView& b);

}  // namespace tandem::cli
