#include "functions/lua_libraries.h"

extern "C" {
#include <lua-bitop.h>
#include <lua-cjson.h>
}

namespace tandem {

namespace {

void open_as_global(lua_State* lua, const char* name, lua_CFunction open) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 1);
  lua_setglobal(lua, name);
}

}  // namespace

void open_script_libraries(lua_State* lua) {
  open_as_global(lua, "cjson", luaopen_cjson);
  open_as_global(lua, "bit", luaopen_bit);
  open_as_global(lua, "struct", open_struct);
  open_as_global(lua, "cmsgpack", open_msgpack);
}

}  // namespace tandem
