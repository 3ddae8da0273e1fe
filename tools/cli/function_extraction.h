#pragma once

#include <string>

#include "server/base/env.h"
#include "server/base/result.h"
#include "tools/cli/library_source.h"

namespace tandem::cli {

// The libraries a server would have after loading this RDB file, AOF directory, manifest, or single
// AOF file. No server and no Lua takes part. A damaged or unfinished file is an error that names it
// and the offset.
Result<Libraries> libraries_of_file(Env& env, const std::string& path);

// A FUNCTION DUMP payload with these libraries that every server with functions accepts.
std::string dump_payload_of(const Libraries& libraries);

// Writes an RDB file that holds these libraries and no keys. It appears whole or not at all.
Status write_functions_file(const std::string& path, const Libraries& libraries, int64_t now_ms);

}  // namespace tandem::cli
