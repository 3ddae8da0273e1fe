#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

class Call;
class Executor;
class ScriptDebugger;
struct Function;

// What Lua calls the code of libraries and of scripts; error texts show it.
inline constexpr char kFunctionChunk[] = "@user_function";
inline constexpr char kScriptChunk[] = "@user_script";

enum class KillOutcome : uint8_t { kKilled, kNotBusy, kUnkillable, kFromPrimary };

// What a function, or a script of EVAL, may do and has done while it runs.
struct ScriptRun {
  const Function* function = nullptr;
  const Call* call = nullptr;
  ScriptDebugger* debugger = nullptr;            // the session that shows it, if there is one
  std::span<const std::string_view> keys, args;  // what it was called with
  uint32_t flags = 0;  // FunctionFlags: the function's, and what the command that runs it adds
  uint64_t started_ticks = 0;
  int64_t started_us = 0;  // monotonic; set when the hook first looks at the clock
  bool wrote = false;      // ran a command that may write: cannot be killed any more
  bool busy = false;       // past busy-reply-threshold
  bool kill = false;
  std::string error;                       // what it answered, if that was an error
  std::vector<std::string> shown_command;  // set with `busy`: the request's bytes may move then

  // FUNCTION KILL and SCRIPT KILL.
  KillOutcome request_kill();
};

// The CommandFlags of a command that runs a function or script with these FunctionFlags, in place
// of its own ones.
uint32_t script_command_flags(uint32_t flags, uint32_t own);

// Why the server's state does not let a function or script with these CommandFlags run for this
// call, as for any command; empty when it does.
std::string script_refusal(const Call& call, uint32_t command_flags);

}  // namespace tandem
