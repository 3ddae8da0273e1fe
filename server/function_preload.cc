#include "server/function_preload.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "functions/library_fault.h"
#include "persistence/dump_payload.h"
#include "persistence/rdb_file.h"
#include "server/base/log.h"

namespace tandem {

namespace {

constexpr std::string_view kDirective = "functions-preload: ";
// What a client may send in FUNCTION LOAD.
constexpr uint64_t kMaxSourceBytes = uint64_t{512} << 20;
// A library that never ends must not keep the server from starting for good.
constexpr int64_t kLoadLimit_ms = 5000;

Error fault(ErrorKind kind, const std::string& where, const std::string& why) {
  return make_error(kind, std::string(kDirective) + where + ": " + why);
}

// Keeps the libraries of a snapshot that holds nothing else.
class LibraryCollector final : public RdbTarget {
 public:
  Status on_library(std::string source) override {
    sources.push_back(std::move(source));
    return {};
  }
  Status on_key(const RdbKey&, RdbValue) override {
    return make_error(ErrorKind::kInvalid, "there are keys in it, and only functions are taken");
  }

  std::vector<std::string> sources;
};

class Preloader {
 public:
  Preloader(Env& env, FunctionEngine& functions, const RdbReadOptions& options)
      : env_(env), functions_(functions), options_(options) {}

  Status add(const std::string& path);
  FunctionSet take() { return std::move(set_); }

 private:
  Status add_directory(const std::string& path, const std::vector<std::string>& names);
  Status add_snapshot(const std::string& path);
  Status add_file(const std::string& path);
  Status add_library(const std::string& where, std::string_view source);
  bool is_snapshot(const std::string& path);

  Env& env_;
  FunctionEngine& functions_;
  const RdbReadOptions& options_;
  FunctionSet set_;
};

Status Preloader::add(const std::string& path) {
  if (const auto names = env_.list(path); names.ok()) return add_directory(path, names.value());
  return is_snapshot(path) ? add_snapshot(path) : add_file(path);
}

Status Preloader::add_directory(const std::string& path, const std::vector<std::string>& names) {
  std::vector<std::string> sorted = names;
  std::erase_if(sorted, [](const std::string& name) {
    return !name.ends_with(".lua") || name.ends_with("_test.lua");
  });
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& name : sorted) {
    if (Status added = add_file(join_path(path, name)); !added.ok()) return added;
  }
  return {};
}

bool Preloader::is_snapshot(const std::string& path) {
  const auto file = env_.open_read(path);
  if (!file.ok()) return false;
  char front[6];
  const Result<size_t> length = file.value()->read(0, front, sizeof front);
  if (!length.ok()) return false;
  const std::string_view text(front, length.value());
  return text.starts_with("REDIS") || text.starts_with("VALKEY");
}

Status Preloader::add_snapshot(const std::string& path) {
  LibraryCollector collector;
  const Result<RdbEnd> end = load_rdb_file(env_, path, options_, &collector);
  if (!end.ok()) {
    return make_error(end.error().kind, std::string(kDirective) + end.error().to_string());
  }
  const Result<uint64_t> size = env_.file_size(path);
  if (size.ok() && size.value() != end.value().offset) {
    return fault(ErrorKind::kCorrupt, path,
                 "bytes follow the snapshot at offset " + std::to_string(end.value().offset));
  }
  for (size_t i = 0; i < collector.sources.size(); ++i) {
    const std::string where = path + ", library " + std::to_string(i + 1);
    if (Status added = add_library(where, collector.sources[i]); !added.ok()) return added;
  }
  return {};
}

Status Preloader::add_file(const std::string& path) {
  const Result<std::string> source = read_file(env_, path, kMaxSourceBytes);
  if (!source.ok()) {
    return make_error(source.error().kind, std::string(kDirective) + source.error().to_string());
  }
  return add_library(path, source.value());
}

Status Preloader::add_library(const std::string& where, std::string_view source) {
  const Result<std::string> loaded =
      functions_.load_into(set_, source, /*replace=*/false, kLoadLimit_ms);
  if (loaded.ok()) return {};
  const LibraryFault found = locate_fault(loaded.error(), functions_);
  return fault(loaded.error().kind, where + ":" + std::to_string(found.line), found.message);
}

// One effect for all: applied one by one, libraries that exchange functions would be in each
// other's way.
void emit_restore(Executor& executor, const std::vector<std::string>& sources) {
  const std::string payload = dump_libraries(sources, rdb::kVersionForUnknownReplica);
  const std::string_view effect[] = {"FUNCTION", "RESTORE", payload, "REPLACE"};
  executor.effects().add(0, effect);
  executor.set_dirty(executor.dirty() + sources.size());
}

}  // namespace

Result<FunctionSet> read_preloaded(Env& env, FunctionEngine& functions,
                                   const std::vector<std::string>& paths,
                                   const RdbReadOptions& options) {
  Preloader preloader(env, functions, options);
  for (const std::string& path : paths) {
    if (Status added = preloader.add(path); !added.ok()) return added.error();
  }
  return preloader.take();
}

Status install_preloaded(Executor& executor, FunctionEngine& functions, FunctionSet libraries) {
  const size_t named = libraries.libraries().size();
  functions.for_each_library([&](std::string_view name, std::string_view source) {
    const auto found = libraries.libraries().find(name);
    if (found != libraries.libraries().end() && found->second->source == source) {
      libraries.remove(name);
    }
  });
  std::vector<std::string> sources;
  for (const auto& [name, library] : libraries.libraries()) sources.push_back(library->source);
  if (!sources.empty()) {
    const Status merged = functions.merge(std::move(libraries), RestorePolicy::kReplace);
    if (!merged.ok()) return fault(merged.error().kind, "the dataset", merged.error().message);
    emit_restore(executor, sources);
  }
  log_notice("Libraries preloaded: " + std::to_string(named) +
             ", new or changed: " + std::to_string(sources.size()));
  return {};
}

}  // namespace tandem
