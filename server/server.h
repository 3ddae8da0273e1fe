#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "functions/function_engine.h"
#include "functions/script_engine.h"
#include "persistence/persistence.h"
#include "replication/replication.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/link.h"
#include "server/base/link_counts.h"
#include "server/commands/debug_sessions.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "server/exec/outgoing.h"
#include "server/expire_cycle.h"
#include "server/shutdown.h"
#include "server/store/keyspace.h"
#include "server/traffic_rates.h"

namespace tandem {

// The world a server lives in: the machine's, or a simulated one. Outlives the server.
struct World {
  Env& env;
  Loop& loop;
  Clock& clock;
  uint64_t random_seed;
  // See Replication::World.
  std::function<Result<TransferPipe>()> make_pipe = {};
  // Of the loop; null when it counts nothing.
  const LinkCounts* link_counts = nullptr;
};

// A whole server without its sockets: builds the engines, wires them, and drives what happens in
// the background.
class Server final : public ServerControl {
 public:
  // The configuration is loaded and outlives the server.
  Server(Config& config, World world);
  ~Server() override;

  // Loads the dataset and starts the background work. `listen`, when given, opens the ports: it is
  // called once this server has its directory, before the loading; who connects then is served
  // through serve_while_loading, and told LOADING. On an error nothing on disk has changed.
  Status start(const std::function<Status()>& listen = {});

  // A connection has been accepted: who handles it, or null when it was refused.
  LinkHandler* accept(Link* link) { return executor_.accept(link); }
  // At the end of each loop turn, before output is sent.
  void end_of_turn();

  Services& services() { return services_; }
  Executor& executor() { return executor_; }
  Keyspace& keyspace() { return keyspace_; }
  FunctionEngine& functions() { return functions_; }
  Persistence& persistence() { return persistence_; }
  Replication& replication() { return replication_; }

  // Serves what has come in, and no more; called from time to time while the dataset is loaded.
  std::function<void()> serve_while_loading = [] {};
  // Told once a shutdown has saved what it had to: leave the loop.
  std::function<void()> on_shutdown = [] {};
  // A shutdown has failed or was aborted.
  std::function<void()> on_shutdown_cancelled = [] {};

  std::string info(std::span<const std::string_view> sections) override;
  Status shutdown(const ShutdownOptions& options, Client* client) override {
    return shutdown_.start(options, client);
  }
  bool abort_shutdown() override { return shutdown_.abort(); }
  void reset_stats() override;
  const std::string& run_id() const override { return run_id_; }
  int64_t started_ms() const override { return started_ms_; }
  size_t startup_memory() const override { return startup_memory_; }

 private:
  void wire_engines();
  void watch_configuration();
  Status install_preloaded(FunctionSet libraries);
  Status leave(const ShutdownOptions& options);
  void cron();
  TrafficTotals traffic_totals() const;
  LinkCounts link_counts() const {
    return world_.link_counts == nullptr ? LinkCounts{} : *world_.link_counts;
  }
  void expire_keys();
  void await_blocked_deadline();
  void make_room();
  void close_clients_past_limits();

  Config& config_;
  World world_;
  Services services_;
  Keyspace keyspace_;
  Executor executor_;
  ExpireCycle expire_cycle_;
  FunctionEngine functions_;
  ScriptEngine scripts_;
  DebugSessions debug_sessions_;
  Persistence persistence_;
  Replication replication_;
  Outgoing outgoing_;
  Shutdown shutdown_;
  TrafficRates traffic_;
  LinkCounts links_at_reset_;
  std::string run_id_;
  int64_t started_ms_;
  size_t startup_memory_ = 0;
  TimerId cron_timer_ = 0;
  TimerId expire_timer_ = 0;
  TimerId blocked_timer_ = 0;
  TimerId eviction_timer_ = 0;
};

}  // namespace tandem
