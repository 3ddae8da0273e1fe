#pragma once

#include <lua.hpp>

namespace tandem {

// Replaces string.find, match, gmatch and gsub, in the table on top of the stack, by ones that a
// hostile pattern can neither run out of C stack nor keep from being killed (pattern.h).
void open_pattern_functions(lua_State* lua);

}  // namespace tandem
