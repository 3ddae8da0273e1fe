#pragma once

#include <cstdint>
#include <lua.hpp>

namespace tandem {

// What math.random draws from: the generator of lrand48.
class RandomGenerator {
 public:
  void seed(uint32_t seed) { state_ = seeded(seed); }
  // The next number in [0, 2^31).
  uint32_t next() {
    state_ = (state_ * 0x5DEECE66DULL + 0xB) & ((uint64_t{1} << 48) - 1);
    return static_cast<uint32_t>(state_ >> 17);
  }

 private:
  static constexpr uint64_t seeded(uint32_t seed) { return uint64_t{seed} << 16 | 0x330E; }
  uint64_t state_ = seeded(0x1234ABCD);
};

// Opens the libraries beside Lua's own that scripts find: cjson, bit, struct and cmsgpack, as
// globals. math.random draws from `random`, which outlives the state, so that neither the process's
// own chance nor the other world's can be seen or set.
void open_script_libraries(lua_State* lua, RandomGenerator& random);

// Pushes the table of functions of struct (struct_library.cc) and cmsgpack (msgpack_library.cc).
int open_struct(lua_State* lua);
int open_msgpack(lua_State* lua);

}  // namespace tandem
