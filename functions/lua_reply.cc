#include "functions/lua_reply.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <string>

#include "functions/map_order.h"
#include "server/base/numbers.h"

namespace tandem {

namespace {

// Tables are made with room for their elements, up to this many: a reply's announced length alone
// must not cost memory.
constexpr size_t kMaxPresized = 1 << 16;
// Stack slots that one more level of nesting needs: wrapper, table, order, key, value, and three to
// work with.
constexpr int kSlotsPerLevel = 8;

int presize(size_t elements) { return static_cast<int>(std::min(elements, kMaxPresized)); }

// A Lua table takes neither nil nor NaN as a key.
bool usable_as_key(lua_State* lua, int index) {
  if (lua_isnil(lua, index)) return false;
  return lua_type(lua, index) != LUA_TNUMBER || !std::isnan(lua_tonumber(lua, index));
}

// Where the tables of an open map are while a pair is on top of the stack.
constexpr int kMapOfPair = -4;
constexpr int kOrderOfPair = -3;

}  // namespace

void LuaReply::integer(int64_t value) {
  lua_pushnumber(lua_, static_cast<lua_Number>(value));
  value_done();
}

void LuaReply::bulk(std::string_view bytes) {
  lua_pushlstring(lua_, bytes.data(), bytes.size());
  value_done();
}

// The status that nearly every write answers, and the field that holds a status, are strings that
// Lua need not look for.
void LuaReply::push_upvalues(lua_State* lua) {
  lua_pushliteral(lua, "ok");
  lua_pushliteral(lua, "OK");
}

void LuaReply::simple(std::string_view text) {
  lua_createtable(lua_, 0, 1);
  lua_pushvalue(lua_, lua_upvalueindex(first_upvalue_));
  if (text == "OK") {
    lua_pushvalue(lua_, lua_upvalueindex(first_upvalue_ + 1));
  } else {
    lua_pushlstring(lua_, text.data(), text.size());
  }
  lua_rawset(lua_, -3);
  value_done();
}

void LuaReply::error(std::string_view text) {
  if (open_.empty()) is_error_ = true;
  lua_createtable(lua_, 0, 4);
  lua_pushlstring(lua_, text.data(), text.size());
  lua_setfield(lua_, -2, "err");
  value_done();
}

void LuaReply::null() {
  if (protocol_ == 2) {
    lua_pushboolean(lua_, 0);
  } else {
    lua_pushnil(lua_);
  }
  value_done();
}

void LuaReply::null_array() { null(); }

void LuaReply::array(size_t length) { open(Kind::kArray, length); }

void LuaReply::map(size_t pairs) {
  if (protocol_ == 2) {
    open(Kind::kArray, pairs * 2);
  } else {
    open(Kind::kMap, pairs * 2);
  }
}

void LuaReply::set(size_t length) { open(protocol_ == 2 ? Kind::kArray : Kind::kSet, length); }

void LuaReply::push(size_t length) { open(Kind::kArray, length); }

void LuaReply::real(double value) {
  if (protocol_ == 2) {
    bulk(format_double(value));
    return;
  }
  lua_createtable(lua_, 0, 1);
  lua_pushnumber(lua_, value);
  lua_setfield(lua_, -2, "double");
  value_done();
}

void LuaReply::fixed_point(double value) {
  if (protocol_ == 2) {
    bulk(format_long_double_human(value));
  } else {
    real(value);
  }
}

void LuaReply::boolean(bool value) {
  if (protocol_ == 2) {
    lua_pushnumber(lua_, value ? 1 : 0);
  } else {
    lua_pushboolean(lua_, value ? 1 : 0);
  }
  value_done();
}

void LuaReply::big_number(std::string_view digits) {
  if (protocol_ == 2) {
    bulk(digits);
    return;
  }
  lua_createtable(lua_, 0, 1);
  lua_pushlstring(lua_, digits.data(), digits.size());
  lua_setfield(lua_, -2, "big_number");
  value_done();
}

void LuaReply::verbatim(std::string_view format, std::string_view text) {
  if (protocol_ == 2) {
    bulk(text);
    return;
  }
  lua_createtable(lua_, 0, 1);
  lua_createtable(lua_, 0, 2);
  lua_pushlstring(lua_, text.data(), text.size());
  lua_setfield(lua_, -2, "string");
  lua_pushlstring(lua_, format.data(), format.size());
  lua_setfield(lua_, -2, "format");
  lua_setfield(lua_, -2, "verbatim_string");
  value_done();
}

void LuaReply::open(Kind kind, size_t elements) {
  luaL_checkstack(lua_, kSlotsPerLevel, "reply nested too deeply");
  if (kind == Kind::kArray) {
    lua_createtable(lua_, presize(elements), 0);
  } else {
    const int fields = presize(kind == Kind::kMap ? elements / 2 : elements);
    lua_createtable(lua_, 0, 1);
    lua_createtable(lua_, 0, fields);
    if (kind == Kind::kMap) lua_createtable(lua_, fields, 0);
  }
  open_.push_back({kind, false, 0, elements});
  if (elements == 0) store();
}

// Puts the value on top of the stack into the innermost open aggregate; an aggregate that is full
// is itself a value for the one around it. Called with remaining == 0 for an empty aggregate.
void LuaReply::store() {
  while (!open_.empty()) {
    Open& into = open_.back();
    if (into.remaining > 0) {
      --into.remaining;
      switch (into.kind) {
        case Kind::kArray:
          lua_rawseti(lua_, -2, ++into.index);
          break;
        case Kind::kMap:
          if (!into.key_pending) {
            into.key_pending = true;
            return;
          }
          into.key_pending = false;
          set_field(into);
          break;
        case Kind::kSet:
          if (usable_as_key(lua_, -1)) {
            lua_pushboolean(lua_, 1);
            lua_rawset(lua_, -3);
          } else {
            lua_pop(lua_, 1);
          }
          break;
      }
      if (into.remaining > 0) return;
    }
    if (into.kind == Kind::kMap) {
      keep_map_order(lua_);
      wrap("map");
    }
    if (into.kind == Kind::kSet) wrap("set");
    open_.pop_back();
  }
}

// A key and its value are on top of the stack, above the map's order and the map itself.
void LuaReply::set_field(Open& map) {
  if (!usable_as_key(lua_, -2)) {
    lua_pop(lua_, 2);
    return;
  }
  lua_pushvalue(lua_, -2);
  lua_rawget(lua_, kMapOfPair - 1);
  const bool fresh = lua_isnil(lua_, -1);
  lua_pop(lua_, 1);
  if (fresh) {
    lua_pushvalue(lua_, -2);
    lua_rawseti(lua_, kOrderOfPair - 1, ++map.index);
  }
  lua_rawset(lua_, kMapOfPair);
}

// The finished inner table becomes the only field of the table below it.
void LuaReply::wrap(const char* field) { lua_setfield(lua_, -2, field); }

}  // namespace tandem
