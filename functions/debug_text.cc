#include "functions/debug_text.h"

#include <cstdio>

#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr int kMaxDepth = 10;
// A table takes its key and its value of the Lua stack.
constexpr int kStackPerLevel = 3;

class ValuePrinter {
 public:
  ValuePrinter(lua_State* lua, size_t max_bytes) : lua_(lua), max_bytes_(max_bytes) {}

  // `index` is absolute.
  void print(int index, int depth) {
    if (depth == kMaxDepth) {
      out_ += "<max recursion level reached! Nested table?>";
      return;
    }
    const int type = lua_type(lua_, index);
    switch (type) {
      case LUA_TNIL:
        out_ += "nil";
        break;
      case LUA_TBOOLEAN:
        out_ += lua_toboolean(lua_, index) != 0 ? "true" : "false";
        break;
      case LUA_TNUMBER:
        print_number(lua_tonumber(lua_, index));
        break;
      case LUA_TSTRING: {
        size_t length = 0;
        const char* bytes = lua_tolstring(lua_, index, &length);
        out_ += quote({bytes, std::min(length, max_bytes_ + 1)});
        break;
      }
      case LUA_TTABLE:
        print_table(index, depth);
        break;
      case LUA_TLIGHTUSERDATA:
        print_address("light-userdata", index);
        break;
      default:
        print_address(lua_typename(lua_, type), index);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  bool full() const { return out_.size() > max_bytes_; }

  void print_number(lua_Number number) {
    char text[32];
    const int length = std::snprintf(text, sizeof text, "%g", number);
    out_.append(text, static_cast<size_t>(length));
  }

  void print_address(const char* type, int index) {
    char text[64];
    const int length =
        std::snprintf(text, sizeof text, "\"%s@%p\"", type, lua_topointer(lua_, index));
    out_.append(text, static_cast<size_t>(length));
  }

  // Whether the keys are 1, 2, 3, … in the order in which they come.
  bool is_array(int table) {
    lua_Number expected = 1;
    lua_pushnil(lua_);
    while (lua_next(lua_, table) != 0) {
      lua_pop(lua_, 1);
      // Not a conversion: a key that is text must stay what lua_next() goes on from.
      if (lua_type(lua_, -1) != LUA_TNUMBER || lua_tonumber(lua_, -1) != expected++) {
        lua_pop(lua_, 1);
        return false;
      }
    }
    return true;
  }

  void print_table(int table, int depth) {
    if (lua_checkstack(lua_, kStackPerLevel) == 0) {
      out_ += "<Lua stack is full>";
      return;
    }
    const bool array = is_array(table);
    out_ += '{';
    bool first = true;
    lua_pushnil(lua_);
    while (lua_next(lua_, table) != 0) {
      if (full()) {
        lua_pop(lua_, 2);
        break;
      }
      const int value = lua_gettop(lua_);
      if (!first) out_ += "; ";
      first = false;
      if (!array) {
        out_ += '[';
        print(value - 1, depth + 1);
        out_ += "]=";
      }
      print(value, depth + 1);
      lua_pop(lua_, 1);
    }
    out_ += '}';
  }

  lua_State* const lua_;
  const size_t max_bytes_;
  std::string out_;
};

void append_elements(const ReplyValue& reply, int protocol, std::string* out) {
  const bool is_map = reply.type == ReplyValue::Type::kMap;
  for (size_t i = 0; i < reply.elements.size(); ++i) {
    if (i > 0) *out += is_map && i % 2 == 1 ? " => " : ",";
    *out += describe_reply(reply.elements[i], protocol);
  }
}

}  // namespace

std::string describe_value(lua_State* lua, int index, size_t max_bytes) {
  ValuePrinter printer(lua, max_bytes);
  printer.print(index < 0 ? lua_gettop(lua) + index + 1 : index, 0);
  return printer.take();
}

std::string describe_reply(const ReplyValue& reply, int protocol) {
  using Type = ReplyValue::Type;
  switch (reply.type) {
    case Type::kNull:
    case Type::kNullArray:
      return protocol == 3 ? "(null)" : "NULL";
    case Type::kSimple:
      return quote("+" + reply.text);
    case Type::kError:
      return quote("-" + reply.text);
    case Type::kInteger:
      return std::to_string(reply.integer);
    case Type::kBulk:
    case Type::kVerbatim:
      return quote(reply.text);
    case Type::kDouble:
      return "(double) " + reply.text;
    case Type::kBoolean:
      return reply.integer != 0 ? "#true" : "#false";
    case Type::kBigNumber:
      return "(big number) " + reply.text;
    case Type::kArray:
    case Type::kPush:
    case Type::kSet:
    case Type::kMap:
      break;
  }
  const bool is_set = reply.type == Type::kSet;
  const bool is_map = reply.type == Type::kMap;
  std::string out = is_set ? "~(" : is_map ? "{" : "[";
  append_elements(reply, protocol, &out);
  return out += is_set ? ')' : is_map ? '}' : ']';
}

void TeeReply::integer(int64_t value) { both(&Reply::integer, value); }
void TeeReply::bulk(std::string_view bytes) { both(&Reply::bulk, bytes); }
void TeeReply::simple(std::string_view text) { both(&Reply::simple, text); }
void TeeReply::error(std::string_view text) { both(&Reply::error, text); }
void TeeReply::null() { both(&Reply::null); }
void TeeReply::null_array() { both(&Reply::null_array); }
void TeeReply::array(size_t length) { both(&Reply::array, length); }
void TeeReply::map(size_t pairs) { both(&Reply::map, pairs); }
void TeeReply::set(size_t length) { both(&Reply::set, length); }
void TeeReply::push(size_t length) { both(&Reply::push, length); }
void TeeReply::real(double value) { both(&Reply::real, value); }
void TeeReply::fixed_point(double value) { both(&Reply::fixed_point, value); }
void TeeReply::boolean(bool value) { both(&Reply::boolean, value); }
void TeeReply::big_number(std::string_view digits) { both(&Reply::big_number, digits); }
void TeeReply::verbatim(std::string_view format, std::string_view text) {
  both(&Reply::verbatim, format, text);
}

}  // namespace tandem
