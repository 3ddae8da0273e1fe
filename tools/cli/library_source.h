#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/env.h"
#include "server/base/result.h"

namespace tandem::cli {

// The largest source file that is read: what a request may carry.
inline constexpr uint64_t kMaxSourceBytes = uint64_t{512} << 20;

// Function libraries by name: the source text of each, shebang included.
using Libraries = std::map<std::string, std::string>;

// The operating system's files, for a program without a loop.
std::unique_ptr<Env> make_tool_env();

// Adds a library under the name its first line gives it. kInvalid when it has none, and when there
// is one of that name already.
Status add_library(std::string source, Libraries* libraries);

// The libraries in files and directories: a .lua file is one library, a directory stands for the
// .lua files in it, but for the tests beside them (_test.lua), and an RDB file for the libraries it
// carries. Errors name the file.
Result<Libraries> read_libraries(Env& env, const std::vector<std::string>& paths);

// "a, b": names for a message.
std::string names_of(const Libraries& libraries);

}  // namespace tandem::cli
