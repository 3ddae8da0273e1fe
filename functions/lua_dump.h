#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <lua.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace tandem {

// Compiled Lua functions as lua_dump shows them. The format is that of ldump.c and lundump.h of Lua
// 5.1, with the sizes of this machine: a dump is read by the process that made it.

// The dump of the Lua function on top of the stack, which stays there; empty for a C function, and
// for one whose dump has more than `most` bytes.
inline std::string dump_function(lua_State* lua, size_t most = SIZE_MAX) {
  struct Target {
    std::string dump;
    const size_t most;
  } target{{}, most};
  const auto append = [](lua_State*, const void* bytes, size_t length, void* to) {
    auto& [dump, limit] = *static_cast<Target*>(to);
    if (length > limit - dump.size()) return 1;
    dump.append(static_cast<const char*>(bytes), length);
    return 0;
  };
  if (lua_iscfunction(lua, -1) != 0 || lua_dump(lua, append, &target) != 0) return {};
  return std::move(target.dump);
}

// Walks through a dump and shows it to a visitor, functions inside others after the constants of
// those: begin_function(upvalues, registers), instruction(word) for each instruction (lopcodes.h),
// constant(text) with "" for what is no string, line(number) for each instruction again, and
// end_function(). A dump that is not whole is a mistake of this program: std::logic_error.
template <typename Visitor>
class LuaDumpReader {
 public:
  LuaDumpReader(std::string_view dump, Visitor& visitor) : rest_(dump), visitor_(visitor) {}

  void read() {
    take(kHeaderBytes);
    function();
  }

 private:
  // Signature, version, format, endianness, five sizes and a flag.
  static constexpr size_t kHeaderBytes = 12;

  void function() {
    text();         // the chunk's name
    number<int>();  // first line
    number<int>();  // last line
    const int upvalues = number<uint8_t>();
    number<uint8_t>();  // parameters
    number<uint8_t>();  // whether it takes more
    visitor_.begin_function(upvalues, int{number<uint8_t>()});
    for (size_t left = count(); left > 0; --left) visitor_.instruction(number<uint32_t>());
    for (size_t left = count(); left > 0; --left) visitor_.constant(constant());
    for (size_t left = count(); left > 0; --left) function();
    for (size_t left = count(); left > 0; --left) visitor_.line(number<int>());
    skip_names();
    visitor_.end_function();
  }

  std::string_view take(size_t length) {
    if (length > rest_.size()) throw std::logic_error("a Lua dump ends early");
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }

  size_t count() { return static_cast<size_t>(std::max(0, number<int>())); }

  std::string_view text() {
    std::string_view bytes = take(number<size_t>());
    if (!bytes.empty()) bytes.remove_suffix(1);
    return bytes;
  }

  std::string_view constant() {
    switch (number<uint8_t>()) {
      case LUA_TNIL:
        break;
      case LUA_TBOOLEAN:
        number<uint8_t>();
        break;
      case LUA_TNUMBER:
        number<lua_Number>();
        break;
      case LUA_TSTRING:
        return text();
      default:
        throw std::logic_error("a Lua dump has an unknown constant");
    }
    return {};
  }

  void skip_names() {
    for (size_t locals = count(); locals > 0; --locals) {
      text();
      number<int>();
      number<int>();
    }
    for (size_t upvalues = count(); upvalues > 0; --upvalues) text();
  }

  std::string_view rest_;
  Visitor& visitor_;
};

}  // namespace tandem
