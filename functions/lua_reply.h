#pragma once

#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <string_view>
#include <vector>

#include "server/resp/reply.h"

namespace tandem {

// Builds the reply of a command as one Lua value on top of a Lua stack, without going through RESP.
//
// Protocol 2: integers are numbers, bulks strings, a missing value false, a status {ok=…}, an error
// {err=…}, and every aggregate an array. Protocol 3 adds nil, booleans, {double=…}, {map={…}},
// {set={…=true}}, {big_number=…} and {verbatim_string={format=…,string=…}}.
class LuaReply final : public Reply {
 public:
  // What the C function that runs while a value is written has among its upvalues, from
  // `first_upvalue` on: push_upvalues() leaves it on the stack for lua_pushcclosure().
  static constexpr int kUpvalues = 2;
  static void push_upvalues(lua_State* lua);
  explicit LuaReply(int first_upvalue) : first_upvalue_(first_upvalue) {}

  // The next value written goes on top of this stack.
  void begin(lua_State* lua, int protocol) {
    lua_ = lua;
    protocol_ = protocol;
    is_error_ = false;
    open_.clear();
  }
  // Whether the value written is an error (an error inside an aggregate does not count).
  bool is_error() const { return is_error_; }

  void integer(int64_t value) override;
  void bulk(std::string_view bytes) override;
  void simple(std::string_view text) override;
  void error(std::string_view text) override;
  void null() override;
  void null_array() override;
  void array(size_t length) override;
  void map(size_t pairs) override;
  void set(size_t length) override;
  void push(size_t length) override;
  void real(double value) override;
  void fixed_point(double value) override;
  void boolean(bool value) override;
  void big_number(std::string_view digits) override;
  void verbatim(std::string_view format, std::string_view text) override;
  int protocol() const override { return protocol_; }

 private:
  enum class Kind : uint8_t { kArray, kMap, kSet };
  // An aggregate whose elements are being written. Its table is on the stack; a map's and a set's
  // lies above the table that wraps it, and above a map's the array of its keys and the pending
  // key.
  struct Open {
    Kind kind;
    bool key_pending = false;
    int index = 0;
    size_t remaining = 0;
  };

  void open(Kind kind, size_t elements);
  // The value on top of the stack is whole: puts it where it belongs.
  void value_done() {
    if (open_.empty()) return;
    Open& into = open_.back();
    if (into.kind == Kind::kArray && into.remaining > 1) {
      --into.remaining;
      lua_rawseti(lua_, -2, ++into.index);
    } else {
      store();
    }
  }
  void store();
  void set_field(Open& map);
  void wrap(const char* field);

  const int first_upvalue_;
  lua_State* lua_ = nullptr;
  int protocol_ = 2;
  bool is_error_ = false;
  std::vector<Open> open_;
};

}  // namespace tandem
