#pragma once

#include <cstddef>
#include <lua.hpp>
#include <string>
#include <vector>

namespace tandem::cli {

// A server.call() or server.pcall() whose command is written out.
struct CommandCall {
  std::vector<std::string> words;  // the command and, when it is written out as well, what follows
  size_t word_count = 0;           // of the whole request; 0 when it is not known
  int line = 0;
};

// The calls in the function on top of the stack, which stays there, and in the functions that it
// can reach: those it makes, and those it finds in its upvalues and in the fields of their tables.
// What the code computes is not followed: neither a command put together from pieces nor which way
// a condition goes.
std::vector<CommandCall> find_command_calls(lua_State* lua);

}  // namespace tandem::cli
