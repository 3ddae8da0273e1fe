#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "functions/script_cache.h"
#include "functions/script_run.h"
#include "server/base/result.h"

namespace tandem {

class Call;
class Executor;
class LuaHost;
class ScriptDebugger;

// EVAL's world: scripts that clients bring along, in a Lua state of their own, apart from the
// functions'. On the loop thread only.
class ScriptEngine {
 public:
  explicit ScriptEngine(Executor& executor);
  ~ScriptEngine();
  ScriptEngine(const ScriptEngine&) = delete;
  ScriptEngine& operator=(const ScriptEngine&) = delete;

  const ScriptCache& cache() const { return cache_; }
  // The Lua state that all scripts live in, until a flush.
  LuaHost& host() { return *host_; }
  // Scripts that went because too many others had come.
  uint64_t evicted() const { return evicted_; }

  // The script with this SHA-1; null when it is not known.
  const Script* find(std::string_view sha1) { return cache_.find(sha1); }
  // The script of this source, compiled unless it is known. Errors are what EVAL answers, without
  // the leading "ERR ".
  Result<const Script*> compile(std::string_view source, ScriptOrigin origin);
  // SCRIPT FLUSH: forgets all scripts, and all that they have left in their Lua state.
  void flush();

  // The CommandFlags of a command that runs this script: those that it declares, if it declares
  // any, in place of the command's own.
  static uint32_t command_flags(const Script& script, uint32_t own);
  // Runs a script: `call.args` is the whole request, with `key_count` keys from args[3] on. Writes
  // the reply.
  void run(Call& call, const Script& script, size_t key_count, bool read_only,
           ScriptDebugger* debugger = nullptr);

  bool running() const;
  // SCRIPT KILL, called from Executor::serve_while_busy.
  KillOutcome kill();
  // What Lua has allocated.
  size_t memory_bytes() const;

 private:
  Executor& executor_;
  std::unique_ptr<LuaHost> host_;
  ScriptCache cache_;
  uint64_t evicted_ = 0;
};

}  // namespace tandem
