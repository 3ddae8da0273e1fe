#pragma once

#include <functional>
#include <string>

#include "persistence/progress.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/base/env.h"
#include "server/base/result.h"

namespace tandem {

// The path of a file in a directory.
std::string join_path(const std::string& directory, const std::string& name);

// Writes what `write` writes into a temporary file beside `path`, makes it durable and renames it,
// so that `path` is at every moment the old file or the new one. On an error the temporary file is
// removed. `temporary` names it: "temp-1234.rdb". `sync_every`: see FileSink.
Status replace_file(Env& env, const std::string& directory, const std::string& temporary,
                    const std::string& name, uint64_t sync_every,
                    const std::function<Status(ByteSink*)>& write);

// The name of this process's temporary snapshot: "temp-1234.rdb".
std::string temporary_rdb_name();

// Saves a snapshot as `name` in `directory`, by way of a temporary file.
Status save_rdb_file(Env& env, const std::string& directory, const std::string& temporary,
                     const std::string& name, const SnapshotSource& source,
                     const SnapshotOptions& options);

// Reads the snapshot at the front of a file. Errors name the file, the offset and the reason. The
// result tells where the snapshot ends; an AOF may follow.
Result<RdbEnd> load_rdb_file(Env& env, const std::string& path, const RdbReadOptions& options,
                             RdbTarget* target, LoadWatch* watch = nullptr);

}  // namespace tandem
