#pragma once

#include <lua.hpp>

namespace tandem {

// server.register_function(name, callback) and server.register_function{function_name=…,
// callback=…, flags={…}, description=…}. Upvalue 1 is the LuaHost.
int register_function(lua_State* lua);

}  // namespace tandem
