#include "functions/lua_libraries.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <ctime>

extern "C" {
#include <lua-bitop.h>
#include <lua-cjson.h>
}

#include "functions/json_encoder.h"

namespace tandem {

namespace {

void open_as_global(lua_State* lua, const char* name, lua_CFunction open) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 1);
  lua_setglobal(lua, name);
}

// The number's lowest 32 bits, as all of the bit library takes its arguments.
int32_t low_bits(lua_State* lua, int index) {
  // Added to a number, it leaves the integer in the lowest bits of the sum's own.
  constexpr lua_Number kShift = 6755399441055744.0;
  const auto bits = std::bit_cast<uint64_t>(luaL_checknumber(lua, index) + kShift);
  return static_cast<int32_t>(static_cast<uint32_t>(bits));
}

// bit.tohex(x [, digits]): a negative number of digits means capital letters. The stock one
// overruns its buffer when it cannot negate the number.
int bit_tohex(lua_State* lua) {
  constexpr int32_t kMaxDigits = 8;
  const auto value = static_cast<uint32_t>(low_bits(lua, 1));
  const int32_t wanted =
      lua_isnone(lua, 2) ? kMaxDigits : std::clamp(low_bits(lua, 2), -kMaxDigits, kMaxDigits);
  const char* const letters = wanted < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  const int count = wanted < 0 ? -wanted : wanted;
  char text[kMaxDigits];
  for (int i = 0; i < count; ++i) text[i] = letters[value >> (4 * (count - 1 - i)) & 0xf];
  lua_pushlstring(lua, text, static_cast<size_t>(count));
  return 1;
}

RandomGenerator& random_generator(lua_State* lua) {
  return *static_cast<RandomGenerator*>(lua_touserdata(lua, lua_upvalueindex(1)));
}

// math.random([low,] [high])
int math_random(lua_State* lua) {
  constexpr uint32_t kRange = INT32_MAX;
  const lua_Number drawn = static_cast<lua_Number>(random_generator(lua).next() % kRange) /
                           static_cast<lua_Number>(kRange);
  const int bounds = lua_gettop(lua);
  if (bounds > 2) return luaL_error(lua, "wrong number of arguments");
  if (bounds == 0) {
    lua_pushnumber(lua, drawn);
    return 1;
  }
  const lua_Number low = bounds == 2 ? luaL_checkint(lua, 1) : 1;
  const lua_Number high = luaL_checkint(lua, bounds);
  luaL_argcheck(lua, low <= high, bounds, "interval is empty");
  lua_pushnumber(lua, std::floor(drawn * (high - low + 1)) + low);
  return 1;
}

// math.randomseed(integer)
int math_randomseed(lua_State* lua) {
  random_generator(lua).seed(static_cast<uint32_t>(luaL_checkint(lua, 1)));
  return 0;
}

void open_random(lua_State* lua, RandomGenerator& random) {
  lua_getglobal(lua, LUA_MATHLIBNAME);
  lua_pushlightuserdata(lua, &random);
  lua_pushcclosure(lua, math_random, 1);
  lua_setfield(lua, -2, "random");
  lua_pushlightuserdata(lua, &random);
  lua_pushcclosure(lua, math_randomseed, 1);
  lua_setfield(lua, -2, "randomseed");
  lua_pop(lua, 1);
}

int os_clock(lua_State* lua) {
  lua_pushnumber(lua, static_cast<lua_Number>(std::clock()) / CLOCKS_PER_SEC);
  return 1;
}

void open_os(lua_State* lua) {
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, os_clock);
  lua_setfield(lua, -2, "clock");
  lua_setglobal(lua, LUA_OSLIBNAME);
}

}  // namespace

void open_script_libraries(lua_State* lua, RandomGenerator& random) {
  open_as_global(lua, "cjson", luaopen_cjson);
  lua_getglobal(lua, "cjson");
  open_json_encoder(lua);
  lua_pop(lua, 1);
  open_as_global(lua, "bit", luaopen_bit);
  lua_getglobal(lua, "bit");
  lua_pushcfunction(lua, bit_tohex);
  lua_setfield(lua, -2, "tohex");
  lua_pop(lua, 1);
  open_os(lua);
  open_random(lua, random);
  open_as_global(lua, "struct", open_struct);
  open_as_global(lua, "cmsgpack", open_msgpack);
}

}  // namespace tandem
