#pragma once

#include <string>
#include <vector>

#include "functions/function_engine.h"
#include "persistence/rdb_reader.h"
#include "server/base/env.h"
#include "server/base/result.h"
#include "server/exec/executor.h"

namespace tandem {

// The libraries that functions-preload names: each path is a .lua file, a directory of such files
// (in the order of their names, without the _test.lua files beside them), or an RDB file with
// nothing but libraries in it. Compiled and registered, and part of no dataset yet. A library or a
// function that two files have is an error like any other in a file: the message says which file,
// and which line or offset.
Result<FunctionSet> read_preloaded(Env& env, FunctionEngine& functions,
                                   const std::vector<std::string>& paths,
                                   const RdbReadOptions& options);

// Lets them join the server's libraries in place of those of the same names, all or on an error
// none. What is new by that is an effect like any other, so that the AOF and the replicas get it;
// libraries that the dataset has already, byte for byte, cause none.
Status install_preloaded(Executor& executor, FunctionEngine& functions, FunctionSet libraries);

}  // namespace tandem
