#include "functions/library_fault.h"

#include <cstdlib>
#include <string_view>

namespace tandem {

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

LibraryFault locate_fault(const Error& error, const FunctionEngine& engine) {
  LibraryFault fault;
  fault.message = error.message;
  int line = take_position(&fault.message);
  if (line == 0 && fault.message.starts_with("Error registering functions: ")) {
    line = engine.fault_line();
  }
  if (line != 0) fault.line = line;
  return fault;
}

}  // namespace tandem
