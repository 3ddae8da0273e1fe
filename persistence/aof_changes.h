#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "persistence/aof_manifest.h"
#include "persistence/aof_tail.h"
#include "server/base/clock.h"
#include "server/base/env.h"
#include "server/base/result.h"

namespace tandem {

// The changes of an AOF's set of files, each a plan and what came of it. Their run() waits for the
// disk, again and again: it belongs off the loop, and touches nothing but the disk and its object.

// Where the files are and what lists them.
struct AofPlace {
  std::string directory;
  std::string manifest_path;

  std::string path(const std::string& name) const { return directory + "/" + name; }
  // The names of the files become durable first: a manifest that is must find them.
  Status write(Env& env, const AofManifest& manifest) const;
};

// Of an AOF's files, in their order, the last that has anything in it (or the first): the one that
// may end inside a command. A rewrite that was being prepared leaves an empty one behind it.
size_t last_used(Env& env, const std::vector<std::string>& paths);

// Before a rewrite forks: the file for what its snapshot will not see.
struct AofPreparation {
  AofPlace place;
  std::string parent;       // of the directory, if it may be new; else empty
  std::string current;      // the path of the file that is being written, if it is to be synced
  std::string incremental;  // the path of the file to make; empty: none
  std::optional<AofManifest> manifest;

  void run(Env& env);

  Status status;
  // Of syncing `current`: so that there is little left to do when it will not be written any more.
  Status current_synced;
  std::shared_ptr<AofTail> file;

 private:
  Status sync_current(Env& env) const;
  Status make_file(Env& env);
};

// The end of a rewrite: files get their names, and the manifest that names them takes effect.
struct AofCommit {
  struct Rename {
    std::string from;
    AofFile to;
  };
  AofPlace place;
  std::vector<Rename> renames;  // the base first
  AofManifest manifest;

  void run(Env& env, Clock& clock);

  Status status;
  uint64_t base_bytes = 0;
  int64_t rename_us = 0;
};

// Deletes the history. By now the manifest on disk does not need it.
struct AofDeletion {
  AofPlace place;
  AofManifest manifest;  // the one on disk

  void run(Env& env);

  std::vector<std::string> deleted;
  Status status;  // of writing the manifest without them
};

}  // namespace tandem
