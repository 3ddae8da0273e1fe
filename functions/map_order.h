#pragma once

#include <lua.hpp>

namespace tandem {

// The order in which a command wrote the fields of a map. A Lua table has none of its own, so the
// order is kept aside, for as long as the table lives, and a function that returns the map replies
// its fields as the command did.

// Prepares a Lua state, once.
void open_map_orders(lua_State* lua);

// Pops the array of a map's keys on top of the stack and keeps it for the map below it.
void keep_map_order(lua_State* lua);

// Pushes the array kept for the table on top of the stack, or nil.
void push_map_order(lua_State* lua);

}  // namespace tandem
