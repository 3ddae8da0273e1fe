#include "functions/lua_result.h"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "functions/map_order.h"

namespace tandem {

namespace {

// Slots that writing one value takes beside the value itself.
constexpr int kSlotsPerValue = 6;
// So many of an array's elements are kept on the stack while they are counted, as long as the stack
// is not higher than this.
constexpr int kKeptElements = 128;
constexpr int kShallowStack = 256;
constexpr std::string_view kTooLarge = "ERR the reply is too large";
// What a value counts for beside a string's bytes: what its place in a Lua table takes.
constexpr size_t kBytesPerValue = 16;

std::string_view text_at(lua_State* lua, int index) {
  size_t length = 0;
  const char* bytes = lua_tolstring(lua, index, &length);
  return {bytes, length};
}

// Statuses and big numbers are lines of their own in RESP. The text, or what it must become, in
// `line`.
std::string_view one_line(std::string_view text, std::string& line) {
  const auto breaks = [](char c) { return c == '\r' || c == '\n'; };
  if (std::none_of(text.begin(), text.end(), breaks)) return text;
  line = text;
  std::replace_if(line.begin(), line.end(), breaks, ' ');
  return line;
}

// Cut towards zero; what does not fit, and NaN, is the smallest integer.
int64_t to_integer(lua_Number number) {
  constexpr lua_Number kBound = 9223372036854775808.0;
  if (number >= -kBound && number < kBound) return static_cast<int64_t>(number);
  return std::numeric_limits<int64_t>::min();
}

}  // namespace

LuaResultWriter::LuaResultWriter(lua_State* lua) : lua_(lua), first_slot_(lua_gettop(lua) + 1) {
  for (const char* name :
       {"err", "ok", "double", "map", "set", "big_number", "verbatim_string", "string", "format"}) {
    lua_pushstring(lua, name);
  }
}

void LuaResultWriter::write(Reply& reply, int protocol, size_t max_bytes, std::string* error) {
  bytes_left_ = max_bytes;
  error_ = error;
  write_value(reply, protocol);
}

bool LuaResultWriter::pay_for_value(size_t text_bytes) {
  const size_t bytes = kBytesPerValue + text_bytes;
  if (bytes > bytes_left_) {
    bytes_left_ = 0;
    return false;
  }
  bytes_left_ -= bytes;
  return true;
}

void LuaResultWriter::write_text(Reply& reply, std::string_view text) {
  if (pay_for_value(text.size())) {
    reply.bulk(text);
  } else {
    reply.error(kTooLarge);
  }
}

void LuaResultWriter::write_value(Reply& reply, int protocol) {
  if (lua_checkstack(lua_, kSlotsPerValue) == 0) {
    reply.error("ERR reached lua stack limit");
    lua_pop(lua_, 1);
    return;
  }
  const int type = lua_type(lua_, -1);
  if (type == LUA_TSTRING) {
    write_text(reply, text_at(lua_, -1));
    lua_pop(lua_, 1);
    return;
  }
  if (!pay_for_value(0)) {
    reply.error(kTooLarge);
    lua_pop(lua_, 1);
    return;
  }
  switch (type) {
    case LUA_TNUMBER:
      reply.integer(to_integer(lua_tonumber(lua_, -1)));
      break;
    case LUA_TBOOLEAN:
      if (protocol == 3) {
        reply.boolean(lua_toboolean(lua_, -1) != 0);
      } else if (lua_toboolean(lua_, -1) != 0) {
        reply.integer(1);
      } else {
        reply.null();
      }
      break;
    case LUA_TTABLE:
      write_table(reply, protocol);
      break;
    default:
      reply.null();
  }
  lua_pop(lua_, 1);
}

bool LuaResultWriter::push_field(Field field, int type) const {
  lua_pushvalue(lua_, first_slot_ + field);
  lua_rawget(lua_, -2);
  if (lua_type(lua_, -1) == type) return true;
  lua_pop(lua_, 1);
  return false;
}

// The table stays on top of the stack.
void LuaResultWriter::write_table(Reply& reply, int protocol) {
  std::string* const error = std::exchange(error_, nullptr);
  std::string line;
  if (push_field(kErr, LUA_TSTRING)) {
    if (error != nullptr) *error = text_at(lua_, -1);
    reply.error(text_at(lua_, -1));
  } else if (push_field(kOk, LUA_TSTRING)) {
    reply.simple(one_line(text_at(lua_, -1), line));
  } else if (push_field(kDouble, LUA_TNUMBER)) {
    reply.real(lua_tonumber(lua_, -1));
  } else if (push_field(kMap, LUA_TTABLE)) {
    write_map(reply, protocol);
  } else if (push_field(kSet, LUA_TTABLE)) {
    write_set(reply, protocol);
  } else if (push_field(kBigNumber, LUA_TSTRING)) {
    reply.big_number(one_line(text_at(lua_, -1), line));
  } else if (push_field(kVerbatim, LUA_TTABLE)) {
    if (!write_verbatim(reply)) {
      lua_pop(lua_, 1);
      write_array(reply, protocol);
      return;
    }
  } else {
    write_array(reply, protocol);
    return;
  }
  lua_pop(lua_, 1);
}

// The reply's length comes before its elements: they are counted on their way to the stack, where
// the first ones stay until they are written.
void LuaResultWriter::write_array(Reply& reply, int protocol) {
  const int table = lua_gettop(lua_);
  // Arrays inside arrays must leave the stack to each other.
  const bool shallow =
      table < kShallowStack && lua_checkstack(lua_, kKeptElements + kSlotsPerValue) != 0;
  const int keep = shallow ? kKeptElements : 0;
  std::bitset<kKeptElements> texts;
  int length = 0;
  while (true) {
    lua_rawgeti(lua_, table, length + 1);
    const int type = lua_type(lua_, -1);
    if (type == LUA_TNIL) break;
    if (length < keep) {
      texts.set(static_cast<size_t>(length), type == LUA_TSTRING);
    } else {
      lua_pop(lua_, 1);
    }
    ++length;
  }
  lua_pop(lua_, 1);
  reply.array(static_cast<size_t>(length));
  const int kept = std::min(length, keep);
  for (int i = 1; i <= kept; ++i) {
    if (texts[static_cast<size_t>(i - 1)]) {
      write_text(reply, text_at(lua_, table + i));
    } else {
      lua_pushvalue(lua_, table + i);
      write_value(reply, protocol);
    }
  }
  lua_settop(lua_, table);
  for (int i = kept + 1; i <= length; ++i) {
    lua_rawgeti(lua_, table, i);
    write_value(reply, protocol);
  }
}

size_t LuaResultWriter::count_pairs() const {
  size_t count = 0;
  lua_pushnil(lua_);
  while (lua_next(lua_, -2) != 0) {
    lua_pop(lua_, 1);
    ++count;
  }
  return count;
}

// The fields that a command wrote come in its order, those that the function has added after them.
void LuaResultWriter::write_map(Reply& reply, int protocol) {
  const int map = lua_gettop(lua_);
  const size_t pairs = count_pairs();
  reply.map(pairs);
  push_map_order(lua_);
  const size_t known = lua_istable(lua_, -1) ? write_known_fields(reply, protocol) : 0;
  if (known < pairs) write_other_fields(reply, protocol);
  lua_settop(lua_, map);
}

// The map's order is on top of the stack, above the map; both stay.
size_t LuaResultWriter::write_known_fields(Reply& reply, int protocol) {
  const int order = lua_gettop(lua_);
  const auto keys = static_cast<int>(lua_objlen(lua_, order));
  size_t written = 0;
  for (int i = 1; i <= keys; ++i) {
    lua_rawgeti(lua_, order, i);
    lua_pushvalue(lua_, -1);
    lua_rawget(lua_, order - 1);
    if (!lua_isnil(lua_, -1)) {
      lua_pushvalue(lua_, -2);
      write_value(reply, protocol);  // the key
      write_value(reply, protocol);
      lua_pop(lua_, 1);
      ++written;
    } else {
      lua_pop(lua_, 2);
    }
  }
  return written;
}

// The map's order, or nil, is on top of the stack, above the map; both stay.
void LuaResultWriter::write_other_fields(Reply& reply, int protocol) {
  const int order = lua_gettop(lua_);
  const int known = order + 1;
  lua_newtable(lua_);
  const auto keys = lua_istable(lua_, order) ? static_cast<int>(lua_objlen(lua_, order)) : 0;
  for (int i = 1; i <= keys; ++i) {
    lua_rawgeti(lua_, order, i);
    lua_pushboolean(lua_, 1);
    lua_rawset(lua_, known);
  }
  lua_pushnil(lua_);
  while (lua_next(lua_, order - 1) != 0) {
    lua_pushvalue(lua_, -2);
    lua_rawget(lua_, known);
    const bool written = !lua_isnil(lua_, -1);
    lua_pop(lua_, 1);
    if (written) {
      lua_pop(lua_, 1);
      continue;
    }
    lua_pushvalue(lua_, -2);
    write_value(reply, protocol);  // the key
    write_value(reply, protocol);
  }
  lua_pop(lua_, 1);
}

void LuaResultWriter::write_set(Reply& reply, int protocol) {
  reply.set(count_pairs());
  lua_pushnil(lua_);
  while (lua_next(lua_, -2) != 0) {
    lua_pop(lua_, 1);
    lua_pushvalue(lua_, -1);
    write_value(reply, protocol);
  }
}

bool LuaResultWriter::write_verbatim(Reply& reply) const {
  if (!push_field(kString, LUA_TSTRING)) return false;
  lua_pushvalue(lua_, first_slot_ + kFormat);
  lua_rawget(lua_, -3);
  const bool whole = lua_type(lua_, -1) == LUA_TSTRING;
  if (whole) {
    // The format is three bytes, cut or filled up with spaces.
    std::string format(text_at(lua_, -1).substr(0, 3));
    format.resize(3, ' ');
    reply.verbatim(format, text_at(lua_, -2));
  }
  lua_pop(lua_, 2);
  return whole;
}

}  // namespace tandem
