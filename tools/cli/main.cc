#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include "tools/cli/aof_tools.h"
#include "tools/cli/functions.h"
#include "tools/cli/ldb.h"
#include "tools/cli/options.h"
#include "tools/cli/pair_status.h"
#include "tools/cli/rdb_fetch.h"
#include "tools/cli/rdb_tools.h"
#include "tools/cli/repl.h"
#include "tools/cli/session.h"

namespace tandem::cli {
namespace {

std::string read_standard_input() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

// Puts standard input where -x or -X asks for it.
Status fill_from_stdin(Options* options) {
  if (options->last_argument_from_stdin) {
    options->command.push_back(read_standard_input());
    return {};
  }
  if (options->stdin_tag.empty()) return {};
  for (std::string& argument : options->command) {
    if (argument != options->stdin_tag) continue;
    argument = read_standard_input();
    return {};
  }
  return make_error(ErrorKind::kInvalid, "Using -X option but stdin tag not match.");
}

int fetch(Session& session) {
  if (!session.connect()) return 1;
  Status fetched = fetch_snapshot(session.connection(), session.options().snapshot_path,
                                  session.options().functions_only);
  if (fetched) return 0;
  std::fprintf(stderr, "%s\n", fetched.error().message.c_str());
  return 1;
}

int run_program(Session& session) {
  const Result<std::vector<std::string>> request = program_request(session.options());
  if (!request) {
    std::fprintf(stderr, "%s\n", request.error().message.c_str());
    return 1;
  }
  const int64_t repeat = session.options().repeat;
  return session.run(request.value(), repeat, false) == Session::Outcome::kDone ? 0 : 1;
}

int run(Options options) {
  if (options.warn_of_password) {
    std::fputs(
        "Warning: Using a password with '-a' or '-u' option on the command line interface may not "
        "be safe.\n",
        stderr);
  }
  if (!options.command.empty() && options.snapshot_path.empty()) {
    Status filled = fill_from_stdin(&options);
    if (!filled) {
      std::fprintf(stderr, "%s\n", filled.error().message.c_str());
      return 1;
    }
  }
  if (!options.command.empty() && options.command[0] == "functions") {
    return run_functions(options);
  }
  if (!options.command.empty() && options.command[0] == "rdb") return run_rdb(options);
  if (!options.command.empty() && options.command[0] == "aof") return run_aof(options);
  if (!options.command.empty() && options.command[0] == "pair") return run_pair(options);
  Session session(std::move(options));
  if (!session.options().snapshot_path.empty()) return fetch(session);
  const Options& settled = session.options();
  if (settled.program.debug != DebugChoice::kNone) return run_debugger(session);
  if (settled.program.given()) return run_program(session);
  if (settled.command.empty()) return run_repl(session);
  return session.run(settled.command, settled.repeat, false) == Session::Outcome::kDone ? 0 : 1;
}

int main_with(std::span<const char* const> arguments) {
  Surroundings surroundings;
  surroundings.stdout_is_terminal = isatty(STDOUT_FILENO) != 0;
  surroundings.environment = [](const char* name) -> const char* { return std::getenv(name); };
  Result<Options> options = parse_options(arguments, surroundings);
  if (!options) {
    std::fprintf(stderr, "%s\n", options.error().message.c_str());
    return 1;
  }
  switch (options.value().action) {
    case Action::kShowHelp:
      std::fputs(usage_text().c_str(), stdout);
      return 0;
    case Action::kShowVersion:
      std::fputs(version_text().c_str(), stdout);
      return 0;
    case Action::kRun:
      break;
  }
  return run(std::move(options).value());
}

}  // namespace
}  // namespace tandem::cli

int main(int argc, char** argv) {
  return tandem::cli::main_with({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)});
}
