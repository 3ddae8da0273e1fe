#include "functions/server_api.h"

#include <array>
#include <charconv>
#include <cmath>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "functions/debug_text.h"
#include "functions/lua_host.h"
#include "functions/lua_sandbox.h"
#include "functions/registration.h"
#include "server/base/digest.h"
#include "server/base/log.h"
#include "server/base/numbers.h"
#include "server/base/version.h"
#include "server/exec/executor.h"
#include "server/resp/encoder.h"

namespace tandem {

namespace {

// Numbers among a command's arguments as text: the first few in place, the rest allocated.
class NumberScratch {
 public:
  // Integers in full, other numbers with as many digits as tell them from any other.
  std::string_view format(lua_Number number) {
    constexpr lua_Number kIntegerBound = 4611686018427387904.0;  // exactly converted below it
    std::span<char> out = next();
    if (number >= -kIntegerBound && number <= kIntegerBound) {
      const auto integer = static_cast<int64_t>(number);
      if (static_cast<lua_Number>(integer) == number) return format_int64(integer, out);
    }
    std::string text = format_double(number);
    if (std::isnan(number) && std::signbit(number)) text.insert(0, 1, '-');
    return {out.data(), text.copy(out.data(), out.size())};
  }

 private:
  static constexpr size_t kBytes = 32;
  static constexpr size_t kInPlace = 8;

  std::span<char> next() {
    if (used_ < kInPlace) return {in_place_ + kBytes * used_++, kBytes};
    allocated_.push_back(std::make_unique<char[]>(kBytes));
    return {allocated_.back().get(), kBytes};
  }

  char in_place_[kBytes * kInPlace];
  size_t used_ = 0;
  std::vector<std::unique_ptr<char[]>> allocated_;
};

std::string_view text_at(lua_State* lua, int index) {
  size_t length = 0;
  const char* bytes = lua_tolstring(lua, index, &length);
  return {bytes, length};
}

// The command for the arguments, which stand on the Lua stack from 1 on; null when there is none.
Command* resolve(lua_State* lua, LuaHost& host, Args args) {
  CommandTable& commands = host.executor().commands();
  Command* command = nullptr;
  if (lua_type(lua, 1) == LUA_TSTRING) {
    CommandCache& cache = host.command_cache();
    command = cache.find(args[0].data());
    if (command == nullptr) {
      command = commands.find(args[0]);
      if (command == nullptr) return nullptr;
      cache.remember(lua, 1, args[0].data(), command);
    }
  } else {
    command = commands.find(args[0]);
    if (command == nullptr) return nullptr;
  }
  if (!command->subcommands.empty()) command = commands.resolve(args);
  // One that consists of subcommands has no handler. Without any word, its arity refuses it.
  return command->handler == nullptr && args.size() > 1 ? nullptr : command;
}

// Whether there is nothing for refusal() to find: nearly always.
bool may_run(LuaHost& host, const ScriptRun& run, const Command& command, size_t arg_count) {
  return host.executor().state().all_well() && command.accepts_arg_count(arg_count) &&
         command.handler != nullptr && !command.is(kNoScript) &&
         !((run.flags & kNoWrites) != 0 && command.is(kWrite | kMayReplicate));
}

// Why the running function may not run this command now; empty when it may. The text starts with
// its code.
std::string refusal(LuaHost& host, const ScriptRun& run, const Command& command, size_t arg_count) {
  if (!command.accepts_arg_count(arg_count) || command.handler == nullptr) {
    return "ERR Wrong number of args calling command from script";
  }
  if (command.is(kNoScript)) return "ERR This Redis command is not allowed from script";
  Executor& executor = host.executor();
  const DispatchState& state = executor.state();
  if (state.is_replica && !state.primary_link_up && !command.is(kStale) &&
      !executor.config().settings().replica_serve_stale_data) {
    return "ERR Can not execute the command on a stale replica";
  }
  if (command.is(kWrite | kMayReplicate) && (run.flags & kNoWrites) != 0) {
    return "ERR Write commands are not allowed from read-only scripts.";
  }
  // A function that has written goes on to its end: half of its writes would be worse than all.
  if (run.wrote) return {};
  std::string refused = executor.refusal(host.script_client(), command.flags);
  if ((run.flags & kAllowOom) != 0 && refused.starts_with("OOM ")) return {};
  return refused;
}

// So many make every 16th command look at the clock.
constexpr uint64_t kStepsOfACommand = 6'250;

// Runs the command and shows its reply to who debugs the script.
void call_shown(LuaHost& host, ScriptDebugger& debugger, Command& command, Args args,
                LuaReply& reply) {
  OutputBuffer bytes;
  RespEncoder encoder(&bytes);
  encoder.set_protocol(host.protocol());
  TeeReply both(reply, encoder);
  host.executor().call(host.script_client(), command, args, both);
  debugger.show_reply(bytes.view(), host.protocol());
}

// server.call and server.pcall: leaves the command's reply, or an error table, on the stack and
// returns whether it is an error.
bool run_command(lua_State* lua, LuaHost& host) {
  const int count = lua_gettop(lua);
  if (count == 0) {
    push_error(lua, "ERR Please specify at least one argument for this call");
    return true;
  }
  ScriptRun* run = host.run();
  if (run == nullptr) {
    push_error(lua, "ERR server.call can only be called inside a function");
    return true;
  }
  // A few slow commands may pass before the hook between Lua's instructions gets a turn.
  host.count_work(lua, kStepsOfACommand);
  NumberScratch numbers;
  const std::span<std::string_view> views = host.argument_views(static_cast<size_t>(count));
  for (int i = 1; i <= count; ++i) {
    std::string_view& view = views[static_cast<size_t>(i - 1)];
    switch (lua_type(lua, i)) {
      case LUA_TSTRING:
        view = text_at(lua, i);
        break;
      case LUA_TNUMBER:
        view = numbers.format(lua_tonumber(lua, i));
        break;
      default:
        push_error(lua, "ERR Command arguments must be strings or integers");
        return true;
    }
  }
  const Args args(views);
  ScriptDebugger* const debugger =
      run->debugger != nullptr && run->debugger->shows_commands() ? run->debugger : nullptr;
  if (debugger != nullptr) debugger->show_command(args);
  Command* command = resolve(lua, host, args);
  if (command == nullptr) {
    push_error(lua, "ERR Unknown command called from script");
    return true;
  }
  if (!may_run(host, *run, *command, args.size())) {
    const std::string refused = refusal(host, *run, *command, args.size());
    if (!refused.empty()) {
      ++command->stats.rejected;
      push_error(lua, refused.c_str());
      return true;
    }
  }
  if (command->is(kWrite)) run->wrote = true;
  const LuaHost::LimitLifted lifted(host);
  LuaReply& reply = host.reply();
  reply.begin(lua, host.protocol());
  if (debugger != nullptr) {
    call_shown(host, *debugger, *command, args, reply);
  } else {
    host.executor().call(host.script_client(), *command, args, reply);
  }
  return reply.is_error();
}

// The error on top of the stack is one that a command or its refusal made: it counts here, and not
// again when the function passes it on.
void count_command_error(lua_State* lua, LuaHost& host) {
  lua_getfield(lua, -1, "err");
  host.executor().on_error_reply(text_at(lua, -1));
  lua_pop(lua, 1);
  lua_pushboolean(lua, 1);
  lua_setfield(lua, -2, "ignore_error_stats_update");
}

int api_call(lua_State* lua) {
  LuaHost& host = LuaHost::of(lua);
  if (!run_command(lua, host)) return 1;
  count_command_error(lua, host);
  return lua_error(lua);
}

int api_pcall(lua_State* lua) {
  LuaHost& host = LuaHost::of(lua);
  if (run_command(lua, host)) count_command_error(lua, host);
  return 1;
}

constexpr const char kWrongArguments[] = "ERR wrong number or type of arguments";

bool is_single_string(lua_State* lua) {
  return lua_gettop(lua) == 1 && lua_type(lua, 1) == LUA_TSTRING;
}

// The first word is the code, with or without a '-' in front; a text of one word gets one.
int api_error_reply(lua_State* lua) {
  if (!is_single_string(lua)) {
    push_error(lua, kWrongArguments);
    return 1;
  }
  std::string_view text = text_at(lua, 1);
  if (text.starts_with('-')) text.remove_prefix(1);
  ScriptDebugger* const debugger = LuaHost::of(lua).debugger();
  if (debugger != nullptr && debugger->shows_commands()) debugger->show_error_reply(text);
  lua_createtable(lua, 0, 1);
  if (text.find(' ') == std::string_view::npos) {
    lua_pushliteral(lua, "ERR ");
    lua_pushlstring(lua, text.data(), text.size());
    lua_concat(lua, 2);
  } else {
    lua_pushlstring(lua, text.data(), text.size());
  }
  lua_setfield(lua, -2, "err");
  return 1;
}

int api_status_reply(lua_State* lua) {
  if (!is_single_string(lua)) {
    push_error(lua, kWrongArguments);
    return 1;
  }
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "ok");
  return 1;
}

int api_setresp(lua_State* lua) {
  if (lua_gettop(lua) != 1) raise_error(lua, "ERR server.setresp() requires one argument.");
  const lua_Number version = lua_tonumber(lua, 1);
  if (version != 2 && version != 3) raise_error(lua, "ERR RESP version must be 2 or 3.");
  LuaHost::of(lua).set_protocol(static_cast<int>(version));
  return 0;
}

int api_log(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count < 2) raise_error(lua, "ERR server.log() requires two arguments or more.");
  if (lua_isnumber(lua, 1) == 0) {
    raise_error(lua, "ERR First argument must be a number (log level).");
  }
  const lua_Number level = lua_tonumber(lua, 1);
  if (!(level >= static_cast<int>(LogLevel::kDebug) &&
        level <= static_cast<int>(LogLevel::kWarning))) {
    raise_error(lua, "ERR Invalid debug level.");
  }
  std::string message;
  for (int i = 2; i <= count; ++i) {
    if (lua_isstring(lua, i) == 0) continue;
    if (i > 2) message += ' ';
    message += text_at(lua, i);
  }
  log_line(static_cast<LogLevel>(static_cast<int>(level)), message);
  return 0;
}

int api_sha1hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) raise_error(lua, "ERR wrong number of arguments");
  // What is no string counts as an empty one.
  const std::string digest = sha1_hex(text_at(lua, 1));
  lua_pushlstring(lua, digest.data(), digest.size());
  return 1;
}

// What REPL_AOF, REPL_REPLICA and REPL_ALL are is whom effects are for.
int api_set_repl(lua_State* lua) {
  if (lua_gettop(lua) != 1) raise_error(lua, "ERR server.set_repl() requires one argument.");
  const lua_Number targets = lua_tonumber(lua, 1);
  if (!(targets >= 0 && targets <= static_cast<int>(kEffectToAll))) {
    raise_error(
        lua, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  LuaHost::of(lua).executor().effects().set_targets(static_cast<uint8_t>(targets));
  return 0;
}

// Effects have always been what travels.
int api_replicate_commands(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}

// Outside the debugger there is nothing to stop in and nobody to print for.
int api_breakpoint(lua_State* lua) {
  ScriptDebugger* const debugger = LuaHost::of(lua).debugger();
  if (debugger != nullptr) debugger->break_at_next_line();
  lua_pushboolean(lua, debugger != nullptr);
  return 1;
}
int api_debug(lua_State* lua) {
  ScriptDebugger* const debugger = LuaHost::of(lua).debugger();
  if (debugger != nullptr) debugger->show_values(lua);
  return 0;
}

// Every user may run every command.
int api_acl_check_cmd(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count == 0) {
    raise_error(lua,
                "ERR Please specify at least one argument for this server.acl_check_cmd() call");
  }
  std::vector<std::string_view> args;
  for (int i = 1; i <= count; ++i) {
    if (lua_isstring(lua, i) == 0) {
      raise_error(lua, "ERR server.acl_check_cmd() command arguments must be strings or integers");
    }
    args.push_back(text_at(lua, i));
  }
  if (LuaHost::of(lua).executor().commands().resolve(args) == nullptr) {
    raise_error(lua, "ERR Invalid command passed to server.acl_check_cmd()");
  }
  lua_pushboolean(lua, 1);
  return 1;
}

// In the table on top of the stack.
void set_function(lua_State* lua, const char* name, lua_CFunction function) {
  lua_pushcfunction(lua, function);
  lua_setfield(lua, -2, name);
}

// One that runs commands.
void push_call_function(lua_State* lua, lua_CFunction function) {
  LuaReply::push_upvalues(lua);
  lua_pushcclosure(lua, function, LuaReply::kUpvalues);
}

void set_text(lua_State* lua, const char* name, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
  lua_setfield(lua, -2, name);
}

void set_number(lua_State* lua, const char* name, int number) {
  lua_pushinteger(lua, number);
  lua_setfield(lua, -2, name);
}

// "7.2.4" as 0x00070204.
int version_number(std::string_view version) {
  int number = 0;
  while (!version.empty()) {
    const size_t length = std::min(version.find('.'), version.size());
    int part = 0;
    std::from_chars(version.data(), version.data() + length, part);
    number = number << 8 | part;
    version.remove_prefix(std::min(length + 1, version.size()));
  }
  return number;
}

// What the API has at any time.
void set_common_fields(lua_State* lua) {
  set_function(lua, "log", api_log);
  set_number(lua, "LOG_DEBUG", static_cast<int>(LogLevel::kDebug));
  set_number(lua, "LOG_VERBOSE", static_cast<int>(LogLevel::kVerbose));
  set_number(lua, "LOG_NOTICE", static_cast<int>(LogLevel::kNotice));
  set_number(lua, "LOG_WARNING", static_cast<int>(LogLevel::kWarning));
  set_text(lua, "REDIS_VERSION", kRedisVersion);
  set_number(lua, "REDIS_VERSION_NUM", version_number(kRedisVersion));
  set_text(lua, "SERVER_NAME", "tandem");
  set_text(lua, "SERVER_VERSION", kTandemVersion);
  set_number(lua, "SERVER_VERSION_NUM", version_number(kTandemVersion));
}

}  // namespace

void push_call_api(lua_State* lua, LuaHost& host) {
  // Sparse, and `call` comes first: it is looked up all the time, and found at the first look.
  lua_createtable(lua, 0, 256);
  push_call_function(lua, api_call);
  lua_setfield(lua, -2, "call");
  set_common_fields(lua);
  push_call_function(lua, api_pcall);
  lua_setfield(lua, -2, "pcall");
  set_function(lua, "error_reply", api_error_reply);
  set_function(lua, "status_reply", api_status_reply);
  set_function(lua, "setresp", api_setresp);
  set_function(lua, "sha1hex", api_sha1hex);
  set_function(lua, "set_repl", api_set_repl);
  set_number(lua, "REPL_NONE", 0);
  set_number(lua, "REPL_AOF", kEffectToAof);
  set_number(lua, "REPL_REPLICA", kEffectToReplicas);
  set_number(lua, "REPL_SLAVE", kEffectToReplicas);
  set_number(lua, "REPL_ALL", kEffectToAll);
  set_function(lua, "acl_check_cmd", api_acl_check_cmd);
  set_function(lua, "breakpoint", api_breakpoint);
  set_function(lua, "debug", api_debug);
  if (host.world() != ScriptWorld::kScripts) return;
  set_function(lua, "replicate_commands", api_replicate_commands);
}

void push_protected_call(lua_State* lua) { push_call_function(lua, api_pcall); }

void push_load_api(lua_State* lua) {
  lua_newtable(lua);
  set_common_fields(lua);
  set_function(lua, "register_function", register_function);
}

}  // namespace tandem
