#pragma once

#include <array>
#include <cstdint>
#include <lua.hpp>

#include "server/exec/command.h"

namespace tandem {

// Remembers which command a Lua string names. Lua keeps equal strings once, so the string's address
// stands for its bytes; the cache keeps the strings alive whose addresses it holds.
class CommandCache {
 public:
  // Before the first remember().
  void attach(lua_State* lua) {
    lua_createtable(lua, kSlots, 0);
    strings_ = luaL_ref(lua, LUA_REGISTRYINDEX);
  }

  // Null when nothing is remembered.
  Command* find(const char* lua_string) const {
    const Slot& slot = slots_[slot_of(lua_string)];
    return slot.lua_string == lua_string ? slot.command : nullptr;
  }

  // `lua_string` is the address of the string at `index`.
  void remember(lua_State* lua, int index, const char* lua_string, Command* command) {
    const size_t slot = slot_of(lua_string);
    lua_pushvalue(lua, index);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, strings_);
    lua_insert(lua, -2);
    lua_rawseti(lua, -2, static_cast<int>(slot) + 1);
    lua_pop(lua, 1);
    slots_[slot] = {lua_string, command};
  }

 private:
  static constexpr size_t kSlots = 256;
  struct Slot {
    const char* lua_string = nullptr;
    Command* command = nullptr;
  };

  static size_t slot_of(const char* lua_string) {
    const auto address = reinterpret_cast<uintptr_t>(lua_string);
    return (address >> 4 ^ address >> 12) % kSlots;
  }

  std::array<Slot, kSlots> slots_{};
  int strings_ = 0;
};

}  // namespace tandem
