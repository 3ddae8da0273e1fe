#include "functions/script_cache.h"

#include <utility>

namespace tandem {

Script* ScriptCache::find(std::string_view sha1) const {
  const auto found = scripts_.find(sha1);
  return found == scripts_.end() ? nullptr : found->second.get();
}

void ScriptCache::touch(const Script& script) {
  if (script.origin == ScriptOrigin::kEval) evals_.splice(evals_.end(), evals_, script.place);
}

void ScriptCache::pin(Script& script) {
  if (std::exchange(script.origin, ScriptOrigin::kLoad) == ScriptOrigin::kLoad) return;
  evals_.erase(script.place);
}

std::unique_ptr<Script> ScriptCache::add(std::unique_ptr<Script> script) {
  Script* const added = script.get();
  source_bytes_ += added->source.size();
  scripts_[added->function.name] = std::move(script);
  if (added->origin != ScriptOrigin::kEval) return nullptr;
  added->place = evals_.insert(evals_.end(), added);
  if (evals_.size() <= kMaxEvalScripts) return nullptr;
  const auto oldest = scripts_.find(evals_.front()->function.name);
  std::unique_ptr<Script> dropped = std::move(oldest->second);
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
