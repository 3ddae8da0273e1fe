#include "tools/cli/function_extraction.h"

#include "persistence/dump_payload.h"
#include "persistence/rdb_writer.h"
#include "server/base/strings.h"
#include "tools/cli/aof_walk.h"
#include "tools/cli/snapshot_file.h"

namespace tandem::cli {
namespace {

// The first version with function libraries, which all servers that have them read.
constexpr int kFunctionsVersion = 10;

Error contradiction(std::string message) {
  return make_error(ErrorKind::kCorrupt, std::move(message));
}

// Follows the function libraries through a dataset's files.
class FunctionHistory final : public AofVisitor {
 public:
  Status on_library(std::string source) override {
    return add_library(std::move(source), &libraries_);
  }
  Status on_key(const RdbKey&, RdbValue) override { return {}; }
  Status on_command(std::span<const std::string_view> args, uint64_t) override {
    if (args.size() < 2 || !equals_ignore_case(args[0], "function")) return {};
    if (equals_ignore_case(args[1], "load")) return load(args.subspan(2));
    if (equals_ignore_case(args[1], "delete")) return remove(args.subspan(2));
    if (equals_ignore_case(args[1], "restore")) return restore(args.subspan(2));
    if (equals_ignore_case(args[1], "flush")) libraries_.clear();
    return {};
  }

  Libraries take() { return std::move(libraries_); }

 private:
  Status load(std::span<const std::string_view> args) {
    if (args.size() == 2 && equals_ignore_case(args[0], "replace")) return replace(args[1]);
    if (args.size() == 1) return add_library(std::string(args[0]), &libraries_);
    return contradiction("expected FUNCTION LOAD [REPLACE] <code>");
  }
  Status replace(std::string_view source) {
    Libraries one;
    if (Status added = add_library(std::string(source), &one); !added) return added;
    one.merge(libraries_);
    libraries_ = std::move(one);
    return {};
  }
  Status remove(std::span<const std::string_view> args) {
    if (args.size() == 1 && libraries_.erase(std::string(args[0])) == 1) return {};
    return contradiction("FUNCTION DELETE names no library that is there");
  }
  Status restore(std::span<const std::string_view> args);

  Libraries libraries_;
};

Status FunctionHistory::restore(std::span<const std::string_view> args) {
  const std::string_view policy = args.size() == 2 ? args[1] : "append";
  if (args.empty() || args.size() > 2) {
    return contradiction("expected FUNCTION RESTORE <payload> [policy]");
  }
  Result<std::vector<std::string>> sources = decode_libraries_payload(args[0]);
  if (!sources) return contradiction("FUNCTION RESTORE: " + sources.error().message);
  if (equals_ignore_case(policy, "flush")) libraries_.clear();
  for (std::string& source : sources.value()) {
    Status added = equals_ignore_case(policy, "replace")
                       ? replace(source)
                       : add_library(std::move(source), &libraries_);
    if (!added) return added;
  }
  return {};
}

std::vector<std::string> sources_of(const Libraries& libraries) {
  std::vector<std::string> sources;
  for (const auto& [name, source] : libraries) sources.push_back(source);
  return sources;
}

}  // namespace

Result<Libraries> libraries_of_file(Env& env, const std::string& path) {
  Result<AofFiles> files = find_aof(env, path);
  if (!files) return files.error();
  FunctionHistory history;
  for (const std::string& file : files.value().paths) {
    Result<AofWalk> walk = walk_data_file(env, file, &history);
    if (!walk) return walk.error();
    if (!walk.value().damage) continue;
    Error error = *walk.value().damage;
    error.message = file + ": " + error.message;
    return error;
  }
  return history.take();
}

std::string dump_payload_of(const Libraries& libraries) {
  return dump_libraries(sources_of(libraries), kFunctionsVersion);
}

Status write_functions_file(const std::string& path, const Libraries& libraries, int64_t now_ms) {
  SnapshotSource source{.libraries = sources_of(libraries), .now_ms = now_ms};
  SnapshotFile file;
  if (Status opened = file.open(path); !opened) return opened;
  SnapshotFileSink sink(&file);
  Status written = write_snapshot(&sink, source, {.version = kFunctionsVersion});
  return written ? file.commit() : written;
}

}  // namespace tandem::cli
