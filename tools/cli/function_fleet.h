#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/cli/function_server.h"

namespace tandem::cli {

// What is to be done on one server.
struct LibraryChange {
  std::vector<FunctionServer::Command> commands;
  std::string done;  // for the report: "loaded a, b"
};

// What to do on a server that has these libraries now, or why it cannot be.
using PlanChange = std::function<Result<LibraryChange>(const Libraries& libraries)>;

// Changes the libraries of all servers or of none. All of them are read and planned for before the
// first is changed. When one then fails, or a signal comes, those that were changed get back what
// they had (FUNCTION RESTORE of their former FUNCTION DUMP, with FLUSH): a change that somebody
// else made to them in between is lost with it. Prints a line for each server: what was done, on
// standard output; on a failure, on standard error, what failed and what became of each. Returns
// the exit code.
int change_all(std::vector<FunctionServer>& servers, const PlanChange& plan);

}  // namespace tandem::cli
