#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"
#include "server/exec/command.h"

namespace tandem {

class Executor;
class LuaHost;

// What a function was registered to be allowed, one bit each.
enum FunctionFlag : uint32_t {
  kNoWrites = 1u << 0,
  kAllowOom = 1u << 1,
  kAllowStale = 1u << 2,
  kNoCluster = 1u << 3,
  kAllowCrossSlotKeys = 1u << 4,
};

struct FunctionFlagName {
  FunctionFlag flag;
  std::string_view name;
};
// The flags' names in the order FUNCTION LIST prints them.
std::span<const FunctionFlagName> function_flag_names();

struct FunctionLibrary;

// A registered function. Lives as long as its library.
struct Function {
  std::string name;
  std::string description;
  bool has_description = false;
  uint32_t flags = 0;
  int callback = 0;  // reference to the Lua closure
  const FunctionLibrary* library = nullptr;

  bool is(FunctionFlag flag) const { return (flags & flag) != 0; }
};

// A library as it was loaded. Never changes; REPLACE makes a new one.
struct FunctionLibrary {
  explicit FunctionLibrary(std::shared_ptr<LuaHost> host_in) : host(std::move(host_in)) {}
  ~FunctionLibrary();  // gives the closures back
  FunctionLibrary(const FunctionLibrary&) = delete;
  FunctionLibrary& operator=(const FunctionLibrary&) = delete;

  const std::shared_ptr<LuaHost> host;
  std::string name;
  std::string engine = "LUA";
  std::string source;  // as given to FUNCTION LOAD, shebang line included
  std::vector<std::unique_ptr<Function>> functions;
};

// Libraries by name and their functions by name: what FUNCTION commands change, and what a restore
// or a full sync builds aside before it takes the place of the old one. Library names are
// case-sensitive, function names are not.
class FunctionSet {
 public:
  FunctionSet();
  ~FunctionSet();
  FunctionSet(FunctionSet&&) noexcept;
  FunctionSet& operator=(FunctionSet&&) noexcept;

  using Libraries = std::map<std::string, std::shared_ptr<const FunctionLibrary>, std::less<>>;
  // In the order of their names.
  const Libraries& libraries() const { return libraries_; }
  size_t function_count() const;
  const Function* find_function(std::string_view name) const;

  // Adds a library, in place of one of the same name if `replace`. Fails, changing nothing, when
  // the name is taken or one of its functions exists in another library.
  Status add(std::shared_ptr<const FunctionLibrary> library, bool replace);
  // False when there is no such library.
  bool remove(std::string_view library);

 private:
  struct Index;
  Libraries libraries_;
  std::unique_ptr<Index> index_;
};

enum class RestorePolicy : uint8_t { kAppend, kReplace, kFlush };
enum class KillOutcome : uint8_t { kKilled, kNotBusy, kUnkillable };

// The function that runs now.
struct RunningFunction {
  std::string_view name;
  std::vector<std::string> command;  // the FCALL with its arguments
  int64_t duration_ms = 0;
};

// The functions of the server: their libraries, the Lua state they live in, and the calls. On the
// loop thread only.
class FunctionEngine {
 public:
  // How long a library's top-level code may run when a client loads it; 0 means no limit (loading
  // from a file, a primary's stream).
  static constexpr int64_t kLoadTimeLimitMs = 500;

  explicit FunctionEngine(Executor& executor);
  ~FunctionEngine();
  FunctionEngine(const FunctionEngine&) = delete;
  FunctionEngine& operator=(const FunctionEngine&) = delete;

  const FunctionSet& functions() const { return functions_; }
  // Calls `visit(name, source)` for every library: what a snapshot writes.
  void for_each_library(
      const std::function<void(std::string_view name, std::string_view source)>& visit) const;

  // Compiles and runs the library's code, which registers its functions, without adding it
  // anywhere. Errors are what FUNCTION LOAD answers, without the leading "ERR ".
  Result<std::shared_ptr<const FunctionLibrary>> compile(std::string_view source,
                                                         int64_t time_limit_ms);
  // Compiles a library and adds it to `set`: how a file or a full sync is read aside. The user's
  // code runs once; commit with replace_all(). Returns the library's name.
  Result<std::string> load_into(FunctionSet& set, std::string_view source, bool replace,
                                int64_t time_limit_ms = 0);
  // FUNCTION LOAD. On an error nothing has changed.
  Result<std::string> load(std::string_view source, bool replace,
                           int64_t time_limit_ms = kLoadTimeLimitMs);
  bool remove(std::string_view library);
  void flush();
  // The new set takes the place of the old one, at once.
  void replace_all(FunctionSet set);
  // FUNCTION RESTORE: all libraries of `set` join under the policy, or none does.
  Status merge(FunctionSet set, RestorePolicy policy);

  // FCALL and FCALL_RO from the check of the server's state on; `call.args` is the whole request
  // with `key_count` keys from args[3]. Writes the reply.
  void run(Call& call, const Function& function, size_t key_count, bool read_only);

  // False while no function runs.
  bool running() const;
  RunningFunction running_function() const;
  // FUNCTION KILL, called from serve_while_busy.
  KillOutcome kill();
  // What Lua has allocated.
  size_t memory_bytes() const;

 private:
  Executor& executor_;
  std::shared_ptr<LuaHost> host_;
  FunctionSet functions_;
};

}  // namespace tandem
