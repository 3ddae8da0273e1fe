#include "functions/registration.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "functions/function_set.h"
#include "functions/lua_allocator.h"
#include "functions/lua_host.h"
#include "functions/lua_sandbox.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

std::string_view text_at(lua_State* lua, int index) {
  size_t length = 0;
  const char* bytes = lua_tolstring(lua, index, &length);
  return {bytes, length};
}

// The flags in the list at `index`, a table.
uint32_t read_flags(lua_State* lua, int index) {
  uint32_t flags = 0;
  for (int i = 1;; ++i) {
    lua_rawgeti(lua, index, i);
    if (lua_isnil(lua, -1)) break;
    if (lua_type(lua, -1) != LUA_TSTRING) raise_error(lua, "ERR unknown flag given");
    const auto names = function_flag_names();
    const auto found =
        std::find_if(names.begin(), names.end(), [name = text_at(lua, -1)](const auto& flag) {
          return equals_ignore_case(flag.name, name);
        });
    if (found == names.end()) raise_error(lua, "ERR unknown flag given");
    flags |= found->flag;
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  return flags;
}

void set_name(lua_State* lua, int index, Function* function, const char* complaint) {
  if (lua_isstring(lua, index) == 0) raise_error(lua, complaint);
  // A copy: converting a number where it stands would confuse lua_next.
  lua_pushvalue(lua, index);
  function->name = text_at(lua, -1);
  lua_pop(lua, 1);
}

// Fills `function` from the table at index 1 and puts the callback into `callback_slot`.
void read_named_arguments(lua_State* lua, Function* function, int callback_slot) {
  bool named = false;
  lua_pushnil(lua);
  while (lua_next(lua, 1) != 0) {
    const int value = lua_gettop(lua);
    if (lua_isstring(lua, -2) == 0) {
      raise_error(lua, "ERR named argument key given to server.register_function is not a string");
    }
    // A number passes for a string and names nothing; lua_next must find it as it was.
    const std::string_view key =
        lua_type(lua, -2) == LUA_TSTRING ? text_at(lua, -2) : std::string_view();
    if (equals_ignore_case(key, "function_name")) {
      set_name(lua, value, function,
               "ERR function_name argument given to server.register_function must be a string");
      named = true;
    } else if (equals_ignore_case(key, "description")) {
      if (lua_isstring(lua, value) == 0) {
        raise_error(lua,
                    "ERR description argument given to server.register_function must be a string");
      }
      function->description = text_at(lua, value);
      function->has_description = true;
    } else if (equals_ignore_case(key, "callback")) {
      if (!lua_isfunction(lua, value)) {
        raise_error(lua,
                    "ERR callback argument given to server.register_function must be a function");
      }
      lua_pushvalue(lua, value);
      lua_replace(lua, callback_slot);
    } else if (equals_ignore_case(key, "flags")) {
      if (!lua_istable(lua, value)) {
        raise_error(lua,
                    "ERR flags argument to server.register_function must be a table representing "
                    "function flags");
      }
      function->flags = read_flags(lua, value);
    } else {
      raise_error(lua, "ERR unknown argument given to server.register_function");
    }
    lua_pop(lua, 1);
  }
  if (!named) {
    raise_error(lua, "ERR server.register_function must get a function name argument");
  }
  if (lua_isnil(lua, callback_slot)) {
    raise_error(lua, "ERR server.register_function must get a callback argument");
  }
}

}  // namespace

int register_function(lua_State* lua) {
  LuaHost& host = LuaHost::of(lua);
  const int count = lua_gettop(lua);
  if (count < 1 || count > 2) {
    raise_error(lua, "ERR wrong number of arguments to server.register_function");
  }
  if (host.load() == nullptr) {
    raise_error(lua, "ERR server.register_function can only be called on FUNCTION LOAD command");
  }
  FunctionLibrary& library = *host.load()->library;
  auto function = std::make_unique<Function>();
  function->library = &library;
  int callback_slot = 2;
  if (count == 1) {
    if (!lua_istable(lua, 1)) {
      raise_error(lua,
                  "ERR calling server.register_function with a single argument is only applicable "
                  "to Lua table (representing named arguments).");
    }
    lua_pushnil(lua);
    read_named_arguments(lua, function.get(), callback_slot);
  } else {
    set_name(lua, 1, function.get(),
             "ERR first argument to server.register_function must be a string");
    if (!lua_isfunction(lua, 2)) {
      raise_error(lua, "ERR second argument to server.register_function must be a function");
    }
  }
  if (!is_function_name(function->name)) {
    raise_error(lua,
                "ERR Function names can only contain letters, numbers, or underscores(_) and must "
                "be at least one character long");
  }
  for (const auto& other : library.functions) {
    if (other->name == function->name) {
      raise_error(lua, "ERR Function already exists in the library");
    }
  }
  library.functions.reserve(library.functions.size() + 1);
  lua_pushvalue(lua, callback_slot);
  // The registry is not the library's: it must not answer for its growth.
  const LuaAllocator::OwnerScope state(LuaAllocator::of(lua), nullptr);
  function->callback = luaL_ref(lua, LUA_REGISTRYINDEX);
  library.functions.push_back(std::move(function));
  return 0;
}

}  // namespace tandem
