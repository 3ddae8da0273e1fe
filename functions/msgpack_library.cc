#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "functions/lua_host.h"
#include "functions/lua_libraries.h"

// The `cmsgpack` library: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md)
// without extension types. A table whose keys are 1…n is an array, any other one a map.

namespace tandem {

namespace {

// A table nested deeper becomes nil, so that one that contains itself ends.
constexpr int kMaxPackDepth = 16;
constexpr int kMaxUnpackDepth = 1000;
constexpr const char kMissingBytes[] = "Missing bytes in input.";

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void append_tagged(std::string& out, int tag, uint64_t value, int bytes) {
  out += static_cast<char>(tag);
  append_big_endian(out, value, bytes);
}

void pack_integer(std::string& out, int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  if (value >= 0) {
    if (value <= 127) {
      out += static_cast<char>(value);
    } else if (value <= 0xff) {
      append_tagged(out, 0xcc, bits, 1);
    } else if (value <= 0xffff) {
      append_tagged(out, 0xcd, bits, 2);
    } else if (value <= 0xffffffffLL) {
      append_tagged(out, 0xce, bits, 4);
    } else {
      append_tagged(out, 0xcf, bits, 8);
    }
  } else if (value >= -32) {
    out += static_cast<char>(value);
  } else if (value >= std::numeric_limits<int8_t>::min()) {
    append_tagged(out, 0xd0, bits, 1);
  } else if (value >= std::numeric_limits<int16_t>::min()) {
    append_tagged(out, 0xd1, bits, 2);
  } else if (value >= std::numeric_limits<int32_t>::min()) {
    append_tagged(out, 0xd2, bits, 4);
  } else {
    append_tagged(out, 0xd3, bits, 8);
  }
}

void pack_number(std::string& out, lua_Number number) {
  constexpr lua_Number kBound = 9223372036854775808.0;
  if (number >= -kBound && number < kBound && std::floor(number) == number) {
    pack_integer(out, static_cast<int64_t>(number));
    return;
  }
  const auto narrow = static_cast<float>(number);
  if (static_cast<lua_Number>(narrow) == number) {
    append_tagged(out, 0xca, std::bit_cast<uint32_t>(narrow), 4);
  } else {
    append_tagged(out, 0xcb, std::bit_cast<uint64_t>(number), 8);
  }
}

void pack_string(std::string& out, std::string_view bytes) {
  if (bytes.size() < 32) {
    out += static_cast<char>(0xa0 | bytes.size());
  } else if (bytes.size() <= 0xff) {
    append_tagged(out, 0xd9, bytes.size(), 1);
  } else if (bytes.size() <= 0xffff) {
    append_tagged(out, 0xda, bytes.size(), 2);
  } else {
    append_tagged(out, 0xdb, bytes.size(), 4);
  }
  out += bytes;
}

void pack_size(std::string& out, size_t size, int small_tag, int tag16) {
  if (size < 16) {
    out += static_cast<char>(small_tag | static_cast<int>(size));
  } else if (size <= 0xffff) {
    append_tagged(out, tag16, size, 2);
  } else {
    append_tagged(out, tag16 + 1, size, 4);
  }
}

// Counts the pairs of the table on top; *is_array when their keys are 1…n.
size_t count_pairs(lua_State* lua, bool* is_array) {
  size_t count = 0;
  lua_Number highest = 0;
  *is_array = true;
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pop(lua, 1);
    ++count;
    const lua_Number key = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
    if (key < 1 || key != std::floor(key)) *is_array = false;
    highest = std::max(highest, key);
  }
  if (highest != static_cast<lua_Number>(count)) *is_array = false;
  return count;
}

// What is packed so far. Tables that are shared make a value much larger than what holds it: its
// bytes are bounded as Lua's own memory is, and it takes its time within the script's.
struct Packed {
  lua_State* lua;
  LuaHost& host;
  std::string bytes;

  void make_room(size_t more) {
    constexpr size_t kMaxBytes = size_t{1} << 30;
    host.count_work(lua, kStepsPerValue + more / kBytesPerStep);
    if (bytes.size() + more > std::min(kMaxBytes, host.memory_limit())) {
      luaL_error(lua, "MessagePack result is too large");
    }
  }
  static constexpr uint64_t kStepsPerValue = 4;
  static constexpr uint64_t kBytesPerStep = 64;
};

void pack_value(lua_State* lua, Packed& packed, int depth);

void pack_table(lua_State* lua, Packed& packed, int depth) {
  packed.make_room(0);
  luaL_checkstack(lua, 4, "table nested too deeply");
  bool is_array = false;
  const size_t count = count_pairs(lua, &is_array);
  if (is_array) {
    pack_size(packed.bytes, count, 0x90, 0xdc);
    for (size_t i = 1; i <= count; ++i) {
      lua_rawgeti(lua, -1, static_cast<int>(i));
      pack_value(lua, packed, depth);
    }
    return;
  }
  pack_size(packed.bytes, count, 0x80, 0xde);
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pushvalue(lua, -2);
    pack_value(lua, packed, depth);  // the key
    pack_value(lua, packed, depth);
  }
}

// Pops the value on top and appends it.
void pack_value(lua_State* lua, Packed& packed, int depth) {
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING: {
      size_t length = 0;
      const char* bytes = lua_tolstring(lua, -1, &length);
      packed.make_room(length);
      pack_string(packed.bytes, {bytes, length});
      break;
    }
    case LUA_TBOOLEAN:
      packed.bytes += static_cast<char>(lua_toboolean(lua, -1) != 0 ? 0xc3 : 0xc2);
      break;
    case LUA_TNUMBER:
      pack_number(packed.bytes, lua_tonumber(lua, -1));
      break;
    case LUA_TTABLE:
      if (depth < kMaxPackDepth) {
        pack_table(lua, packed, depth + 1);
        break;
      }
      [[fallthrough]];
    default:
      packed.bytes += static_cast<char>(0xc0);
  }
  lua_pop(lua, 1);
}

int msgpack_pack(lua_State* lua) {
  const int count = lua_gettop(lua);
  luaL_argcheck(lua, count > 0, 0, "MessagePack pack needs input.");
  luaL_checkstack(lua, 2, "Too many arguments for MessagePack pack.");
  Packed packed{lua, LuaHost::of(lua), {}};
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(lua, i);
    pack_value(lua, packed, 0);
  }
  lua_pushlstring(lua, packed.bytes.data(), packed.bytes.size());
  return 1;
}

// Reads values from bytes it does not trust; every failure is a Lua error.
class Unpacker {
 public:
  Unpacker(lua_State* lua, std::string_view bytes, size_t offset)
      : lua_(lua), bytes_(bytes), offset_(offset) {}

  bool at_end() const { return offset_ == bytes_.size(); }
  size_t offset() const { return offset_; }

  // Pushes the next value.
  void read(int depth) {
    luaL_checkstack(lua_, 4, "too many values to unpack");
    if (depth > kMaxUnpackDepth) luaL_error(lua_, "Bad data format in input.");
    const auto tag = static_cast<unsigned char>(take(1)[0]);
    if (tag <= 0x7f) return lua_pushnumber(lua_, tag);
    if (tag >= 0xe0) return lua_pushnumber(lua_, static_cast<int8_t>(tag));
    if (tag <= 0x8f) return read_map(tag & 0x0f, depth);
    if (tag <= 0x9f) return read_array(tag & 0x0f, depth);
    if (tag <= 0xbf) return read_string(tag & 0x1f);
    read_tagged(tag, depth);
  }

 private:
  void read_tagged(unsigned char tag, int depth) {
    switch (tag) {
      case 0xc0:
        return lua_pushnil(lua_);
      case 0xc2:
      case 0xc3:
        return lua_pushboolean(lua_, tag == 0xc3);
      case 0xca:
        return lua_pushnumber(lua_, std::bit_cast<float>(static_cast<uint32_t>(number(4))));
      case 0xcb:
        return lua_pushnumber(lua_, std::bit_cast<double>(number(8)));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return lua_pushnumber(lua_, static_cast<lua_Number>(number(1 << (tag - 0xcc))));
      case 0xd0:
        return lua_pushnumber(lua_, static_cast<int8_t>(number(1)));
      case 0xd1:
        return lua_pushnumber(lua_, static_cast<int16_t>(number(2)));
      case 0xd2:
        return lua_pushnumber(lua_, static_cast<int32_t>(number(4)));
      case 0xd3:
        return lua_pushnumber(lua_, static_cast<lua_Number>(static_cast<int64_t>(number(8))));
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return read_string(number(1 << (tag - 0xc4)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return read_string(number(1 << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return read_array(number(tag == 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return read_map(number(tag == 0xde ? 2 : 4), depth);
      default:
        luaL_error(lua_, "Bad data format in input.");
    }
  }

  std::string_view take(uint64_t length) {
    if (length > bytes_.size() - offset_) luaL_error(lua_, kMissingBytes);
    const std::string_view taken = bytes_.substr(offset_, length);
    offset_ += length;
    return taken;
  }

  uint64_t number(int bytes) {
    uint64_t value = 0;
    for (char byte : take(static_cast<uint64_t>(bytes))) {
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }

  void read_string(uint64_t length) {
    const std::string_view bytes = take(length);
    lua_pushlstring(lua_, bytes.data(), bytes.size());
  }

  void read_array(uint64_t length, int depth) {
    // Each element takes a byte: a length that cannot be is refused before the work begins.
    if (length > bytes_.size() - offset_) luaL_error(lua_, kMissingBytes);
    lua_newtable(lua_);
    for (uint64_t i = 1; i <= length; ++i) {
      read(depth + 1);
      lua_rawseti(lua_, -2, static_cast<int>(i));
    }
  }

  void read_map(uint64_t pairs, int depth) {
    if (pairs > (bytes_.size() - offset_) / 2) luaL_error(lua_, kMissingBytes);
    lua_newtable(lua_);
    for (uint64_t i = 0; i < pairs; ++i) {
      read(depth + 1);
      const bool usable = !lua_isnil(lua_, -1) && !(lua_type(lua_, -1) == LUA_TNUMBER &&
                                                    std::isnan(lua_tonumber(lua_, -1)));
      if (!usable) luaL_error(lua_, "Bad data format in input.");
      read(depth + 1);
      lua_rawset(lua_, -3);
    }
  }

  lua_State* lua_;
  std::string_view bytes_;
  size_t offset_;
};

std::string_view check_input(lua_State* lua) {
  size_t length = 0;
  const char* bytes = luaL_checklstring(lua, 1, &length);
  return {bytes, length};
}

// Pushes up to `limit` values from the offset on; in front of them the offset of the next one, -1
// at the end. Without a limit and an offset, all values and nothing in front.
int unpack_some(lua_State* lua, lua_Number limit, lua_Number offset) {
  const std::string_view input = check_input(lua);
  const auto length = static_cast<int>(input.size());
  if (!(offset >= 0) || !(limit >= 0)) {
    luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.",
               static_cast<int>(offset), length);
  }
  if (offset > static_cast<lua_Number>(input.size())) {
    luaL_error(lua, "Start offset %d greater than input length %d.", static_cast<int>(offset),
               length);
  }
  const bool all = limit == 0 && offset == 0;
  Unpacker unpacker(lua, input, static_cast<size_t>(offset));
  lua_settop(lua, 1);
  int count = 0;
  while (!unpacker.at_end() && (all || count < limit)) {
    unpacker.read(0);
    ++count;
  }
  if (all) return count;
  lua_pushnumber(lua, unpacker.at_end() ? -1 : static_cast<lua_Number>(unpacker.offset()));
  lua_insert(lua, 2);
  return count + 1;
}

int msgpack_unpack(lua_State* lua) { return unpack_some(lua, 0, 0); }

int msgpack_unpack_one(lua_State* lua) { return unpack_some(lua, 1, luaL_optint(lua, 2, 0)); }

int msgpack_unpack_limit(lua_State* lua) {
  return unpack_some(lua, luaL_checkint(lua, 2), luaL_optint(lua, 3, 0));
}

}  // namespace

int open_msgpack(lua_State* lua) {
  lua_createtable(lua, 0, 5);
  lua_pushcfunction(lua, msgpack_pack);
  lua_setfield(lua, -2, "pack");
  lua_pushcfunction(lua, msgpack_unpack);
  lua_setfield(lua, -2, "unpack");
  lua_pushcfunction(lua, msgpack_unpack_one);
  lua_setfield(lua, -2, "unpack_one");
  lua_pushcfunction(lua, msgpack_unpack_limit);
  lua_setfield(lua, -2, "unpack_limit");
  lua_pushliteral(lua, "cmsgpack");
  lua_setfield(lua, -2, "_NAME");
  // The version whose functions and formats these are.
  lua_pushliteral(lua, "lua-cmsgpack 0.4.0");
  lua_setfield(lua, -2, "_VERSION");
  return 1;
}

}  // namespace tandem
