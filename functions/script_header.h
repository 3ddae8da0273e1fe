#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/result.h"

namespace tandem {

// What a script's first line says: "#!lua flags=no-writes,allow-oom", or nothing.
struct ScriptHeader {
  bool has_shebang = false;
  uint32_t flags = 0;     // FunctionFlags
  std::string_view code;  // from the line break on, so that line numbers are the source's; a view
};

// Errors are what EVAL answers, without the leading "ERR ".
Result<ScriptHeader> parse_script_header(std::string_view source);

}  // namespace tandem
