#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/base/clock.h"
#include "server/base/env.h"
#include "server/base/link.h"
#include "server/base/result.h"

namespace tandem {

class Client;
class Config;
class DebugSessions;
class Executor;
class FunctionEngine;
class Keyspace;
class Outgoing;
class Persistence;
class Replication;
class ScriptEngine;
struct CommandRow;

// What SHUTDOWN replies when the server stays.
inline constexpr std::string_view kShutdownFailed = "ERR Errors trying to SHUTDOWN. Check logs.";

// What commands ask of the composition root above them.
class ServerControl {
 public:
  virtual ~ServerControl() = default;
  // INFO's text for these section names ("default", "all", "everything" and single ones, any case;
  // none: default).
  virtual std::string info(std::span<const std::string_view> sections) = 0;
  struct ShutdownOptions {
    bool save = false, no_save = false, now = false, force = false;
  };
  // Starts a shutdown: saves unless told not to, then leaves the loop; first, unless told not to,
  // it waits for replicas that lag behind. `client` (null: a signal's) asks for it with the command
  // that it runs: it is blocked until the end of the wait, and closed once the server leaves. An
  // error means that it cannot shut down now, and is for the client's reply.
  virtual Status shutdown(const ShutdownOptions& options, Client* client) = 0;
  // Ends a pending shutdown; false when there is none.
  virtual bool abort_shutdown() = 0;
  // CONFIG RESETSTAT.
  virtual void reset_stats() = 0;
  // The server's run id (40 hexadecimal digits) and start time.
  virtual const std::string& run_id() const = 0;
  virtual int64_t started_ms() const = 0;
  // memory_used() once the server was up, before it had data.
  virtual size_t startup_memory() const = 0;
};

// Everything a command handler can reach; built once by the composition root, which owns what it
// points to.
struct Services {
  Config* config = nullptr;
  Env* env = nullptr;
  Loop* loop = nullptr;
  Clock* clock = nullptr;
  Keyspace* keyspace = nullptr;
  Executor* executor = nullptr;
  FunctionEngine* functions = nullptr;
  ScriptEngine* scripts = nullptr;
  DebugSessions* debug_sessions = nullptr;  // null: there is no debugger
  Persistence* persistence = nullptr;
  Replication* replication = nullptr;
  Outgoing* outgoing = nullptr;
  ServerControl* control = nullptr;
};

}  // namespace tandem
