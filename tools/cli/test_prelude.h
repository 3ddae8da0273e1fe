#pragma once

namespace tandem::cli {

// Lua code that gives test files expect() and its kin. It returns a function to be called after
// each test, which raises an error when an expectation was begun and compared with nothing.
extern const char kTestPrelude[];

}  // namespace tandem::cli
