#pragma once

#include <lua.hpp>

#include "server/resp/reply.h"

namespace tandem {

// Writes Lua values as replies: what a function returned.
//
// A table is looked at without its metatable: {err=…} is an error, {ok=…} a status, {double=…},
// {map={…}}, {set={…}}, {big_number=…} and {verbatim_string={format=…,string=…}} what they say, and
// any other one an array up to its first nil. Numbers lose their fraction. A value nested deeper
// than the Lua stack is long becomes an error in its place.
class LuaResultWriter {
 public:
  // Interned field names take up this many slots of the state's stack, from `first_slot` on.
  static constexpr int kSlots = 9;
  // Pushes the field names; `lua` must have no function active, now and at each write().
  explicit LuaResultWriter(lua_State* lua);

  // Pops the value on top of the stack and writes it. Booleans follow `protocol`, the one the
  // script has chosen: with 2, true is 1 and false is null.
  void write(Reply& reply, int protocol) const;

 private:
  enum Field { kErr, kOk, kDouble, kMap, kSet, kBigNumber, kVerbatim, kString, kFormat };

  void write_value(Reply& reply, int protocol) const;
  void write_table(Reply& reply, int protocol) const;
  void write_array(Reply& reply, int protocol) const;
  void write_map(Reply& reply, int protocol) const;
  size_t write_known_fields(Reply& reply, int protocol) const;
  void write_other_fields(Reply& reply, int protocol) const;
  void write_set(Reply& reply, int protocol) const;
  bool write_verbatim(Reply& reply) const;
  // Pushes the field's value of the table on top if it has that type.
  bool push_field(Field field, int type) const;
  size_t count_pairs() const;

  lua_State* lua_;
  int first_slot_;
};

}  // namespace tandem
