#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "server/base/settings.h"
#include "server/exec/client.h"
#include "server/exec/command.h"
#include "server/exec/effects.h"
#include "server/resp/reply.h"
#include "server/store/keyspace.h"

namespace tandem {

class Executor;
// The engines behind the commands: defined by the commands floor, unknown here.
struct Services;

// What Call::block_on_keys() can be told besides.
struct BlockOptions {
  // Run the command again also when a key goes or becomes one of another type (XREADGROUP, which
  // then finds that its group is gone).
  bool wake_when_gone = false;
  // Arguments that stand in the kept copy as something else than the client wrote: (index, text).
  // XREAD's `$` means the end of the stream when the command came, not when it runs again.
  std::span<const std::pair<size_t, std::string_view>> replace = {};
};

// One run of a command: what its handler works with. On the stack of Executor::call(); handlers
// must not keep it.
class Call {
 public:
  // `started_ticks`: when it began, on tick_count()'s clock; 0 for a call that is not timed.
  Call(Executor& executor_in, Client& client_in, const Command& command_in, Args args_in,
       Reply& reply_in, uint64_t started_ticks);

  const Args args;  // args[0] is the name as the client wrote it
  Reply& reply;
  Client& client;
  Executor& executor;
  Keyspace& keyspace;
  Services& services;
  const Command& command;

  Database& db() { return keyspace.database(client.db); }
  uint64_t started_ticks() const { return started_ticks_; }
  // Counts the run in `stats` too, as it is counted for the command: a function's call.
  void count_also(CommandStats& stats) { also_counted_ = &stats; }
  CommandStats* also_counted() const { return also_counted_; }
  // The time of the command: frozen for its whole run, a function's and a transaction's too.
  int64_t now_ms() const { return keyspace.now_ms(); }

  // Counts changes to the dataset (INFO's rdb_changes_since_last_save). A call with changes emits
  // one effect: its own arguments, unless one of the next two was used.
  void changed(uint64_t count = 1) { changes_ += count; }
  // Emits this effect instead of the command itself; may be called several times. Implies at least
  // one change.
  void emit(std::initializer_list<std::string_view> effect) {
    emit(std::span<const std::string_view>(effect.begin(), effect.size()));
  }
  void emit(std::span<const std::string_view> effect);
  // Emits nothing for the command itself (its inner calls have emitted theirs, or nothing needs to
  // travel).
  void emit_nothing() { custom_effect_ = true; }
  // Sends the command itself to the replicas and not to the AOF: it changes nothing that lasts.
  void emit_to_replicas();

  // Keeps an argument out of MONITOR and of logs: a password.
  void hide(size_t index) { hidden_ |= hidden_bit(index); }
  bool hidden(size_t index) const { return (hidden_ & hidden_bit(index)) != 0; }

  // Tells subscribers of keyspace events, when notify-keyspace-events asks for this class:
  // notify(kEventHash, "hset", key). After the change, and before the reply.
  void notify(KeyspaceEvent event_class, std::string_view event, std::string_view key);

  // Whether this call may wait for keys: it is a client's own request. Not inside MULTI or a
  // function, and not in the stream of a primary; there the handler replies at once that nothing
  // was there, as if the time had run out.
  bool can_block() const;
  // The handler has found nothing to take: the client waits, and the handler returns without a
  // reply and without having changed anything. The same command runs again for this client, through
  // the same checks, when one of the keys has changed and then holds a value of `type`: after the
  // whole unit that changed it, in the order in which clients came. It may block again, which keeps
  // its place and its first deadline. Clients waiting for several keys are served once.
  // `deadline_ms` is on the monotonic clock, as read_timeout() (commands/arguments.h) gives it; 0
  // means for ever. When it comes the client gets a null array, whatever the command.
  // Only when can_block().
  void block_on_keys(std::span<const std::string_view> keys, ValueType type, int64_t deadline_ms,
                     const BlockOptions& options = {});

  // Shorthands for common refusals.
  void wrong_type() {
    reply.error("WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  void syntax_error() { reply.error("ERR syntax error"); }
  void not_an_integer() { reply.error("ERR value is not an integer or out of range"); }
  // "ERR wrong number of arguments for 'name' command".
  void wrong_arg_count();

  uint64_t changes() const { return changes_; }
  bool custom_effect() const { return custom_effect_; }

 private:
  // The last bit stands for all arguments from there on.
  static uint64_t hidden_bit(size_t index) { return uint64_t{1} << (index < 63 ? index : 63); }

  const uint64_t started_ticks_;
  CommandStats* also_counted_ = nullptr;
  uint64_t changes_ = 0;
  uint64_t hidden_ = 0;
  bool custom_effect_ = false;
};

}  // namespace tandem
