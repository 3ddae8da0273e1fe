#include "functions/map_order.h"

#include "functions/lua_allocator.h"

namespace tandem {

namespace {

// Its address is the registry's key of a table from maps, held weakly, to arrays.
const char kOrdersKey = 0;

void push_orders(lua_State* lua) {
  lua_pushlightuserdata(lua, const_cast<char*>(&kOrdersKey));
  lua_rawget(lua, LUA_REGISTRYINDEX);
}

}  // namespace

void open_map_orders(lua_State* lua) {
  lua_pushlightuserdata(lua, const_cast<char*>(&kOrdersKey));
  lua_newtable(lua);
  lua_createtable(lua, 0, 1);
  lua_pushliteral(lua, "k");
  lua_setfield(lua, -2, "__mode");
  lua_setmetatable(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
}

void keep_map_order(lua_State* lua) {
  // The table of all orders is nobody's alone.
  const LuaAllocator::OwnerScope state(LuaAllocator::of(lua), nullptr);
  push_orders(lua);        // map, order, orders
  lua_insert(lua, -2);     // map, orders, order
  lua_pushvalue(lua, -3);  // map, orders, order, map
  lua_insert(lua, -2);     // map, orders, map, order
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
}

void push_map_order(lua_State* lua) {
  push_orders(lua);
  lua_pushvalue(lua, -2);
  lua_rawget(lua, -2);
  lua_remove(lua, -2);
}

}  // namespace tandem
