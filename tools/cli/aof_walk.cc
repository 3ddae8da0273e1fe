#include "tools/cli/aof_walk.h"

#include <array>
#include <filesystem>
#include <utility>

#include "persistence/aof_reader.h"
#include "persistence/file_streams.h"
#include "persistence/lz4_envelope.h"
#include "persistence/rdb_file.h"
#include "server/base/strings.h"

namespace tandem::cli {
namespace {

constexpr uint64_t kMaxManifestBytes = 64 << 20;
constexpr std::string_view kManifestSuffix = ".manifest";
constexpr const char* kUsualDirectory = "appendonlydir";

bool begins_as_snapshot(ReadableFile& file) {
  std::array<char, 6> head{};
  Result<size_t> count = file.read(0, head.data(), head.size());
  const std::string_view text(head.data(), count ? count.value() : 0);
  return text.starts_with("REDIS") || text.starts_with("VALKEY") ||
         text.starts_with(kEnvelopeMagic);
}

// The manifest in a directory; empty when there is none.
Result<std::string> find_manifest(Env& env, const std::string& directory) {
  Result<std::vector<std::string>> names = env.list(directory);
  if (!names) return names.error();
  std::string found;
  for (const std::string& name : names.value()) {
    if (!name.ends_with(kManifestSuffix)) continue;
    if (!found.empty()) {
      return make_error(ErrorKind::kInvalid, directory + " holds several manifests, " + found +
                                                 " and " + name + ": name one of them");
    }
    found = name;
  }
  return found;
}

Result<AofFiles> open_manifest(Env& env, const std::string& directory, const std::string& name) {
  AofFiles files{.directory = directory, .manifest_name = name};
  const std::string path = join_path(directory, name);
  Result<std::string> text = read_file(env, path, kMaxManifestBytes);
  if (!text) return text.error();
  Result<AofManifest> manifest = AofManifest::parse(text.value());
  if (!manifest) {
    return make_error(manifest.error().kind, path + ": " + manifest.error().to_string());
  }
  files.manifest = std::move(manifest).value();
  if (files.manifest.base) files.paths.push_back(join_path(directory, files.manifest.base->name));
  for (const AofFile& file : files.manifest.incremental) {
    files.paths.push_back(join_path(directory, file.name));
  }
  for (const std::string& listed : files.paths) {
    if (env.exists(listed)) continue;
    return make_error(ErrorKind::kCorrupt, path + " lists a file that does not exist: " + listed);
  }
  return files;
}

Result<AofFiles> open_directory(Env& env, const std::string& directory) {
  Result<std::string> manifest = find_manifest(env, directory);
  if (!manifest) return manifest.error();
  if (!manifest.value().empty()) return open_manifest(env, directory, manifest.value());
  const std::string inner = join_path(directory, kUsualDirectory);
  if (std::error_code ignored; std::filesystem::is_directory(inner, ignored)) {
    return open_directory(env, inner);
  }
  return make_error(ErrorKind::kNotFound, directory + ": no AOF manifest in this directory");
}

// A walk through the commands of one file: tells the visitor of those that are to be executed.
class CommandWalk {
 public:
  // Begins where the walk's sound bytes end.
  CommandWalk(ReadableFile* file, AofVisitor* visitor, std::optional<int64_t> until_s,
              AofWalk* walk)
      : reader_(file, walk->sound_bytes), visitor_(visitor), until_s_(until_s), walk_(walk) {}

  // Until the end, the first damage, or the first command that is too late.
  Status run();

 private:
  struct Queued {
    std::vector<std::string> words;
    uint64_t offset;
  };

  Status accept();
  Status deliver(std::span<const std::string_view> args, uint64_t offset);
  Status execute();
  Status check_end(AofReader::Outcome outcome);

  AofReader reader_;
  AofVisitor* visitor_;
  const std::optional<int64_t> until_s_;
  AofWalk* walk_;
  std::optional<uint64_t> multi_began_;
  std::vector<Queued> queued_;
};

Status CommandWalk::run() {
  while (true) {
    Result<AofReader::Outcome> outcome = reader_.next();
    if (!outcome) return outcome.error();
    if (until_s_ && reader_.timestamp_s() > until_s_) {
      walk_->later = true;
      return {};
    }
    if (outcome.value() != AofReader::Outcome::kCommand) return check_end(outcome.value());
    if (Status status = accept(); !status) return status;
    if (!multi_began_) walk_->sound_bytes = reader_.end_offset();
  }
}

Status CommandWalk::check_end(AofReader::Outcome outcome) {
  if (outcome == AofReader::Outcome::kTruncated) {
    return make_error(ErrorKind::kCorrupt, "the file ends inside a command that began",
                      reader_.offset());
  }
  if (!multi_began_) {
    walk_->sound_bytes = reader_.offset();
    return {};
  }
  return make_error(ErrorKind::kCorrupt,
                    "the file ends before the EXEC of a transaction that began", *multi_began_);
}

Status CommandWalk::accept() {
  const std::string_view name = reader_.args()[0];
  const uint64_t offset = reader_.offset();
  if (equals_ignore_case(name, "multi")) {
    if (multi_began_) {
      return make_error(ErrorKind::kCorrupt, "expected EXEC, found a MULTI inside a MULTI", offset);
    }
    multi_began_ = offset;
    return {};
  }
  if (equals_ignore_case(name, "exec")) {
    if (!multi_began_) {
      return make_error(ErrorKind::kCorrupt, "expected a command, found EXEC without MULTI",
                        offset);
    }
    return execute();
  }
  if (!multi_began_) return deliver(reader_.args(), offset);
  queued_.push_back({{reader_.args().begin(), reader_.args().end()}, offset});
  return {};
}

Status CommandWalk::deliver(std::span<const std::string_view> args, uint64_t offset) {
  ++walk_->commands;
  Status status = visitor_->on_command(args, offset);
  if (status || status.error().offset) return status;
  Error error = status.error();
  error.offset = offset;
  return error;
}

Status CommandWalk::execute() {
  const std::vector<Queued> transaction = std::exchange(queued_, {});
  for (const Queued& command : transaction) {
    const std::vector<std::string_view> args(command.words.begin(), command.words.end());
    if (Status status = deliver(args, command.offset); !status) return status;
  }
  multi_began_.reset();
  return {};
}

}  // namespace

Result<AofFiles> find_aof(Env& env, const std::string& path) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    return open_directory(env, path);
  }
  if (!path.ends_with(kManifestSuffix)) return AofFiles{.paths = {path}};
  const std::filesystem::path manifest(path);
  const std::string directory = manifest.parent_path().string();
  return open_manifest(env, directory.empty() ? "." : directory, manifest.filename().string());
}

bool is_snapshot_file(Env& env, const std::string& path) {
  Result<std::unique_ptr<ReadableFile>> file = env.open_read(path);
  return file && begins_as_snapshot(*file.value());
}

Result<AofWalk> walk_data_file(Env& env, const std::string& path, AofVisitor* visitor,
                               std::optional<int64_t> until_s) {
  Result<std::unique_ptr<ReadableFile>> file = env.open_read(path);
  if (!file) return file.error();
  AofWalk walk{.size = file.value()->size()};
  walk.has_snapshot = begins_as_snapshot(*file.value());
  if (walk.has_snapshot) {
    FileSource source(file.value().get());
    Result<RdbEnd> end = read_snapshot(&source, RdbReadOptions{}, visitor);
    if (!end) {
      walk.damage = end.error();
      return walk;
    }
    walk.sound_bytes = end.value().offset;
  }
  Status walked = CommandWalk(file.value().get(), visitor, until_s, &walk).run();
  if (!walked) walk.damage = walked.error();
  return walk;
}

}  // namespace tandem::cli
