#pragma once

#include "tools/cli/options.h"

namespace tandem::cli {

// `tandem-cli aof check [--fix] [--to-timestamp N] PATH`: looks after append-only files without a
// server. `options.command` begins with "aof". Returns the exit code: 0, or 1 when the AOF is
// damaged (and was not repaired) or cannot be read.
int run_aof(const Options& options);

}  // namespace tandem::cli
