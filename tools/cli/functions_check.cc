#include "tools/cli/functions_check.h"

#include <cstdio>
#include <string_view>

#include "functions/function_set.h"
#include "tools/cli/in_process_server.h"
#include "tools/cli/library_file.h"

namespace tandem::cli {

namespace {

// "  name [no-writes, allow-stale] description"
std::string describe(const Function& function) {
  std::string flags;
  for (const FunctionFlagName& flag : function_flag_names()) {
    if (function.is(flag.flag)) flags.append(flags.empty() ? "" : ", ").append(flag.name);
  }
  std::string line = "  " + function.name;
  if (!flags.empty()) line += " [" + flags + "]";
  if (function.has_description) line += " " + function.description;
  return line;
}

void list_library(const std::string& path, const FunctionLibrary& library) {
  std::printf("%s: library %s\n", path.c_str(), library.name.c_str());
  for (const auto& function : library.functions) std::printf("%s\n", describe(*function).c_str());
}

bool check_file(Server& server, const std::string& path) {
  const Result<std::string> source = read_library_file(path);
  Diagnostic fault{path, 1, source.ok() ? "" : source.error().message};
  std::string name;
  if (!source.ok() || !load_library(server, path, source.value(), &name, &fault)) {
    std::fprintf(stderr, "%s\n", fault.to_string("error").c_str());
    return false;
  }
  list_library(path, *server.functions().functions().libraries().find(name)->second);
  return true;
}

}  // namespace

int run_functions_check(const Options&, std::span<const std::string> arguments) {
  if (arguments.empty()) {
    std::fputs("tandem-cli functions check: name at least one file\n", stderr);
    return 1;
  }
  InProcessServer in_process;
  bool sound = true;
  for (const std::string& path : arguments) sound &= check_file(in_process.server(), path);
  return sound ? 0 : 1;
}

}  // namespace tandem::cli
