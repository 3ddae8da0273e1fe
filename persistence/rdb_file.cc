#include "persistence/rdb_file.h"

#include <unistd.h>

#include "persistence/file_streams.h"

namespace tandem {

namespace {

Status write_whole_file(Env& env, const std::string& path, uint64_t sync_every,
                        const std::function<Status(ByteSink*)>& write) {
  Result<std::unique_ptr<WritableFile>> file = env.create(path);
  if (!file.ok()) return file.error();
  FileSink sink(file.value().get(), sync_every);
  if (Status status = write(&sink); !status.ok()) return status;
  return file.value()->sync();
}

}  // namespace

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty() || name.starts_with('/')) return name;
  return directory.ends_with('/') ? directory + name : directory + "/" + name;
}

Status replace_file(Env& env, const std::string& directory, const std::string& temporary,
                    const std::string& name, uint64_t sync_every,
                    const std::function<Status(ByteSink*)>& write) {
  const std::string temporary_path = join_path(directory, temporary);
  Status status = write_whole_file(env, temporary_path, sync_every, write);
  if (status.ok()) status = env.rename(temporary_path, join_path(directory, name));
  if (!status.ok()) {
    (void)env.remove(temporary_path);
    return status;
  }
  return env.sync_directory(directory.empty() ? "." : directory);
}

std::string temporary_rdb_name() { return "temp-" + std::to_string(::getpid()) + ".rdb"; }

Status save_rdb_file(Env& env, const std::string& directory, const std::string& temporary,
                     const std::string& name, const SnapshotSource& source,
                     const SnapshotOptions& options) {
  return replace_file(env, directory, temporary, name, options.sync_every,
                      [&](ByteSink* sink) { return write_snapshot(sink, source, options); });
}

Result<RdbEnd> load_rdb_file(Env& env, const std::string& path, const RdbReadOptions& options,
                             RdbTarget* target, LoadWatch* watch) {
  Result<std::unique_ptr<ReadableFile>> file = env.open_read(path);
  if (!file.ok()) return file.error();
  if (watch != nullptr) watch->expect(file.value()->size());
  FileSource source(file.value().get(), 0, watch);
  Result<RdbEnd> end = read_snapshot(&source, options, target);
  if (end.ok()) return end;
  Error error = end.error();
  error.message = "Can't load the RDB file " + path + ": " + error.message;
  return error;
}

}  // namespace tandem
