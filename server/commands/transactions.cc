// MULTI, EXEC, DISCARD, WATCH, UNWATCH. Queueing is dispatch's; running the queue the executor's.

#include "server/commands/families.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

void multi_command(Call& call) {
  if (call.client.transaction.active) {
    call.reply.error("ERR MULTI calls can not be nested");
    return;
  }
  call.client.transaction.active = true;
  call.reply.ok();
}

void exec_command(Call& call) {
  Client& client = call.client;
  if (!client.transaction.active) {
    call.reply.error("ERR EXEC without MULTI");
    return;
  }
  const bool intact = call.executor.watch_intact(client);
  if (client.transaction.aborted) {
    call.reply.error("EXECABORT Transaction discarded because of previous errors.");
    call.executor.discard_transaction(client);
    return;
  }
  if (!intact) {
    call.reply.null_array();
    call.executor.discard_transaction(client);
    return;
  }
  call.executor.run_transaction(call);
}

void discard_command(Call& call) {
  if (!call.client.transaction.active) {
    call.reply.error("ERR DISCARD without MULTI");
    return;
  }
  call.executor.discard_transaction(call.client);
  call.reply.ok();
}

void watch_command(Call& call) {
  if (call.client.transaction.active) {
    call.reply.error("ERR WATCH inside MULTI is not allowed");
    return;
  }
  for (std::string_view key : call.args.subspan(1)) call.executor.watch(call.client, key);
  call.reply.ok();
}

void unwatch_command(Call& call) {
  call.executor.unwatch_all(call.client);
  call.reply.ok();
}

constexpr CommandRow kRows[] = {
    {.name = "multi",
     .handler = multi_command,
     .arity = 1,
     .flags = "allow_busy,fast,loading,no_multi,noscript,stale",
     .categories = "@fast,@transaction",
     .summary = "Starts queueing commands that will run as one.",
     .since = "1.2.0",
     .group = "transactions",
     .complexity = "O(1)"},
    {.name = "exec",
     .handler = exec_command,
     .arity = 1,
     .flags = "loading,noscript,skip_commandlog,stale",
     .categories = "@slow,@transaction",
     .summary = "Runs the queued commands, unless a watched key has changed.",
     .since = "1.2.0",
     .group = "transactions",
     .complexity = "That of the commands in the queue",
     .extra_flags = kTransactionControl | kRunsTransaction},
    {.name = "discard",
     .handler = discard_command,
     .arity = 1,
     .flags = "allow_busy,fast,loading,noscript,stale",
     .categories = "@fast,@transaction",
     .summary = "Forgets the queued commands and the watched keys.",
     .since = "2.0.0",
     .group = "transactions",
     .complexity = "O(N), where N is the number of queued commands",
     .extra_flags = kTransactionControl},
    {.name = "watch",
     .handler = watch_command,
     .arity = -2,
     .flags = "allow_busy,fast,loading,no_multi,noscript,stale",
     .keys = "1,-1,1",
     .categories = "@fast,@transaction",
     .key_specs = "[RO index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Makes the next EXEC depend on these keys staying as they are.",
     .since = "2.2.0",
     .group = "transactions",
     .complexity = "O(1) for each key"},
    {.name = "unwatch",
     .handler = unwatch_command,
     .arity = 1,
     .flags = "allow_busy,fast,loading,noscript,stale",
     .categories = "@fast,@transaction",
     .summary = "Forgets the watched keys.",
     .since = "2.2.0",
     .group = "transactions",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> transaction_commands() { return kRows; }

}  // namespace tandem
