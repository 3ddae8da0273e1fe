#pragma once

#include <span>
#include <string>

#include "tools/cli/options.h"

namespace tandem::cli {

// `functions check FILE...`: loads each library into the sandbox of a server in this process and
// lists what it registers. Diagnostics go to standard error as "file:line: error: message" or
// "file:line: warning: message". The exit code is 1 when a library does not load; the files are
// loaded into one server, so a name that two of them take is a fault.
int run_functions_check(const Options& options, std::span<const std::string> arguments);

}  // namespace tandem::cli
