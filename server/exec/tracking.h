#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/exec/command.h"
#include "server/store/table.h"

namespace tandem {

class Client;
class Executor;

// How one client wants its cache to be kept valid: CLIENT TRACKING ON. A client without tracking
// has none of these.
struct ClientTracking {
  uint64_t redirect_to = 0;           // the id of the client that gets the invalidations; 0: itself
  bool broadcast = false;             // keys by prefix, read or not
  bool opt_in = false;                // only what is read behind CLIENT CACHING YES
  bool opt_out = false;               // all but what is read behind CLIENT CACHING NO
  bool no_loop = false;               // not what the client itself changes
  std::vector<std::string> prefixes;  // of broadcasting

  bool caching_given = false;       // CLIENT CACHING stands before the command that runs
  bool redirection_broken = false;  // that client has gone
};

// Client-side caching: remembers which clients have read which keys and tells them, once, when such
// a key changes. Broadcasting clients are told of every changed key under their prefixes instead.
// Keys are names alone, whatever their database. Loop thread only.
class Tracking {
 public:
  explicit Tracking(Executor& executor) : executor_(executor) {}
  ~Tracking();
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  // Turns tracking on, or changes how a client tracks; new prefixes join those it has.
  void enable(Client& client, ClientTracking how);
  void disable(Client& client);
  // Forgets a client that is about to go.
  void remove(Client& client);

  // The client's request has run this reading command.
  void remember(Client& reader, const Command& command, Args args);
  // A key was created, changed or removed.
  void key_modified(std::string_view key) {
    if (!table_.empty() || !prefixes_.empty()) invalidate_key(key);
  }
  // A whole database was emptied or replaced. Clients are told once, by tell_flushed().
  void database_cleared();
  // Whether database_cleared() was called since the last tell_flushed().
  bool flushed() const { return flushed_; }
  void tell_flushed();
  // Tells the broadcasting clients what has changed since the last call: at the end of a loop turn.
  void broadcast();

  // For INFO.
  size_t client_count() const { return clients_.size(); }
  size_t key_count() const { return table_.size(); }
  size_t item_count() const { return items_; }
  size_t prefix_count() const { return prefixes_.size(); }

 private:
  struct TrackedKey;
  struct TrackedKeyTraits {
    static std::string_view key(const TrackedKey* tracked);
  };
  using Clients = std::map<uint64_t, Client*>;  // by id
  struct Prefix {
    Clients clients;
    // What has changed, and who changed it last.
    std::map<std::string, uint64_t, std::less<>> changed;
  };
  using Prefixes = std::map<std::string, Prefix, std::less<>>;

  void add_prefix(Client& client, std::string prefix);
  void leave_prefixes(Client& client);
  void invalidate_key(std::string_view key);
  void note_for_broadcast(std::string_view key);
  void forget(std::unique_ptr<TrackedKey> tracked);
  void keep_within_limit();
  // `keys` is the encoded array of their names.
  void send(Client& client, std::string_view keys);
  void send_broadcast(Prefix& prefix);
  uint64_t changing_client() const;

  Executor& executor_;
  Table<TrackedKey, TrackedKeyTraits> table_;
  size_t items_ = 0;  // pairs of a key and a client
  Clients clients_;
  Prefixes prefixes_;
  std::map<size_t, size_t> prefix_lengths_;  // how many prefixes have each length
  bool flushed_ = false;
};

}  // namespace tandem
