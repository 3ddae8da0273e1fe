#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tools/cli/options.h"

namespace tandem::cli {

// A subcommand of `tandem-cli functions`.
struct FunctionsSubcommand {
  std::string_view name;
  std::string_view arguments;  // as the usage shows them: "FILE..."
  std::string_view summary;    // one line
  // Runs it with what follows its name; `options` say which server, for those that need one.
  // Returns the exit code: 0 done, 1 it could not or what it looked at is at fault.
  int (*run)(const Options& options, std::span<const std::string> arguments);
};

std::span<const FunctionsSubcommand> functions_subcommands();
std::string functions_usage();

// `tandem-cli [OPTIONS] functions SUBCOMMAND ...`; `options.command` begins with "functions".
int run_functions(const Options& options);

}  // namespace tandem::cli
