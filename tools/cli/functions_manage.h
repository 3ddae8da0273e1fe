#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/cli/function_server.h"
#include "tools/cli/options.h"

namespace tandem::cli {

// Subcommands of `tandem-cli functions` that look after the libraries of running servers and of
// files. Each gets the arguments behind its name, prints, and returns the exit code: 0, or 1 when
// it failed. They speak to the server of `options`, or to those that `--to` names.

// list [--json] [--to SERVER]...
int run_functions_list(const Options& options, std::span<const std::string> arguments);
// load PATH... [--replace] [--to SERVER]...
int run_functions_load(const Options& options, std::span<const std::string> arguments);
// diff PATH...|--from SERVER [--to SERVER]...; what makes a server like the source. The exit code
// is diff's: 0 when there is no difference, 1 when there is, 2 on a failure.
int run_functions_diff(const Options& options, std::span<const std::string> arguments);
// delete NAME... [--to SERVER]...
int run_functions_delete(const Options& options, std::span<const std::string> arguments);
// dump FILE
int run_functions_dump(const Options& options, std::span<const std::string> arguments);
// restore FILE [--policy flush|append|replace] [--to SERVER]...
int run_functions_restore(const Options& options, std::span<const std::string> arguments);
// extract [SOURCE] FILE; without a source, from the server
int run_functions_extract(const Options& options, std::span<const std::string> arguments);

// The table, and the JSON, that list prints.
std::string functions_table(const std::vector<LibraryDescription>& libraries);
ReplyValue functions_json(const std::string& server,
                          const std::vector<LibraryDescription>& libraries);

// What makes a server's libraries like the source's: a line for each that is to be added, removed
// or changed, and how it is changed. Empty when they are the same.
std::string libraries_diff(const std::string& server_name, const Libraries& server,
                           const std::string& source_name, const Libraries& source);

}  // namespace tandem::cli
