#include "server/exec/executor.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "server/base/crash.h"
#include "server/base/log.h"
#include "server/base/strings.h"
#include "server/exec/blocked_clients.h"
#include "server/exec/client_memory.h"
#include "server/exec/eviction.h"
#include "server/exec/monitors.h"
#include "server/exec/pubsub.h"
#include "server/exec/standstill.h"
#include "server/exec/tracking.h"
#include "server/exec/watched_keys.h"

namespace tandem {

namespace {

constexpr size_t kShownArgBytes = 128;
// After a call this long the clock is read again, so that the batch's later commands see the time
// that passed.
constexpr uint64_t kStaleClockUs = 500;

std::string unknown_command(Args args) {
  std::string text = "ERR unknown command '";
  text.append(args[0].substr(0, kShownArgBytes)).append("', with args beginning with: ");
  size_t shown = 0;
  for (size_t i = 1; i < args.size() && shown < kShownArgBytes; ++i) {
    const std::string_view arg = args[i].substr(0, kShownArgBytes - shown);
    text.append("'").append(arg).append("' ");
    shown += arg.size();
  }
  return text;
}

std::string unknown_subcommand(const Command& container, Args args) {
  std::string text = "ERR unknown subcommand '";
  text.append(args[1].substr(0, kShownArgBytes)).append("'. Try ");
  return text.append(to_upper(container.name)).append(" HELP.");
}

// The name of the function that a command calls, or that has run it; empty: none.
std::string_view function_of(const Call& call, const Call* outer) {
  const std::string_view called = called_function(call.command, call.args);
  if (!called.empty() || outer == nullptr) return called;
  return called_function(outer->command, outer->args);
}

// The running command as it was received, for the crash report: runs in a signal handler, so it
// only copies.
size_t describe_running_call(const void* subject, char* out, size_t capacity) {
  const Call* call = static_cast<const Executor*>(subject)->current_call();
  if (call == nullptr) return 0;
  const bool hide = call->executor.config().settings().hide_user_data_from_log;
  size_t length = 0;
  for (std::string_view arg : call->args) {
    if (length > 0 && hide) arg = "*redacted*";
    if (length > 0 && length < capacity) out[length++] = ' ';
    const size_t shown = std::min({arg.size(), kShownArgBytes, capacity - length});
    std::memcpy(out + length, arg.data(), shown);
    length += shown;
  }
  return length;
}

}  // namespace

Executor::Executor(Keyspace& keyspace, Config& config, Clock& clock, Services& services)
    : keyspace_(keyspace),
      config_(config),
      clock_(clock),
      services_(services),
      watched_(std::make_unique<WatchedKeys>()),
      blocked_(std::make_unique<BlockedClients>(*this)),
      pubsub_(std::make_unique<PubSub>()),
      eviction_(std::make_unique<Eviction>(*this)),
      client_memory_(std::make_unique<ClientMemory>(*this)),
      monitors_(std::make_unique<Monitors>()),
      tracking_(std::make_unique<Tracking>(*this)),
      watch_(config, clock),
      stale_clock_ticks_(kStaleClockUs * ticks_per_us()) {
  keyspace_.set_observer(this);
  refresh_time();
  set_crash_context_provider(describe_running_call, this);
}

Executor::~Executor() {
  set_crash_context_provider(nullptr, nullptr);
  keyspace_.set_observer(nullptr);
}

void Executor::refresh_time() {
  now_us_ = clock_.wall_us();
  keyspace_.set_time(now_us_ / 1000);
  batch_started_ticks_ = last_tick_ = tick_count();
}

void Executor::begin_batch() {
  // Inside a call the time is frozen.
  if (call_depth_ == 0) refresh_time();
  request_limits_.max_bulk_bytes = config_.settings().proto_max_bulk_len;
}

void Executor::make_room() { state_.over_memory_limit = !eviction_->make_room(); }

bool Executor::execute(Client& client, Args args) {
  begin_batch();
  return execute_in_batch(client, args);
}

bool Executor::execute_in_batch(Client& client, Args args, Command* found) {
  client.last_interaction_ms = keyspace_.now_ms();
  Command* command = found != nullptr ? commands_.resolve(found, args) : commands_.resolve(args);
  if (command == nullptr) {
    if (refuse_attack(client, args[0])) return true;
    reject(client, nullptr, unknown_command(args));
    return true;
  }
  if (!command->accepts_arg_count(args.size())) {
    reject(client, command, "ERR wrong number of arguments for '" + command->name + "' command");
    return true;
  }
  if (command->handler == nullptr) {
    reject(client, command, unknown_subcommand(*command, args));
    return true;
  }
  client.last_command = command;
  if (config_.settings().maxmemory > 0 || state_.over_memory_limit) make_room();
  const std::string refused = check(client, *command, args);
  if (!refused.empty()) {
    reject(client, command, refused);
    return true;
  }
  if (must_wait_for_pause(client, *command, args)) {
    paused_clients_.push_back(client.id);
    client.block();
    return false;
  }
  if (client.transaction.active && !command->is(kTransactionControl)) {
    queue(client, *command, args);
    return true;
  }
  run(client, *command, args);
  return true;
}

// A request that has passed all checks.
void Executor::run(Client& client, Command& command, Args args) {
  keyspace_.set_touching(!client.no_touch || command.name == "touch");
  follow_pause(*this);
  // To the source of an import no key has expired: it says itself when they go.
  const bool imports = client.import_source && config_.settings().import_mode && !state_.is_replica;
  if (imports) keyspace_.set_expiry_policy(ExpiryPolicy::kIgnore);
  const uint64_t dirty_before = dirty_;
  Client* const outer = std::exchange(serving_, &client);
  effects_.begin_unit();
  call(client, command, args, client.reply());
  effects_.end_unit();
  if (client.tracking != nullptr || tracking_->flushed()) finish_tracking(client, command);
  serving_ = outer;
  // The command may have ended the import.
  if (imports && keyspace_.expiry_policy() == ExpiryPolicy::kIgnore) {
    keyspace_.set_expiry_policy(ExpiryPolicy::kHide);
  }
  if (client.has_pushes()) client.flush_pushes();
  if (dirty_ != dirty_before) {
    client.last_write_offset = replication_offset();
    client.last_write_log_position = log_position();
  }
  if (!client.blocked()) ++client.commands_processed;
  blocked_->serve();
  if (last_tick_ - batch_started_ticks_ > stale_clock_ticks_) begin_batch();
}

Command* Executor::prefetch_bucket(const Client& client, Args args) {
  Command* command = commands_.find(args[0]);
  const size_t key = command != nullptr ? command->likely_key : 0;
  prefetched_ = key != 0 && key < args.size();
  if (!prefetched_) return command;
  prefetched_hash_ = hash_bytes(args[key]);
  keyspace_.database(client.db).prefetch_bucket(prefetched_hash_);
  return command;
}

void Executor::prefetch_entry(const Client& client) {
  if (std::exchange(prefetched_, false)) {
    keyspace_.database(client.db).prefetch_entry(prefetched_hash_);
  }
}

void Executor::call(Client& client, Command& command, Args args, Reply& reply) {
  const bool timed = current_call_ == nullptr || client.kind != ClientKind::kInternal ||
                     watch_.times(command, command.stats);
  Call call(*this, client, command, args, reply, timed ? tick_count() : 0);
  const Call* outer = std::exchange(current_call_, &call);
  ++call_depth_;
  const uint64_t errors_before = stats_.total_error_replies;
  // A Lua error may pass through as an exception: the depth must not stay raised.
  struct Restore {
    Executor& executor;
    const Call* outer;
    ~Restore() {
      executor.current_call_ = outer;
      --executor.call_depth_;
    }
  } restore{*this, outer};

  // What runs other commands is shown before them.
  const bool monitored = !monitors_->empty() && !client.running_again() && !state_.loading;
  if (monitored && command.is(kSkipMonitor)) monitors_->feed(call);

  command.handler(call);

  if (monitored && !command.is(kSkipMonitor | kAdmin)) monitors_->feed(call);
  if (serving_ != nullptr && serving_->tracking != nullptr && command.is(kReadonly) &&
      !command.is(kSkipMonitor)) {
    tracking_->remember(*serving_, command, args);
  }

  if (timed) {
    last_tick_ = tick_count();
    command.stats.last_ticks = last_tick_ - call.started_ticks();
  }
  const uint64_t ticks = command.stats.last_ticks;
  command.stats.ticks += ticks;
  // A blocked command counts once it has been answered.
  if (!client.blocked()) {
    ++command.stats.calls;
    ++stats_.commands_processed;
    if (stats_.total_error_replies != errors_before) ++command.stats.failed;
    watch_.record(command.stats, ticks);
    if (CommandStats* const also = call.also_counted()) {
      also->ticks += ticks;
      ++also->calls;
      watch_.record(*also, ticks);
    }
    if (timed && watch_.is_slow(ticks) && !state_.loading) {
      watch_.add_slow(serving_ != nullptr ? *serving_ : client, command, args,
                      function_of(call, outer), ticks);
    }
  }
  if (call.changes() == 0) return;
  dirty_ += call.changes();
  if (!call.custom_effect()) effects_.add(client.db, args);
}

void Executor::count_blocked_call(Client& client, bool failed) {
  CommandStats& stats = client.last_command->stats;
  ++stats.calls;
  if (failed) ++stats.failed;
  ++stats_.commands_processed;
  ++client.commands_processed;
}

// What a cross-protocol request begins with: a browser made to send HTTP to this port. The
// connection ends before a later line is taken for a command.
bool Executor::refuse_attack(Client& client, std::string_view name) {
  if (!equals_ignore_case(name, "post") && !equals_ignore_case(name, "host:")) return false;
  log_warning(
      "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands "
      "to this server. This is likely due to an attacker attempting to use Cross Protocol "
      "Scripting "
      "to compromise it. Connection aborted.");
  client.close_now();
  return true;
}

uint32_t Executor::flags_of(const Command& command, Args args) const {
  const FlagsOf declared = command.row->flags_of;
  return declared != nullptr ? declared(services_, args, command.flags) : command.flags;
}

Executor::Demand Executor::demand_of(const Client& client, const Command& command,
                                     Args args) const {
  // A function that is called at once looks at the server's state by itself, and counts refusals.
  const uint32_t own = client.transaction.active ? flags_of(command, args) : command.flags;
  if (!command.is(kRunsTransaction)) return {own, ~own, command.name == "ping"};
  // EXEC stands for what it will run.
  return {own | client.transaction.queued_flags, ~own | client.transaction.missing_flags, false};
}

std::string Executor::check(const Client& client, const Command& command, Args args) const {
  if (client.authenticated && !client.transaction.active && state_.all_well() &&
      !client.only_subscribes() && !client.keeps_off_keys()) {
    return {};
  }
  if (client.kind == ClientKind::kPrimary) return {};
  if (!client.authenticated && !command.is(kNoAuth)) return "NOAUTH Authentication required.";
  const bool queueing = client.transaction.active && !command.is(kTransactionControl);
  if (queueing && command.is(kNoMulti)) return "ERR Command not allowed inside a transaction";
  Demand demand = demand_of(client, command, args);
  // A queue takes memory whatever is in it.
  if (queueing) demand.flags |= kDenyOom;
  if (client.only_subscribes() && !command.is(kSubscriberMay)) {
    return "ERR Can't execute '" + command.name +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context";
  }
  std::string refused = state_refusal(demand);
  if (refused.empty() && !state_.busy.empty() && !command.is(kAllowBusy)) refused = state_.busy;
  constexpr uint32_t kTouchesKeys = kWrite | kReadonly | kMayReplicate;
  if (refused.empty() && client.keeps_off_keys() && (demand.flags & kTouchesKeys) != 0) {
    refused = "ERR Replica can't interact with the keyspace";
  }
  return refused;
}

std::string Executor::refusal(const Client& client, uint32_t command_flags) const {
  if (client.kind == ClientKind::kPrimary) return {};
  return state_refusal({command_flags, ~command_flags, false});
}

std::string Executor::state_refusal(const Demand& demand) const {
  if (state_.over_memory_limit && (demand.flags & kDenyOom) != 0) {
    return "OOM command not allowed when used memory > 'maxmemory'.";
  }
  if ((demand.flags & kWrite) != 0) {
    if (std::string refused = write_refusal(); !refused.empty()) return refused;
  } else if (demand.answers_health && !state_.is_replica && !state_.misconf.empty()) {
    return state_.misconf;
  }
  if (state_.is_replica && !state_.primary_link_up &&
      !config_.settings().replica_serve_stale_data && (demand.missing & kStale) != 0) {
    return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
  }
  if (state_.loading && (demand.missing & kLoading) != 0) {
    return "LOADING Redis is loading the dataset in memory";
  }
  return {};
}

std::string Executor::write_refusal() const {
  if (state_.is_replica) {
    if (!config_.settings().replica_read_only) return {};
    return "READONLY You can't write against a read only replica.";
  }
  if (!state_.misconf.empty()) return state_.misconf;
  if (state_.too_few_replicas) return "NOREPLICAS Not enough good replicas to write.";
  return {};
}

void Executor::reject(Client& client, Command* command, std::string_view error) {
  if (client.transaction.active) client.transaction.aborted = true;
  if (command != nullptr) {
    ++command->stats.rejected;
    if (command->is(kRunsTransaction)) {
      discard_transaction(client);
      const size_t code_end = error.starts_with("ERR ") ? 4 : 0;
      client.reply().error("EXECABORT Transaction discarded because of: " +
                           std::string(error.substr(code_end)));
      return;
    }
  }
  client.reply().error(error);
}

void Executor::queue(Client& client, Command& command, Args args) {
  Transaction& transaction = client.transaction;
  client.reply().simple("QUEUED");
  // EXEC will not run it: it need not be kept.
  if (transaction.aborted || client.watch_broken) return;
  QueuedCommand queued{&command, {}};
  queued.args.reserve(args.size());
  for (std::string_view arg : args) {
    queued.args.emplace_back(arg);
    transaction.queued_bytes += arg.size() + sizeof(std::string);
  }
  const uint32_t flags = flags_of(command, args);
  transaction.queued_flags |= flags;
  transaction.missing_flags |= ~flags;
  transaction.queue.push_back(std::move(queued));
}

void Executor::run_transaction(Call& exec_call) {
  Client& client = exec_call.client;
  exec_call.emit_nothing();
  // Taken out of the client: a queued command may end the transaction's owner.
  std::vector<QueuedCommand> queue = std::move(client.transaction.queue);
  unwatch_all(client);
  client.transaction = Transaction{};
  exec_call.reply.array(queue.size());
  std::vector<std::string_view> args;
  for (QueuedCommand& queued : queue) {
    args.assign(queued.args.begin(), queued.args.end());
    const size_t output = client.output_size();
    call(client, *queued.command, args, exec_call.reply);
    const size_t request_bytes = request_size(args);
    const size_t reply_bytes = client.output_size() - std::min(output, client.output_size());
    if (watch_.is_large(request_bytes, reply_bytes)) {
      watch_.add_large(client, *queued.command, args, request_bytes, reply_bytes);
    }
  }
}

void Executor::discard_transaction(Client& client) {
  client.transaction = Transaction{};
  unwatch_all(client);
}

void Executor::watch(Client& client, std::string_view key) {
  // A key whose time has come counts as gone before the watch begins.
  keyspace_.database(client.db).peek(key);
  watched_->add(client, client.db, key);
}

bool Executor::watch_intact(Client& client) {
  // A watched key whose time has come meanwhile has changed: looking at it removes it, which breaks
  // the watch.
  for (const auto& [db, key] : client.watched) keyspace_.database(db).peek(key);
  return !client.watch_broken;
}

void Executor::unwatch_all(Client& client) {
  watched_->remove(client);
  client.watch_broken = false;
}

void Executor::key_modified(int db, std::string_view key) {
  if (!watched_->empty()) watched_->touch(db, key);
  tracking_->key_modified(key);
  blocked_->key_modified(db, key);
}

void Executor::key_expired(int db, std::string_view key) {
  const std::string_view del[] = {"DEL", key};
  effects_.add(db, del);
  ++dirty_;
  notify(db, kEventExpired, "expired", key);
}

void Executor::key_created(int db, std::string_view key) {
  if (!state_.loading) notify(db, kEventNew, "new", key);
}

void Executor::key_missed(int db, std::string_view key) {
  notify(db, kEventKeyMiss, "keymiss", key);
}

void Executor::database_cleared(int) { tracking_->database_cleared(); }

// What CLIENT TRACKING has to do once a request has run.
void Executor::finish_tracking(Client& client, const Command& command) {
  if (tracking_->flushed()) tracking_->tell_flushed();
  // CLIENT CACHING is for the next command, or for the next transaction as a whole.
  const bool of_client = command.container != nullptr && command.container->name == "client";
  if (client.tracking != nullptr && !client.transaction.active && !of_client) {
    client.tracking->caching_given = false;
  }
}

void Executor::fields_expired(int db, std::string_view key, std::span<const std::string> fields,
                              bool key_removed) {
  std::vector<std::string_view> hdel = {"HDEL", key};
  hdel.insert(hdel.end(), fields.begin(), fields.end());
  effects_.add(db, hdel);
  dirty_ += fields.size();
  notify(db, kEventHash, "hexpired", key);
  if (key_removed) notify(db, kEventGeneric, "del", key);
}

void Executor::publish_event(int db, KeyspaceEvent, std::string_view event, std::string_view key) {
  if (!pubsub_->has_listeners()) return;
  const unsigned wanted = config_.settings().notify_keyspace_events;
  const std::string where = "@" + std::to_string(db) + "__:";
  if ((wanted & kEventKeyspace) != 0) {
    pubsub_->publish("__keyspace" + where + std::string(key), event);
  }
  if ((wanted & kEventKeyevent) != 0) {
    pubsub_->publish("__keyevent" + where + std::string(event), key);
  }
}

void Executor::database_replacing(int db) {
  blocked_->database_replacing(db);
  if (watched_->empty()) return;
  // Keys whose time has come leave first, also those that will change places with a watched key:
  // an expired key in place of none is no change.
  watched_->for_each_key([this, db](std::string_view key) { keyspace_.database(db).peek(key); });
  watched_->touch_if(
      db, [this, db](std::string_view key) { return keyspace_.database(db).peek(key) != nullptr; });
}

void Executor::on_error_reply(std::string_view text) {
  constexpr size_t kMaxKinds = 128;  // errors that scripts make up must not fill the memory
  ++stats_.total_error_replies;
  const std::string_view code = text.substr(0, text.find(' '));
  auto found = stats_.errors.find(code);
  if (found == stats_.errors.end()) {
    if (stats_.errors.size() >= kMaxKinds) return;
    found = stats_.errors.emplace(std::string(code), 0).first;
  }
  ++found->second;
}

}  // namespace tandem
