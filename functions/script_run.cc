#include "functions/script_run.h"

#include "functions/function_set.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

// MISCONF as a function is told it, from the text that commands are refused with.
std::string misconf_for_scripts(std::string_view misconf) {
  constexpr std::string_view kAofError = "MISCONF Errors writing to the AOF file: ";
  constexpr std::string_view kAdvice =
      ", but it's currently unable to persist to disk. Writable scripts are blocked. Use "
      "'no-writes' flag for read only scripts.";
  std::string text = "MISCONF Redis is configured to ";
  if (misconf.starts_with(kAofError)) {
    text.append("persist data to AOF").append(kAdvice).append(" AOF error: ");
    return text.append(misconf.substr(kAofError.size()));
  }
  return text.append("save RDB snapshots").append(kAdvice);
}

}  // namespace

KillOutcome ScriptRun::request_kill() {
  if (call->client.kind == ClientKind::kPrimary) return KillOutcome::kFromPrimary;
  if (wrote) return KillOutcome::kUnkillable;
  kill = true;
  return KillOutcome::kKilled;
}

std::string script_refusal(const Call& call, uint32_t flags, std::string_view read_only_refusal) {
  if (call.client.kind == ClientKind::kPrimary) return {};
  const DispatchState& state = call.executor.state();
  const Settings& settings = call.executor.config().settings();
  if (state.is_replica && !state.primary_link_up && !settings.replica_serve_stale_data &&
      (flags & kAllowStale) == 0) {
    return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and "
           "'allow-stale' flag is not set on the script.";
  }
  if ((flags & kNoWrites) != 0) return {};
  // Before the replica's own refusal: what FCALL_RO says must not depend on where it runs.
  if (!read_only_refusal.empty()) return std::string(read_only_refusal);
  if (state.is_replica && settings.replica_read_only) {
    return "READONLY Can not run script with write flag on readonly replica";
  }
  if (!state.is_replica && !state.misconf.empty()) return misconf_for_scripts(state.misconf);
  if (!state.is_replica && state.too_few_replicas) {
    return "NOREPLICAS Not enough good replicas to write.";
  }
  if (state.over_memory_limit && (flags & kAllowOom) == 0) {
    return "OOM allow-oom flag is not set on the script, can not run it when used memory > "
           "'maxmemory'";
  }
  return {};
}

}  // namespace tandem
