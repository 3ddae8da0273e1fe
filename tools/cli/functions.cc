#include "tools/cli/functions.h"

#include <algorithm>
#include <cstdio>

#include "tools/cli/functions_check.h"
#include "tools/cli/functions_manage.h"
#include "tools/cli/functions_test.h"

namespace tandem::cli {

namespace {

constexpr FunctionsSubcommand kSubcommands[] = {
    {"check", "FILE...", "Compile and register libraries without a server; report faults",
     run_functions_check},
    {"test", "[OPTION...] FILE_test.lua...", "Run unit tests of functions without a server",
     run_functions_test},
    {"list", "[--json]", "Show the functions of servers, their flags and descriptions (*)",
     run_functions_list},
    {"load", "PATH... [--replace]", "Load .lua files, directories of them, and RDB files (*)",
     run_functions_load},
    {"diff", "PATH...|--from SERVER", "Show what would make servers like the source (*)",
     run_functions_diff},
    {"delete", "NAME...", "Delete libraries (*)", run_functions_delete},
    {"dump", "FILE", "Save a server's libraries as a FUNCTION DUMP payload", run_functions_dump},
    {"restore", "FILE [--policy flush|append|replace]", "Restore such a payload (*)",
     run_functions_restore},
    {"extract", "[SOURCE] FILE",
     "Write an RDB file of only the libraries of a server, or of an RDB file or AOF directory",
     run_functions_extract},
};

constexpr size_t kSummaryColumn = 48;

}  // namespace

std::span<const FunctionsSubcommand> functions_subcommands() { return kSubcommands; }

std::string functions_usage() {
  std::string text = "Usage: tandem-cli [OPTIONS] functions SUBCOMMAND [ARGUMENT ...]\n\n";
  for (const FunctionsSubcommand& subcommand : kSubcommands) {
    std::string line = "  ";
    line.append(subcommand.name).append(" ").append(subcommand.arguments);
    line.resize(std::max(line.size() + 2, kSummaryColumn), ' ');
    text.append(line).append(subcommand.summary).append("\n");
  }
  text +=
      "\n(*) for the server of the options, or for each that a --to SERVER behind the command "
      "names:\n"
      "host:port, a socket's path or a URI. What changes libraries changes them on all or on "
      "none.\n";
  return text;
}

int run_functions(const Options& options) {
  const std::span<const std::string> words = std::span(options.command).subspan(1);
  if (words.empty() || words[0] == "help" || words[0] == "--help") {
    std::fputs(functions_usage().c_str(), words.empty() ? stderr : stdout);
    return words.empty() ? 1 : 0;
  }
  for (const FunctionsSubcommand& subcommand : kSubcommands) {
    if (subcommand.name == words[0]) return subcommand.run(options, words.subspan(1));
  }
  std::fprintf(stderr, "tandem-cli: there is no 'functions %s'\n%s", words[0].c_str(),
               functions_usage().c_str());
  return 1;
}

}  // namespace tandem::cli
