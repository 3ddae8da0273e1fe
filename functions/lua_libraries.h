#pragma once

#include <lua.hpp>

namespace tandem {

// Opens the libraries beside Lua's own that scripts find: cjson, bit, struct and cmsgpack, as
// globals.
void open_script_libraries(lua_State* lua);

// Pushes the table of functions of struct (struct_library.cc) and cmsgpack (msgpack_library.cc).
int open_struct(lua_State* lua);
int open_msgpack(lua_State* lua);

}  // namespace tandem
