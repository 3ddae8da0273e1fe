#include "functions/string_library.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <new>
#include <optional>
#include <string_view>

#include "functions/lua_host.h"
#include "functions/pattern.h"

namespace tandem {

namespace {

constexpr size_t npos = std::string_view::npos;

std::string_view text_argument(lua_State* lua, int index) {
  size_t length = 0;
  const char* bytes = luaL_checklstring(lua, index, &length);
  return {bytes, length};
}

// The 1-based start position at `index` as an offset into a subject of this size; a negative one
// counts from the end.
size_t start_argument(lua_State* lua, int index, size_t size) {
  const lua_Integer start = luaL_optinteger(lua, index, 1);
  const auto length = static_cast<lua_Integer>(size);
  const lua_Integer offset = start > 0 ? start - 1 : start < 0 ? length + start : 0;
  return static_cast<size_t>(std::clamp<lua_Integer>(offset, 0, length));
}

// A '^' in front of the pattern: it matches at the start only.
bool take_anchor(std::string_view* pattern) {
  if (!pattern->starts_with('^')) return false;
  pattern->remove_prefix(1);
  return true;
}

int find_plain(lua_State* lua, std::string_view subject, std::string_view text, size_t start) {
  const size_t at = subject.find(text, start);
  if (at == npos) {
    lua_pushnil(lua);
    return 1;
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(at + 1));
  lua_pushinteger(lua, static_cast<lua_Integer>(at + text.size()));
  return 2;
}

// string.find and string.match: the first match from the start position on.
int search(lua_State* lua, bool find) {
  const std::string_view subject = text_argument(lua, 1);
  std::string_view text = text_argument(lua, 2);
  const size_t start = start_argument(lua, 3, subject.size());
  if (find && (lua_toboolean(lua, 4) != 0 || Pattern::is_plain(text))) {
    return find_plain(lua, subject, text, start);
  }
  const bool anchored = take_anchor(&text);
  const Pattern pattern(lua, text);
  PatternMatch match(lua, pattern, subject);
  for (size_t at = start; at <= subject.size(); ++at) {
    const size_t end = match.match_at(at);
    if (end != npos) {
      if (!find) return match.push_captures(at, end);
      lua_pushinteger(lua, static_cast<lua_Integer>(at + 1));
      lua_pushinteger(lua, static_cast<lua_Integer>(end));
      return match.push_only_captures() + 2;
    }
    if (anchored) break;
  }
  lua_pushnil(lua);
  return 1;
}

int string_find(lua_State* lua) { return search(lua, /*find=*/true); }
int string_match(lua_State* lua) { return search(lua, /*find=*/false); }

int free_pattern(lua_State* lua) {
  static_cast<Pattern*>(lua_touserdata(lua, 1))->~Pattern();
  return 0;
}

// Upvalues: the subject, the compiled pattern, and where to go on.
int next_match(lua_State* lua) {
  size_t length = 0;
  const char* bytes = lua_tolstring(lua, lua_upvalueindex(1), &length);
  const auto& pattern = *static_cast<const Pattern*>(lua_touserdata(lua, lua_upvalueindex(2)));
  PatternMatch match(lua, pattern, {bytes, length});
  for (auto at = static_cast<size_t>(lua_tointeger(lua, lua_upvalueindex(3))); at <= length; ++at) {
    const size_t end = match.match_at(at);
    if (end == npos) continue;
    // Behind an empty match the next one begins a byte later.
    lua_pushinteger(lua, static_cast<lua_Integer>(end == at ? end + 1 : end));
    lua_replace(lua, lua_upvalueindex(3));
    return match.push_captures(at, end);
  }
  return 0;
}

int string_gmatch(lua_State* lua) {
  text_argument(lua, 1);
  const std::string_view text = text_argument(lua, 2);
  lua_pushvalue(lua, 1);
  // Once the pattern stands there, nothing may fail before the collector knows how to free it.
  new (lua_newuserdata(lua, sizeof(Pattern))) Pattern(lua, text);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_setmetatable(lua, -2);
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, next_match, 3);
  return 1;
}

// The replacement text, in which %0 to %9 stand for captures and % hides any other byte.
void add_template(lua_State* lua, luaL_Buffer* out, const PatternMatch& match, size_t begin,
                  size_t end) {
  size_t length = 0;
  const char* bytes = lua_tolstring(lua, 3, &length);
  const std::string_view text(bytes, length);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      luaL_addchar(out, text[i]);
      continue;
    }
    ++i;
    const char next = i < text.size() ? text[i] : '\0';
    if (std::isdigit(static_cast<unsigned char>(next)) == 0) {
      luaL_addchar(out, next);
    } else if (next == '0') {
      lua_pushlstring(lua, lua_tostring(lua, 1) + begin, end - begin);
      luaL_addvalue(out);
    } else {
      match.push_capture(next - '1', begin, end);
      luaL_addvalue(out);
    }
  }
}

// What takes the place of a match: the template, or what the table or the function has for it.
void add_replacement(lua_State* lua, luaL_Buffer* out, const PatternMatch& match, size_t begin,
                     size_t end) {
  switch (lua_type(lua, 3)) {
    case LUA_TFUNCTION:
      lua_pushvalue(lua, 3);
      lua_call(lua, match.push_captures(begin, end), 1);
      break;
    case LUA_TTABLE:
      match.push_capture(0, begin, end);
      lua_gettable(lua, 3);
      break;
    default:
      add_template(lua, out, match, begin, end);
      return;
  }
  if (lua_toboolean(lua, -1) == 0) {
    lua_pop(lua, 1);
    lua_pushlstring(lua, lua_tostring(lua, 1) + begin, end - begin);
  } else if (lua_isstring(lua, -1) == 0) {
    luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
  }
  luaL_addvalue(out);
}

int string_gsub(lua_State* lua) {
  const std::string_view subject = text_argument(lua, 1);
  std::string_view text = text_argument(lua, 2);
  const int type = lua_type(lua, 3);
  luaL_argcheck(
      lua,
      type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
      "string/function/table expected");
  const auto most = static_cast<size_t>(std::max<lua_Integer>(
      0, luaL_optinteger(lua, 4, static_cast<lua_Integer>(subject.size() + 1))));
  const bool anchored = take_anchor(&text);
  const Pattern pattern(lua, text);
  PatternMatch match(lua, pattern, subject);
  luaL_Buffer out;
  luaL_buffinit(lua, &out);
  size_t at = 0;
  size_t count = 0;
  while (count < most) {
    const size_t end = match.match_at(at);
    if (end != npos) {
      ++count;
      add_replacement(lua, &out, match, at, end);
    }
    if (end != npos && end > at) {
      at = end;
    } else if (at < subject.size()) {
      luaL_addchar(&out, subject[at++]);
    } else {
      break;
    }
    if (anchored) break;
  }
  luaL_addlstring(&out, subject.data() + at, subject.size() - at);
  luaL_pushresult(&out);
  lua_pushinteger(lua, static_cast<lua_Integer>(count));
  return 2;
}

}  // namespace

void open_pattern_functions(lua_State* lua) {
  constexpr luaL_Reg kFunctions[] = {
      {"find", string_find}, {"match", string_match}, {"gsub", string_gsub}};
  for (const luaL_Reg& each : kFunctions) {
    lua_pushcfunction(lua, each.func);
    lua_setfield(lua, -2, each.name);
  }
  lua_createtable(lua, 0, 1);  // the metatable of compiled patterns
  lua_pushcfunction(lua, free_pattern);
  lua_setfield(lua, -2, "__gc");
  lua_pushcclosure(lua, string_gmatch, 1);
  lua_setfield(lua, -2, "gmatch");
}

}  // namespace tandem
