#include "persistence/aof_changes.h"

#include <algorithm>

namespace tandem {

Status AofPlace::write(Env& env, const AofManifest& manifest) const {
  if (Status status = env.sync_directory(directory); !status.ok()) return status;
  return write_file_atomically(env, manifest_path, manifest.format());
}

size_t last_used(Env& env, const std::vector<std::string>& paths) {
  size_t last = paths.empty() ? 0 : paths.size() - 1;
  for (; last > 0; --last) {
    const Result<uint64_t> size = env.file_size(paths[last]);
    if (!size.ok() || size.value() > 0) break;
  }
  return last;
}

void AofPreparation::run(Env& env) {
  if (!current.empty()) status = current_synced = sync_current(env);
  if (status.ok() && !parent.empty()) status = env.sync_directory(parent);
  if (status.ok() && !incremental.empty()) status = make_file(env);
}

// With an open file description of its own: see AofTail. When there is none to be had, all that is
// lost is time: the sync that counts comes after the switch.
Status AofPreparation::sync_current(Env& env) const {
  const Result<std::unique_ptr<WritableFile>> opened = env.open_append(current);
  return opened.ok() ? opened.value()->sync() : Status();
}

// A new file: that an old one of this name was emptied would not be durable before its next sync,
// and a power loss could bring its content back.
Status AofPreparation::make_file(Env& env) {
  if (env.exists(incremental)) {
    if (Status removed = env.remove(incremental); !removed.ok()) return removed;
  }
  Result<std::shared_ptr<AofTail>> made = AofTail::create(env, incremental);
  if (!made.ok()) return made.error();
  file = std::move(made).value();
  return manifest ? place.write(env, *manifest) : Status();
}

void AofCommit::run(Env& env, Clock& clock) {
  const int64_t began_us = clock.monotonic_us();
  for (const Rename& rename : renames) {
    status = env.rename(place.path(rename.from), place.path(rename.to.name));
    if (!status.ok()) return;
  }
  rename_us = clock.monotonic_us() - began_us;
  const Result<uint64_t> bytes = env.file_size(place.path(renames.front().to.name));
  base_bytes = bytes.ok() ? bytes.value() : 0;
  status = place.write(env, manifest);
}

void AofDeletion::run(Env& env) {
  std::erase_if(manifest.history, [&](const AofFile& file) {
    const std::string path = place.path(file.name);
    if (env.exists(path) && !env.remove(path).ok()) return false;
    deleted.push_back(file.name);
    return true;
  });
  status = place.write(env, manifest);
}

}  // namespace tandem
