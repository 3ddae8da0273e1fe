#include "functions/script_engine.h"

#include <utility>

#include "functions/lua_host.h"
#include "functions/script_header.h"
#include "server/base/clock.h"
#include "server/base/digest.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {
// EVAL script numkeys key... arg...
constexpr size_t kFirstKey = 3;
}  // namespace

ScriptEngine::ScriptEngine(Executor& executor)
    : executor_(executor), host_(std::make_unique<LuaHost>(executor, ScriptWorld::kScripts)) {}

ScriptEngine::~ScriptEngine() = default;

Result<const Script*> ScriptEngine::compile(std::string_view source, ScriptOrigin origin) {
  std::string sha1 = sha1_hex(source);
  if (Script* known = cache_.find(sha1)) {
    if (origin == ScriptOrigin::kLoad) cache_.pin(*known);
    return known;
  }
  const Result<ScriptHeader> header = parse_script_header(source);
  if (!header.ok()) return header.error();
  const Result<int> compiled = host_->compile_script(header.value().code);
  if (!compiled.ok()) return compiled.error();
  auto script = std::make_unique<Script>();
  script->source = source;
  script->has_shebang = header.value().has_shebang;
  script->origin = origin;
  script->function.name = std::move(sha1);
  script->function.flags = header.value().flags;
  script->function.callback = compiled.value();
  const Script* added = script.get();
  if (const std::unique_ptr<Script> dropped = cache_.add(std::move(script))) {
    host_->release(dropped->function.callback);
    ++evicted_;
  }
  return added;
}

uint32_t ScriptEngine::command_flags(const Script& script, uint32_t own) {
  return script.has_shebang ? script_command_flags(script.function.flags, own) : own;
}

void ScriptEngine::flush() {
  cache_.clear();
  host_ = std::make_unique<LuaHost>(executor_, ScriptWorld::kScripts);
}

void ScriptEngine::run(Call& call, const Script& script, size_t key_count, bool read_only,
                       ScriptDebugger* debugger) {
  // The commands it runs emit their own effects.
  call.emit_nothing();
  cache_.touch(script);
  std::string refused = script_refusal(call, command_flags(script, 0));
  if (refused.empty() && read_only && script.has_shebang &&
      (script.function.flags & kNoWrites) == 0) {
    refused = "ERR Can not execute a script with write flag using *_ro command.";
  }
  if (!refused.empty()) {
    call.reply.error(refused);
    return;
  }
  ScriptRun run;
  run.function = &script.function;
  run.call = &call;
  run.flags = script.function.flags | (read_only ? uint32_t{kNoWrites} : 0u);
  run.debugger = debugger;
  run.started_ticks = call.started_ticks();
  host_->run_function(run, call.args.subspan(kFirstKey, key_count),
                      call.args.subspan(kFirstKey + key_count), call.reply);
}

bool ScriptEngine::running() const { return host_->run() != nullptr; }

KillOutcome ScriptEngine::kill() {
  ScriptRun* run = host_->run();
  return run == nullptr ? KillOutcome::kNotBusy : run->request_kill();
}

size_t ScriptEngine::memory_bytes() const { return host_->memory_bytes(); }

}  // namespace tandem
