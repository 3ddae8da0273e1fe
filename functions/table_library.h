#pragma once

#include <lua.hpp>

namespace tandem {

// Lua 5.1's table.insert, table.sort and unpack, which do what the stock ones do within limits:
// they can be stopped while they work, and take no range that would overflow.

// Puts insert and sort into the table on top of the stack; protected tables are refused.
void open_table_functions(lua_State* lua);
// unpack(list [, i [, j]])
int checked_unpack(lua_State* lua);

}  // namespace tandem
