#pragma once

#include <cstddef>
#include <lua.hpp>

namespace tandem {

class LuaHost;

// Stock Lua has no read-only tables. A protected table is an empty one whose locked metatable finds
// the real table, so that every assignment reaches __newindex and fails; the few library functions
// that could write to it or look past it all the same are replaced by checked versions.

// Opens the standard libraries that scripts may use, in checked versions, and makes a protected
// view of them the globals of `lua`. Missing globals raise an error.
void open_sandbox(lua_State* lua, LuaHost& host);

// What the shared view of the globals shows: everything, or what a library's code sees while it
// loads.
enum class GlobalsView { kCall, kLoad };
void show_globals(lua_State* lua, GlobalsView view);
// Pushes the table where code that was loaded finds its globals.
void push_call_globals(lua_State* lua);
// Lets the function on top of the stack find its globals in that table rather than through the view
// of it, which takes three times as long. Only a function that assigns no global, nor one inside
// it, may: an assignment has to fail, as it does in the view. Any other one is left as it is, as is
// one whose bytecode takes more than `most` bytes. Returns how many were looked at, at most `most`.
size_t look_up_globals_directly(lua_State* lua, size_t most);

// Replaces the table on top of the stack by a protected view of it.
void protect_table(lua_State* lua);
// Raises an error when the value at `index` is a protected table.
void refuse_protected_table(lua_State* lua, int index);
// Lets reads of fields that the table on top of the stack does not have raise "Script attempted to
// access nonexistent global variable".
void forbid_missing_fields(lua_State* lua);

// Pushes {err = message} and raises it. The message starts with its code.
[[noreturn]] void raise_error(lua_State* lua, const char* message);
// Pushes {err = message}.
void push_error(lua_State* lua, const char* message);

// The handler for lua_pcall: makes every error a table with err, and says where it was raised.
int describe_error(lua_State* lua);

}  // namespace tandem
