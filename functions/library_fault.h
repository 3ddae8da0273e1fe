#pragma once

#include <string>

#include "functions/lua_host.h"
#include "server/base/result.h"

namespace tandem {

// Why a library could not be loaded, and the line of its source where that is.
struct LibraryFault {
  int line = 1;  // what is wrong with the whole is shown at the line that names it
  std::string message;
};

// Reads the error with which FunctionEngine::load() or load_into() has ended, before anything else
// is loaded into that host.
LibraryFault locate_fault(const Error& error, const LuaHost& host);

}  // namespace tandem
