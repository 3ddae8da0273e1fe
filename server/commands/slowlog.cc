// SLOWLOG and COMMANDLOG.

#include <algorithm>
#include <optional>
#include <string>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

CommandLog& log_of(Call& call) { return call.executor.watch().log(); }

// How many entries are asked for; -1 means all.
std::optional<size_t> read_count(Call& call, std::string_view text) {
  const auto count = parse_int64(text);
  if (!count || *count < -1) {
    call.reply.error("ERR count should be greater than or equal to -1");
    return std::nullopt;
  }
  return *count == -1 ? SIZE_MAX : static_cast<size_t>(*count);
}

std::optional<CommandLogKind> read_kind(Call& call, std::string_view text) {
  if (equals_ignore_case(text, "slow")) return CommandLogKind::kSlow;
  if (equals_ignore_case(text, "large-request")) return CommandLogKind::kLargeRequest;
  if (equals_ignore_case(text, "large-reply")) return CommandLogKind::kLargeReply;
  call.reply.error("ERR type should be one of the following: slow, large-request, large-reply");
  return std::nullopt;
}

// The option of an own making behind the others: six fields are what clients expect, so entries
// name functions only for those who ask.
bool asks_for_function(std::string_view option) {
  return equals_ignore_case(option, "withfunction");
}

void reply_entries(Call& call, CommandLogKind kind, size_t count, bool with_function) {
  const auto& entries = log_of(call).entries(kind);
  count = std::min(count, entries.size());
  call.reply.array(count);
  for (size_t i = 0; i < count; ++i) {
    const CommandLog::Entry& entry = entries[i];
    call.reply.array(with_function ? 8 : 6);
    call.reply.integer(static_cast<int64_t>(entry.id));
    call.reply.integer(entry.time_s);
    call.reply.integer(static_cast<int64_t>(entry.value));
    call.reply.array(entry.args.size());
    for (const std::string& arg : entry.args) call.reply.bulk(arg);
    call.reply.bulk(entry.client_address);
    call.reply.bulk(entry.client_name);
    if (!with_function) continue;
    call.reply.bulk(entry.function.function);
    call.reply.bulk(entry.function.library);
  }
}

void reply_length(Call& call, CommandLogKind kind) {
  call.reply.integer(static_cast<int64_t>(log_of(call).entries(kind).size()));
}

void reset(Call& call, CommandLogKind kind) {
  log_of(call).reset(kind);
  call.reply.ok();
}

// SLOWLOG GET [count] [WITHFUNCTION]
void slowlog_get(Call& call) {
  constexpr size_t kDefaultCount = 10;
  Args options = call.args.subspan(2);
  const bool with_function = !options.empty() && asks_for_function(options.back());
  if (with_function) options = options.first(options.size() - 1);
  if (options.size() > 1) return reply_unknown_subcommand(call);
  std::optional<size_t> count = kDefaultCount;
  if (!options.empty()) count = read_count(call, options[0]);
  if (count) reply_entries(call, CommandLogKind::kSlow, *count, with_function);
}

void slowlog_len(Call& call) { reply_length(call, CommandLogKind::kSlow); }

void slowlog_reset(Call& call) { reset(call, CommandLogKind::kSlow); }

void slowlog_help(Call& call) {
  reply_help(
      call, {{"GET [<count>] [WITHFUNCTION]",
              "Show the latest <count> slow commands, 10 unless given, all with -1. Each has an\n"
              "id, a timestamp, the microseconds it took, its arguments, the client's address and\n"
              "the client's name; WITHFUNCTION adds the function that it called or was part of,\n"
              "and the function's library."},
             {"LEN", "Return how many slow commands are remembered."},
             {"RESET", "Forget them."}});
}

// COMMANDLOG GET count type [WITHFUNCTION]
void commandlog_get(Call& call) {
  const bool with_function = call.args.size() == 5 && asks_for_function(call.args[4]);
  if (call.args.size() > 4 && !with_function) return call.wrong_arg_count();
  const auto count = read_count(call, call.args[2]);
  if (!count) return;
  const auto kind = read_kind(call, call.args[3]);
  if (kind) reply_entries(call, *kind, *count, with_function);
}

void commandlog_len(Call& call) {
  if (const auto kind = read_kind(call, call.args[2])) reply_length(call, *kind);
}

void commandlog_reset(Call& call) {
  if (const auto kind = read_kind(call, call.args[2])) reset(call, *kind);
}

void commandlog_help(Call& call) {
  reply_help(
      call,
      {{"GET <count> <type> [WITHFUNCTION]",
        "Show the latest <count> commands remembered for being <type>, all with -1. The type\n"
        "is slow, large-request or large-reply. Each has an id, a timestamp, the\n"
        "microseconds it took or the bytes of the request or the reply, its arguments, the\n"
        "client's address and the client's name; WITHFUNCTION adds the function that it\n"
        "called or was part of, and the function's library."},
       {"LEN <type>", "Return how many commands are remembered for being <type>."},
       {"RESET <type>", "Forget them."}});
}

constexpr CommandRow kRows[] = {
    {.name = "commandlog",
     .arity = -2,
     .flags = "",
     .categories = "@slow",
     .summary = "What is remembered of remarkable commands.",
     .since = "8.1.0",
     .group = "server",
     .complexity = "Depends on subcommand."},
    {.name = "commandlog|get",
     .handler = commandlog_get,
     .arity = 4,
     .own_args = 1,  // WITHFUNCTION
     .flags = "admin,loading,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "request_policy:all_nodes;nondeterministic_output",
     .summary = "Shows the latest commands that were slow or large.",
     .since = "8.1.0",
     .group = "server",
     .complexity = "O(N), where N is the number of entries returned"},
    {.name = "commandlog|help",
     .handler = commandlog_help,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow",
     .summary = "Describes the subcommands.",
     .since = "8.1.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "commandlog|len",
     .handler = commandlog_len,
     .arity = 3,
     .flags = "admin,loading,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "request_policy:all_nodes;response_policy:agg_sum;nondeterministic_output",
     .summary = "Counts the remembered commands of a type.",
     .since = "8.1.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "commandlog|reset",
     .handler = commandlog_reset,
     .arity = 3,
     .flags = "admin,loading,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "request_policy:all_nodes;response_policy:all_succeeded",
     .summary = "Forgets the remembered commands of a type.",
     .since = "8.1.0",
     .group = "server",
     .complexity = "O(N), where N is the number of entries"},
    {.name = "slowlog",
     .arity = -2,
     .flags = "",
     .categories = "@slow",
     .summary = "What is remembered of slow commands.",
     .since = "2.2.12",
     .group = "server",
     .complexity = "Depends on subcommand."},
    {.name = "slowlog|get",
     .handler = slowlog_get,
     .arity = -2,
     .flags = "admin,loading,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "request_policy:all_nodes;nondeterministic_output",
     .summary = "Shows the latest slow commands.",
     .since = "2.2.12",
     .group = "server",
     .complexity = "O(N), where N is the number of entries returned"},
    {.name = "slowlog|help",
     .handler = slowlog_help,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow",
     .summary = "Describes the subcommands.",
     .since = "6.2.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "slowlog|len",
     .handler = slowlog_len,
     .arity = 2,
     .flags = "admin,loading,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "request_policy:all_nodes;response_policy:agg_sum;nondeterministic_output",
     .summary = "Counts the remembered slow commands.",
     .since = "2.2.12",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "slowlog|reset",
     .handler = slowlog_reset,
     .arity = 2,
     .flags = "admin,loading,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "request_policy:all_nodes;response_policy:all_succeeded",
     .summary = "Forgets the slow commands.",
     .since = "2.2.12",
     .group = "server",
     .complexity = "O(N), where N is the number of entries"},
};

}  // namespace

std::span<const CommandRow> slowlog_commands() { return kRows; }

}  // namespace tandem
