#include "tools/cli/line_coverage.h"

#include <cstdio>
#include <cstring>

#include "functions/function_set.h"
#include "functions/library_header.h"
#include "tools/cli/lua_chunk.h"

namespace tandem::cli {

namespace {

// The name under which the sandbox compiles libraries; what they compile themselves has others.
constexpr const char kLibraryChunk[] = "@user_function";

// "4-5, 7" for the lines 4, 5 and 7. A range spans lines between its ends that do nothing.
std::string ranges(const std::set<int>& active, const std::set<int>& hit) {
  std::string text;
  int first = 0, last = 0;
  const auto finish = [&] {
    if (first == 0) return;
    text += (text.empty() ? "" : ", ") + std::to_string(first);
    if (last > first) text += "-" + std::to_string(last);
    first = 0;
  };
  for (const int line : active) {
    if (hit.contains(line)) {
      finish();
      continue;
    }
    if (first == 0) first = line;
    last = line;
  }
  finish();
  return text;
}

}  // namespace

void LineCoverage::add_library(const std::string& path, std::string_view source) {
  const Result<LibraryHeader> header = parse_library_header(source);
  if (!header.ok()) return;
  paths_[header.value().name] = path;
  if (files_.contains(path)) return;
  const Result<LuaPrototype> code = compile_lua(header.value().code, kLibraryChunk);
  if (code.ok()) files_[path].active = active_lines(code.value());
}

void LineCoverage::on_line(LuaHost& host, lua_State* lua, lua_Debug* where) {
  const FunctionLibrary* library = nullptr;
  if (host.load() != nullptr) library = host.load()->library;
  if (host.run() != nullptr) library = host.run()->function->library;
  const auto path = library == nullptr ? paths_.end() : paths_.find(library->name);
  if (path == paths_.end()) return;
  lua_getinfo(lua, "S", where);
  if (std::strcmp(where->source, kLibraryChunk) == 0) {
    files_[path->second].hit.insert(where->currentline);
  }
}

std::vector<std::string> LineCoverage::report() const {
  std::vector<std::string> lines;
  for (const auto& [path, file] : files_) {
    size_t hit = 0;
    for (const int line : file.active) hit += file.hit.count(line);
    const size_t total = file.active.size();
    char share[16];
    std::snprintf(share, sizeof(share), "%.1f%%",
                  100.0 * static_cast<double>(hit) / static_cast<double>(total == 0 ? 1 : total));
    std::string line = path + ": " + share + " (" + std::to_string(hit) + " of " +
                       std::to_string(total) + " lines)";
    const std::string missed = ranges(file.active, file.hit);
    if (!missed.empty()) line += ", missed " + missed;
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace tandem::cli
