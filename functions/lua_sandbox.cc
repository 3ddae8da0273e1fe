#include "functions/lua_sandbox.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "functions/lua_dump.h"
#include "functions/lua_host.h"
#include "functions/lua_libraries.h"
#include "functions/server_api.h"
#include "functions/string_library.h"
#include "functions/table_library.h"

namespace tandem {

namespace {

// Addresses that serve as keys which no script can name.
const char kProtectedMark = 0;  // in a protected table's metatable: the real table
const char kGlobalsMetatable = 0;
const char kCallGlobals = 0;
const char kLoadGlobals = 0;

// Room in the metatable of a protected view, which every global and API name is looked up through:
// four times what it holds, so that "__index" is found at the first look.
constexpr int kLockFields = 16;
// Room for globals, many times what there are, for the same reason.
constexpr int kGlobalFields = 512;

constexpr const char kReadonlyMessage[] = "Attempt to modify a readonly table";
// The longest string a library function may make in one go.
constexpr lua_Number kMaxStringBytes = 512.0 * 1024 * 1024;
// Bytes that string.rep copies in the time that one step of work stands for.
constexpr uint64_t kBytesOfAStep = 16;

void push_key(lua_State* lua, const char& key) {
  lua_pushlightuserdata(lua, const_cast<char*>(&key));
}

void set_registry(lua_State* lua, const char& key) {
  push_key(lua, key);
  lua_insert(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
}

void get_registry(lua_State* lua, const char& key) {
  push_key(lua, key);
  lua_rawget(lua, LUA_REGISTRYINDEX);
}

// Pushes the real table behind the protected one at `index`; false, pushing nothing, when it is
// not a protected one.
bool push_real_table(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TTABLE || lua_getmetatable(lua, index) == 0) return false;
  push_key(lua, kProtectedMark);
  lua_rawget(lua, -2);
  lua_remove(lua, -2);
  if (lua_istable(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

bool is_protected(lua_State* lua, int index) {
  if (!push_real_table(lua, index)) return false;
  lua_pop(lua, 1);
  return true;
}

// Replaces the protected table at `index` by the real one for the rest of the call.
void look_through(lua_State* lua, int index) {
  if (push_real_table(lua, index)) lua_replace(lua, index);
}

int assign_protected(lua_State* lua) { return luaL_error(lua, kReadonlyMessage); }

int read_missing(lua_State* lua) {
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                    luaL_checkstring(lua, 2));
}

lua_CFunction original(lua_State* lua) { return lua_tocfunction(lua, lua_upvalueindex(1)); }

// Runs the original unless its first argument is a protected table.
int refuse_protected(lua_State* lua) {
  refuse_protected_table(lua, 1);
  return original(lua)(lua);
}

int checked_rawget(lua_State* lua) {
  look_through(lua, 1);
  return original(lua)(lua);
}

int checked_next(lua_State* lua) {
  look_through(lua, 1);
  return original(lua)(lua);
}

// Upvalue 1 is checked_next.
int checked_pairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}

// pcall, xpcall and coroutine.resume catch whatever is thrown: the end of a script goes on.
int pass_stop_on(lua_State* lua) {
  const int results = original(lua)(lua);
  if (LuaHost::of(lua).stopped()) throw ScriptStopped{};
  return results;
}

// An error that is a table with an error reply's text comes back as the text.
int checked_pcall(lua_State* lua) {
  const int results = pass_stop_on(lua);
  if (lua_toboolean(lua, 1) == 0 && lua_istable(lua, 2)) {
    lua_pushliteral(lua, "err");
    lua_rawget(lua, 2);
    if (lua_isstring(lua, -1)) {
      lua_replace(lua, 2);
    } else {
      lua_pop(lua, 1);
    }
  }
  return results;
}

bool is_bytecode(std::string_view chunk) { return !chunk.empty() && chunk[0] == LUA_SIGNATURE[0]; }

int compile_chunk(lua_State* lua, std::string_view chunk, const char* name) {
  if (is_bytecode(chunk)) {
    lua_pushnil(lua);
    lua_pushliteral(lua, "precompiled code is not accepted");
    return 2;
  }
  // The parser leaves its copy of the name to the collector: this one keeps the string alive.
  lua_pushstring(lua, name);
  if (luaL_loadbuffer(lua, chunk.data(), chunk.size(), name) == 0) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int checked_loadstring(lua_State* lua) {
  size_t length = 0;
  const char* bytes = luaL_checklstring(lua, 1, &length);
  return compile_chunk(lua, {bytes, length}, luaL_optstring(lua, 2, bytes));
}

// Calls load's reader; false when it has failed, with the reason on top of the stack instead of its
// result.
bool read_piece(lua_State* lua) {
  lua_pushvalue(lua, 1);
  if (lua_pcall(lua, 0, 1, 0) != 0) {
    if (LuaHost::of(lua).stopped()) throw ScriptStopped{};
    return false;
  }
  if (lua_isnil(lua, -1) || lua_isstring(lua, -1) != 0) return true;
  lua_pop(lua, 1);
  lua_pushliteral(lua, "reader function must return a string");
  return false;
}

// The pieces are joined before anything is compiled, so that the whole is seen not to be bytecode.
int checked_load(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  const char* name = luaL_optstring(lua, 2, "=(load)");
  std::string chunk;
  while (true) {
    if (!read_piece(lua)) {
      lua_pushnil(lua);
      lua_insert(lua, -2);
      return 2;
    }
    size_t length = 0;
    const char* bytes = lua_tolstring(lua, -1, &length);
    if (length == 0) break;
    chunk.append(bytes, length);
    if (static_cast<lua_Number>(chunk.size()) > kMaxStringBytes) {
      return luaL_error(lua, "chunk too large");
    }
    lua_pop(lua, 1);
  }
  return compile_chunk(lua, chunk, name);
}

int checked_rep(lua_State* lua) {
  size_t length = 0;
  luaL_checklstring(lua, 1, &length);
  const lua_Number count = luaL_checknumber(lua, 2);
  if (count > 0 && count * static_cast<lua_Number>(length) > kMaxStringBytes) {
    return luaL_error(lua, "resulting string too large");
  }
  // Stock Lua would add nothing as often as it is told.
  if (length == 0) {
    lua_settop(lua, 1);
    return 1;
  }
  LuaHost::of(lua).count_work(
      lua, static_cast<uint64_t>(std::max<lua_Number>(count, 0)) * length / kBytesOfAStep);
  return original(lua)(lua);
}

// Scripts may ask how much memory they use and for a collection, not change the collector.
int checked_collectgarbage(lua_State* lua) {
  const std::string_view what = luaL_optstring(lua, 1, "collect");
  if (what == "count") {
    lua_pushnumber(lua, lua_gc(lua, LUA_GCCOUNT, 0) + lua_gc(lua, LUA_GCCOUNTB, 0) / 1024.0);
    return 1;
  }
  if (what == "collect") lua_gc(lua, LUA_GCCOLLECT, 0);
  if (what == "step") lua_gc(lua, LUA_GCSTEP, 0);
  lua_pushnumber(lua, 0);
  return 1;
}

// A protected table looks as if it had no metatable; only the globals have one, which is locked.
int checked_getmetatable(lua_State* lua) {
  if (is_protected(lua, 1) && lua_rawequal(lua, 1, LUA_GLOBALSINDEX) == 0) {
    lua_pushnil(lua);
    return 1;
  }
  return original(lua)(lua);
}

int checked_gcinfo(lua_State* lua) {
  lua_pushnumber(lua, lua_gc(lua, LUA_GCCOUNT, 0));
  return 1;
}

// In the table on top of the stack: replaces a function by `checked`, which finds the old one as
// its upvalue.
void check_function(lua_State* lua, const char* name, lua_CFunction checked) {
  lua_getfield(lua, -1, name);
  lua_pushcclosure(lua, checked, 1);
  lua_setfield(lua, -2, name);
}

void open_library(lua_State* lua, const char* name, lua_CFunction open) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
}

void remove_fields(lua_State* lua, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, name);
  }
}

void check_base_functions(lua_State* lua) {
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  remove_fields(lua, {"dofile", "loadfile", "print", "newproxy", "require", "module", "getfenv",
                      "setfenv", "package"});
  check_function(lua, "rawset", refuse_protected);
  check_function(lua, "setmetatable", refuse_protected);
  check_function(lua, "getmetatable", checked_getmetatable);
  check_function(lua, "rawget", checked_rawget);
  check_function(lua, "next", checked_next);
  lua_getfield(lua, -1, "next");
  lua_pushcclosure(lua, checked_pairs, 1);
  lua_setfield(lua, -2, "pairs");
  check_function(lua, "pcall", checked_pcall);
  check_function(lua, "xpcall", pass_stop_on);
  check_function(lua, "loadstring", checked_loadstring);
  check_function(lua, "load", checked_load);
  check_function(lua, "collectgarbage", checked_collectgarbage);
  check_function(lua, "gcinfo", checked_gcinfo);
  lua_pushcfunction(lua, checked_unpack);
  lua_setfield(lua, -2, "unpack");
  lua_pop(lua, 1);
}

void check_library_functions(lua_State* lua) {
  lua_getglobal(lua, LUA_STRLIBNAME);
  check_function(lua, "rep", checked_rep);
  open_pattern_functions(lua);
  lua_pop(lua, 1);
  lua_getglobal(lua, LUA_TABLIBNAME);
  check_function(lua, "remove", refuse_protected);
  open_table_functions(lua);
  lua_pop(lua, 1);
  lua_getglobal(lua, LUA_COLIBNAME);
  check_function(lua, "resume", pass_stop_on);
  lua_pop(lua, 1);
}

// Gives the protected table below the metatable on top of the stack what every one needs; pops the
// metatable. `real` is the stack index of the real table.
void lock_with(lua_State* lua, int real) {
  lua_pushvalue(lua, real);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, assign_protected);
  lua_setfield(lua, -2, "__newindex");
  // What getmetatable shows: nothing, which cannot be changed either. The table is its own
  // metatable's stand-in.
  lua_pushvalue(lua, -2);
  lua_setfield(lua, -2, "__metatable");
  push_key(lua, kProtectedMark);
  lua_pushvalue(lua, real);
  lua_rawset(lua, -3);
  lua_setmetatable(lua, -2);
}

// "".x finds the string library, and getmetatable("") shows only its protected view.
void protect_string_metatable(lua_State* lua) {
  lua_pushliteral(lua, "");
  lua_getmetatable(lua, -1);
  lua_newtable(lua);
  lua_getglobal(lua, LUA_STRLIBNAME);
  lua_setfield(lua, -2, "__index");
  protect_table(lua);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 2);
}

// Moves the libraries' tables behind protected views.
void protect_libraries(lua_State* lua) {
  for (const char* name : {LUA_STRLIBNAME, LUA_TABLIBNAME, LUA_MATHLIBNAME, LUA_COLIBNAME, "bit",
                           "cjson", "struct", "cmsgpack", LUA_OSLIBNAME}) {
    lua_getglobal(lua, name);
    protect_table(lua);
    lua_setglobal(lua, name);
  }
}

// Whether a function, or one inside it, assigns a global.
class AssignmentFinder {
 public:
  void begin_function(int, int) {}
  void instruction(uint32_t word) {
    constexpr uint32_t kOperationBits = 0x3f;
    constexpr uint32_t kSetGlobal = 7;  // lopcodes.h
    if ((word & kOperationBits) == kSetGlobal) found_ = true;
  }
  void constant(std::string_view) {}
  void line(int) {}
  void end_function() {}
  bool found() const { return found_; }

 private:
  bool found_ = false;
};

}  // namespace

void refuse_protected_table(lua_State* lua, int index) {
  if (!is_protected(lua, index)) return;
  lua_pushstring(lua, kReadonlyMessage);
  lua_error(lua);
}

void protect_table(lua_State* lua) {
  const int real = lua_gettop(lua);
  lua_newtable(lua);
  lua_createtable(lua, 0, kLockFields);
  lock_with(lua, real);
  lua_remove(lua, real);
}

void forbid_missing_fields(lua_State* lua) {
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, read_missing);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
}

void open_sandbox(lua_State* lua, LuaHost& host) {
  lua_createtable(lua, 0, kGlobalFields);
  // What comes first stands where it is looked for first.
  for (const char* name : {"redis", "server"}) {
    lua_pushboolean(lua, 1);
    lua_setfield(lua, -2, name);
  }
  lua_replace(lua, LUA_GLOBALSINDEX);
  open_library(lua, "", luaopen_base);
  open_library(lua, LUA_TABLIBNAME, luaopen_table);
  open_library(lua, LUA_STRLIBNAME, luaopen_string);
  open_library(lua, LUA_MATHLIBNAME, luaopen_math);
  open_script_libraries(lua, host.random());
  check_base_functions(lua);
  check_library_functions(lua);
  protect_libraries(lua);
  protect_string_metatable(lua);

  push_call_api(lua, host);
  protect_table(lua);
  lua_pushvalue(lua, -1);
  lua_setglobal(lua, "redis");
  lua_setglobal(lua, "server");

  lua_newtable(lua);
  push_load_api(lua);
  forbid_missing_fields(lua);
  protect_table(lua);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -3, "redis");
  lua_setfield(lua, -2, "server");
  forbid_missing_fields(lua);
  set_registry(lua, kLoadGlobals);

  // The view becomes the state's globals; what were its globals so far is the real table behind.
  lua_newtable(lua);
  lua_createtable(lua, 0, kLockFields);
  lua_pushvalue(lua, -1);
  set_registry(lua, kGlobalsMetatable);
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  forbid_missing_fields(lua);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "_G");
  lua_pushvalue(lua, -1);
  set_registry(lua, kCallGlobals);
  lua_insert(lua, -3);
  lock_with(lua, lua_gettop(lua) - 2);
  lua_replace(lua, LUA_GLOBALSINDEX);
  lua_pop(lua, 1);
}

void show_globals(lua_State* lua, GlobalsView view) {
  get_registry(lua, kGlobalsMetatable);
  get_registry(lua, view == GlobalsView::kLoad ? kLoadGlobals : kCallGlobals);
  push_key(lua, kProtectedMark);
  lua_pushvalue(lua, -2);
  lua_rawset(lua, -4);
  lua_setfield(lua, -2, "__index");
  lua_pop(lua, 1);
}

void push_call_globals(lua_State* lua) { get_registry(lua, kCallGlobals); }

size_t look_up_globals_directly(lua_State* lua, size_t most) {
  if (lua_iscfunction(lua, -1) != 0) return 0;
  const std::string dump = dump_function(lua, most);
  if (dump.empty()) return most;
  AssignmentFinder finder;
  LuaDumpReader<AssignmentFinder>(dump, finder).read();
  if (finder.found()) return dump.size();
  push_call_globals(lua);
  lua_setfenv(lua, -2);
  return dump.size();
}

void push_error(lua_State* lua, const char* message) {
  ScriptDebugger* const debugger = LuaHost::of(lua).debugger();
  if (debugger != nullptr && debugger->shows_commands()) debugger->show_error(message);
  lua_createtable(lua, 0, 4);
  lua_pushstring(lua, message);
  lua_setfield(lua, -2, "err");
}

void raise_error(lua_State* lua, const char* message) {
  push_error(lua, message);
  lua_error(lua);
  __builtin_unreachable();
}

int describe_error(lua_State* lua) {
  if (!lua_istable(lua, 1) || is_protected(lua, 1)) {
    std::string text = "ERR ";
    if (lua_isstring(lua, 1)) {
      size_t length = 0;
      const char* bytes = lua_tolstring(lua, 1, &length);
      text.append(bytes, length);
    } else if (lua_isboolean(lua, 1)) {
      text += lua_toboolean(lua, 1) != 0 ? "true" : "false";
    } else {
      text += luaL_typename(lua, 1);
    }
    lua_settop(lua, 0);
    lua_createtable(lua, 0, 3);
    lua_pushlstring(lua, text.data(), text.size());
    lua_setfield(lua, 1, "err");
  }
  lua_settop(lua, 1);
  // Level 1 raised the error; a C function did so for the Lua code that called it.
  lua_Debug where;
  for (int level = 1; level <= 2; ++level) {
    if (lua_getstack(lua, level, &where) == 0) return 1;
    lua_getinfo(lua, "Sl", &where);
    if (std::string_view(where.what) != "C") break;
  }
  lua_pushliteral(lua, "source");
  lua_pushstring(lua, where.source);
  lua_rawset(lua, 1);
  lua_pushliteral(lua, "line");
  lua_pushinteger(lua, where.currentline);
  lua_rawset(lua, 1);
  return 1;
}

}  // namespace tandem
