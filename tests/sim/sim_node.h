#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "server/server.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_world.h"

namespace tandem {

enum class Crash : uint8_t {
  kProcess,  // killed: the system keeps what was written, and ends the connections
  kMachine,  // power loss: what was not synced may be lost, and nobody says goodbye
  // No crash at all: SHUTDOWN has saved everything. Then the machine is switched off.
  kShutdown,
};

// A machine with a disk, and the server on it, which starts, crashes and starts again.
class SimNode {
 public:
  // `config` is the text of its configuration file, but for its role.
  SimNode(SimWorld* world, SimNetwork* network, std::string host, int port, std::string config);
  ~SimNode();

  const std::string& host() const { return host_; }
  int port() const { return port_; }
  // What its configuration file says about replication from the next start on.
  void set_role(std::string config) { role_ = std::move(config); }
  bool up() const { return process_ != nullptr; }
  // Up for the rest of this turn only: it has died at its disk.
  bool dying() const;
  // While up.
  Server& server();
  const Settings& settings() const;
  SimDisk& disk() { return disk_; }
  SimClock& clock() { return clock_; }
  // While up: as part of a turn of the server's loop, even of one that stands still.
  void run(const std::function<void()>& work);
  // CONFIG SET appendonly, while up.
  void switch_aof(bool on);
  // While up.
  void stand_still(int64_t us);
  // While up: the next child dies at the `operations`-th change of the disk that it makes.
  void kill_child_after(int64_t operations);

  // Throws SimViolation when the server refuses to start with what is on its disk, unless the disk
  // fails. May die while it starts: then up() is false.
  void start();
  void crash(Crash how);
  // Dies in the middle of a change of its disk, the `operations`-th from now, here or after the
  // next start; of those that have `only_in` in their paths.
  void crash_at_disk(int64_t operations, Crash how, const std::string& only_in = "");
  void cancel_crash();
  // Told after every crash, and after a start before any connection comes.
  std::function<void(Crash how)> on_crash = [](Crash) {};
  std::function<void()> on_start = [] {};
  // A shutdown has saved what it had to; on_crash follows.
  std::function<void()> on_shutdown = [] {};

 private:
  struct Process;

  SimWorld& world_;
  SimNetwork& network_;
  const std::string host_;
  const int port_;
  const std::string config_text_;
  std::string role_;
  SimDisk disk_;
  SimClock clock_;
  std::unique_ptr<Process> process_;
  Crash crash_at_disk_ = Crash::kProcess;
  bool shut_down_ = false;
  int64_t die_after_ = -1;
  uint64_t starts_ = 0;
};

}  // namespace tandem
