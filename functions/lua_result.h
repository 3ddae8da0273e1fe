#pragma once

#include <cstddef>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "server/resp/reply.h"

namespace tandem {

// Writes Lua values as replies: what a function returned.
//
// A table is looked at without its metatable: {err=…} is an error, {ok=…} a status, {double=…},
// {map={…}}, {set={…}}, {big_number=…} and {verbatim_string={format=…,string=…}} what they say, and
// any other one an array up to its first nil. Numbers lose their fraction. A value nested deeper
// than the Lua stack is long becomes an error in its place, and so does each one that comes when
// the reply has become too large: tables that hold each other may stand for more than any memory.
class LuaResultWriter {
 public:
  // Interned field names take up this many slots of the state's stack, from `first_slot` on.
  static constexpr int kSlots = 9;
  // Pushes the field names; `lua` must have no function active, now and at each write().
  explicit LuaResultWriter(lua_State* lua);

  // Pops the value on top of the stack and writes it. Booleans follow `protocol`, the one the
  // script has chosen: with 2, true is 1 and false is null. The reply's values may take about
  // `max_bytes`. When the value is an error, `error` is set to its text.
  void write(Reply& reply, int protocol, size_t max_bytes, std::string* error);

 private:
  enum Field { kErr, kOk, kDouble, kMap, kSet, kBigNumber, kVerbatim, kString, kFormat };

  void write_value(Reply& reply, int protocol);
  void write_table(Reply& reply, int protocol);
  void write_array(Reply& reply, int protocol);
  void write_map(Reply& reply, int protocol);
  size_t write_known_fields(Reply& reply, int protocol);
  void write_other_fields(Reply& reply, int protocol);
  void write_set(Reply& reply, int protocol);
  bool write_verbatim(Reply& reply) const;
  void write_text(Reply& reply, std::string_view text);
  // Takes a value from what is left of max_bytes; false when there is not enough.
  bool pay_for_value(size_t text_bytes);
  // Pushes the field's value of the table on top if it has that type.
  bool push_field(Field field, int type) const;
  size_t count_pairs() const;

  lua_State* lua_;
  int first_slot_;
  size_t bytes_left_ = 0;
  std::string* error_ = nullptr;  // for the text of an error, until the outermost table is met
};

}  // namespace tandem
