#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "functions/function_engine.h"
#include "functions/function_stats.h"
#include "functions/script_engine.h"
#include "persistence/dump_payload.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/debug_sessions.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/script_replies.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

FunctionEngine& engine(Call& call) { return *call.services.functions; }

void reply_failure(Call& call, const Error& error) { call.reply.error("ERR " + error.message); }

// A library that a client brings must load in time; what the AOF or the primary sends has done so
// before.
int64_t load_limit_ms(const Call& call) {
  if (call.client.kind != ClientKind::kNormal) return 0;
  return call.executor.config().settings().function_load_timeout;
}

// FUNCTION LOAD [REPLACE] code
void load_command(Call& call) {
  bool replace = false;
  for (size_t i = 2; i + 1 < call.args.size(); ++i) {
    if (!equals_ignore_case(call.args[i], "replace")) {
      call.reply.error("ERR Unknown option given: " + std::string(call.args[i]));
      return;
    }
    replace = true;
  }
  const Result<std::string> name =
      engine(call).load(call.args.back(), replace, load_limit_ms(call));
  if (!name.ok()) return reply_failure(call, name.error());
  call.changed();
  // A status, not a bulk: redis-cli then prints the name as the functions document shows it.
  call.reply.simple(name.value());
}

// FUNCTION DELETE library
void delete_command(Call& call) {
  if (!engine(call).remove(call.args[2])) {
    call.reply.error("ERR Library not found");
    return;
  }
  call.changed();
  call.reply.ok();
}

// FUNCTION FLUSH [SYNC | ASYNC]
void flush_command(Call& call) {
  if (call.args.size() > 3) return reply_unknown_subcommand(call);
  if (call.args.size() == 3 && !equals_ignore_case(call.args[2], "sync") &&
      !equals_ignore_case(call.args[2], "async")) {
    call.reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    return;
  }
  // The Lua states are freed in the background in either case.
  engine(call).flush();
  call.changed();
  call.reply.ok();
}

struct ListOptions {
  std::optional<std::string_view> pattern;
  bool with_code = false;
  bool with_stats = false;
};

void reply_function(Call& call, const Function& function, const ListOptions& options) {
  Reply& reply = call.reply;
  reply.map(options.with_stats ? 4 : 3);
  reply.bulk("name");
  reply.bulk(function.name);
  reply.bulk("description");
  if (function.has_description) {
    reply.bulk(function.description);
  } else {
    reply.null();
  }
  reply.bulk("flags");
  std::vector<std::string_view> flags;
  for (const auto& [flag, name] : function_flag_names()) {
    if (function.is(flag)) flags.push_back(name);
  }
  reply.set(flags.size());
  for (std::string_view flag : flags) reply.simple(flag);
  if (!options.with_stats) return;
  reply.bulk("stats");
  reply_function_stats(reply, *function.stats, call.executor.config().settings());
}

void reply_library(Call& call, const FunctionLibrary& library, const ListOptions& options) {
  Reply& reply = call.reply;
  reply.map(options.with_code ? 4 : 3);
  reply.bulk("library_name");
  reply.bulk(library.name);
  reply.bulk("engine");
  reply.bulk("LUA");
  reply.bulk("functions");
  reply.array(library.functions.size());
  for (const auto& function : library.functions) reply_function(call, *function, options);
  if (!options.with_code) return;
  reply.bulk("library_code");
  reply.bulk(library.source);
}

// The options of FUNCTION LIST, each at most once; nothing after an error reply.
std::optional<ListOptions> read_list_options(Call& call) {
  ListOptions options;
  for (size_t i = 2; i < call.args.size(); ++i) {
    const std::string_view option = call.args[i];
    if (!options.with_code && equals_ignore_case(option, "withcode")) {
      options.with_code = true;
    } else if (!options.with_stats && equals_ignore_case(option, "withstats")) {
      options.with_stats = true;
    } else if (!options.pattern && equals_ignore_case(option, "libraryname")) {
      if (i + 1 == call.args.size()) {
        call.reply.error("ERR library name argument was not given");
        return std::nullopt;
      }
      options.pattern = call.args[++i];
    } else {
      call.reply.error("ERR Unknown argument " + std::string(option));
      return std::nullopt;
    }
  }
  return options;
}

// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE] [WITHSTATS]
void list_command(Call& call) {
  const std::optional<ListOptions> options = read_list_options(call);
  if (!options) return;
  std::vector<const FunctionLibrary*> listed;
  for (const auto& [name, library] : engine(call).functions().libraries()) {
    if (!options->pattern || glob_match(*options->pattern, name, /*ignore_case=*/true)) {
      listed.push_back(library.get());
    }
  }
  call.reply.array(listed.size());
  for (const FunctionLibrary* library : listed) reply_library(call, *library, *options);
}

// While a script of EVAL runs, the commands about the running function answer BUSY.
bool refuse_beside_script(Call& call) {
  if (!call.services.scripts->running()) return false;
  call.reply.error(call.executor.state().busy);
  return true;
}

// FUNCTION STATS
void stats_command(Call& call) {
  if (refuse_beside_script(call)) return;
  Reply& reply = call.reply;
  const FunctionEngine& functions = engine(call);
  reply.map(2);
  reply.bulk("running_script");
  if (functions.running()) {
    const RunningFunction running = functions.running_function();
    reply.map(3);
    reply.bulk("name");
    reply.bulk(running.name);
    reply.bulk("command");
    reply.array(running.command.size());
    for (const std::string& word : running.command) reply.bulk(word);
    reply.bulk("duration_ms");
    reply.integer(running.duration_ms);
  } else {
    reply.null();
  }
  reply.bulk("engines");
  reply.map(1);
  reply.bulk("LUA");
  reply.map(2);
  reply.bulk("libraries_count");
  reply.integer(static_cast<int64_t>(functions.functions().libraries().size()));
  reply.bulk("functions_count");
  reply.integer(static_cast<int64_t>(functions.functions().function_count()));
}

// FUNCTION KILL
void kill_command(Call& call) {
  if (refuse_beside_script(call)) return;
  reply_kill_outcome(call.reply, engine(call).kill());
}

// FUNCTION DUMP
void dump_command(Call& call) {
  std::vector<std::string> sources;
  engine(call).for_each_library(
      [&](std::string_view, std::string_view source) { sources.emplace_back(source); });
  call.reply.bulk(dump_libraries(sources));
}

// FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]
void restore_command(Call& call) {
  if (call.args.size() > 4) return reply_unknown_subcommand(call);
  RestorePolicy policy = RestorePolicy::kAppend;
  if (call.args.size() == 4) {
    const std::string_view given = call.args[3];
    if (equals_ignore_case(given, "flush")) {
      policy = RestorePolicy::kFlush;
    } else if (equals_ignore_case(given, "replace")) {
      policy = RestorePolicy::kReplace;
    } else if (!equals_ignore_case(given, "append")) {
      call.reply.error(
          "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
      return;
    }
  }
  const Result<std::vector<std::string>> sources = decode_libraries_payload(call.args[2]);
  if (!sources.ok()) {
    const bool footer = sources.error().kind == ErrorKind::kInvalid;
    call.reply.error(footer ? "ERR " + std::string(kBadPayloadFooter)
                            : "ERR failed loading the given functions payload");
    return;
  }
  FunctionSet set;
  for (const std::string& source : sources.value()) {
    const Result<std::string> loaded =
        engine(call).load_into(set, source, /*replace=*/false, load_limit_ms(call));
    if (!loaded.ok()) return reply_failure(call, loaded.error());
  }
  const Status merged = engine(call).merge(std::move(set), policy);
  if (!merged.ok()) return reply_failure(call, merged.error());
  call.changed();
  call.reply.ok();
}

// FUNCTION HELP
void help_command(Call& call) {
  reply_help(call,
             {{"LOAD [REPLACE] <FUNCTION CODE>", "Create a library from its code, which names it."},
              {"COPYFROM <HOST> <PORT> [USER <USER>] [AUTH <PASSWORD>] [FLUSH|APPEND|REPLACE]",
               "Create the libraries of another server, as RESTORE does those of a payload."},
              {"DELETE <LIBRARY NAME>", "Delete a library with all its functions."},
              {"LIST [LIBRARYNAME PATTERN] [WITHCODE] [WITHSTATS]",
               "Return the libraries, or those whose name matches the pattern:\n"
               "* Library name\n"
               "* The engine that runs it\n"
               "* Its functions with their descriptions and flags\n"
               "* Its code (if WITHCODE is given)\n"
               "* What is counted of its functions' calls (if WITHSTATS is given)"},
              {"STATS",
               "Return the function that is running, or nil:\n"
               "* Function name\n"
               "* The command that called it\n"
               "* For how many milliseconds it has been running\n"
               "and the engines with their numbers of libraries and functions."},
              {"KILL", "Stop the function that is running, if it has not written yet."},
              {"FLUSH [ASYNC|SYNC]", "Delete all libraries."},
              {"DUMP", "Return all libraries as a payload for FUNCTION RESTORE."},
              {"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
               "Create the libraries of a payload, all of them or none. Libraries that exist are:\n"
               "* FLUSH: deleted first.\n"
               "* APPEND: kept; it is an error if the payload has one of the same name (default).\n"
               "* REPLACE: kept, but for those that the payload has as well. A function name that\n"
               "  another library uses is still an error."}});
}

void call_function(Call& call, bool read_only) {
  const Function* function = engine(call).functions().find_function(call.args[1]);
  if (function == nullptr) {
    call.reply.error("ERR Function not found");
    return;
  }
  const std::optional<int64_t> key_count = parse_int64(call.args[2]);
  if (!key_count) {
    call.reply.error("ERR Bad number of keys provided");
    return;
  }
  if (*key_count > static_cast<int64_t>(call.args.size()) - 3) {
    call.reply.error("ERR Number of keys can't be greater than number of args");
    return;
  }
  if (*key_count < 0) {
    call.reply.error("ERR Number of keys can't be negative");
    return;
  }
  const auto keys = static_cast<size_t>(*key_count);
  if (!DebugSessions::asked_for(call)) return engine(call).run(call, *function, keys, read_only);
  call.services.debug_sessions->run(
      call,
      {.source = function->library->source, .chunk = kFunctionChunk, .top_level = function->name},
      [&](ScriptDebugger& debugger) {
        engine(call).run(call, *function, keys, read_only, &debugger);
      });
}

// FCALL function numkeys [key...] [arg...]
void fcall_command(Call& call) { call_function(call, /*read_only=*/false); }

// FCALL_RO function numkeys [key...] [arg...]
void fcall_ro_command(Call& call) { call_function(call, /*read_only=*/true); }

uint32_t flags_of_fcall(Services& services, Args args, uint32_t own) {
  const Function* function = services.functions->functions().find_function(args[1]);
  return function != nullptr ? script_command_flags(function->flags, own) : own;
}

// One that writes is refused when it is called, whatever the server's state is.
uint32_t flags_of_fcall_ro(Services& services, Args args, uint32_t own) {
  return flags_of_fcall(services, args, own) & ~uint32_t{kWrite | kDenyOom};
}

constexpr CommandRow kRows[] = {
    {.name = "fcall",
     .handler = fcall_command,
     .arity = -3,
     .flags = "movablekeys,no_mandatory_keys,noscript,skip_monitor,stale",
     .categories = "@scripting,@slow",
     .key_specs = "[ACCESS+RW+UPDATE index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Calls a function.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "Depends on the function that is executed.",
     .extra_flags = kMayReplicate,
     .flags_of = flags_of_fcall},
    {.name = "fcall_ro",
     .handler = fcall_ro_command,
     .arity = -3,
     .flags = "movablekeys,no_mandatory_keys,noscript,readonly,skip_monitor,stale",
     .categories = "@scripting,@slow",
     .key_specs = "[ACCESS+RO index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Calls a function that is flagged no-writes.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "Depends on the function that is executed.",
     .flags_of = flags_of_fcall_ro},
    {.name = "function",
     .arity = -2,
     .categories = "@slow",
     .summary = "The commands that manage function libraries.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "Depends on subcommand."},
    {.name = "function|delete",
     .handler = delete_command,
     .arity = 3,
     .flags = "noscript,write",
     .categories = "@scripting,@slow,@write",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Deletes a library and its functions.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(1)"},
    {.name = "function|dump",
     .handler = dump_command,
     .arity = 2,
     .flags = "noscript",
     .categories = "@scripting,@slow",
     .summary = "Returns all libraries as one payload.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(N) where N is the number of functions"},
    {.name = "function|flush",
     .handler = flush_command,
     .arity = -2,
     .flags = "noscript,write",
     .categories = "@scripting,@slow,@write",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Deletes all libraries.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(N) where N is the number of functions deleted"},
    {.name = "function|help",
     .handler = help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@scripting,@slow",
     .summary = "Describes the subcommands.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(1)"},
    {.name = "function|kill",
     .handler = kill_command,
     .arity = 2,
     .flags = "allow_busy,noscript",
     .categories = "@scripting,@slow",
     .tips = "request_policy:all_shards;response_policy:one_succeeded",
     .summary = "Stops the function that is running.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(1)"},
    {.name = "function|list",
     .handler = list_command,
     .arity = -2,
     .flags = "noscript",
     .categories = "@scripting,@slow",
     .tips = "nondeterministic_output_order",
     .summary = "Lists the libraries and their functions.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(N) where N is the number of functions"},
    {.name = "function|load",
     .handler = load_command,
     .arity = -3,
     .flags = "denyoom,noscript,write",
     .categories = "@scripting,@slow,@write",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Creates a library from its code.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(1) (considering compilation time is redundant)"},
    {.name = "function|restore",
     .handler = restore_command,
     .arity = -3,
     .flags = "denyoom,noscript,write",
     .categories = "@scripting,@slow,@write",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Creates the libraries of a payload.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(N) where N is the number of functions on the payload"},
    {.name = "function|stats",
     .handler = stats_command,
     .arity = 2,
     .flags = "allow_busy,noscript",
     .categories = "@scripting,@slow",
     .tips = "nondeterministic_output;request_policy:all_shards;response_policy:special",
     .summary = "Says which function is running, and counts libraries and functions.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> function_commands() { return kRows; }

}  // namespace tandem
