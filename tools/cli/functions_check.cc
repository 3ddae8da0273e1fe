#include "tools/cli/functions_check.h"

#include <cstdio>
#include <set>
#include <string_view>
#include <vector>

#include "functions/function_set.h"
#include "functions/library_header.h"
#include "functions/lua_host.h"
#include "server/base/strings.h"
#include "tools/cli/command_calls.h"
#include "tools/cli/in_process_server.h"
#include "tools/cli/library_loading.h"
#include "tools/cli/lua_chunk.h"

namespace tandem::cli {

namespace {

// "  name [no-writes, allow-stale] description"
std::string describe(const Function& function) {
  std::string flags;
  for (const FunctionFlagName& flag : function_flag_names()) {
    if (function.is(flag.flag)) flags.append(flags.empty() ? "" : ", ").append(flag.name);
  }
  std::string line = "  " + function.name;
  if (!flags.empty()) line += " [" + flags + "]";
  if (function.has_description) line += " " + function.description;
  return line;
}

void list_library(const std::string& path, const FunctionLibrary& library) {
  std::printf("%s: library %s\n", path.c_str(), library.name.c_str());
  for (const auto& function : library.functions) std::printf("%s\n", describe(*function).c_str());
}

// Whether a function finds such a global, and a field of that name in it when one is given.
bool exists(lua_State* lua, const GlobalUse& use) {
  lua_pushcfunction(lua, [](lua_State* state) {
    lua_getfield(state, LUA_GLOBALSINDEX, lua_tostring(state, 1));
    if (lua_gettop(state) == 2) return 1;
    lua_getfield(state, -1, lua_tostring(state, 2));
    return 1;
  });
  lua_pushlstring(lua, use.name.data(), use.name.size());
  if (!use.field.empty()) lua_pushlstring(lua, use.field.data(), use.field.size());
  const bool found = lua_pcall(lua, use.field.empty() ? 1 : 2, 1, 0) == 0 && !lua_isnil(lua, -1);
  lua_pop(lua, 1);
  return found;
}

// What is wrong with the use of a global; empty when nothing is. A field may be asked for to find
// out whether it is there, but all of `server` is known.
std::string global_fault(lua_State* lua, const GlobalUse& use) {
  if (use.is_write) {
    return "assigns to the global '" + use.name + "'; globals are read-only, is a 'local' missing?";
  }
  const bool is_api = use.name == "server" || use.name == "redis";
  const GlobalUse whole{use.name, "", use.line, false};
  if (!exists(lua, whole)) return "reads the global '" + use.name + "', which does not exist";
  // Only while a library loads.
  if (!is_api || use.field.empty() || use.field == "register_function") return {};
  if (exists(lua, use)) return {};
  return "reads '" + use.name + "." + use.field + "', which does not exist";
}

// What happens when the call is made, as a predicate of the function; empty when it may be made.
std::string call_fault(Executor& executor, const Function& function, const CommandCall& call) {
  const std::vector<std::string_view> words(call.words.begin(), call.words.end());
  const Command* command = executor.commands().resolve(words);
  std::string name = to_upper(call.words[0]);
  if (command == nullptr) return "calls " + name + ", which is no command";
  if (command->container != nullptr) name += " " + to_upper(call.words[1]);
  if (call.word_count != 0 && !command->accepts_arg_count(call.word_count)) {
    return "calls " + name + " with the wrong number of arguments";
  }
  if (command->is(kNoScript)) return "calls " + name + ", which functions may not call";
  if (!function.is(kNoWrites) || !command->is(kWrite | kMayReplicate)) return {};
  return "is flagged no-writes and calls " + name + ", which writes";
}

// What loads and will fail all the same when it is called; sorted by line.
std::set<std::pair<int, std::string>> find_warnings(Server& server,
                                                    const FunctionLibrary& library) {
  std::set<std::pair<int, std::string>> warnings;
  lua_State* lua = library.host->state();
  for (const auto& function : library.functions) {
    lua_rawgeti(lua, LUA_REGISTRYINDEX, function->callback);
    // server.register_function takes functions of C as well: tostring, say.
    if (lua_iscfunction(lua, -1) == 0) {
      for (const CommandCall& call : find_command_calls(lua)) {
        const std::string fault = call_fault(server.executor(), *function, call);
        if (!fault.empty()) warnings.emplace(call.line, "'" + function->name + "' " + fault);
      }
    }
    lua_pop(lua, 1);
  }
  const std::string_view code = parse_library_header(library.source).value().code;
  for (const GlobalUse& use : global_uses(compile_lua(code, "=library").value())) {
    const std::string fault = global_fault(lua, use);
    if (!fault.empty()) warnings.emplace(use.line, fault);
  }
  return warnings;
}

bool check_file(Server& server, const std::string& path) {
  const Result<std::string> source = read_library_file(path);
  Diagnostic fault{path, 1, source.ok() ? "" : source.error().message};
  std::string name;
  if (!source.ok() || !load_library(server, path, source.value(), &name, &fault)) {
    std::fprintf(stderr, "%s\n", fault.to_string("error").c_str());
    return false;
  }
  const FunctionLibrary& library = *server.functions().functions().libraries().find(name)->second;
  list_library(path, library);
  for (const auto& [line, message] : find_warnings(server, library)) {
    std::fprintf(stderr, "%s\n", Diagnostic{path, line, message}.to_string("warning").c_str());
  }
  return true;
}

}  // namespace

int run_functions_check(const Options&, std::span<const std::string> arguments) {
  if (arguments.empty()) {
    std::fputs("tandem-cli functions check: name at least one file\n", stderr);
    return 1;
  }
  log_to_standard_error();
  InProcessServer in_process;
  bool sound = true;
  for (const std::string& path : arguments) sound &= check_file(in_process.server(), path);
  return sound ? 0 : 1;
}

}  // namespace tandem::cli
