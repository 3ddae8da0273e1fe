#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "functions/function_engine.h"
#include "functions/script_engine.h"
#include "functions/script_header.h"
#include "functions/script_run.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/debug_sessions.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/script_replies.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

constexpr std::string_view kUnknownScript = "NOSCRIPT No matching script. Please use EVAL.";
constexpr size_t kSha1Digits = 40;

ScriptEngine& engine(Call& call) { return *call.services.scripts; }

// The number of keys at args[2]; replies when it is none.
std::optional<size_t> read_key_count(Call& call) {
  const auto count = read_integer(call, call.args[2]);
  if (!count) return std::nullopt;
  if (*count > static_cast<int64_t>(call.args.size()) - 3) {
    call.reply.error("ERR Number of keys can't be greater than number of args");
    return std::nullopt;
  }
  if (*count < 0) {
    call.reply.error("ERR Number of keys can't be negative");
    return std::nullopt;
  }
  return static_cast<size_t>(*count);
}

void eval(Call& call, bool read_only, ScriptDebugger* debugger) {
  const auto key_count = read_key_count(call);
  if (!key_count) return;
  const Result<const Script*> script = engine(call).compile(call.args[1], ScriptOrigin::kEval);
  if (!script.ok()) {
    call.reply.error("ERR " + script.error().message);
    return;
  }
  engine(call).run(call, *script.value(), *key_count, read_only, debugger);
}

void eval_or_debug(Call& call, bool read_only) {
  if (!DebugSessions::asked_for(call)) return eval(call, read_only, nullptr);
  call.services.debug_sessions->run(
      call, {.source = call.args[1], .chunk = kScriptChunk, .top_level = "top level"},
      [&](ScriptDebugger& debugger) { eval(call, read_only, &debugger); });
}

void eval_sha(Call& call, bool read_only) {
  const bool is_sha1 = call.args[1].size() == kSha1Digits;
  if (is_sha1 && DebugSessions::asked_for(call)) {
    call.reply.error("ERR Please use EVAL instead of EVALSHA for debugging");
    return;
  }
  const Script* script = is_sha1 ? engine(call).find(call.args[1]) : nullptr;
  if (script == nullptr) {
    call.reply.error(kUnknownScript);
    return;
  }
  if (const auto key_count = read_key_count(call)) {
    engine(call).run(call, *script, *key_count, read_only);
  }
}

// EVAL script numkeys [key...] [arg...]
void eval_command(Call& call) { eval_or_debug(call, /*read_only=*/false); }
void eval_ro_command(Call& call) { eval_or_debug(call, /*read_only=*/true); }
// EVALSHA sha1 numkeys [key...] [arg...]
void evalsha_command(Call& call) { eval_sha(call, /*read_only=*/false); }
void evalsha_ro_command(Call& call) { eval_sha(call, /*read_only=*/true); }

uint32_t flags_of_eval(Services&, Args args, uint32_t own) {
  const Result<ScriptHeader> header = parse_script_header(args[1]);
  if (!header.ok() || !header.value().has_shebang) return own;
  return script_command_flags(header.value().flags, own);
}

uint32_t flags_of_evalsha(Services& services, Args args, uint32_t own) {
  const Script* script = services.scripts->find(args[1]);
  return script != nullptr ? ScriptEngine::command_flags(*script, own) : own;
}

// SCRIPT LOAD script
void load_command(Call& call) {
  const Result<const Script*> script = engine(call).compile(call.args[2], ScriptOrigin::kLoad);
  if (!script.ok()) {
    call.reply.error("ERR " + script.error().message);
    return;
  }
  call.reply.bulk(script.value()->function.name);
}

// SCRIPT EXISTS sha1...
void exists_command(Call& call) {
  call.reply.array(call.args.size() - 2);
  for (const std::string_view sha1 : call.args.subspan(2)) {
    call.reply.integer(engine(call).find(sha1) != nullptr ? 1 : 0);
  }
}

// SCRIPT FLUSH [SYNC | ASYNC]
void flush_command(Call& call) {
  if (call.args.size() > 3 || (call.args.size() == 3 && !equals_ignore_case(call.args[2], "sync") &&
                               !equals_ignore_case(call.args[2], "async"))) {
    call.reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    return;
  }
  engine(call).flush();
  call.reply.ok();
}

// SCRIPT SHOW sha1
void show_command(Call& call) {
  const Script* script = engine(call).find(call.args[2]);
  if (script == nullptr) {
    call.reply.error(kUnknownScript);
    return;
  }
  call.reply.bulk(script->source);
}

// SCRIPT KILL
void kill_command(Call& call) {
  if (call.services.functions->running()) {
    call.reply.error(call.executor.state().busy);
    return;
  }
  reply_kill_outcome(call.reply, engine(call).kill());
}

// SCRIPT DEBUG YES | SYNC | NO
void debug_command(Call& call) {
  if (call.client.output_size() > 0) {
    call.reply.error("ERR SCRIPT DEBUG must be called outside a pipeline");
    return;
  }
  DebugSessions* const sessions = call.services.debug_sessions;
  if (sessions == nullptr) {
    call.reply.error("ERR there is no debugger here");
    return;
  }
  const std::string_view mode = call.args[2];
  if (equals_ignore_case(mode, "no")) {
    sessions->disable(call.client);
  } else if (equals_ignore_case(mode, "yes")) {
    sessions->enable(call.client, DebugMode::kForked);
  } else if (equals_ignore_case(mode, "sync")) {
    sessions->enable(call.client, DebugMode::kSync);
  } else {
    call.reply.error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
    return;
  }
  call.reply.ok();
}

// SCRIPT HELP
void help_command(Call& call) {
  reply_help(call, {{"DEBUG (YES|SYNC|NO)",
                     "Debug what this connection runs next: in a copy of the server, in the\n"
                     "server itself, or no more."},
                    {"EXISTS <sha1> [<sha1> ...]", "Return which of the scripts are known."},
                    {"FLUSH [ASYNC|SYNC]", "Forget all scripts."},
                    {"KILL", "Stop the script that is running, if it has not written yet."},
                    {"LOAD <script>", "Keep a script, without running it, until a flush."},
                    {"SHOW <sha1>", "Return a script's source."}});
}

constexpr std::string_view kEvalComplexity = "Depends on the script that is executed.";
constexpr std::string_view kWriteKeys =
    "[ACCESS+RW+UPDATE index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]";
constexpr std::string_view kReadKeys =
    "[ACCESS+RO index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]";
constexpr std::string_view kWriteFlags =
    "movablekeys,no_mandatory_keys,noscript,skip_monitor,stale";
constexpr std::string_view kReadFlags =
    "movablekeys,no_mandatory_keys,noscript,readonly,skip_monitor,stale";

constexpr CommandRow kRows[] = {
    {.name = "eval",
     .handler = eval_command,
     .arity = -3,
     .flags = kWriteFlags,
     .categories = "@scripting,@slow",
     .key_specs = kWriteKeys,
     .summary = "Runs a script.",
     .since = "2.6.0",
     .group = "scripting",
     .complexity = kEvalComplexity,
     .extra_flags = kMayReplicate,
     .flags_of = flags_of_eval},
    {.name = "eval_ro",
     .handler = eval_ro_command,
     .arity = -3,
     .flags = kReadFlags,
     .categories = "@scripting,@slow",
     .key_specs = kReadKeys,
     .summary = "Runs a script that only reads.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = kEvalComplexity,
     .flags_of = flags_of_eval},
    {.name = "evalsha",
     .handler = evalsha_command,
     .arity = -3,
     .flags = kWriteFlags,
     .categories = "@scripting,@slow",
     .key_specs = kWriteKeys,
     .summary = "Runs a known script, named by its SHA-1.",
     .since = "2.6.0",
     .group = "scripting",
     .complexity = kEvalComplexity,
     .extra_flags = kMayReplicate,
     .flags_of = flags_of_evalsha},
    {.name = "evalsha_ro",
     .handler = evalsha_ro_command,
     .arity = -3,
     .flags = kReadFlags,
     .categories = "@scripting,@slow",
     .key_specs = kReadKeys,
     .summary = "Runs a known script that only reads, named by its SHA-1.",
     .since = "7.0.0",
     .group = "scripting",
     .complexity = kEvalComplexity,
     .flags_of = flags_of_evalsha},
    {.name = "script",
     .arity = -2,
     .categories = "@slow",
     .summary = "The commands that manage scripts.",
     .since = "2.6.0",
     .group = "scripting",
     .complexity = "Depends on subcommand."},
    {.name = "script|debug",
     .handler = debug_command,
     .arity = 3,
     .flags = "noscript",
     .categories = "@scripting,@slow",
     .summary = "Lets the connection debug the script or function that it runs next.",
     .since = "3.2.0",
     .group = "scripting",
     .complexity = "O(1)"},
    {.name = "script|exists",
     .handler = exists_command,
     .arity = -3,
     .flags = "noscript",
     .categories = "@scripting,@slow",
     .tips = "request_policy:all_shards;response_policy:agg_logical_and",
     .summary = "Returns which of the scripts are known.",
     .since = "2.6.0",
     .group = "scripting",
     .complexity = "O(N) where N is the number of scripts asked for"},
    {.name = "script|flush",
     .handler = flush_command,
     .arity = -2,
     .flags = "noscript",
     .categories = "@scripting,@slow",
     .tips = "request_policy:all_nodes;response_policy:all_succeeded",
     .summary = "Forgets all scripts.",
     .since = "2.6.0",
     .group = "scripting",
     .complexity = "O(N) where N is the number of scripts"},
    {.name = "script|help",
     .handler = help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@scripting,@slow",
     .summary = "Returns the forms of the command.",
     .since = "5.0.0",
     .group = "scripting",
     .complexity = "O(1)"},
    {.name = "script|kill",
     .handler = kill_command,
     .arity = 2,
     .flags = "allow_busy,noscript",
     .categories = "@scripting,@slow",
     .tips = "request_policy:all_shards;response_policy:one_succeeded",
     .summary = "Stops the running script, unless it has written.",
     .since = "2.6.0",
     .group = "scripting",
     .complexity = "O(1)"},
    {.name = "script|load",
     .handler = load_command,
     .arity = 3,
     .flags = "noscript,stale",
     .categories = "@scripting,@slow",
     .tips = "request_policy:all_nodes;response_policy:all_succeeded",
     .summary = "Keeps a script for EVALSHA.",
     .since = "2.6.0",
     .group = "scripting",
     .complexity = "O(N) where N is the length of the script"},
    {.name = "script|show",
     .handler = show_command,
     .arity = 3,
     .flags = "noscript",
     .categories = "@scripting,@slow",
     .summary = "Returns a script's source.",
     .since = "8.0.0",
     .group = "scripting",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> scripting_commands() { return kRows; }

}  // namespace tandem
