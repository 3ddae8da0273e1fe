#pragma once

#include <span>
#include <string>

#include "tools/cli/options.h"

namespace tandem::cli {

// `functions test [OPTION...] FILE_test.lua...`: runs tests of functions in this process and
// reports them as TAP or JUnit. The exit code is 1 when a test fails or none was run.
int run_functions_test(const Options& options, std::span<const std::string> arguments);

}  // namespace tandem::cli
