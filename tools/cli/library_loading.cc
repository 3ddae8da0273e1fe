#include "tools/cli/library_loading.h"

#include <cstdlib>

#include "functions/lua_host.h"
#include "server/base/env.h"
#include "tools/cli/library_source.h"

namespace tandem::cli {

namespace {

// What Lua puts before an error's text is this chunk name and the line.
constexpr std::string_view kChunk = "user_function:";

// Takes the first "user_function:LINE: " out of the text; its line, or 0.
int take_position(std::string* text) {
  const size_t at = text->find(kChunk);
  if (at == std::string::npos) return 0;
  const char* digits = text->c_str() + at + kChunk.size();
  char* end = nullptr;
  const long line = std::strtol(digits, &end, 10);
  if (end == digits || *end != ':') return 0;
  size_t length = static_cast<size_t>(end + 1 - text->c_str()) - at;
  if (end[1] == ' ') ++length;
  text->erase(at, length);
  return static_cast<int>(line);
}

}  // namespace

Result<std::string> read_library_file(const std::string& path) {
  return read_file(*make_tool_env(), path, kMaxSourceBytes);
}

std::string Diagnostic::to_string(std::string_view severity) const {
  std::string text = file + ':' + std::to_string(line) + ": ";
  return text.append(severity).append(": ").append(message);
}

bool load_library(Server& server, const std::string& path, std::string_view source,
                  std::string* name, Diagnostic* fault) {
  const Result<std::string> loaded = server.functions().load(source, false);
  if (loaded.ok()) {
    *name = loaded.value();
    return true;
  }
  std::string message = loaded.error().message;
  int line = take_position(&message);
  if (line == 0 && message.starts_with("Error registering functions: ")) {
    line = server.functions().host().fault_line();
  }
  // What is wrong with the whole is shown at the line that names it.
  *fault = {path, line == 0 ? 1 : line, std::move(message)};
  return false;
}

}  // namespace tandem::cli
