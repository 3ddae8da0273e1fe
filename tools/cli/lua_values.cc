#include "tools/cli/lua_values.h"

#include <cmath>
#include <cstdio>
#include <optional>

#include "server/base/numbers.h"

namespace tandem::cli {

namespace {

void push_text(lua_State* lua, const std::string& text) {
  lua_pushlstring(lua, text.data(), text.size());
}

void push_value(lua_State* lua, const ReplyValue& reply, bool inside);

void push_map(lua_State* lua, const ReplyValue& reply) {
  lua_newtable(lua);
  for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    push_value(lua, reply.elements[i], true);
    // No table takes it as a key.
    if (lua_type(lua, -1) == LUA_TNUMBER && std::isnan(lua_tonumber(lua, -1))) {
      lua_pop(lua, 1);
      lua_pushliteral(lua, "nan");
    }
    push_value(lua, reply.elements[i + 1], true);
    lua_rawset(lua, -3);
  }
}

void push_list(lua_State* lua, const ReplyValue& reply) {
  lua_newtable(lua);
  int index = 0;
  for (const ReplyValue& element : reply.elements) {
    push_value(lua, element, true);
    lua_rawseti(lua, -2, ++index);
  }
}

void push_value(lua_State* lua, const ReplyValue& reply, bool inside) {
  luaL_checkstack(lua, 4, "a reply is nested too deeply");
  switch (reply.type) {
    case ReplyValue::Type::kNull:
    case ReplyValue::Type::kNullArray:
      if (inside) {
        lua_pushboolean(lua, 0);
      } else {
        lua_pushnil(lua);
      }
      return;
    case ReplyValue::Type::kInteger:
      return lua_pushnumber(lua, static_cast<lua_Number>(reply.integer));
    case ReplyValue::Type::kBoolean:
      return lua_pushboolean(lua, reply.integer != 0 ? 1 : 0);
    case ReplyValue::Type::kDouble:
      return lua_pushnumber(lua, parse_double(reply.text).value_or(std::nan("")));
    case ReplyValue::Type::kError:
      lua_newtable(lua);
      push_text(lua, reply.text);
      return lua_setfield(lua, -2, "err");
    case ReplyValue::Type::kMap:
      return push_map(lua, reply);
    case ReplyValue::Type::kArray:
    case ReplyValue::Type::kSet:
    case ReplyValue::Type::kPush:
      return push_list(lua, reply);
    case ReplyValue::Type::kSimple:
    case ReplyValue::Type::kBulk:
    case ReplyValue::Type::kBigNumber:
    case ReplyValue::Type::kVerbatim:
      return push_text(lua, reply.text);
  }
}

}  // namespace

void push_reply(lua_State* lua, const ReplyValue& reply) { push_value(lua, reply, false); }

std::string request_word(lua_State* lua, int index) {
  if (lua_type(lua, index) == LUA_TNUMBER) {
    const double number = lua_tonumber(lua, index);
    if (const std::optional<int64_t> whole = exact_integer(number)) return std::to_string(*whole);
    char text[32];
    std::snprintf(text, sizeof(text), "%.17g", number);
    return text;
  }
  if (lua_type(lua, index) != LUA_TSTRING) {
    luaL_error(lua, "a command's words are strings or numbers, not %s", luaL_typename(lua, index));
  }
  size_t length = 0;
  const char* bytes = lua_tolstring(lua, index, &length);
  return {bytes, length};
}

}  // namespace tandem::cli
