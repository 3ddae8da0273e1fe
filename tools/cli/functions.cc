#include "tools/cli/functions.h"

#include <algorithm>
#include <cstdio>

#include "tools/cli/functions_check.h"

namespace tandem::cli {

namespace {

constexpr FunctionsSubcommand kSubcommands[] = {
    {"check", "FILE...", "Compile and register libraries without a server; report faults",
     run_functions_check},
};

constexpr size_t kSummaryColumn = 40;

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
