#include "replication/replication.h"

#include <algorithm>
#include <utility>

#include "replication/primary_connection.h"
#include "replication/request.h"
#include "server/base/log.h"
#include "server/exec/blocked_clients.h"

namespace tandem {

namespace {

constexpr uint64_t kCronMs = 1000;

std::string printable(std::string_view id) { return std::string(id.substr(0, 64)); }

}  // namespace

Replication::Replication(World world)
    : config_(world.config),
      loop_(world.loop),
      clock_(world.clock),
      executor_(world.executor),
      persistence_(world.persistence),
      random_(world.random_seed),
      history_(&random_),
      replicas_(&world.config, &world.clock, &world.executor,
                [this] { return persistence_.stream_limit(); }),
      full_sync_({world.config, world.env, world.loop, world.clock, world.executor,
                  world.persistence, replicas_, history_, random_, world.make_pipe}),
      waiting_(&world.loop, &world.executor,
               [this](const WriteGoal& goal) { return reach_of(goal); }),
      failover_({world.loop, world.executor, replicas_, history_,
                 [this](const std::string& host, int port) { follow(host, port); },
                 [this] { promote(); }}),
      digest_walk_(&executor_.keyspace(), &clock_, &random_,
                   [this] { return persistence_.hooks().library_sources(); }),
      digest_check_(
          &executor_.keyspace(), [this] { return persistence_.hooks().library_sources(); },
          [this](std::string_view question) { primary_->ask(question); }),
      primary_(std::make_unique<PrimaryConnection>(PrimaryConnection::Parts{
          world.config, world.env, world.loop, world.clock, world.executor, world.persistence,
          history_, [this](std::string_view bytes) { feed(bytes); },
          [this](const std::string& id) { resumed(id); },
          [this](const std::string& id, uint64_t offset) { replaced(id, offset); },
          [this](const std::string& id) { return !id.empty() && id == led_id_; },
          [this] { update_role(); }, [this] { return failover_.handing_over(); },
          [this](bool accepted) { failover_.answered(accepted); }})) {
  wire();
  update_role();
}

Replication::~Replication() {
  loop_.cancel(cron_timer_);
  executor_.effects().remove_sink(this);
}

void Replication::wire() {
  executor_.effects().add_sink(this);
  executor_.add_client_observer(this);
  executor_.replication_offset = [this] { return history_.offset(); };
  executor_.log_position = [this] { return persistence_.log_position(); };
  persistence_.hooks().log_synced = [this] { waiting_.acknowledged(); };
  persistence_.hooks().stream_released = [this] { replicas_.flush(); };
  persistence_.hooks().replication_position = [this] { return position(); };
  persistence_.hooks().restore_position = [this](const ReplicationPosition& restored) {
    restore_position(restored);
  };
  config_.on_change({"repl-backlog-size"}, [this] {
    if (Backlog* backlog = history_.backlog()) {
      backlog->resize(static_cast<uint64_t>(config_.settings().repl_backlog_size));
    }
    return Status();
  });
  config_.on_change({"import-mode"}, [this] {
    update_role();
    return Status();
  });
  config_.on_change({"min-replicas-to-write", "min-replicas-max-lag"}, [this] {
    update_good_replicas();
    return Status();
  });
}

void Replication::start() {
  no_replicas_since_ms_ = clock_.monotonic_ms();
  update_good_replicas();
  if (is_replica()) primary_->start();
  cron_timer_ = loop_.after(kCronMs, [this] { cron(); });
}

// What the rest of the server goes by.
void Replication::update_role() {
  DispatchState& state = executor_.state();
  state.is_replica = !config_.settings().replicaof_host.empty();
  state.primary_link_up = !state.is_replica || primary_->link_up();
  const bool others_expire = state.is_replica || config_.settings().import_mode;
  executor_.keyspace().set_expiry_policy(others_expire ? ExpiryPolicy::kHide
                                                       : ExpiryPolicy::kDelete);
  set_log_role(state.is_replica ? 'S' : 'M');
}

bool Replication::follow(const std::string& host, int port, bool force) {
  Settings& settings = config_.mutable_settings();
  if (settings.replicaof_host == host && settings.replicaof_port == port && !force) return false;
  const bool was_primary = !is_replica();
  settings.replicaof_host = host;
  settings.replicaof_port = port;
  update_role();
  if (was_primary) {
    led_id_ = history_.id();
    log_notice(
        "Before turning into a replica, using my own master parameters to synthesize a cached "
        "master: I may be able to synchronize with the new master with just a partial transfer.");
    primary_->set_stream_db(std::max(executor_.effects().selected_db(), 0));
    constexpr std::string_view kRoleChanged =
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> "
        "replica?)";
    waiting_.refuse_all(kRoleChanged);
    executor_.blocked().refuse_all(kRoleChanged);
    on_demotion(kRoleChanged);
  }
  primary_->start(force);
  update_good_replicas();
  return true;
}

void Replication::promote() {
  if (!is_replica()) return;
  primary_->stop();
  led_id_.clear();
  Settings& settings = config_.mutable_settings();
  settings.replicaof_host.clear();
  settings.replicaof_port = 0;
  history_.branch();
  log_notice("Setting secondary replication ID to " + history_.previous_id() +
             ", valid up to offset: " + std::to_string(history_.second_offset()) +
             ". New replication ID is " + history_.id());
  // They learn of the new id when they ask to go on.
  replicas_.close_all();
  executor_.effects().forget_selected_db();
  no_replicas_since_ms_ = clock_.monotonic_ms();
  update_role();
  update_good_replicas();
}

void Replication::change_replication_id() { history_.change_id(); }

bool Replication::wants_effects() const { return !is_replica() && history_.backlog() != nullptr; }

void Replication::on_effects(std::string_view bytes) { feed(bytes); }

void Replication::feed(std::string_view bytes) {
  history_.append(bytes);
  if (history_.backlog() != nullptr) replicas_.stream_grew(*history_.backlog());
}

void Replication::ensure_backlog(bool new_history) {
  if (history_.backlog() != nullptr) return;
  history_.ensure_backlog(static_cast<uint64_t>(config_.settings().repl_backlog_size), new_history);
  executor_.effects().forget_selected_db();
}

ReplicaHandshake& Replication::handshake(Client& client) { return handshakes_[client.id]; }

std::optional<std::string> Replication::refuse_sync(const Client& client) const {
  if (failover_.active()) return "NOMASTERLINK Can't SYNC while failing over";
  if (is_replica() && !primary_->link_up()) {
    return "NOMASTERLINK Can't SYNC while not connected with my master";
  }
  const auto found = handshakes_.find(client.id);
  if (found != handshakes_.end() && found->second.filtered() && !found->second.capa_eof) {
    return "ERR Filtered replica requires EOF capability";
  }
  return std::nullopt;
}

Replica& Replication::make_replica(Client& client) {
  Replica& replica = replicas_.add(client, handshake(client));
  handshakes_.erase(client.id);
  return replica;
}

std::optional<std::string> Replication::psync(Client& client, std::string_view id, int64_t offset,
                                              bool take_over) {
  if (client.kind != ClientKind::kNormal) return std::nullopt;
  if (take_over) {
    if (!is_replica()) return "ERR PSYNC FAILOVER can't be sent to a master.";
    if (id != history_.id()) return "ERR PSYNC FAILOVER replid must match my replid.";
    log_notice("Failover request received for replid " + history_.id() + ".");
    promote();
  }
  if (auto refused = refuse_sync(client)) return refused;
  if (resume(client, id, offset)) {
    ++stats_.sync_partial_ok;
  } else {
    if (id != "?") ++stats_.sync_partial_err;
    start_full_sync(client, true);
  }
  return std::nullopt;
}

std::optional<std::string> Replication::sync(Client& client) {
  if (client.kind != ClientKind::kNormal) return std::nullopt;
  if (auto refused = refuse_sync(client)) return refused;
  start_full_sync(client, false);
  return std::nullopt;
}

bool Replication::resume(Client& client, std::string_view id, int64_t offset) {
  if (id == "?") return false;
  if (!history_.can_resume(id, offset)) {
    log_notice("Partial resynchronization not accepted: replica asked for '" + printable(id) +
               "' from offset " + std::to_string(offset) + ", my replication IDs are '" +
               history_.id() + "' and '" + history_.previous_id() + "', my offset is " +
               std::to_string(history_.offset()));
    return false;
  }
  Replica& replica = make_replica(client);
  replicas_.send(replica, replica.handshake.capa_psync2 ? "+CONTINUE " + history_.id() + "\r\n"
                                                        : std::string("+CONTINUE\r\n"));
  Backlog& backlog = *history_.backlog();
  const auto from = static_cast<uint64_t>(offset);
  log_notice("Partial resynchronization request from " + replica.name() + " accepted. Sending " +
             std::to_string(backlog.end_offset() - from) +
             " bytes of backlog starting from offset " + std::to_string(offset) + ".");
  replicas_.begin_stream(replica, &backlog, from);
  replicas_.set_online(replica);
  update_good_replicas();
  return true;
}

void Replication::start_full_sync(Client& client, bool announce) {
  Replica& replica = make_replica(client);
  replica.announce_sync = announce;
  ++stats_.sync_full;
  log_notice("Replica " + replica.name() + " asks for synchronization");
  if (!replica.handshake.rdb_only) ensure_backlog(true);
  full_sync_.request(replica);
}

void Replication::acknowledged(Client& client, uint64_t offset,
                               std::optional<uint64_t> aof_offset) {
  Replica* replica = replicas_.find(client);
  if (replica == nullptr) return;
  replica->acknowledged = std::max(replica->acknowledged, offset);
  if (aof_offset) replica->aof_acknowledged = std::max(replica->aof_acknowledged, *aof_offset);
  replicas_.heard_from(*replica);
  full_sync_.acknowledged(*replica);
  waiting_.acknowledged();
  update_good_replicas();
  failover_.check();
}

void Replication::ack_requested(const Client& client) {
  if (client.kind == ClientKind::kPrimary) primary_->acknowledge_soon();
}

std::optional<WriteReach> Replication::wait(Client& client, WriteGoal* goal, int64_t timeout_ms) {
  goal->offset = client.last_write_offset;
  goal->log_position = client.last_write_log_position;
  const WriteReach reach = reach_of(*goal);
  // A transaction or a function cannot stop half way.
  if (reach.satisfies(*goal) || !executor_.can_block(client)) return reach;
  waiting_.add(client, *goal, timeout_ms);
  if (!failover_.active()) ask_for_acknowledgements();
  return std::nullopt;
}

void Replication::ask_for_acknowledgements() {
  // A replica's stream is its primary's: a byte of its own would shift every offset after it.
  if (!is_replica() && !replicas_.empty()) feed(encode_request({"REPLCONF", "GETACK", "*"}));
}

std::optional<std::string> Replication::failover(Failover::Request request) {
  if (failover_.active()) return "ERR FAILOVER already in progress.";
  if (is_replica()) return "ERR FAILOVER is not valid when server is a replica.";
  if (auto refused = failover_.start(std::move(request))) return refused;
  // The last bytes of the stream until the new primary goes on with it.
  ask_for_acknowledgements();
  return std::nullopt;
}

std::optional<std::string> Replication::abort_failover() {
  if (!failover_.active()) return "ERR No failover in progress.";
  failover_.abort("Failover manually aborted");
  return std::nullopt;
}

WriteReach Replication::reach_of(const WriteGoal& goal) const {
  return {.local = goal.durable && persistence_.durable(goal.log_position),
          .replicas = replicas_.count_acknowledged(goal.offset, goal.durable)};
}

void Replication::client_closed(Client& client) {
  handshakes_.erase(client.id);
  waiting_.client_closed(client);
  Replica* replica = replicas_.find(client);
  if (replica == nullptr) return;
  log_notice("Connection with replica " + replica->name() + " lost.");
  full_sync_.replica_gone(*replica);
  replicas_.remove(client);
  if (replicas_.empty()) no_replicas_since_ms_ = clock_.monotonic_ms();
  update_good_replicas();
}

void Replication::resumed(const std::string& id) {
  led_id_.clear();
  if (!id.empty() && id != history_.id()) {
    history_.branch(id);
    log_notice("Master replication ID changed to " + id);
    // Replicas of this server have to learn of it too.
    replicas_.close_all();
  }
  ensure_backlog(false);
}

void Replication::replaced(const std::string& id, uint64_t offset) {
  led_id_.clear();
  // What they have is not part of this history.
  replicas_.close_all();
  history_.adopt(id, offset);
  ensure_backlog(false);
  digest_check_.forget_findings();
}

ReplicationPosition Replication::position() const {
  // Without a backlog nothing is counted.
  if (history_.backlog() == nullptr) return {};
  const int db = is_replica() ? primary_->stream_db() : executor_.effects().selected_db();
  return {history_.id(), history_.offset(), std::max(db, 0)};
}

void Replication::restore_position(const ReplicationPosition& position) {
  constexpr size_t kIdLength = 40;
  if (position.id.size() != kIdLength) return;
  if (is_replica()) {
    history_.adopt(position.id, position.offset);
    primary_->set_stream_db(
        std::clamp(position.stream_db, 0, executor_.keyspace().database_count() - 1));
  } else {
    history_.continue_from(position.id, position.offset);
  }
  ensure_backlog(false);
}

void Replication::cron() {
  cron_timer_ = loop_.after(kCronMs, [this] { cron(); });
  ++cron_runs_;
  if (is_replica()) {
    primary_->cron();
  } else {
    primary_cron();
  }
  replicas_.cron();
  full_sync_.cron();
  update_good_replicas();
  failover_.check();
}

void Replication::primary_cron() {
  const Settings& settings = config_.settings();
  if (!replicas_.empty()) {
    const auto period = static_cast<uint64_t>(settings.repl_ping_replica_period);
    if (cron_runs_ % period == 0 && !failover_.active()) feed(encode_request({"PING"}));
    send_digest();
    return;
  }
  if (history_.backlog() == nullptr || settings.repl_backlog_ttl == 0) return;
  const int64_t alone_ms = clock_.monotonic_ms() - no_replicas_since_ms_;
  if (alone_ms <= settings.repl_backlog_ttl * 1000) return;
  // From here on writes are not counted: nobody may take what follows for this history.
  history_.change_id();
  history_.drop_backlog();
  log_notice("Replication backlog freed after " + std::to_string(settings.repl_backlog_ttl) +
             " seconds without connected replicas.");
}

// Behind all effects so far and in front of those to come: nothing is half done here.
void Replication::send_digest() {
  const auto period = static_cast<uint64_t>(config_.settings().repl_digest_period);
  if (period == 0 || cron_runs_ % period != 0 || failover_.active()) return;
  if (executor_.effects().in_unit() || replicas_.count_acknowledged(0) == 0) return;
  feed(encode_request({"PING", digest_walk_.next_slice()}));
}

void Replication::digest_asked(Client& client, std::string_view question) {
  if (replicas_.find(client) == nullptr) return;
  // Only who writes the stream can answer in it.
  if (is_replica()) return primary_->ask(question);
  if (auto asked = DigestQuestion::parse(question)) digest_walk_.ask(*std::move(asked));
}

void Replication::update_good_replicas() {
  const Settings& settings = config_.settings();
  executor_.state().too_few_replicas = !is_replica() && settings.min_replicas_to_write > 0 &&
                                       settings.min_replicas_max_lag > 0 &&
                                       replicas_.count_good() < settings.min_replicas_to_write;
}

ReplicationInfo Replication::info() const {
  const Settings& settings = config_.settings();
  ReplicationInfo info;
  info.is_replica = is_replica();
  if (info.is_replica) primary_->describe(&info);
  info.priority = settings.replica_priority;
  info.read_only = settings.replica_read_only;
  info.announced = settings.replica_announced;
  info.replicas = replicas_.info();
  if (settings.min_replicas_to_write > 0 && settings.min_replicas_max_lag > 0) {
    info.good_replicas = replicas_.count_good();
  }
  info.failover_state = failover_.state_name();
  info.id = history_.id();
  info.previous_id = history_.previous_id();
  info.offset = history_.offset();
  info.second_offset = history_.second_offset();
  info.backlog_size = settings.repl_backlog_size;
  if (const Backlog* backlog = history_.backlog()) {
    info.backlog_active = true;
    info.backlog_first_offset = backlog->first_offset();
    info.backlog_length = backlog->length();
    info.replica_memory = stream_beyond_backlog();
    info.backlog_memory = backlog->memory_bytes() - info.replica_memory;
  }
  info.digests = digest_check_.info();
  info.digests.slices_sent = digest_walk_.slices();
  info.digests.rounds_sent = digest_walk_.rounds();
  info.digests.sending = !info.is_replica && settings.repl_digest_period > 0;
  info.stats = stats_;
  info.bytes_in = primary_->bytes_in();
  info.raw_bytes_in = primary_->raw_bytes_in();
  info.bytes_out = replicas_.bytes_out();
  info.raw_bytes_out = replicas_.raw_bytes_out();
  return info;
}

// Memory of the stream that only slow replicas need.
size_t Replication::stream_beyond_backlog() const {
  const Backlog* backlog = history_.backlog();
  if (backlog == nullptr || replicas_.empty()) return 0;
  const auto wanted = static_cast<size_t>(config_.settings().repl_backlog_size);
  return backlog->memory_bytes() - std::min(wanted, backlog->memory_bytes());
}

StreamMemory Replication::stream_memory(const Client& client) const {
  const Replica* replica = replicas_.find(client);
  if (replica == nullptr || replica->stream == nullptr) return {};
  const BacklogReader& reader = replica->stream->reader();
  return {.blocks = reader.blocks(), .bytes = reader.memory_bytes()};
}

void Replication::reset_stats() {
  stats_ = {};
  digest_check_.reset();
}

}  // namespace tandem
