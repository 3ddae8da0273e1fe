#pragma once

#include <string>

#include "tools/cli/connection.h"

namespace tandem::cli {

// Asks the server at the other end of `connection` for a snapshot (with `functions_only`, for one
// without keys) and saves it to `path`, or writes it to standard output when `path` is "-".
// Progress goes to standard error. The file is written beside its place and renamed when it is
// whole, checked and on disk; a failure or a signal leaves neither a new nor a changed file. A path
// that names something else than a regular file (a pipe, a device) is written to directly.
Status fetch_snapshot(Connection& connection, const std::string& path, bool functions_only);

}  // namespace tandem::cli
