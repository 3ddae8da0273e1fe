#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/resp_client.h"
#include "tests/support/temp_dir.h"

namespace tandem {

// How a process ended.
struct ExitStatus {
  int code = -1;   // -1 when a signal ended it
  int signal = 0;  // 0 when it exited
};

// A running program; killed and awaited when destroyed. What cannot be done throws
// std::runtime_error.
class Process {
 public:
  // Output goes to the files, which are created; an empty `stderr_path` sends errors to the same
  // file as the output. `directory`, when given, is where it runs.
  struct Files {
    std::string stdin_path = "/dev/null";
    std::string stdout_path;
    std::string stderr_path;
    std::string directory;
  };
  Process(const std::vector<std::string>& command, const Files& files);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  // Awaits the end; throws when it does not come in time.
  ExitStatus wait();

 private:
  pid_t pid_ = -1;
  std::optional<ExitStatus> exit_;
};

// What a program that was run to its end said.
struct Output {
  int code = -1;
  std::string out;
  std::string err;
};
Output run_program(const std::vector<std::string>& command, std::string_view input = {});

// A port of 127.0.0.1 that no other test of this user takes before it is given back. It lies
// below the ports that the system gives to outgoing connections.
class PortLease {
 public:
  PortLease();
  ~PortLease();
  PortLease(const PortLease&) = delete;
  PortLease& operator=(const PortLease&) = delete;

  int port() const { return port_; }

 private:
  int port_ = 0;
  int lock_fd_ = -1;
};

// The programs under test. TANDEM_SERVER and TANDEM_CLI in the environment name others.
std::string tandem_server_path();
std::string tandem_cli_path();

// A server on a port and in a directory of its own, both kept through restarts. Neither save points
// nor AOF unless the options say so. A failing test prints the end of its log.
class ServerProcess {
 public:
  using Options = std::vector<std::string>;  // "--appendonly", "yes", ...

  // Starts it, and awaits that it answers PING unless `start` is false.
  explicit ServerProcess(Options options = {}, std::string program = tandem_server_path(),
                         bool start = true);
  ~ServerProcess();

  // Starts the stopped server again; `more` is added to its options for good.
  void start(const Options& more = {});
  // Starts it and awaits its end instead: for what must stop the start.
  Output start_that_fails();
  // Runs the program without awaiting anything.
  void launch();
  void await_ready();

  int port() const { return lease_.port(); }
  std::string port_text() const { return std::to_string(port()); }
  const std::string& dir() const { return dir_.path(); }
  std::string file(std::string_view name) const { return dir_.file(name); }
  Process& process() { return *process_; }
  bool running() { return process_ && process_->running(); }

  RespClient connect() const { return RespClient(port()); }
  // One request over a connection of its own.
  template <typename... Words>
  std::string run(const Words&... words) const {
    return connect().run(words...);
  }
  template <typename... Words>
  std::string text(const Words&... words) const {
    return connect().text(words...);
  }
  // A field of INFO; empty when it is not there.
  std::string info(std::string_view field) const;

  ExitStatus terminate();  // SIGTERM
  void kill();             // SIGKILL
  ExitStatus wait() { return process_->wait(); }

  // Everything logged, by all runs.
  std::string log() const;
  bool logged(std::string_view text) const { return log().find(text) != std::string::npos; }

 private:
  std::vector<std::string> command() const;

  Options options_;
  std::string program_;
  PortLease lease_;
  TempDir dir_;
  TempDir log_dir_;
  std::optional<Process> process_;
};

}  // namespace tandem
