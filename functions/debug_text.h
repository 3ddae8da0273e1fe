#pragma once

#include <cstddef>
#include <lua.hpp>
#include <string>

#include "server/resp/reply.h"
#include "server/resp/reply_reader.h"

namespace tandem {

// The Lua value at `index` as the debugger prints it: {1; "a"} for an array, {["k"]=1} for another
// table. Metatables are not asked. Tables in tables are followed ten deep, so one that contains
// itself ends; the text ends soon after `max_bytes`, whatever the value.
std::string describe_value(lua_State* lua, int index, size_t max_bytes);

// A command's reply: ["a",NULL], {"f" => "v"} for a map, "+OK" for a status. `protocol` is the one
// the reply is in.
std::string describe_reply(const ReplyValue& reply, int protocol);

// Hands a reply on to two sinks. Its protocol is the first one's.
class TeeReply final : public Reply {
 public:
  TeeReply(Reply& first, Reply& second) : first_(first), second_(second) {}

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
  int protocol() const override { return first_.protocol(); }

 private:
  template <typename... Parameters, typename... Values>
  void both(void (Reply::*write)(Parameters...), const Values&... values) {
    (first_.*write)(values...);
    (second_.*write)(values...);
  }

  Reply& first_;
  Reply& second_;
};

}  // namespace tandem
