#pragma once

#include <string>
#include <vector>

#include "server/base/result.h"
#include "tools/cli/options.h"
#include "tools/cli/session.h"

namespace tandem::cli {

// The request that --eval or --fcall asks for; the command line's words are its keys up to a lone
// comma, then its arguments. Reads the script's file. An error's message is ready to print.
Result<std::vector<std::string>> program_request(const Options& options);

// The console of the Lua debugger (--ldb): runs the program in a debug session, again after
// `restart`, until `quit` or the end of input. Returns the exit code.
int run_debugger(Session& session);

}  // namespace tandem::cli
