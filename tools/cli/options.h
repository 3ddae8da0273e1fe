#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/base/result.h"
#include "tools/cli/connection.h"
#include "tools/cli/formatter.h"

namespace tandem::cli {

enum class Action : uint8_t { kRun, kShowHelp, kShowVersion };

enum class ProtocolChoice : uint8_t {
  kServerDefault,
  kResp2,
  kResp3,
  kPreferResp3,  // for JSON, which shows maps as objects; a server without it is no error
};

enum class DebugChoice : uint8_t { kNone, kForked, kSync };

// What to run instead of a command: a script or a function, with the command's words as its keys
// and arguments.
struct Program {
  std::string script_path;
  std::string function;
  DebugChoice debug = DebugChoice::kNone;

  bool given() const { return !script_path.empty() || !function.empty(); }
};

// What the command line and the environment ask for.
struct Options {
  Action action = Action::kRun;
  Endpoint endpoint;
  double connect_timeout_seconds = 0;  // 0: the system's
  std::string user;
  std::optional<std::string> password;
  bool warn_of_password = false;  // it was given where other users can see it
  int database = 0;
  ProtocolChoice protocol = ProtocolChoice::kServerDefault;
  OutputStyle style;
  bool show_pushes = false;
  bool fail_on_error = false;  // -e: an error reply goes to stderr and ends with exit code 1
  int64_t repeat = 1;          // negative: for ever
  double interval_seconds = 0;
  bool last_argument_from_stdin = false;
  std::string stdin_tag;  // -X: the argument that standard input replaces
  std::string snapshot_path;
  bool functions_only = false;
  Program program;
  std::vector<std::string> command;
};

// What the outside says about how to print: whether standard output is a terminal, and the
// environment.
struct Surroundings {
  bool stdout_is_terminal = false;
  std::function<const char*(const char*)> environment;  // as getenv
};

// Options come first; the first argument that is none starts the command. An error's message is
// what to print before exiting with code 1.
Result<Options> parse_options(std::span<const char* const> arguments,
                              const Surroundings& surroundings);

std::string usage_text();
std::string version_text();

}  // namespace tandem::cli
