#include "tools/cli/library_loading.h"

#include <utility>

#include "functions/library_fault.h"
#include "server/base/env.h"
#include "server/base/settings.h"
#include "tools/cli/library_source.h"

namespace tandem::cli {

Result<std::string> read_library_file(const std::string& path) {
  return read_file(*make_tool_env(), path, kMaxSourceBytes);
}

std::string Diagnostic::to_string(std::string_view severity) const {
  std::string text = file + ':' + std::to_string(line) + ": ";
  return text.append(severity).append(": ").append(message);
}

bool load_library(Server& server, const std::string& path, std::string_view source,
                  std::string* name, Diagnostic* fault) {
  // As long as a server with its defaults would let it.
  const Result<std::string> loaded =
      server.functions().load(source, false, Settings().function_load_timeout);
  if (loaded.ok()) {
    *name = loaded.value();
    return true;
  }
  LibraryFault found = locate_fault(loaded.error(), server.functions());
  *fault = {path, found.line, std::move(found.message)};
  return false;
}

}  // namespace tandem::cli
