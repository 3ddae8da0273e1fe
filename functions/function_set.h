#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"
#include "server/exec/command.h"

namespace tandem {

class LuaHost;
class LuaMemoryOwner;

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

// Whether `name` may name a library or a function: letters, digits and underscores, at least one.
bool is_function_name(std::string_view name);

struct FunctionLibrary;

// What is counted of one function's calls.
struct FunctionStats {
  // `rejected`: refused for the server's state or the function's flags.
  CommandStats calls;
  int64_t last_call_ms = 0;  // Unix time; 0: it was never called
  // What the last call that failed or was rejected answered, cut where it is long.
  std::string last_error;

  bool used() const { return last_call_ms != 0; }
  void set_last_error(std::string_view text) { last_error = text.substr(0, kMaxErrorBytes); }

  static constexpr size_t kMaxErrorBytes = 128;
};

// A registered function. Lives as long as its library.
struct Function {
  std::string name;
  std::string description;
  bool has_description = false;
  uint32_t flags = 0;
  int callback = 0;  // reference to the Lua closure
  const FunctionLibrary* library = nullptr;
  const std::unique_ptr<FunctionStats> stats = std::make_unique<FunctionStats>();

  bool is(FunctionFlag flag) const { return (flags & flag) != 0; }
};

// A library as it was loaded. Never changes; REPLACE makes a new one.
struct FunctionLibrary {
  explicit FunctionLibrary(std::shared_ptr<LuaHost> host_in);
  ~FunctionLibrary();  // gives the closures and the memory back
  // What it takes beside its Lua closures and its functions' counters.
  size_t memory_bytes() const;
  FunctionLibrary(const FunctionLibrary&) = delete;
  FunctionLibrary& operator=(const FunctionLibrary&) = delete;

  const std::shared_ptr<LuaHost> host;
  std::string name;
  std::string source;  // as given to FUNCTION LOAD, shebang line included
  std::vector<std::unique_ptr<Function>> functions;
  // Answers for what its code keeps in Lua.
  LuaMemoryOwner* const memory;
  size_t lua_bytes = 0;  // memory->bytes() when the host last looked; 0: it was never loaded
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
  // Of all libraries.
  size_t memory_bytes() const { return memory_bytes_; }
  // Null when there is no such function.
  const Function* find_function(std::string_view name) const;

  // Adds a library, in place of one of the same name if `replace`; functions that both have keep
  // their counters. Fails, changing nothing, when the name is taken or one of its functions exists
  // in another library.
  Status add(std::shared_ptr<const FunctionLibrary> library, bool replace);
  // False when there is no such library.
  bool remove(std::string_view library);
  // Takes over the counters of the functions that `before` has in a library of the same name.
  void inherit_stats(FunctionSet& before);

 private:
  struct Index;
  void drop_functions_of(const FunctionLibrary& library);

  Libraries libraries_;
  size_t memory_bytes_ = 0;
  std::unique_ptr<Index> index_;
};

}  // namespace tandem
