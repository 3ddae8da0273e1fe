#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/aof_manifest.h"
#include "persistence/rdb_reader.h"
#include "server/base/env.h"
#include "server/base/result.h"

namespace tandem::cli {

// The files of an AOF, to be read one after another as a server loads them.
struct AofFiles {
  std::string directory;
  std::string manifest_name;  // empty for a single file
  AofManifest manifest;
  std::vector<std::string> paths;
};

// `path` is an AOF directory, a server's directory with an `appendonlydir` in it, a manifest, or a
// single file as servers before 7.0 wrote it. A file the manifest lists must be there.
Result<AofFiles> find_aof(Env& env, const std::string& path);

// Whether the file begins as an RDB file does.
bool is_snapshot_file(Env& env, const std::string& path);

// Receives what a file of data holds: the snapshot it is or begins with, then its commands.
class AofVisitor : public RdbTarget {
 public:
  // A command, or one of a transaction that was executed; `offset` is where it begins. An error
  // ends the walk.
  virtual Status on_command(std::span<const std::string_view> args, uint64_t offset) = 0;
};

struct AofWalk {
  // Everything before is sound: a whole snapshot, whole commands, no open transaction, no
  // annotation without a command.
  uint64_t sound_bytes = 0;
  uint64_t size = 0;
  bool has_snapshot = false;
  uint64_t commands = 0;  // delivered
  // The walk ended where a timestamp says that what follows is later than wanted.
  bool later = false;
  // Why the walk ended before the file did, with the offset: a damaged place, an unfinished command
  // or transaction at the end, or what the visitor refused.
  std::optional<Error> damage;
};

// Walks one file, which may be an RDB file, an AOF, or an AOF that begins with a snapshot; as far
// as commands that are later than `until_s` (Unix seconds), when that is given. Fails only when the
// file cannot be read at all.
Result<AofWalk> walk_data_file(Env& env, const std::string& path, AofVisitor* visitor,
                               std::optional<int64_t> until_s = std::nullopt);

}  // namespace tandem::cli
