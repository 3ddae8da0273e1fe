#pragma once

#include <string>
#include <string_view>

#include "server/base/result.h"

namespace tandem {

// The first line of a library's source, "#!<engine> name=<library>".
struct LibraryHeader {
  std::string engine;
  std::string name;
  std::string_view code;  // from the line break on, so that line numbers are the source's; a view
};

// Errors are what FUNCTION LOAD answers, without the leading "ERR ". The engine is not looked up.
Result<LibraryHeader> parse_library_header(std::string_view source);

}  // namespace tandem
