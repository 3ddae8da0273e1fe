#include "functions/function_engine.h"

#include <utility>

#include "functions/library_header.h"
#include "functions/lua_host.h"
#include "server/base/clock.h"
#include "server/base/strings.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

constexpr std::string_view kEngineName = "lua";
// FCALL name numkeys key... arg...
constexpr size_t kFirstKey = 3;

// MISCONF as a function is told it, from the text that commands are refused with.
std::string misconf_for_functions(std::string_view misconf) {
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

FunctionEngine::FunctionEngine(Executor& executor)
    : executor_(executor), host_(std::make_shared<LuaHost>(executor)) {}

FunctionEngine::~FunctionEngine() = default;

void FunctionEngine::for_each_library(
    const std::function<void(std::string_view name, std::string_view source)>& visit) const {
  for (const auto& [name, library] : functions_.libraries()) visit(name, library->source);
}

Result<std::shared_ptr<const FunctionLibrary>> FunctionEngine::compile(std::string_view source,
                                                                       int64_t time_limit_ms) {
  const Result<LibraryHeader> header = parse_library_header(source);
  if (!header.ok()) return header.error();
  if (!equals_ignore_case(header.value().engine, kEngineName)) {
    return make_error(ErrorKind::kInvalid, "Engine '" + header.value().engine + "' not found");
  }
  auto library = std::make_shared<FunctionLibrary>(host_);
  library->name = header.value().name;
  library->source = source;
  LibraryLoad load;
  load.library = library.get();
  load.limit_us = time_limit_ms * 1000;
  const Status ran = host_->run_library(load, header.value().code);
  if (!ran.ok()) return ran.error();
  if (library->functions.empty()) {
    return make_error(ErrorKind::kInvalid, "No functions registered");
  }
  return std::shared_ptr<const FunctionLibrary>(std::move(library));
}

Result<std::string> FunctionEngine::load_into(FunctionSet& set, std::string_view source,
                                              bool replace, int64_t time_limit_ms) {
  // A name that is taken is refused before the library's code runs.
  const Result<LibraryHeader> header = parse_library_header(source);
  if (header.ok() && !replace && set.libraries().contains(header.value().name) &&
      equals_ignore_case(header.value().engine, kEngineName)) {
    return make_error(ErrorKind::kInvalid, "Library '" + header.value().name + "' already exists");
  }
  auto library = compile(source, time_limit_ms);
  if (!library.ok()) return library.error();
  std::string name = library.value()->name;
  const Status added = set.add(std::move(library).value(), replace);
  if (!added.ok()) return added.error();
  return name;
}

Result<std::string> FunctionEngine::load(std::string_view source, bool replace,
                                         int64_t time_limit_ms) {
  return load_into(functions_, source, replace, time_limit_ms);
}

bool FunctionEngine::remove(std::string_view library) { return functions_.remove(library); }

void FunctionEngine::flush() { replace_all(FunctionSet()); }

void FunctionEngine::replace_all(FunctionSet set) { functions_ = std::move(set); }

Status FunctionEngine::merge(FunctionSet set, RestorePolicy policy) {
  if (policy == RestorePolicy::kFlush) {
    replace_all(std::move(set));
    return {};
  }
  // The old libraries join the new ones aside: one that a new library replaces stays out.
  for (const auto& [name, library] : functions_.libraries()) {
    if (set.libraries().contains(name)) {
      if (policy == RestorePolicy::kReplace) continue;
      return make_error(ErrorKind::kInvalid, "Library " + name + " already exists");
    }
    const Status added = set.add(library, false);
    if (!added.ok()) return added.error();
  }
  replace_all(std::move(set));
  return {};
}

void FunctionEngine::run(Call& call, const Function& function, size_t key_count, bool read_only) {
  // The commands it runs emit their own effects.
  call.emit_nothing();
  const std::string refused = refusal(call, function, read_only);
  if (!refused.empty()) {
    call.reply.error(refused);
    return;
  }
  ScriptRun run;
  run.function = &function;
  run.call = &call;
  run.started_ticks = tick_count();
  host_->run_function(run, call.args.subspan(kFirstKey, key_count),
                      call.args.subspan(kFirstKey + key_count), call.reply);
}

// Why the server's state does not let this function run; empty when it does.
std::string FunctionEngine::refusal(const Call& call, const Function& function,
                                    bool read_only) const {
  if (call.client.kind == ClientKind::kPrimary) return {};
  const DispatchState& state = executor_.state();
  const Settings& settings = executor_.config().settings();
  if (state.is_replica && !state.primary_link_up && !settings.replica_serve_stale_data &&
      !function.is(kAllowStale)) {
    return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and "
           "'allow-stale' flag is not set on the script.";
  }
  if (function.is(kNoWrites)) return {};
  // Before the replica's own refusal: what FCALL_RO says must not depend on where it runs.
  if (read_only) return "ERR Can not execute a function with write flag using fcall_ro.";
  if (state.is_replica && settings.replica_read_only) {
    return "READONLY Can not run script with write flag on readonly replica";
  }
  if (!state.is_replica && !state.misconf.empty()) return misconf_for_functions(state.misconf);
  if (!state.is_replica && state.too_few_replicas) {
    return "NOREPLICAS Not enough good replicas to write.";
  }
  if (state.over_memory_limit && !function.is(kAllowOom)) {
    return "OOM allow-oom flag is not set on the script, can not run it when used memory > "
           "'maxmemory'";
  }
  return {};
}

bool FunctionEngine::running() const { return host_->run() != nullptr; }

RunningFunction FunctionEngine::running_function() const {
  const ScriptRun& run = *host_->run();
  RunningFunction running;
  running.name = run.function->name;
  running.command = run.shown_command;
  running.duration_ms = (executor_.clock().monotonic_us() - run.started_us) / 1000;
  return running;
}

KillOutcome FunctionEngine::kill() {
  ScriptRun* run = host_->run();
  if (run == nullptr) return KillOutcome::kNotBusy;
  if (run->wrote) return KillOutcome::kUnkillable;
  run->kill = true;
  return KillOutcome::kKilled;
}

size_t FunctionEngine::memory_bytes() const { return host_->memory_bytes(); }

}  // namespace tandem
