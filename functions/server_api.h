#pragma once

#include <lua.hpp>

namespace tandem {

class LuaHost;

// Pushes the table that functions find as `server` and `redis` when they are called: call, pcall,
// error_reply, status_reply, setresp, log, sha1hex and constants.
void push_call_api(lua_State* lua, LuaHost& host);
// Pushes what a library's top-level code finds: register_function, log and constants.
void push_load_api(lua_State* lua);

// Pushes server.pcall().
void push_protected_call(lua_State* lua);

}  // namespace tandem
