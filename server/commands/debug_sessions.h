#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "functions/debugger.h"
#include "server/base/env.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {

enum class DebugMode : uint8_t {
  kForked,  // in a copy of the server, whose changes are thrown away
  kSync,    // in the server itself, which does nothing else meanwhile
};

// The Lua debugger's sessions: who has asked for one (SCRIPT DEBUG), and the child processes that
// the forked ones run in.
class DebugSessions final : public ClientObserver {
 public:
  // Outlives neither; told of the executor's clients from now on.
  DebugSessions(Executor& executor, Env& env);

  // What the next script or function of the client runs in.
  void enable(const Client& client, DebugMode mode) { modes_[client.id] = mode; }
  void disable(const Client& client) { modes_.erase(client.id); }

  // Whether the call's client has asked for a session and `call` may open it. True for hardly any
  // call, and found out in no time.
  static bool asked_for(const Call& call);

  // Opens the session: runs `debugged`, which writes the reply of the call, here or in a child. The
  // client's connection ends with the session; a forked one has taken it over.
  void run(Call& call, ScriptDebugger::Target target,
           const std::function<void(ScriptDebugger&)>& debugged);

  // Collects the children that have ended.
  void cron();
  // Ends them all: the server leaves.
  void end_children();

  void client_closed(Client& client) override { disable(client); }

 private:
  Env& env_;
  std::unordered_map<uint64_t, DebugMode> modes_;
  std::vector<ChildId> children_;
};

}  // namespace tandem
