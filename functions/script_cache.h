#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "functions/function_set.h"
#include "functions/name_hash.h"

namespace tandem {

// How a script came into the cache, which decides whether it may be dropped.
enum class ScriptOrigin : uint8_t {
  kEval,  // dropped when too many of its kind have come since it last ran
  kLoad,  // SCRIPT LOAD: stays until SCRIPT FLUSH
};

// A script of EVAL or SCRIPT LOAD, compiled.
struct Script {
  std::string source;  // shebang line included
  // Its name is the script's SHA-1, in lower case; it belongs to no library.
  Function function;
  // Without a shebang line there are no flags: each command is judged by itself, when it runs.
  bool has_shebang = false;
  ScriptOrigin origin = ScriptOrigin::kEval;
  std::list<Script*>::iterator place = {};  // of one of kEval, among those that may be dropped
};

// The compiled scripts by the SHA-1 of their source.
class ScriptCache {
 public:
  static constexpr size_t kMaxEvalScripts = 500;

  // Null when there is none. `sha1` in any case.
  Script* find(std::string_view sha1) const;
  // The script is about to run: it is the last to be dropped now.
  void touch(const Script& script);
  // Keeps the script for good.
  void pin(Script& script);
  // Adds a script that is not there. Returns the one that had to go for it, or null.
  std::unique_ptr<Script> add(std::unique_ptr<Script> script);
  void clear();

  size_t size() const { return scripts_.size(); }
  size_t source_bytes() const { return source_bytes_; }

 private:
  std::unordered_map<std::string, std::unique_ptr<Script>, NameHash, NameEqual> scripts_;
  std::list<Script*> evals_;  // those that may be dropped, the next one first
  size_t source_bytes_ = 0;
};

}  // namespace tandem
