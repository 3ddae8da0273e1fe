// TIME, INFO, MONITOR, SHUTDOWN.

#include <string>

#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"
#include "server/exec/monitors.h"

namespace tandem {
namespace {

void time_command(Call& call) {
  const int64_t now_us = call.executor.now_us();
  call.reply.array(2);
  call.reply.bulk(std::to_string(now_us / 1'000'000));
  call.reply.bulk(std::to_string(now_us % 1'000'000));
}

void info_command(Call& call) {
  call.reply.verbatim("txt", call.services.control->info(call.args.subspan(1)));
}

// False when the words make no sense together.
bool read_shutdown(Args args, ServerControl::ShutdownOptions* options, bool* abort) {
  for (std::string_view word : args.subspan(1)) {
    if (equals_ignore_case(word, "save")) {
      options->save = true;
    } else if (equals_ignore_case(word, "nosave")) {
      options->no_save = true;
    } else if (equals_ignore_case(word, "now")) {
      options->now = true;
    } else if (equals_ignore_case(word, "force")) {
      options->force = true;
    } else if (equals_ignore_case(word, "abort")) {
      *abort = true;
    } else {
      return false;
    }
  }
  const bool any = options->save || options->no_save || options->now || options->force;
  return !(*abort && any) && !(options->save && options->no_save);
}

// Who asks for the end sees its connection close instead of a reply, at once or when the replicas
// have caught up.
void shutdown_command(Call& call) {
  ServerControl::ShutdownOptions options;
  bool abort = false;
  if (!read_shutdown(call.args, &options, &abort)) return call.syntax_error();
  if (abort) {
    if (!call.services.control->abort_shutdown()) {
      return call.reply.error("ERR No shutdown in progress.");
    }
    return call.reply.ok();
  }
  if (!options.now && call.client.kind != ClientKind::kNormal) {
    return call.reply.error(
        "ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client");
  }
  // A dataset in the middle of a function's writes is not for saving.
  const std::string& busy = call.executor.state().busy;
  if (!busy.empty() && !options.no_save) return call.reply.error(busy);
  const Status status = call.services.control->shutdown(options, &call.client);
  if (!status) call.reply.error(kShutdownFailed);
}

void monitor_command(Call& call) {
  const bool in_transaction = call.executor.call_depth() > 1;
  if (in_transaction) {
    return call.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  }
  // A second time there is no reply, since what follows a monitor's first is lines.
  if (call.client.keeps_off_keys()) return;
  call.executor.monitors().add(call.client);
  call.reply.ok();
}

constexpr CommandRow kRows[] = {
    {.name = "monitor",
     .handler = monitor_command,
     .arity = 1,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Shows every command that the server runs from now on.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1), and as much again for each command that is shown"},
    {.name = "time",
     .handler = time_command,
     .arity = 1,
     .flags = "fast,loading,stale",
     .categories = "@fast",
     .tips = "nondeterministic_output",
     .summary = "Returns the time of the server.",
     .since = "2.6.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "info",
     .handler = info_command,
     .arity = -1,
     .flags = "loading,stale",
     .categories = "@dangerous,@slow",
     .tips = "nondeterministic_output;request_policy:all_shards;response_policy:special",
     .summary = "Describes the state of the server and counts what it did.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "shutdown",
     .handler = shutdown_command,
     .arity = -1,
     .flags = "admin,allow_busy,loading,no_multi,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Saves what must be saved and stops the server.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "That of the save: O(N), where N is the number of keys"},
};

}  // namespace

std::span<const CommandRow> server_commands() { return kRows; }

}  // namespace tandem
