#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "functions/function_hosts.h"
#include "functions/function_set.h"
#include "functions/script_run.h"
#include "server/base/result.h"

namespace tandem {

class Call;
class Executor;
class LineObserver;
class ScriptDebugger;

enum class RestorePolicy : uint8_t { kAppend, kReplace, kFlush };

// The function that runs now.
struct RunningFunction {
  std::string name;
  std::vector<std::string> command;  // the FCALL with its arguments
  int64_t duration_ms = 0;
};

// The functions of the server: their libraries, the Lua states they live in, and the calls. On the
// loop thread only.
class FunctionEngine {
 public:
  explicit FunctionEngine(Executor& executor);
  ~FunctionEngine();
  FunctionEngine(const FunctionEngine&) = delete;
  FunctionEngine& operator=(const FunctionEngine&) = delete;

  const FunctionSet& functions() const { return functions_; }
  // Calls `visit(name, source)` for every library: what a snapshot writes and FUNCTION DUMP gives.
  void for_each_library(
      const std::function<void(std::string_view name, std::string_view source)>& visit) const;

  // Compiles and runs a library's code, which registers its functions, without adding it anywhere.
  // Errors are what FUNCTION LOAD answers, without the leading "ERR ". The code may run for
  // `time_limit_ms`; 0 means no limit (loading from a file, a primary's stream).
  Result<std::shared_ptr<const FunctionLibrary>> compile(std::string_view source,
                                                         int64_t time_limit_ms);
  // Compiles a library and adds it to `set`: how a file, a payload or a full sync is read aside.
  // The library's code runs once, and nothing of this engine's own set changes before replace_all()
  // or merge(). Returns the library's name.
  Result<std::string> load_into(FunctionSet& set, std::string_view source, bool replace,
                                int64_t time_limit_ms = 0);
  // FUNCTION LOAD. Returns the library's name. On an error nothing has changed.
  Result<std::string> load(std::string_view source, bool replace, int64_t time_limit_ms = 0);
  // FUNCTION DELETE: false when there is no such library.
  bool remove(std::string_view library);
  void flush();
  // The new set takes the place of the old one, at once.
  void replace_all(FunctionSet set);
  // FUNCTION RESTORE: all libraries of `set` join under the policy, or on an error none does.
  Status merge(FunctionSet set, RestorePolicy policy);

  // FCALL and FCALL_RO from the check of the server's state on: `call.args` is the whole request,
  // with `key_count` keys from args[3] on. Writes the reply.
  void run(Call& call, const Function& function, size_t key_count, bool read_only,
           ScriptDebugger* debugger = nullptr);

  // The line of the library's code that ended the last compilation with an error; 0 when its text
  // did not run.
  int fault_line() const { return fault_line_; }
  // Null: nobody. Otherwise it outlives the observation of all Lua code here (LuaHost).
  void observe_lines(LineObserver* observer) { hosts_.observe_lines(observer); }

  // Whether a function runs: only commands that may run while it is busy can see it.
  bool running() const { return run_ != nullptr; }
  // The one that runs; null when none does.
  ScriptRun* current_run() { return run_; }
  RunningFunction running_function() const;
  // FUNCTION KILL, called from Executor::serve_while_busy.
  KillOutcome kill();
  // What Lua has allocated.
  size_t memory_bytes() const { return hosts_.memory_bytes(); }
  // CONFIG RESETSTAT: the functions' counters start again.
  void reset_stats();

 private:
  Executor& executor_;
  FunctionHosts hosts_;
  FunctionSet functions_;
  ScriptRun* run_ = nullptr;
  int fault_line_ = 0;
};

}  // namespace tandem
