#pragma once

#include <string>
#include <string_view>

#include "server/base/result.h"
#include "server/server.h"

namespace tandem::cli {

// The whole of a library's file.
Result<std::string> read_library_file(const std::string& path);

// Something to tell a library's author, with its place.
struct Diagnostic {
  std::string file;
  int line = 0;
  std::string message;

  std::string to_string(std::string_view severity) const;  // "file:line: severity: message"
};

// Loads the library; `fault` says why and where it did not when the result is false. `name` is set
// to the library's name on success.
bool load_library(Server& server, const std::string& path, std::string_view source,
                  std::string* name, Diagnostic* fault);

}  // namespace tandem::cli
