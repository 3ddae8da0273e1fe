#include "functions/table_library.h"

#include <cstdint>
#include <limits>

#include "functions/lua_host.h"
#include "functions/lua_sandbox.h"

namespace tandem {

namespace {

constexpr size_t kStepsOfAComparison = 8;

// Elements that are shifted or looked at between two looks at the clock cost this much work each.
int table_insert(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  refuse_protected_table(lua, 1);
  const int top = lua_gettop(lua);
  if (top != 2 && top != 3) return luaL_error(lua, "wrong number of arguments to 'insert'");
  LuaHost& host = LuaHost::of(lua);
  int64_t end = static_cast<int64_t>(lua_objlen(lua, 1)) + 1;
  int64_t position = end;
  if (top == 3) {
    position = luaL_checkint(lua, 2);
    if (position > end) end = position;
  }
  for (int64_t i = end; i > position; --i) {
    lua_rawgeti(lua, 1, static_cast<int>(i - 1));
    lua_rawseti(lua, 1, static_cast<int>(i));
    host.count_work(lua, 1);
  }
  lua_rawseti(lua, 1, static_cast<int>(position));
  return 0;
}

// Lua's quicksort, step by step: where an order is not total, its outcome can be seen.
class Sorter {
 public:
  explicit Sorter(lua_State* lua)
      : lua_(lua), host_(LuaHost::of(lua)), has_order_(!lua_isnoneornil(lua, 2)) {}

  // Sorts the elements first…last of the table at index 1. Recursion is into the smaller part, so
  // its depth is logarithmic.
  void sort(int first, int last) {
    while (first < last) {
      order_pair(first, last);
      if (last - first == 1) return;
      const int middle = (first + last) / 2;
      order_middle(first, middle, last);
      if (last - first == 2) return;
      const int border = partition(first, middle, last);
      if (border - first < last - border) {
        sort(first, border - 1);
        first = border + 1;
      } else {
        sort(border + 1, last);
        last = border - 1;
      }
    }
  }

 private:
  // Pops the two values on top of the stack into the places.
  void put(int upper, int lower) {
    lua_rawseti(lua_, 1, upper);
    lua_rawseti(lua_, 1, lower);
  }

  // Whether the value at index `a` comes before the one at `b`, both relative to the top.
  bool comes_before(int a, int b) {
    host_.count_work(lua_, kStepsOfAComparison);
    if (!has_order_) return lua_lessthan(lua_, a, b) != 0;
    lua_pushvalue(lua_, 2);
    lua_pushvalue(lua_, a - 1);
    lua_pushvalue(lua_, b - 2);
    lua_call(lua_, 2, 1);
    const bool before = lua_toboolean(lua_, -1) != 0;
    lua_pop(lua_, 1);
    return before;
  }

  void order_pair(int first, int last) {
    lua_rawgeti(lua_, 1, first);
    lua_rawgeti(lua_, 1, last);
    if (comes_before(-1, -2)) {
      put(first, last);
    } else {
      lua_pop(lua_, 2);
    }
  }

  void order_middle(int first, int middle, int last) {
    lua_rawgeti(lua_, 1, middle);
    lua_rawgeti(lua_, 1, first);
    if (comes_before(-2, -1)) {
      put(middle, first);
      return;
    }
    lua_pop(lua_, 1);
    lua_rawgeti(lua_, 1, last);
    if (comes_before(-1, -2)) {
      put(middle, last);
    } else {
      lua_pop(lua_, 2);
    }
  }

  // Moves what comes before the middle element below it and the rest above; returns its new place.
  int partition(int first, int middle, int last) {
    lua_rawgeti(lua_, 1, middle);  // the pivot stays on the stack
    lua_pushvalue(lua_, -1);
    lua_rawgeti(lua_, 1, last - 1);
    put(middle, last - 1);
    int low = first;
    int high = last - 1;
    while (true) {
      while (lua_rawgeti(lua_, 1, ++low), comes_before(-1, -2)) {
        if (low > last) refuse_order();
        lua_pop(lua_, 1);
      }
      while (lua_rawgeti(lua_, 1, --high), comes_before(-3, -1)) {
        if (high < first) refuse_order();
        lua_pop(lua_, 1);
      }
      if (high < low) break;
      put(low, high);
    }
    lua_pop(lua_, 3);
    lua_rawgeti(lua_, 1, last - 1);
    lua_rawgeti(lua_, 1, low);
    put(last - 1, low);
    return low;
  }

  void refuse_order() { luaL_error(lua_, "invalid order function for sorting"); }

  lua_State* lua_;
  LuaHost& host_;
  const bool has_order_;
};

int table_sort(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  refuse_protected_table(lua, 1);
  const size_t length = lua_objlen(lua, 1);
  luaL_checkstack(lua, 40, "");
  if (!lua_isnoneornil(lua, 2)) luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_settop(lua, 2);
  if (length >= static_cast<size_t>(std::numeric_limits<int>::max())) {
    return luaL_error(lua, "array too big");
  }
  Sorter(lua).sort(1, static_cast<int>(length));
  return 0;
}

}  // namespace

void open_table_functions(lua_State* lua) {
  lua_pushcfunction(lua, table_insert);
  lua_setfield(lua, -2, "insert");
  lua_pushcfunction(lua, table_sort);
  lua_setfield(lua, -2, "sort");
}

int checked_unpack(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int64_t first = luaL_optint(lua, 2, 1);
  const int64_t last =
      lua_isnoneornil(lua, 3) ? static_cast<int64_t>(lua_objlen(lua, 1)) : luaL_checkint(lua, 3);
  if (first > last) return 0;
  const int64_t count = last - first + 1;
  if (count > std::numeric_limits<int>::max() ||
      lua_checkstack(lua, static_cast<int>(count)) == 0) {
    return luaL_error(lua, "too many results to unpack");
  }
  for (int64_t i = first; i <= last; ++i) lua_rawgeti(lua, 1, static_cast<int>(i));
  return static_cast<int>(count);
}

}  // namespace tandem
