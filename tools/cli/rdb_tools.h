#pragma once

#include "tools/cli/options.h"

namespace tandem::cli {

// `tandem-cli rdb check|inspect|convert ...`: looks after RDB files without a server.
// `options.command` begins with "rdb". Returns the exit code: 0, or 1 when the file is damaged,
// cannot be read, or could not be written.
int run_rdb(const Options& options);

}  // namespace tandem::cli
