// What the client of a debug session can say while the code stands still.

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "functions/debugger.h"
#include "functions/lua_host.h"
#include "functions/lua_sandbox.h"
#include "functions/server_api.h"
#include "server/base/clock.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

constexpr int64_t kListedAround = 5;
constexpr int kShortestMaxLength = 60;
constexpr char kEvalChunk[] = "@ldb_eval";

constexpr std::string_view kHelp[] = {
    "Lua debugger help:",
    "[h]elp               Show this help.",
    "[s]tep               Run current line and stop again.",
    "[n]ext               Alias for step.",
    "[c]ontinue           Run till next breakpoint.",
    "[l]ist               List source code around current line.",
    "[l]ist [line]        List source code around [line].",
    "                     line = 0 means: current position.",
    "[l]ist [line] [ctx]  In this form [ctx] specifies how many lines",
    "                     to show before/after [line].",
    "[w]hole              List all source code. Alias for 'list 1 1000000'.",
    "[p]rint              Show all the local variables.",
    "[p]rint <var>        Show the value of the specified variable.",
    "                     Can also show global vars KEYS and ARGV.",
    "[b]reak              Show all breakpoints.",
    "[b]reak <line>       Add a breakpoint to the specified line.",
    "[b]reak -<line>      Remove breakpoint from the specified line.",
    "[b]reak 0            Remove all breakpoints.",
    "[t]race              Show a backtrace.",
    "[e]val <code>        Execute some Lua code (in a different callframe).",
    "[v]alkey <cmd>       Execute a command.",
    "[m]axlen [len]       Trim logged replies and Lua var dumps to len.",
    "                     Specifying zero as <len> means unlimited.",
    "[a]bort              Stop the execution of the script. In sync",
    "                     mode dataset changes will be retained.",
    "",
    "Debugger functions you can call from Lua scripts:",
    "server.debug()       Produce logs in the debugger console.",
    "server.breakpoint()  Stop execution like if there was a breakpoint in the",
    "                     next line of code.",
};

// The number a word begins with, 0 when it begins with none: what is no number is no mistake here.
int leading_number(const std::string& word) {
  int number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

std::string join(std::span<const std::string> words) {
  std::string out;
  for (const std::string& word : words) out.append(out.empty() ? "" : " ").append(word);
  return out;
}

// The text of the error on top of the stack, which it pops: a string, or {err = text}.
std::string pop_error(lua_State* lua) {
  if (lua_istable(lua, -1)) {
    lua_pushliteral(lua, "err");
    lua_rawget(lua, -2);
    lua_remove(lua, -2);
  }
  size_t length = 0;
  const char* text = lua_isstring(lua, -1) != 0 ? lua_tolstring(lua, -1, &length) : nullptr;
  std::string out = text != nullptr ? std::string(text, length) : "unknown error";
  lua_pop(lua, 1);
  return out;
}

// Pushes the code as a function; it may be an expression. False: an error's text instead.
bool compile(lua_State* lua, const std::string& code) {
  if (!code.empty() && code[0] == LUA_SIGNATURE[0]) {
    lua_pushliteral(lua, "precompiled code is not accepted");
    return false;
  }
  const std::string expression = "return " + code;
  if (luaL_loadbuffer(lua, expression.data(), expression.size(), kEvalChunk) == 0) return true;
  lua_pop(lua, 1);
  return luaL_loadbuffer(lua, code.data(), code.size(), kEvalChunk) == 0;
}

}  // namespace

struct ScriptDebugger::CommandEntry {
  std::string_view letter, name;
  Next (ScriptDebugger::*run)(const Stop& stop, Words words);
  size_t min_words = 1;
};

// "server" has no letter: s is step. Neither has call, whose c is continue.
std::span<const ScriptDebugger::CommandEntry> ScriptDebugger::commands() {
  static constexpr CommandEntry kCommands[] = {
      {"h", "help", &ScriptDebugger::help},
      {"s", "step", &ScriptDebugger::step},
      {"n", "next", &ScriptDebugger::step},
      {"c", "continue", &ScriptDebugger::go_on},
      {"l", "list", &ScriptDebugger::list},
      {"w", "whole", &ScriptDebugger::whole},
      {"p", "print", &ScriptDebugger::print},
      {"b", "break", &ScriptDebugger::set_breakpoints},
      {"t", "trace", &ScriptDebugger::trace},
      {"e", "eval", &ScriptDebugger::evaluate},
      {"r", "redis", &ScriptDebugger::run_command, 2},
      {"v", "valkey", &ScriptDebugger::run_command, 2},
      {"server", "server", &ScriptDebugger::run_command, 2},
      {"m", "maxlen", &ScriptDebugger::set_max_length},
      {"a", "abort", &ScriptDebugger::abort},
  };
  return kCommands;
}

ScriptDebugger::Next ScriptDebugger::obey(const Stop& stop, Words words) {
  for (const CommandEntry& entry : commands()) {
    if (!equals_ignore_case(words[0], entry.letter) && !equals_ignore_case(words[0], entry.name)) {
      continue;
    }
    if (words.size() < entry.min_words) break;
    return (this->*entry.run)(stop, words);
  }
  log("<error> Unknown Lua debugger command or wrong number of arguments.");
  return Next::kStay;
}

ScriptDebugger::Next ScriptDebugger::help(const Stop&, Words) {
  for (std::string_view line : kHelp) log(line);
  return Next::kStay;
}

ScriptDebugger::Next ScriptDebugger::step(const Stop&, Words) {
  stepping_ = true;
  return Next::kResume;
}

ScriptDebugger::Next ScriptDebugger::go_on(const Stop&, Words) { return Next::kResume; }

void ScriptDebugger::show_lines(int64_t first, int64_t last) {
  last = std::min(last, source_.line_count());
  for (int64_t line = std::max<int64_t>(first, 1); line <= last; ++line) {
    log(source_.show(line, current_line_));
  }
}

ScriptDebugger::Next ScriptDebugger::list(const Stop&, Words words) {
  int64_t middle = current_line_;
  if (words.size() > 1) {
    const int given = leading_number(words[1]);
    if (given > 0) middle = given;
  }
  const int64_t around = words.size() > 2 ? leading_number(words[2]) : kListedAround;
  show_lines(middle - around, middle + around);
  return Next::kStay;
}

ScriptDebugger::Next ScriptDebugger::whole(const Stop&, Words) {
  show_lines(1, source_.line_count());
  return Next::kStay;
}

ScriptDebugger::Next ScriptDebugger::print(const Stop& stop, Words words) {
  if (words.size() != 2) {
    print_locals(stop.lua);
  } else if (!print_variable(stop, words[1])) {
    log("No such variable.");
  }
  return Next::kStay;
}

void ScriptDebugger::print_locals(lua_State* lua) {
  lua_Debug frame;
  bool any = false;
  if (lua_getstack(lua, 0, &frame) != 0) {
    int index = 0;
    while (const char* name = lua_getlocal(lua, &frame, ++index)) {
      if (std::string_view(name) != "(*temporary)") {
        show_value("<value> " + std::string(name) + " = ", lua, -1);
        any = true;
      }
      lua_pop(lua, 1);
    }
  }
  if (!any) log("No local variables in the current context.");
}

// The local variable of that name in the innermost function that has one.
bool ScriptDebugger::print_variable(const Stop& stop, const std::string& name) {
  lua_State* const lua = stop.lua;
  lua_Debug frame;
  for (int level = 0; lua_getstack(lua, level, &frame) != 0; ++level) {
    int index = 0;
    while (const char* local = lua_getlocal(lua, &frame, ++index)) {
      const bool found = name == local;
      if (found) show_value("<value> ", lua, -1);
      lua_pop(lua, 1);
      if (found) return true;
    }
  }
  if (name != "KEYS" && name != "ARGV") return false;
  stop.host.push_call_texts(lua, name == "KEYS" ? CallTexts::kKeys : CallTexts::kArguments);
  show_value("<value> ", lua, -1);
  lua_pop(lua, 1);
  return true;
}

ScriptDebugger::Next ScriptDebugger::set_breakpoints(const Stop&, Words words) {
  if (words.size() > 1) {
    for (const std::string& word : words.subspan(1)) change_breakpoint(word);
  } else if (source_.breakpoints().empty()) {
    log("No breakpoints set. Use 'b <line>' to add one.");
  } else {
    log(std::to_string(source_.breakpoints().size()) + " breakpoints set:");
    for (int64_t line : source_.breakpoints()) log(source_.show(line, current_line_));
  }
  return Next::kStay;
}

void ScriptDebugger::change_breakpoint(const std::string& word) {
  const std::optional<int64_t> line = parse_int64(word);
  if (!line) {
    log("Invalid argument:'" + word + "'");
  } else if (*line == 0) {
    source_.clear_breakpoints();
    log("All breakpoints removed.");
  } else if (*line < 0) {
    // No line has the number whose negation does not exist.
    const bool removed = *line != INT64_MIN && source_.remove_breakpoint(-*line);
    log(removed ? "Breakpoint removed." : "No breakpoint in the specified line.");
  } else if (source_.breakpoints().size() == DebugSource::kMaxBreakpoints) {
    log("Too many breakpoints set.");
  } else if (source_.add_breakpoint(*line)) {
    show_lines(*line - 1, *line + 1);
  } else {
    log("Wrong line number.");
  }
}

ScriptDebugger::Next ScriptDebugger::trace(const Stop& stop, Words) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(stop.lua, level, &frame) != 0; ++level) {
    lua_getinfo(stop.lua, "Snl", &frame);
    if (!is_own(frame)) continue;
    const std::string name = frame.name != nullptr ? frame.name : target_.top_level;
    log((level == 0 ? "In " : "From ") + name + ":");
    log(source_.show(frame.currentline, current_line_));
  }
  return Next::kStay;
}

// The code runs on a Lua thread of its own: on the script's there are no hooks while this one runs,
// and a loop without end would have none.
ScriptDebugger::Next ScriptDebugger::evaluate(const Stop& stop, Words words) {
  lua_State* const lua = stop.lua;
  lua_State* const own = lua_newthread(lua);
  if (!compile(own, join(words.subspan(1)))) {
    log("<error> " + pop_error(own));
    lua_pop(lua, 1);
    return Next::kStay;
  }
  resumed_us_ = stop.host.executor().clock().monotonic_us();
  evaluating_ = true;
  const int status = lua_pcall(own, 0, 1, 0);
  evaluating_ = false;
  if (stop.host.stopped()) stop.host.stop(lua, stop.where, "");
  if (status != 0) {
    log("<error> " + pop_error(own));
  } else {
    show_value("<retval> ", own, -1);
  }
  lua_pop(lua, 1);
  return Next::kStay;
}

// As the script's own server.pcall() in a step: the command and its reply are shown.
ScriptDebugger::Next ScriptDebugger::run_command(const Stop& stop, Words words) {
  lua_State* const lua = stop.lua;
  if (lua_checkstack(lua, static_cast<int>(words.size()) + 2) == 0) {
    log("<error> max lua stack reached");
    return Next::kStay;
  }
  push_protected_call(lua);
  for (const std::string& word : words.subspan(1)) lua_pushlstring(lua, word.data(), word.size());
  stepping_ = true;
  const int status = lua_pcall(lua, static_cast<int>(words.size()) - 1, 1, 0);
  stepping_ = false;
  if (stop.host.stopped()) stop.host.stop(lua, stop.where, "");
  if (status != 0) {
    log("<error> " + pop_error(lua));
  } else {
    lua_pop(lua, 1);
  }
  return Next::kStay;
}

ScriptDebugger::Next ScriptDebugger::set_max_length(const Stop&, Words words) {
  if (words.size() == 2) {
    length_hint_given_ = true;  // nothing to tell any more
    const int given = leading_number(words[1]);
    max_length_ = given == 0 ? 0 : static_cast<size_t>(std::max(given, kShortestMaxLength));
  }
  log(max_length_ != 0
          ? "<value> replies are truncated at " + std::to_string(max_length_) + " bytes."
          : "<value> replies are unlimited.");
  return Next::kStay;
}

ScriptDebugger::Next ScriptDebugger::abort(const Stop& stop, Words) {
  stop.host.stop(stop.lua, stop.where, "ERR script aborted for user request");
}

}  // namespace tandem
