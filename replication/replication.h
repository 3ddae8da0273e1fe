#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "persistence/persistence.h"
#include "replication/digest_check.h"
#include "replication/digest_walk.h"
#include "replication/failover.h"
#include "replication/full_sync.h"
#include "replication/handshake.h"
#include "replication/history.h"
#include "replication/info.h"
#include "replication/replica_set.h"
#include "replication/waiting_clients.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/link.h"
#include "server/base/random.h"
#include "server/exec/executor.h"

namespace tandem {

class PrimaryConnection;

// Replication, in both roles. As a primary it keeps the stream of effects in a backlog and sends it
// to replicas; as a replica it follows another server, and passes what it receives on, unchanged,
// to its own backlog, replicas and AOF. Runs on the loop thread.
//
// It makes itself known to the executor (effects, clients, offsets) and to persistence (position
// hooks) when it is built, and keeps the executor's is_replica, primary_link_up and
// too_few_replicas and the keyspace's expiry policy current.
class Replication final : public EffectSink, public ClientObserver {
 public:
  // What it works with; all of it outlives it.
  struct World {
    Config& config;
    Env& env;
    Loop& loop;
    Clock& clock;
    Executor& executor;
    Persistence& persistence;
    uint64_t random_seed = 0;
    // Makes the pipe of a diskless full sync; a simulated world gives one that holds everything
    // that is written before any of it is read. Empty: pipe(2).
    std::function<Result<TransferPipe>()> make_pipe = {};
  };
  // Takes its role from the configuration's replicaof, so that loading knows it.
  explicit Replication(World world);
  ~Replication() override;

  // Begins to follow the configured primary and starts the timers. After persistence has loaded.
  void start();

  bool is_replica() const { return executor_.state().is_replica; }

  // REPLICAOF host port [FORCE]. False when that primary is followed already; `force` starts anew
  // all the same, and takes the sync of an empty primary.
  bool follow(const std::string& host, int port, bool force = false);
  // REPLICAOF NO ONE. Nothing happens on a primary.
  void promote();
  // DEBUG CHANGE-REPL-ID: no replica of before can resume.
  void change_replication_id();

  // REPLCONF's options, kept until the client asks for data or goes.
  ReplicaHandshake& handshake(Client& client);
  // PSYNC: `id` "?" asks for a full sync. Makes the client a replica and serves it; with
  // `take_over` this replica becomes the primary first, as its own primary asks. An error text is
  // to be replied, and nothing has changed then.
  std::optional<std::string> psync(Client& client, std::string_view id, int64_t offset,
                                   bool take_over);
  // SYNC: a full sync without the line that announces it.
  std::optional<std::string> sync(Client& client);
  // REPLCONF ACK [FACK]. Ignored for a client that is no replica.
  void acknowledged(Client& client, uint64_t offset, std::optional<uint64_t> aof_offset);
  // REPLCONF GETACK. Ignored unless this server's primary asks.
  void ack_requested(const Client& client);

  // WAIT and WAITAOF: how far the client's last write has come; `goal` says how far it should, and
  // where that write ended is filled in here. Without a value the client is blocked and answered
  // later.
  std::optional<WriteReach> wait(Client& client, WriteGoal* goal, int64_t timeout_ms);

  // FAILOVER, and its ABORT. An error text is to be replied, and nothing has changed then.
  std::optional<std::string> failover(Failover::Request request);
  std::optional<std::string> abort_failover();
  bool failing_over() const { return failover_.active(); }

  // Whether all replicas have acknowledged the whole stream; one in a full sync has not.
  bool replicas_in_sync() const { return replicas_.all_acknowledged(history_.offset()); }
  // Has the replicas say how far they are at once, instead of within a second. Nothing happens on a
  // replica: its stream is its primary's.
  void ask_for_acknowledgements();
  // This server was a primary and becomes a replica: the error is for clients that wait.
  std::function<void(std::string_view error)> on_demotion = [](std::string_view) {};

  // The argument of a PING in the primary's stream: a digest to be compared.
  void check_digest(std::string_view text) { digest_check_.check(text); }

  // REPLCONF ACK … DIGEST-ASK: a replica asks about keys. Ignored for a client that is no replica.
  void digest_asked(Client& client, std::string_view question);

  ReplicationInfo info() const;
  // What waits to be sent to replicas; a backlog of the wanted size is not part of it.
  size_t output_bytes() const { return replicas_.output_bytes() + stream_beyond_backlog(); }
  // What is kept of the stream because a client has not read it; nothing unless it is a replica.
  StreamMemory stream_memory(const Client& client) const;
  void reset_stats();

  EffectTarget target() const override { return kEffectToReplicas; }
  bool wants_effects() const override;
  void on_effects(std::string_view bytes) override;
  void client_closed(Client& client) override;

 private:
  void wire();
  void cron();
  void primary_cron();
  void send_digest();
  void update_role();
  WriteReach reach_of(const WriteGoal& goal) const;
  void update_good_replicas();
  // The one place where bytes enter the stream: backlog and replicas.
  void feed(std::string_view bytes);
  std::optional<std::string> refuse_sync(const Client& client) const;
  Replica& make_replica(Client& client);
  bool resume(Client& client, std::string_view id, int64_t offset);
  void start_full_sync(Client& client, bool announce);
  void ensure_backlog(bool new_history);
  void resumed(const std::string& id);
  void replaced(const std::string& id, uint64_t offset);
  size_t stream_beyond_backlog() const;
  ReplicationPosition position() const;
  void restore_position(const ReplicationPosition& position);

  Config& config_;
  Loop& loop_;
  Clock& clock_;
  Executor& executor_;
  Persistence& persistence_;
  Random random_;
  ReplicationHistory history_;
  // The id of the history that this server led until it became a replica; empty once its data
  // follow another one.
  std::string led_id_;
  ReplicaSet replicas_;
  FullSync full_sync_;
  WaitingClients waiting_;
  Failover failover_;
  DigestWalk digest_walk_;
  DigestCheck digest_check_;
  std::unique_ptr<PrimaryConnection> primary_;
  std::unordered_map<uint64_t, ReplicaHandshake> handshakes_;  // by client id
  ReplicationStats stats_;
  TimerId cron_timer_ = 0;
  uint64_t cron_runs_ = 0;
  int64_t no_replicas_since_ms_ = 0;
};

}  // namespace tandem
