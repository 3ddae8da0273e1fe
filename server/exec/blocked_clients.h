#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/exec/call.h"
#include "server/exec/client.h"
#include "server/exec/database_key.h"

namespace tandem {

// Clients whose command waits for keys (BLPOP, XREAD, …). Each keeps a copy of its arguments and
// its place among those that wait for the same key. When such a key changes, it is noted as ready;
// once the unit that changed it has ended, the commands run again, in the order in which they came,
// until the key has nothing more to give. A command that still finds nothing blocks again and keeps
// its place.
class BlockedClients final : public Blocker {
 public:
  explicit BlockedClients(Executor& executor);
  ~BlockedClients() override;

  // See Call::block_on_keys().
  void add(Call& call, std::span<const std::string_view> keys, ValueType type, int64_t deadline_ms,
           const BlockOptions& options);
  // Forgets a client that is about to go.
  void remove(const Client& client);

  // A key has changed, appeared or gone.
  void key_modified(int db, std::string_view key) {
    if (!queues_.empty()) mark_ready(db, key);
  }
  // Any key of a database may have.
  void database_replacing(int db);

  // Runs what waits for keys that are ready. Nothing happens inside a unit, while effects are
  // suspended, or when called from what it runs: the end of the loop's turn comes back to it.
  void serve() {
    if (!ready_.empty()) serve_ready();
  }

  // Answers those whose deadline has come.
  void time_out();
  // The earliest deadline in milliseconds of the monotonic clock; 0: there is none.
  int64_t next_deadline_ms() const { return deadlines_.empty() ? 0 : deadlines_.begin()->first; }
  // Called when a deadline has become the earliest one: time_out() is wanted then.
  std::function<void()> on_earlier_deadline = [] {};

  // CLIENT UNBLOCK.
  void unblock(Client& client, std::string_view error) override;
  // Runs the client's command if CLIENT PAUSE has kept it from running again; false when the client
  // is not one of these.
  bool run_paused(Client& client);
  // Answers everyone with this error and closes them: this server has become a replica.
  void refuse_all(std::string_view error);

  // For INFO.
  size_t with_deadline() const { return deadlines_.size(); }
  size_t key_count() const { return queues_.size(); }
  size_t wake_when_gone_key_count() const;

 private:
  struct Blocked;
  // The clients that wait for one key, by arrival.
  struct Queue {
    std::map<uint64_t, Blocked*> clients;
    size_t wake_when_gone = 0;  // of them
    bool ready = false;         // is in ready_
  };
  using Queues = std::unordered_map<DatabaseKey, Queue, DatabaseKeyHash, DatabaseKeyEqual>;
  struct Blocked {
    Client* client;
    uint64_t arrival;
    std::vector<std::string> args;
    ValueType type;
    bool wake_when_gone;
    int64_t deadline_ms;
    // Where it waits; empty while it runs and while CLIENT PAUSE holds it back.
    std::vector<Queues::value_type*> queues = {};
  };

  void enqueue(Blocked& blocked, int db, std::span<const std::string_view> keys);
  void dequeue(Blocked& blocked);
  void mark_ready(int db, std::string_view key);
  void mark_ready(Queues::value_type& queue);
  void serve_ready();
  void serve_key(const DatabaseKey& key);
  bool wanted_by(const Blocked& blocked, const Entry* entry) const;
  void run(Blocked& blocked);
  template <typename Write>
  void answer(Client& client, Write write);

  Executor& executor_;
  std::unordered_map<uint64_t, Blocked> clients_;  // by client id
  Queues queues_;
  std::vector<DatabaseKey> ready_;
  std::set<std::pair<int64_t, uint64_t>> deadlines_;  // with the client's id
  uint64_t next_arrival_ = 1;
  bool serving_ = false;
};

}  // namespace tandem
