#pragma once

#include "tools/cli/session.h"

namespace tandem::cli {

// Reads commands from standard input and runs them until its end or "quit": at a terminal with
// prompt, history and completion, else line by line. Returns the exit code.
int run_repl(Session& session);

}  // namespace tandem::cli
