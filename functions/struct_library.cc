#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "functions/lua_libraries.h"

// The `struct` library: binary packing by a format of one-letter codes.
//
//   < > ! ![n]      little or big endian, native or n-byte alignment (default: native order, 1)
//   b B h H l L T   char, short, long, size_t; upper case unsigned
//   i[n] I[n]       n-byte integers
//   f d             float, double
//   s               zero-terminated string
//   x               one byte of padding
//   c[n]            n bytes; c0 packs a whole string and unpacks as many bytes as the number before
//                   it says

namespace tandem {

namespace {

constexpr int kMaxIntegerBytes = 32;
constexpr size_t kNativeAlignment = 8;

struct Item {
  char code = 0;
  size_t size = 0;
};

// Walks a format string.
class Format {
 public:
  Format(lua_State* lua, const char* text) : lua_(lua), next_(text) {}

  bool at_end() const { return *next_ == '\0'; }
  bool little_endian() const { return little_endian_; }

  // The next item; a control code has applied itself and has code 0.
  Item take() {
    Item item{*next_++, 0};
    switch (item.code) {
      case 'b':
      case 'B':
      case 'x':
        item.size = 1;
        break;
      case 'h':
      case 'H':
        item.size = sizeof(int16_t);
        break;
      case 'l':
      case 'L':
      case 'T':
      case 'd':
        item.size = 8;
        break;
      case 'f':
        item.size = 4;
        break;
      case 'i':
      case 'I':
        item.size = integer_size();
        break;
      case 'c':
        item.size = number(1);
        break;
      case 's':
        break;
      case ' ':
        item.code = 0;
        break;
      case '<':
      case '>':
        little_endian_ = item.code == '<';
        item.code = 0;
        break;
      case '!': {
        alignment_ = number(kNativeAlignment);
        if (!std::has_single_bit(alignment_)) {
          luaL_error(lua_, "alignment %d is not a power of 2", static_cast<int>(alignment_));
        }
        item.code = 0;
        break;
      }
      default:
        luaL_argerror(lua_, 1, lua_pushfstring(lua_, "invalid format option '%c'", item.code));
    }
    return item;
  }

  // Bytes to skip at `offset` before the item.
  size_t padding(const Item& item, size_t offset) const {
    if (item.size == 0 || item.code == 'c' || item.code == 'x') return 0;
    const size_t align = std::min(item.size, alignment_);
    if (align <= 1) return 0;
    return (align - offset % align) % align;
  }

 private:
  size_t number(size_t otherwise) {
    if (*next_ < '0' || *next_ > '9') return otherwise;
    size_t value = 0;
    while (*next_ >= '0' && *next_ <= '9') {
      value = value * 10 + static_cast<size_t>(*next_++ - '0');
      if (value > std::numeric_limits<int32_t>::max()) luaL_error(lua_, "integral size overflow");
    }
    return value;
  }

  size_t integer_size() {
    const size_t size = number(sizeof(int));
    if (size == 0 || size > kMaxIntegerBytes) {
      luaL_error(lua_, "integral size %d is larger than limit of %d", static_cast<int>(size),
                 kMaxIntegerBytes);
    }
    return size;
  }

  lua_State* lua_;
  const char* next_;
  size_t alignment_ = 1;
  bool little_endian_ = std::endian::native == std::endian::little;
};

uint64_t to_bits(lua_Number number) {
  if (number >= 0 && number < 18446744073709551616.0) return static_cast<uint64_t>(number);
  if (number < 0 && number >= -9223372036854775808.0) {
    return static_cast<uint64_t>(static_cast<int64_t>(number));
  }
  return 0;
}

void append_integer(std::string& out, uint64_t bits, size_t size, bool little_endian) {
  const size_t start = out.size();
  for (size_t i = 0; i < size; ++i) {
    out += static_cast<char>(i < sizeof bits ? bits >> (8 * i) & 0xff : 0);
  }
  if (!little_endian) std::reverse(out.begin() + static_cast<std::ptrdiff_t>(start), out.end());
}

uint64_t read_bits(std::string_view bytes, bool little_endian) {
  uint64_t bits = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char byte = little_endian ? bytes[bytes.size() - 1 - i] : bytes[i];
    bits = bits << 8 | static_cast<unsigned char>(byte);
  }
  return bits;
}

// The low 64 bits; a signed one shorter than that is extended.
lua_Number read_integer(std::string_view bytes, bool little_endian, bool is_signed) {
  uint64_t bits = read_bits(bytes, little_endian);
  if (!is_signed) return static_cast<lua_Number>(bits);
  if (bytes.size() < sizeof bits) {
    const uint64_t sign = uint64_t{1} << (8 * bytes.size() - 1);
    bits = (bits ^ sign) - sign;
  }
  return static_cast<lua_Number>(static_cast<int64_t>(bits));
}

template <typename Float, typename Bits>
void append_float(std::string& out, lua_Number number, bool little_endian) {
  const auto bits = std::bit_cast<Bits>(static_cast<Float>(number));
  append_integer(out, bits, sizeof bits, little_endian);
}

int struct_pack(lua_State* lua) {
  Format format(lua, luaL_checkstring(lua, 1));
  lua_pushnil(lua);  // what a missing argument is taken for
  std::string out;
  int argument = 1;
  while (!format.at_end()) {
    const Item item = format.take();
    if (item.code == 0) continue;
    out.append(format.padding(item, out.size()), '\0');
    switch (item.code) {
      case 'x':
        out += '\0';
        break;
      case 'f':
        append_float<float, uint32_t>(out, luaL_checknumber(lua, ++argument),
                                      format.little_endian());
        break;
      case 'd':
        append_float<double, uint64_t>(out, luaL_checknumber(lua, ++argument),
                                       format.little_endian());
        break;
      case 'c':
      case 's': {
        size_t length = 0;
        const char* bytes = luaL_checklstring(lua, ++argument, &length);
        const size_t taken = item.size == 0 ? length : item.size;
        luaL_argcheck(lua, length >= taken, argument + 1, "string too short");
        out.append(bytes, taken);
        if (item.code == 's') out += '\0';
        break;
      }
      default:
        append_integer(out, to_bits(luaL_checknumber(lua, ++argument)), item.size,
                       format.little_endian());
    }
  }
  lua_pushlstring(lua, out.data(), out.size());
  return 1;
}

// Pushes the item's value, read from the front of `rest`; returns how many bytes it took.
size_t unpack_item(lua_State* lua, const Format& format, Item item, std::string_view rest,
                   int* results) {
  const auto need = [&](size_t size) {
    luaL_argcheck(lua, size <= rest.size(), 2, "data string too short");
  };
  if (item.code == 'c' && item.size == 0) {
    if (*results == 0 || lua_isnumber(lua, -1) == 0) {
      luaL_error(lua, "format 'c0' needs a previous size");
    }
    const lua_Number size = lua_tonumber(lua, -1);
    luaL_argcheck(lua, size >= 0 && size <= static_cast<lua_Number>(rest.size()), 2,
                  "data string too short");
    item.size = static_cast<size_t>(size);
    lua_pop(lua, 1);
    --*results;
  } else if (item.code == 's') {
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos) luaL_error(lua, "unfinished string in data");
    lua_pushlstring(lua, rest.data(), end);
    ++*results;
    return end + 1;
  }
  need(item.size);
  const std::string_view bytes = rest.substr(0, item.size);
  switch (item.code) {
    case 'x':
      return item.size;
    case 'c':
      lua_pushlstring(lua, bytes.data(), bytes.size());
      break;
    case 'f': {
      const auto bits = static_cast<uint32_t>(read_bits(bytes, format.little_endian()));
      lua_pushnumber(lua, std::bit_cast<float>(bits));
      break;
    }
    case 'd':
      lua_pushnumber(lua, std::bit_cast<double>(read_bits(bytes, format.little_endian())));
      break;
    default: {
      const bool is_signed = item.code >= 'a';
      lua_pushnumber(lua, read_integer(bytes, format.little_endian(), is_signed));
    }
  }
  ++*results;
  return item.size;
}

int struct_unpack(lua_State* lua) {
  Format format(lua, luaL_checkstring(lua, 1));
  size_t length = 0;
  const char* bytes = luaL_checklstring(lua, 2, &length);
  const std::string_view data(bytes, length);
  const lua_Number start = luaL_optnumber(lua, 3, 1);
  luaL_argcheck(lua, start != 0, 3, "offset must be 1 or greater");
  luaL_argcheck(lua, start >= 1 && start <= static_cast<lua_Number>(length) + 1, 2,
                "data string too short");
  size_t position = static_cast<size_t>(start) - 1;
  int results = 0;
  lua_settop(lua, 2);
  while (!format.at_end()) {
    const Item item = format.take();
    if (item.code == 0) continue;
    position += format.padding(item, position);
    luaL_argcheck(lua, position <= length, 2, "data string too short");
    luaL_checkstack(lua, 2, "too many results");
    position += unpack_item(lua, format, item, data.substr(position), &results);
  }
  lua_pushnumber(lua, static_cast<lua_Number>(position + 1));
  return results + 1;
}

int struct_size(lua_State* lua) {
  Format format(lua, luaL_checkstring(lua, 1));
  size_t size = 0;
  while (!format.at_end()) {
    const Item item = format.take();
    if (item.code == 0) continue;
    luaL_argcheck(lua, item.code != 's', 1, "option 's' has no fixed size");
    luaL_argcheck(lua, item.code != 'c' || item.size != 0, 1, "option 'c0' has no fixed size");
    size += format.padding(item, size) + item.size;
  }
  lua_pushnumber(lua, static_cast<lua_Number>(size));
  return 1;
}

}  // namespace

int open_struct(lua_State* lua) {
  lua_createtable(lua, 0, 3);
  lua_pushcfunction(lua, struct_pack);
  lua_setfield(lua, -2, "pack");
  lua_pushcfunction(lua, struct_unpack);
  lua_setfield(lua, -2, "unpack");
  lua_pushcfunction(lua, struct_size);
  lua_setfield(lua, -2, "size");
  return 1;
}

}  // namespace tandem
