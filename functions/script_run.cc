#include "functions/script_run.h"

#include "functions/function_set.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {

KillOutcome ScriptRun::request_kill() {
  if (call->client.kind == ClientKind::kPrimary) return KillOutcome::kFromPrimary;
  if (wrote) return KillOutcome::kUnkillable;
  kill = true;
  return KillOutcome::kKilled;
}

uint32_t script_command_flags(uint32_t flags, uint32_t own) {
  own &= ~uint32_t{kWrite | kDenyOom | kStale | kMayReplicate};
  if ((flags & kAllowStale) != 0) own |= kStale;
  if ((flags & kNoWrites) != 0) return own;
  return own | kWrite | ((flags & kAllowOom) != 0 ? 0u : uint32_t{kDenyOom});
}

std::string script_refusal(const Call& call, uint32_t command_flags) {
  // What an AOF calls has been let through before.
  if (call.executor.state().loading) return {};
  return call.executor.refusal(call.client, command_flags);
}

}  // namespace tandem
