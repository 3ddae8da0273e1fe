#pragma once

#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "functions/command_cache.h"
#include "functions/debugger.h"
#include "functions/function_set.h"
#include "functions/lua_allocator.h"
#include "functions/lua_libraries.h"
#include "functions/lua_reply.h"
#include "functions/lua_result.h"
#include "functions/script_run.h"
#include "server/exec/client.h"

namespace tandem {

class Call;
class Executor;
class LuaHost;

// Thrown through Lua to end a script that was killed or ran too long. Not a Lua error, so that
// neither pcall nor an error handler of the script can hold it up; the checked versions of pcall,
// xpcall and coroutine.resume pass it on.
struct ScriptStopped {};

// A library whose code is running to register its functions.
struct LibraryLoad {
  FunctionLibrary* library = nullptr;
  int64_t deadline_us = 0;  // monotonic; 0: none
  int64_t limit_us = 0;
};

// The two worlds of Lua code, each in a state of its own: function libraries, and the scripts of
// EVAL.
enum class ScriptWorld : uint8_t { kFunctions, kScripts };

// What the hosts of one world share.
struct LuaWorld {
  static constexpr size_t kRoomyBytes = size_t{32} << 20;
  // While a host has less in use, its collector waits longer between its rounds.
  size_t roomy_bytes = kRoomyBytes;
  RandomGenerator random;  // math.random's
};

// Is told of each line of Lua code before it runs: coverage, say.
class LineObserver {
 public:
  virtual ~LineObserver() = default;
  // `where` holds the current line; lua_getinfo() gives more of it. host.run() or host.load() says
  // whose code it is.
  virtual void on_line(LuaHost& host, lua_State* lua, lua_Debug* where) = 0;
};

// What a script or function was called with.
enum class CallTexts : uint8_t { kKeys, kArguments };

// A Lua state with its sandbox, and what runs in it.
//
// The sandbox: globals and API tables are empty tables with a locked metatable that finds the real
// one, and the library functions that could reach around it are replaced by checked versions
// (lua_sandbox.h). Functions and libraries' top-level code share one view of the globals, which
// shows less while a library loads.
class LuaHost {
 public:
  LuaHost(Executor& executor, ScriptWorld world,
          std::shared_ptr<LuaWorld> shared = std::make_shared<LuaWorld>());
  ~LuaHost();  // on any thread
  LuaHost(const LuaHost&) = delete;
  LuaHost& operator=(const LuaHost&) = delete;

  // The host of a Lua state or coroutine.
  static LuaHost& of(lua_State* lua) { return *LuaAllocator::of(lua).host(); }

  // Runs a library's code; its register_function calls fill in load.library, which stays until its
  // release(). The error is the reason, without "ERR ".
  Status run_library(LibraryLoad& load, std::string_view code);
  // The line of the library's code that ended the last run_library() with an error; 0 when its text
  // did not run.
  int fault_line() const { return fault_line_; }
  // Compiles a script of EVAL; returns the reference of the closure. The error is what EVAL
  // answers, without "ERR ".
  Result<int> compile_script(std::string_view code);
  // Calls the function with the request's keys and arguments and writes its result or its error.
  void run_function(ScriptRun& run, std::span<const std::string_view> keys,
                    std::span<const std::string_view> args, Reply& reply);
  // Gives back a closure kept with luaL_ref.
  void release(int callback);
  // Lets go of a library, loaded or not; collects what it leaves when there is much.
  void release(const FunctionLibrary& library);
  // What the libraries here keep, and some of what loading them has left.
  size_t library_bytes() const { return library_bytes_; }
  // Whether they keep less than this; looks closer, by a full collection, where that is needed and
  // many have come since it last did.
  bool libraries_keep_less_than(size_t bytes);

  Executor& executor() { return executor_; }
  ScriptWorld world() const { return world_; }
  RandomGenerator& random() { return shared_->random; }
  lua_State* state() { return lua_; }
  ScriptRun* run() { return run_; }
  LibraryLoad* load() { return load_; }
  // The client that the function's commands run as.
  Client& script_client() { return *script_client_; }
  CommandCache& command_cache() { return command_cache_; }
  // The sink that builds the reply of a command on a Lua stack.
  LuaReply& reply() { return reply_; }
  // Room for so many arguments of a command, until the next call.
  std::span<std::string_view> argument_views(size_t count) {
    if (argument_views_.size() < count) argument_views_.resize(count);
    return {argument_views_.data(), count};
  }
  // The protocol replies are converted by, 2 or 3 (server.setresp).
  int protocol() const { return protocol_; }
  void set_protocol(int version) { protocol_ = version; }
  size_t memory_bytes() const { return allocator_.bytes_in_use(); }

  // function-memory-limit; SIZE_MAX when there is none.
  size_t memory_limit() const;

  // While it lives, function-memory-limit does not: a command must not end halfway because its
  // reply is large. What it has taken counts afterwards.
  class LimitLifted {
   public:
    explicit LimitLifted(LuaHost& host)
        : owner_(host.allocator_.current_owner()), limit_(owner_.set_limit(SIZE_MAX)) {}
    ~LimitLifted() { owner_.set_limit(limit_); }
    LimitLifted(const LimitLifted&) = delete;
    LimitLifted& operator=(const LimitLifted&) = delete;

   private:
    LuaMemoryOwner& owner_;
    const size_t limit_;
  };

  // Null: nobody. Otherwise it outlives the observation, which slows all Lua code down.
  void observe_lines(LineObserver* observer);

  // For C functions that take long: serves others and ends the script as the hook does between
  // Lua's own instructions.
  void check_time(lua_State* lua);
  // Adds up what C functions do, in steps of a few nanoseconds, and checks the time now and then.
  void count_work(lua_State* lua, uint64_t steps) {
    work_ += steps;
    if (work_ < kStepsBetweenChecks) return;
    work_ = 0;
    check_time(lua);
  }
  // Whether the script must end; who catches errors in between throws ScriptStopped again.
  bool stopped() const { return !stop_message_.empty(); }
  // Ends the script with this error, unless it is being ended already; `where` is the code to
  // blame.
  [[noreturn]] void stop(lua_State* lua, lua_Debug* where, std::string message);

  // The debugger of what runs; null for nearly every run.
  ScriptDebugger* debugger() { return run_ != nullptr ? run_->debugger : nullptr; }
  // Pushes the table of the running script's keys or arguments, as it now is.
  void push_call_texts(lua_State* lua, CallTexts which);

 private:
  static void hook(lua_State* lua, lua_Debug* where);
  void on_hook(lua_State* lua, lua_Debug* where);
  void serve_others(lua_State* lua, lua_Debug* where);
  int call_within_limit(int arguments, int results);
  bool has_room(LuaMemoryOwner& owner);
  void collect(LuaMemoryOwner& owner);
  bool has_spare_room(size_t limit) const;
  void pace_collector(size_t limit);
  void weigh_libraries();
  void reply_without_room(const Function& function, Reply& reply);
  int push_call(const ScriptRun& run, std::span<const std::string_view> keys,
                std::span<const std::string_view> args);
  void reply_with_error(ScriptRun& run, Reply& reply);

  Executor& executor_;
  const ScriptWorld world_;
  const std::shared_ptr<LuaWorld> shared_;
  LuaAllocator allocator_{this};
  LuaMemoryOwner* const scripts_memory_;  // of all scripts, which keep nothing between calls
  std::vector<FunctionLibrary*> libraries_;
  size_t library_bytes_ = 0;    // the libraries' lua_bytes
  size_t unweighed_bytes_ = 0;  // of those loaded since the last weighing
  size_t released_bytes_ = 0;   // since the last collection for them
  bool paced_ = false;
  lua_State* lua_ = nullptr;
  std::unique_ptr<Client> script_client_;
  CommandCache command_cache_;
  LuaReply reply_{1};  // the functions that run commands have no other upvalues
  std::unique_ptr<LuaResultWriter> results_;
  int base_top_ = 0;    // the stack's height when nothing runs
  bool roomy_ = false;  // the collector waits longer between its rounds
  std::vector<std::string_view> argument_views_;
  ScriptRun* run_ = nullptr;
  LibraryLoad* load_ = nullptr;
  LineObserver* line_observer_ = nullptr;
  int fault_line_ = 0;
  int protocol_ = 2;
  static constexpr uint64_t kStepsBetweenChecks = 100'000;
  uint64_t work_ = 0;
  uint64_t checked_ticks_ = 0;  // when check_time() last looked
  std::string stop_message_;
  std::string stop_position_;  // "@user_function:3"
};

}  // namespace tandem
