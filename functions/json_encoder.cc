#include "functions/json_encoder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "functions/lua_host.h"

namespace tandem {

namespace {

enum class InvalidNumbers : int { kRefused, kWritten, kNull };

// What cjson.encode_… set; an instance of the library has its own.
struct JsonSettings {
  int convert_sparse = 0;
  int sparse_ratio = 2;
  int sparse_safe = 10;
  int max_depth = 1000;
  int precision = 14;
  int keep_buffer = 1;  // a promise of speed that needs no keeping
  int invalid_numbers = static_cast<int>(InvalidNumbers::kRefused);
};

JsonSettings& settings_of(lua_State* lua) {
  return *static_cast<JsonSettings*>(lua_touserdata(lua, lua_upvalueindex(1)));
}

// The escape of each byte: nothing for one that stands for itself.
struct Escapes {
  constexpr Escapes() {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (size_t byte = 0; byte < 256; ++byte) {
      if (byte >= 0x20 && byte != 0x7f) continue;
      const char text[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 0xf]};
      std::copy(text, text + 6, texts[byte].begin());
      lengths[byte] = 6;
    }
    constexpr std::string_view kShort = "\"\"\\\\//\bb\tt\nn\ff\rr";
    for (size_t i = 0; i < kShort.size(); i += 2) {
      const auto byte = static_cast<unsigned char>(kShort[i]);
      texts[byte][0] = '\\';
      texts[byte][1] = kShort[i + 1];
      lengths[byte] = 2;
    }
  }
  std::array<std::array<char, 6>, 256> texts{};
  std::array<uint8_t, 256> lengths{};
};
constexpr Escapes kEscapes;

class Encoder {
 public:
  Encoder(lua_State* lua, const JsonSettings& settings)
      : lua_(lua),
        host_(LuaHost::of(lua)),
        settings_(settings),
        max_bytes_(std::min(size_t{1} << 30, host_.memory_limit())) {}

  std::string_view text() const { return out_; }

  // Appends the value on top of the stack, which stays.
  void append_value(int depth) {
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        append_string();
        break;
      case LUA_TNUMBER:
        append_number(lua_tonumber(lua_, -1));
        break;
      case LUA_TBOOLEAN:
        out_ += lua_toboolean(lua_, -1) != 0 ? "true" : "false";
        break;
      case LUA_TTABLE:
        append_table(depth + 1);
        break;
      case LUA_TNIL:
        out_ += "null";
        break;
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(lua_, -1) == nullptr) {
          out_ += "null";
          break;
        }
        [[fallthrough]];
      default:
        refuse(-1, "type not supported");
    }
  }

 private:
  static constexpr uint64_t kStepsOfATable = 16;
  static constexpr uint64_t kBytesOfAStep = 16;

  void refuse(int index, const char* reason) {
    luaL_error(lua_, "Cannot serialise %s: %s", lua_typename(lua_, lua_type(lua_, index)), reason);
  }

  void pay(size_t bytes) {
    host_.count_work(lua_, bytes / kBytesOfAStep + 1);
    if (out_.size() + bytes > max_bytes_) luaL_error(lua_, "Cannot serialise: result too large");
  }

  // The string on top of the stack.
  void append_string() {
    size_t length = 0;
    const char* bytes = lua_tolstring(lua_, -1, &length);
    pay(length);
    out_ += '"';
    const char* const end = bytes + length;
    const char* written = bytes;
    for (const char* at = bytes; at != end; ++at) {
      const auto byte = static_cast<unsigned char>(*at);
      if (kEscapes.lengths[byte] == 0) continue;
      out_.append(written, at);
      out_.append(kEscapes.texts[byte].data(), kEscapes.lengths[byte]);
      written = at + 1;
    }
    out_.append(written, end);
    out_ += '"';
  }

  void append_number(lua_Number number) {
    constexpr lua_Number kPlain = 1e14;  // below it, 14 digits show an integer whole
    constexpr int kPlainPrecision = 14;
    if (!std::isfinite(number)) return append_invalid(number);
    char buffer[40];
    std::to_chars_result end{buffer, {}};
    const bool is_plain = std::trunc(number) == number && std::abs(number) < kPlain &&
                          !(number == 0 && std::signbit(number));
    if (is_plain && settings_.precision >= kPlainPrecision) {
      end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<int64_t>(number));
    } else {
      end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::general,
                          settings_.precision);
    }
    out_.append(buffer, end.ptr);
  }

  void append_invalid(lua_Number number) {
    switch (static_cast<InvalidNumbers>(settings_.invalid_numbers)) {
      case InvalidNumbers::kRefused:
        refuse(-1, "must not be NaN or Inf");
        break;
      case InvalidNumbers::kNull:
        out_ += "null";
        break;
      case InvalidNumbers::kWritten:
        out_ += std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf";
    }
  }

  // The highest index of the table on top of the stack when it is an array; 0 when it is not.
  int64_t array_length() {
    lua_Number highest = 0;
    lua_Number count = 0;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      const lua_Number key = lua_type(lua_, -2) == LUA_TNUMBER ? lua_tonumber(lua_, -2) : 0;
      lua_pop(lua_, 1);
      if (!(key >= 1) || std::floor(key) != key || key > INT_MAX) {
        lua_pop(lua_, 1);
        return 0;
      }
      highest = std::max(highest, key);
      ++count;
    }
    if (settings_.sparse_ratio > 0 && highest > count * settings_.sparse_ratio &&
        highest > settings_.sparse_safe) {
      if (settings_.convert_sparse == 0) refuse(-1, "excessively sparse array");
      return 0;
    }
    return static_cast<int64_t>(highest);
  }

  void append_table(int depth) {
    if (depth > settings_.max_depth || lua_checkstack(lua_, 4) == 0) {
      luaL_error(lua_, "Cannot serialise, excessive nesting (%d)", depth);
    }
    pay(kStepsOfATable);
    const int64_t length = array_length();
    if (length > 0) {
      append_array(length, depth);
    } else {
      append_object(depth);
    }
  }

  void append_array(int64_t length, int depth) {
    out_ += '[';
    for (int64_t i = 1; i <= length; ++i) {
      if (i > 1) out_ += ',';
      pay(1);
      lua_rawgeti(lua_, -1, static_cast<int>(i));
      append_value(depth);
      lua_pop(lua_, 1);
    }
    out_ += ']';
  }

  void append_object(int depth) {
    out_ += '{';
    bool first = true;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      if (!first) out_ += ',';
      first = false;
      append_key();
      append_value(depth);
      lua_pop(lua_, 1);
    }
    out_ += '}';
  }

  // The key below the value on top of the stack.
  void append_key() {
    switch (lua_type(lua_, -2)) {
      case LUA_TNUMBER:
        out_ += '"';
        append_number(lua_tonumber(lua_, -2));
        out_ += "\":";
        break;
      case LUA_TSTRING:
        lua_pushvalue(lua_, -2);
        append_string();
        lua_pop(lua_, 1);
        out_ += ':';
        break;
      default:
        refuse(-2, "table key must be a number or string");
    }
  }

  lua_State* lua_;
  LuaHost& host_;
  const JsonSettings& settings_;
  const size_t max_bytes_;
  std::string out_;
};

int encode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  Encoder encoder(lua, settings_of(lua));
  encoder.append_value(0);
  lua_pushlstring(lua, encoder.text().data(), encoder.text().size());
  return 1;
}

void check_arguments(lua_State* lua, int most) {
  luaL_argcheck(lua, lua_gettop(lua) <= most, most + 1, "found too many arguments");
  lua_settop(lua, most);
}

// Sets the integer from the argument at `index`, when there is one, and pushes it.
void integer_option(lua_State* lua, int index, int* setting, int least, int most) {
  if (!lua_isnil(lua, index)) {
    const lua_Integer value = luaL_checkinteger(lua, index);
    if (value < least || value > most) {
      // As in lua-cjson, whichever argument it is.
      luaL_argerror(lua, 1,
                    lua_pushfstring(lua, "expected integer between %d and %d", least, most));
    }
    *setting = static_cast<int>(value);
  }
  lua_pushinteger(lua, *setting);
}

// The same for a choice, of which the first two are false and true.
void choice_option(lua_State* lua, int index, int* setting, const char* const* choices) {
  if (lua_isboolean(lua, index)) {
    *setting = lua_toboolean(lua, index);
  } else if (!lua_isnil(lua, index)) {
    *setting = luaL_checkoption(lua, index, nullptr, choices);
  }
  if (*setting <= 1) {
    lua_pushboolean(lua, *setting);
  } else {
    lua_pushstring(lua, choices[*setting]);
  }
}

constexpr const char* kOffOn[] = {"off", "on", nullptr};
constexpr const char* kOffOnNull[] = {"off", "on", "null", nullptr};

int encode_sparse_array(lua_State* lua) {
  JsonSettings& settings = settings_of(lua);
  check_arguments(lua, 3);
  choice_option(lua, 1, &settings.convert_sparse, kOffOn);
  integer_option(lua, 2, &settings.sparse_ratio, 0, INT_MAX);
  integer_option(lua, 3, &settings.sparse_safe, 0, INT_MAX);
  return 3;
}

int encode_max_depth(lua_State* lua) {
  check_arguments(lua, 1);
  integer_option(lua, 1, &settings_of(lua).max_depth, 1, INT_MAX);
  return 1;
}

int encode_number_precision(lua_State* lua) {
  check_arguments(lua, 1);
  integer_option(lua, 1, &settings_of(lua).precision, 1, 14);
  return 1;
}

int encode_keep_buffer(lua_State* lua) {
  check_arguments(lua, 1);
  choice_option(lua, 1, &settings_of(lua).keep_buffer, kOffOn);
  return 1;
}

int encode_invalid_numbers(lua_State* lua) {
  check_arguments(lua, 1);
  choice_option(lua, 1, &settings_of(lua).invalid_numbers, kOffOnNull);
  return 1;
}

// cjson.new: upvalue 1 is the stock one, which makes the rest of an instance.
int make_instance(lua_State* lua) {
  lua_settop(lua, 0);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_call(lua, 0, 1);
  open_json_encoder(lua);
  return 1;
}

}  // namespace

void open_json_encoder(lua_State* lua) {
  constexpr luaL_Reg kFunctions[] = {{"encode", encode},
                                     {"encode_sparse_array", encode_sparse_array},
                                     {"encode_max_depth", encode_max_depth},
                                     {"encode_number_precision", encode_number_precision},
                                     {"encode_keep_buffer", encode_keep_buffer},
                                     {"encode_invalid_numbers", encode_invalid_numbers}};
  luaL_checkstack(lua, 4, "");
  new (lua_newuserdata(lua, sizeof(JsonSettings))) JsonSettings();
  for (const luaL_Reg& each : kFunctions) {
    lua_pushvalue(lua, -1);
    lua_pushcclosure(lua, each.func, 1);
    lua_setfield(lua, -3, each.name);
  }
  lua_pop(lua, 1);
  lua_getfield(lua, -1, "new");
  lua_pushcclosure(lua, make_instance, 1);
  lua_setfield(lua, -2, "new");
}

}  // namespace tandem
