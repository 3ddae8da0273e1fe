#pragma once

#include <string>

#include "functions/function_engine.h"
#include "server/base/result.h"

namespace tandem {

// Why a library could not be loaded, and the line of its source where that is.
struct LibraryFault {
  int line = 1;  // what is wrong with the whole is shown at the line that names it
  std::string message;
};

// Reads the error with which load() or load_into() of this engine has ended, before it is to load
// anything else.
LibraryFault locate_fault(const Error& error, const FunctionEngine& engine);

}  // namespace tandem
