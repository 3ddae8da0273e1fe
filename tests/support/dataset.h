#pragma once

#include <string>

#include "tests/support/process.h"

namespace tandem {

// A library of two functions: `put` (key, value: sets it and returns the value) and, flagged
// no-writes, `take` (key: its value). It calls the API by its older name, `redis`, so that
// redis-server takes it too.
std::string example_library(std::string_view name = "lib");

// Loads the example library and writes keys of every kind, small and big, with and without a time
// to live, in several databases.
void populate(const ServerProcess& server);

}  // namespace tandem
