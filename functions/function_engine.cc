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

}  // namespace

FunctionEngine::FunctionEngine(Executor& executor) : executor_(executor), hosts_(executor) {
  executor_.watch().log().find_function = [this](std::string_view name) {
    const Function* function = functions_.find_function(name);
    return function == nullptr ? FunctionOrigin{}
                               : FunctionOrigin{function->name, function->library->name};
  };
}

FunctionEngine::~FunctionEngine() { executor_.watch().log().find_function = nullptr; }

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
  auto library = std::make_shared<FunctionLibrary>(hosts_.with_room());
  library->name = header.value().name;
  library->source = source;
  LibraryLoad load;
  load.library = library.get();
  load.limit_us = time_limit_ms * 1000;
  const Status ran = library->host->run_library(load, header.value().code);
  fault_line_ = library->host->fault_line();
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

void FunctionEngine::replace_all(FunctionSet set) {
  set.inherit_stats(functions_);
  functions_ = std::move(set);
}

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

void FunctionEngine::run(Call& call, const Function& function, size_t key_count, bool read_only,
                         ScriptDebugger* debugger) {
  // The commands it runs emit their own effects.
  call.emit_nothing();
  FunctionStats& stats = *function.stats;
  stats.last_call_ms = call.now_ms();
  // What FCALL_RO says of a function that writes does not depend on where it is called.
  const std::string refused = read_only && (function.flags & kNoWrites) == 0
                                  ? "ERR Can not execute a function with write flag using fcall_ro."
                                  : script_refusal(call, script_command_flags(function.flags, 0));
  if (!refused.empty()) {
    ++stats.calls.rejected;
    stats.set_last_error(refused);
    call.reply.error(refused);
    return;
  }
  ScriptRun run;
  run.function = &function;
  run.call = &call;
  run.flags = function.flags;
  run.debugger = debugger;
  run.started_ticks = call.started_ticks();
  struct Finish {
    FunctionEngine& engine;
    ~Finish() { engine.run_ = nullptr; }
  } finish{*this};
  run_ = &run;
  function.library->host->run_function(run, call.args.subspan(kFirstKey, key_count),
                                       call.args.subspan(kFirstKey + key_count), call.reply);
  call.count_also(stats.calls);
  if (run.error.empty()) return;
  ++stats.calls.failed;
  stats.set_last_error(run.error);
}

RunningFunction FunctionEngine::running_function() const {
  const ScriptRun& run = *run_;
  RunningFunction running;
  running.name = run.function->name;
  running.command = run.shown_command;
  running.duration_ms = (executor_.clock().monotonic_us() - run.started_us) / 1000;
  return running;
}

KillOutcome FunctionEngine::kill() {
  return run_ == nullptr ? KillOutcome::kNotBusy : run_->request_kill();
}

void FunctionEngine::reset_stats() {
  for (const auto& [name, library] : functions_.libraries()) {
    for (const auto& function : library->functions) *function->stats = FunctionStats{};
  }
}

}  // namespace tandem
