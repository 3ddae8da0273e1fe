#include "server/exec/executor.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/base/log.h"
#include "server/base/strings.h"
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

}  // namespace

Executor::Executor(Keyspace& keyspace, Config& config, Clock& clock, Services& services)
    : keyspace_(keyspace),
      config_(config),
      clock_(clock),
      services_(services),
      watched_(std::make_unique<WatchedKeys>()) {
  keyspace_.set_observer(this);
  refresh_time();
}

Executor::~Executor() { keyspace_.set_observer(nullptr); }

void Executor::refresh_time() {
  keyspace_.set_time(clock_.wall_ms());
  batch_started_ticks_ = tick_count();
}

void Executor::begin_batch() {
  // Inside a call the time is frozen.
  if (call_depth_ == 0) refresh_time();
}

bool Executor::execute(Client& client, Args args) {
  begin_batch();
  return execute_in_batch(client, args);
}

bool Executor::execute_in_batch(Client& client, Args args) {
  client.last_interaction_ms = keyspace_.now_ms();
  Command* command = commands_.resolve(args);
  if (command == nullptr) {
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
  const std::string refused = check(client, *command);
  if (!refused.empty()) {
    reject(client, command, refused);
    return true;
  }
  if (client.transaction.active && !command->is(kTransactionControl)) {
    queue(client, *command, args);
    return true;
  }
  if (must_wait_for_pause(client, *command)) {
    paused_clients_.push_back(client.id);
    client.block();
    return false;
  }
  const uint64_t dirty_before = dirty_;
  effects_.begin_unit();
  call(client, *command, args, client.reply());
  effects_.end_unit();
  if (dirty_ != dirty_before) client.last_write_offset = replication_offset();
  ++client.commands_processed;
  if (last_tick_ - batch_started_ticks_ > kStaleClockUs * ticks_per_us()) begin_batch();
  return true;
}

void Executor::call(Client& client, Command& command, Args args, Reply& reply) {
  Call call(*this, client, command, args, reply);
  const Call* outer = std::exchange(current_call_, &call);
  ++call_depth_;
  const uint64_t errors_before = stats_.total_error_replies;
  const uint64_t started = tick_count();
  // A Lua error may pass through as an exception: the depth must not stay raised.
  struct Restore {
    Executor& executor;
    const Call* outer;
    ~Restore() {
      executor.current_call_ = outer;
      --executor.call_depth_;
    }
  } restore{*this, outer};

  command.handler(call);

  last_tick_ = tick_count();
  command.stats.ticks += last_tick_ - started;
  ++command.stats.calls;
  ++stats_.commands_processed;
  if (stats_.total_error_replies != errors_before) ++command.stats.failed;
  if (call.changes() == 0) return;
  dirty_ += call.changes();
  if (!call.custom_effect()) effects_.add(client.db, args);
}

// The text of the refusal, or empty: what the client's rights and the server's state decide.
std::string Executor::check(const Client& client, const Command& command) const {
  if (client.kind == ClientKind::kPrimary) return {};
  if (!client.authenticated && !command.is(kNoAuth)) return "NOAUTH Authentication required.";
  if (!state_.busy.empty() && !command.is(kAllowBusy)) return state_.busy;
  // EXEC stands for what it will run.
  const uint32_t flags =
      command.is(kRunsTransaction) ? client.transaction.queued_flags : command.flags;
  return state_refusal(flags, command);
}

std::string Executor::refusal(const Client& client, const Command& command) const {
  if (client.kind == ClientKind::kPrimary) return {};
  return state_refusal(command.flags, command);
}

std::string Executor::state_refusal(uint32_t flags, const Command& command) const {
  const Settings& settings = config_.settings();
  const bool write = (flags & kWrite) != 0;
  if (state_.over_memory_limit && (flags & kDenyOom) != 0) {
    return "OOM command not allowed when used memory > 'maxmemory'.";
  }
  if (write) {
    const bool primary = !state_.is_replica;
    if (primary && !state_.misconf.empty()) return state_.misconf;
    if (primary && state_.too_few_replicas) {
      return "NOREPLICAS Not enough good replicas to write.";
    }
    if (!primary && settings.replica_read_only) {
      return "READONLY You can't write against a read only replica.";
    }
  }
  if (state_.is_replica && !state_.primary_link_up && !settings.replica_serve_stale_data &&
      (flags & kStale) == 0 && !command.is(kStale)) {
    return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
  }
  if (state_.loading && !command.is(kLoading)) {
    return "LOADING Redis is loading the dataset in memory";
  }
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
  if (command.is(kNoMulti)) {
    reject(client, &command, "ERR Command not allowed inside a transaction");
    return;
  }
  Transaction& transaction = client.transaction;
  QueuedCommand queued{&command, {}};
  queued.args.reserve(args.size());
  for (std::string_view arg : args) {
    queued.args.emplace_back(arg);
    transaction.queued_bytes += arg.size();
  }
  transaction.queued_flags |= command.flags;
  transaction.queue.push_back(std::move(queued));
  client.reply().simple("QUEUED");
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
    call(client, *queued.command, args, exec_call.reply);
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
}

void Executor::key_expired(int db, std::string_view key) {
  const std::string_view del[] = {"DEL", key};
  effects_.add(db, del);
  ++dirty_;
}

void Executor::database_replacing(int db) {
  if (watched_->empty()) return;
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
