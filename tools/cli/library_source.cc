#include "tools/cli/library_source.h"

#include <algorithm>
#include <filesystem>

#include "functions/library_header.h"
#include "server/base/posix_env.h"
#include "tools/cli/aof_walk.h"
#include "tools/cli/function_extraction.h"

namespace tandem::cli {
namespace {

Error in_file(const std::string& path, const Error& error) {
  return make_error(error.kind, path + ": " + error.to_string());
}

Status add_source_file(Env& env, const std::string& path, Libraries* libraries) {
  Result<std::string> source = read_file(env, path, kMaxSourceBytes);
  if (!source) return source.error();
  Status added = add_library(std::move(source).value(), libraries);
  return added ? added : Status(in_file(path, added.error()));
}

Status add_directory(Env& env, const std::string& path, Libraries* libraries) {
  Result<std::vector<std::string>> names = env.list(path);
  if (!names) return names.error();
  std::vector<std::string> sources = std::move(names).value();
  std::erase_if(sources, [](const std::string& name) {
    return !name.ends_with(".lua") || name.ends_with("_test.lua");
  });
  if (sources.empty()) return make_error(ErrorKind::kInvalid, path + ": no .lua file in it");
  std::sort(sources.begin(), sources.end());
  for (const std::string& name : sources) {
    Status added = add_source_file(env, (std::filesystem::path(path) / name).string(), libraries);
    if (!added) return added;
  }
  return {};
}

Status add_snapshot(Env& env, const std::string& path, Libraries* libraries) {
  Result<Libraries> found = libraries_of_file(env, path);
  if (!found) return found.error();
  for (auto& [name, source] : found.value()) {
    Status added = add_library(std::move(source), libraries);
    if (!added) return in_file(path, added.error());
  }
  return {};
}

}  // namespace

std::unique_ptr<Env> make_tool_env() {
  return make_posix_env([](const std::function<void()>&) {});
}

Status add_library(std::string source, Libraries* libraries) {
  Result<LibraryHeader> header = parse_library_header(source);
  if (!header) return header.error();
  if (!libraries->try_emplace(header.value().name, std::move(source)).second) {
    return make_error(ErrorKind::kInvalid,
                      "Library '" + header.value().name + "' is there a second time");
  }
  return {};
}

Result<Libraries> read_libraries(Env& env, const std::vector<std::string>& paths) {
  Libraries libraries;
  for (const std::string& path : paths) {
    Status added;
    if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
      added = add_directory(env, path, &libraries);
    } else if (is_snapshot_file(env, path)) {
      added = add_snapshot(env, path, &libraries);
    } else {
      added = add_source_file(env, path, &libraries);
    }
    if (!added) return added.error();
  }
  return libraries;
}

std::string names_of(const Libraries& libraries) {
  std::string names;
  for (const auto& [name, source] : libraries) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace tandem::cli
