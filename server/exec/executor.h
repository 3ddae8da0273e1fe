#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/exec/call.h"
#include "server/exec/call_watch.h"
#include "server/exec/client.h"
#include "server/exec/command.h"
#include "server/exec/effects.h"
#include "server/store/keyspace.h"

namespace tandem {

// What the dispatch checks look at; the engines keep it current.
struct DispatchState {
  bool loading = false;     // the dataset is being read: LOADING
  bool is_replica = false;  // has a primary: READONLY for writes when replica-read-only
  bool primary_link_up =
      true;  // a replica without its primary: MASTERDOWN when replica-serve-stale-data is no
  // Why writes are refused on a primary ("MISCONF …" to the letter), empty while all is well.
  std::string misconf;
  bool too_few_replicas = false;   // min-replicas-to-write: NOREPLICAS
  bool over_memory_limit = false;  // maxmemory: OOM for denyoom commands
  // The text of BUSY while a function or script has run past busy-reply-threshold, else empty.
  std::string busy;

  // Whether nothing of this can refuse a request: nearly always.
  bool all_well() const {
    return !loading && !is_replica && !too_few_replicas && !over_memory_limit && misconf.empty() &&
           busy.empty();
  }
  // CLIENT PAUSE: until when (monotonic ms), and whether only writes wait.
  int64_t paused_until_ms = 0;
  bool pause_writes_only = false;
  // FAILOVER is under way, or a shutdown waits for replicas: writes wait.
  bool failing_over = false;
  bool shutting_down = false;
  // Whether expired keys that nobody looks at are removed (DEBUG SET-ACTIVE-EXPIRE).
  bool active_expire = true;
};

// Counters of INFO stats and commandstats that dispatch keeps.
struct ExecutorStats {
  uint64_t connections_received = 0;
  uint64_t connections_rejected = 0;
  uint64_t commands_processed = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t unexpected_errors = 0;
  uint64_t total_error_replies = 0;
  uint64_t evicted_keys = 0;
  uint64_t evicted_clients = 0;
  uint64_t client_output_limit_disconnections = 0;
  uint64_t client_query_limit_disconnections = 0;
  std::map<std::string, uint64_t, std::less<>> errors;  // by code: errorstats
};

// Who is told when a client's state in the engines must end with it.
class ClientObserver {
 public:
  virtual ~ClientObserver() = default;
  virtual void client_closed(Client& client) = 0;
};

class BlockedClients;
class ClientMemory;
class Eviction;
class Monitors;
class WatchedKeys;

// The dispatcher: owns the clients, checks each request against the server's state, runs it, and
// hands its effects on. Everything here runs on the loop thread.
class Executor final : public KeyspaceObserver, public ErrorListener {
 public:
  Executor(Keyspace& keyspace, Config& config, Clock& clock, Services& services);
  ~Executor() override;

  CommandTable& commands() { return commands_; }
  EffectStream& effects() { return effects_; }
  DispatchState& state() { return state_; }
  ExecutorStats& stats() { return stats_; }
  Keyspace& keyspace() { return keyspace_; }
  Config& config() { return config_; }
  Clock& clock() { return clock_; }
  Services& services() { return services_; }
  // What is remembered of the commands that ran, and of what kept others waiting.
  CallWatch& watch() { return watch_; }
  // Changes to the dataset since the last successful save.
  uint64_t dirty() const { return dirty_; }
  void set_dirty(uint64_t dirty) { dirty_ = dirty; }
  // Replication offset after the last unit: set by the replication engine, remembered by each
  // writing client.
  std::function<uint64_t()> replication_offset = [] { return uint64_t{0}; };
  // The same of the AOF.
  std::function<uint64_t()> log_position = [] { return uint64_t{0}; };
  // How many bytes of a client's output may go out now: set by the AOF, for whose syncs replies may
  // have to wait.
  std::function<size_t(Client&)> sendable_output = [](Client&) { return OutputBuffer::kAll; };
  // Whether this client's running command may wait: not inside MULTI or a function.
  bool can_block(const Client& client) const {
    return client.kind == ClientKind::kNormal && call_depth_ == 1;
  }

  // Makes a client for an accepted connection, or refuses it (maxclients, protected-mode) with an
  // error and closes it.
  Client* accept(Link* link);
  // A client for a link that this server opened or that skips the checks of accept().
  Client* adopt_link(Link* link, ClientKind kind);
  // A client without a connection.
  std::unique_ptr<Client> make_internal_client(ClientKind kind);
  Client* find_client(uint64_t id);
  const std::unordered_map<uint64_t, std::unique_ptr<Client>>& clients() const { return clients_; }
  void add_client_observer(ClientObserver* observer) { client_observers_.push_back(observer); }
  // Called by a client whose link is gone; destroys it.
  void remove_client(Client& client);

  // One request of a client: all checks, MULTI queueing, execution. False when CLIENT PAUSE holds
  // it back: the client is blocked and the request is to be given again once it resumes.
  bool execute(Client& client, Args args);
  // The same for requests that arrived together: the clock is read for the batch, not for each.
  void begin_batch();
  bool execute_in_batch(Client& client, Args args, Command* found = nullptr);
  // Starts loading what a coming request will look up: the bucket of its first key and then, once
  // it is the next to run, the entries that bucket names. Only ever a matter of speed.
  // Returns the command of that name, which execute_in_batch() then need not look up; null when
  // there is none.
  Command* prefetch_bucket(const Client& client, Args args);
  void prefetch_entry(const Client& client);
  const RequestLimits& request_limits() const { return request_limits_; }
  // Closes the client when its output has passed client-output-buffer-limit.
  void check_output_limit(Client& client);
  // The size of the output up to which check_output_limit() has nothing to find.
  size_t harmless_output(ClientClass of) const;
  OutputBufferLimit output_limit(ClientClass of) const;
  // Runs a command that has been resolved and whose argument count fits, as part of a transaction,
  // a function or the AOF: no checks of the client. The effects join the open unit.
  void call(Client& client, Command& command, Args args, Reply& reply);
  // Whether the server's state lets what has these CommandFlags run for this client: a function, or
  // a command that it runs. The error to reply, or empty.
  std::string refusal(const Client& client, uint32_t command_flags) const;

  // Runs a transaction's queue, replying an array. WATCH has been checked.
  void run_transaction(Call& exec_call);
  void watch(Client& client, std::string_view key);
  // Whether no key that the client WATCHes has changed or expired since.
  bool watch_intact(Client& client);
  void unwatch_all(Client& client);
  WatchedKeys& watched_keys() { return *watched_; }
  // Frees memory when more than maxmemory is used, as far as one step may, and sets
  // DispatchState::over_memory_limit: whether there was nothing to free. Dispatch does it before
  // each command.
  void make_room();
  Eviction& eviction() { return *eviction_; }
  ClientMemory& client_memory() { return *client_memory_; }
  // Clients that wait for keys.
  BlockedClients& blocked() { return *blocked_; }
  // A blocked command has been answered without another run: it counts as one call.
  void count_blocked_call(Client& client, bool failed);
  void discard_transaction(Client& client);

  // The command that runs now, for the crash report and SLOWLOG; null when idle.
  const Call* current_call() const { return current_call_; }
  // The client whose request runs now; null between requests.
  Client* serving() const { return serving_; }
  PubSub& pubsub() { return *pubsub_; }
  const PubSub& pubsub() const { return *pubsub_; }
  Monitors& monitors() { return *monitors_; }
  Tracking& tracking() { return *tracking_; }
  const Tracking& tracking() const { return *tracking_; }
  // Calls now, the frozen time refreshed only by the outermost.
  int call_depth() const { return call_depth_; }
  void refresh_time();
  // The frozen time, in microseconds since the Unix epoch; Call::now_ms() is its milliseconds.
  int64_t now_us() const { return now_us_; }

  // Tells subscribers of a keyspace event, when notify-keyspace-events asks for its class.
  void notify(int db, KeyspaceEvent event_class, std::string_view event, std::string_view key) {
    if ((config_.settings().notify_keyspace_events & event_class) != 0) {
      publish_event(db, event_class, event, key);
    }
  }

  // Lets the loop serve other clients while a function runs too long (set by the network; may be
  // empty).
  std::function<void()> serve_while_busy;
  // Counts an error reply in errorstats; encoders report theirs, other sinks' owners call it.
  void on_error_reply(std::string_view text) override;

  // Whether CLIENT PAUSE, FAILOVER or a pending shutdown is in force; no key is evicted or found
  // expired by itself meanwhile.
  bool paused() const { return state_.failing_over || state_.shutting_down || clients_paused(); }
  // Requests that were held back by any of them are looked at again.
  void resume_paused_clients();

  void key_modified(int db, std::string_view key) override;
  void key_expired(int db, std::string_view key) override;
  void key_created(int db, std::string_view key) override;
  void key_missed(int db, std::string_view key) override;
  void database_cleared(int db) override;
  void fields_expired(int db, std::string_view key, std::span<const std::string> fields,
                      bool key_removed) override;
  void database_replacing(int db) override;

 private:
  friend class Client;

  // What the server's state is asked for: a command's flags, or those of all that EXEC would run.
  struct Demand {
    uint32_t flags = 0;           // that it has
    uint32_t missing = 0;         // that it, or one of the commands, lacks
    bool answers_health = false;  // PING: says whether writes would be taken
  };
  Demand demand_of(const Client& client, const Command& command, Args args) const;
  // The flags of a request: its command's, or those that a function declares.
  uint32_t flags_of(const Command& command, Args args) const;

  // The text of the refusal, or empty: what the client's rights and the server's state decide.
  std::string check(const Client& client, const Command& command, Args args) const;
  std::string state_refusal(const Demand& demand) const;
  std::string write_refusal() const;
  bool refuse_attack(Client& client, std::string_view name);
  void run(Client& client, Command& command, Args args);
  void finish_tracking(Client& client, const Command& command);
  void publish_event(int db, KeyspaceEvent event_class, std::string_view event,
                     std::string_view key);
  void reject(Client& client, Command* command, std::string_view error);
  void queue(Client& client, Command& command, Args args);
  bool clients_paused() const {
    return state_.paused_until_ms != 0 && clock_.monotonic_ms() < state_.paused_until_ms;
  }
  bool must_wait_for_pause(const Client& client, const Command& command, Args args) const;

  Keyspace& keyspace_;
  Config& config_;
  Clock& clock_;
  Services& services_;
  CommandTable commands_;
  EffectStream effects_;
  DispatchState state_;
  ExecutorStats stats_;
  std::unordered_map<uint64_t, std::unique_ptr<Client>> clients_;
  std::vector<ClientObserver*> client_observers_;
  std::unique_ptr<WatchedKeys> watched_;
  std::unique_ptr<BlockedClients> blocked_;
  std::unique_ptr<PubSub> pubsub_;
  Client* serving_ = nullptr;
  std::unique_ptr<Eviction> eviction_;
  std::unique_ptr<ClientMemory> client_memory_;
  std::unique_ptr<Monitors> monitors_;
  std::unique_ptr<Tracking> tracking_;
  CallWatch watch_;
  const Call* current_call_ = nullptr;
  RequestLimits request_limits_;
  // Of the request that prefetch_bucket() has seen last.
  uint64_t prefetched_hash_ = 0;
  bool prefetched_ = false;
  uint64_t last_tick_ = 0;  // when the last call ended
  std::vector<uint64_t> paused_clients_;
  uint64_t next_client_id_ = 1;
  int64_t now_us_ = 0;
  uint64_t batch_started_ticks_ = 0;
  const uint64_t stale_clock_ticks_;
  uint64_t dirty_ = 0;
  int call_depth_ = 0;
};

}  // namespace tandem
