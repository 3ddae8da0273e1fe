#include "functions/script_cache.h"

#include <utility>

#include "server/base/strings.h"

namespace tandem {

Script* ScriptCache::find(std::string_view sha1) {
  const auto found = scripts_.find(to_lower(sha1));
  return found == scripts_.end() ? nullptr : found->second.script.get();
}

void ScriptCache::touch(const Script& script) {
  if (script.origin != ScriptOrigin::kEval) return;
  const Slot& slot = scripts_.find(script.function.name)->second;
  evals_.splice(evals_.end(), evals_, slot.place);
}

void ScriptCache::pin(Script& script) {
  if (std::exchange(script.origin, ScriptOrigin::kLoad) == ScriptOrigin::kLoad) return;
  evals_.erase(scripts_.find(script.function.name)->second.place);
}

std::unique_ptr<Script> ScriptCache::add(std::unique_ptr<Script> script) {
  Script* const added = script.get();
  source_bytes_ += added->source.size();
  Slot& slot = scripts_[added->function.name];
  slot.script = std::move(script);
  if (added->origin != ScriptOrigin::kEval) return nullptr;
  slot.place = evals_.insert(evals_.end(), added);
  if (evals_.size() <= kMaxEvalScripts) return nullptr;
  const auto oldest = scripts_.find(evals_.front()->function.name);
  std::unique_ptr<Script> dropped = std::move(oldest->second.script);
  source_bytes_ -= dropped->source.size();
  evals_.pop_front();
  scripts_.erase(oldest);
  return dropped;
}

void ScriptCache::clear() {
  scripts_.clear();
  evals_.clear();
  source_bytes_ = 0;
}

}  // namespace tandem
