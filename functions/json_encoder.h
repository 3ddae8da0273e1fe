#pragma once

#include <lua.hpp>

namespace tandem {

// In the cjson table on top of the stack, replaces encode and its settings: the stock encoder
// counts bytes in an int, which a value of tables that hold each other passes, and takes its memory
// and its time from nobody. Texts, settings and errors are those of lua-cjson 2.1.
void open_json_encoder(lua_State* lua);

}  // namespace tandem
