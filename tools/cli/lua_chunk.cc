#include "tools/cli/lua_chunk.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

namespace tandem::cli {

namespace {

// The header of lundump.h: signature, version, format, endianness, five sizes and a flag.
constexpr size_t kHeaderBytes = 12;

// Reads what lua_dump wrote in this process, so sizes are this machine's; a length that does not
// fit is a mistake in here and throws std::logic_error.
class DumpReader {
 public:
  explicit DumpReader(std::string_view bytes) : rest_(bytes) { take(kHeaderBytes); }

  LuaPrototype function() {
    LuaPrototype result;
    text();         // the chunk's name
    number<int>();  // first line
    number<int>();  // last line
    result.upvalue_count = number<uint8_t>();
    number<uint8_t>();  // parameters
    number<uint8_t>();  // whether it takes more
    result.register_count = number<uint8_t>();
    for (size_t left = count(); left > 0; --left) result.code.push_back(instruction());
    for (size_t left = count(); left > 0; --left) result.constants.push_back(constant());
    for (size_t left = count(); left > 0; --left) result.nested.push_back(function());
    const size_t lines = count();
    for (size_t i = 0; i < lines; ++i) result.code.at(i).line = number<int>();
    skip_names();
    return result;
  }

 private:
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

  std::string text() {
    const std::string_view bytes = take(number<size_t>());
    return bytes.empty() ? std::string() : std::string(bytes.substr(0, bytes.size() - 1));
  }

  LuaInstruction instruction() {
    const auto word = number<uint32_t>();
    LuaInstruction result;
    result.op = static_cast<LuaOp>(word & 0x3f);
    result.a = static_cast<int>(word >> 6 & 0xff);
    result.c = static_cast<int>(word >> 14 & 0x1ff);
    result.b = static_cast<int>(word >> 23);
    result.bx = static_cast<int>(word >> 14);
    return result;
  }

  std::string constant() {
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
};

int append_to_string(lua_State*, const void* bytes, size_t length, void* target) {
  static_cast<std::string*>(target)->append(static_cast<const char*>(bytes), length);
  return 0;
}

void collect_lines(const LuaPrototype& function, std::set<int>* lines) {
  // The last instruction returns for a function that has not done so by itself; it stands at `end`.
  for (size_t i = 0; i + 1 < function.code.size(); ++i) lines->insert(function.code[i].line);
  for (const LuaPrototype& nested : function.nested) collect_lines(nested, lines);
}

// The name that `step` reads of the table which the instruction before it has put into `place`.
std::string field_read(const LuaPrototype& function, const LuaInstruction& step, int place) {
  if (step.op != LuaOp::kGetTable || step.b != place) return {};
  if (step.c < LuaInstruction::kFirstConstant) return {};
  return function.constants.at(static_cast<size_t>(step.c - LuaInstruction::kFirstConstant));
}

void collect_globals(const LuaPrototype& function, std::vector<GlobalUse>* uses) {
  // The last instruction is a return.
  for (size_t i = 0; i + 1 < function.code.size(); ++i) {
    const LuaInstruction& step = function.code[i];
    if (step.op != LuaOp::kGetGlobal && step.op != LuaOp::kSetGlobal) continue;
    const std::string& name = function.constants.at(static_cast<size_t>(step.bx));
    const bool is_write = step.op == LuaOp::kSetGlobal;
    std::string field;
    if (!is_write) field = field_read(function, function.code[i + 1], step.a);
    uses->push_back({name, std::move(field), step.line, is_write});
  }
  for (const LuaPrototype& nested : function.nested) collect_globals(nested, uses);
}

}  // namespace

LuaPrototype read_lua_function(lua_State* lua) {
  std::string dump;
  lua_dump(lua, append_to_string, &dump);
  return DumpReader(dump).function();
}

Result<LuaPrototype> compile_lua(std::string_view code, const char* chunk_name) {
  const std::unique_ptr<lua_State, void (*)(lua_State*)> lua(luaL_newstate(), &lua_close);
  if (luaL_loadbuffer(lua.get(), code.data(), code.size(), chunk_name) == 0) {
    return read_lua_function(lua.get());
  }
  return make_error(ErrorKind::kInvalid, lua_tostring(lua.get(), -1));
}

std::set<int> active_lines(const LuaPrototype& function) {
  std::set<int> lines;
  collect_lines(function, &lines);
  return lines;
}

std::vector<GlobalUse> global_uses(const LuaPrototype& function) {
  std::vector<GlobalUse> uses;
  collect_globals(function, &uses);
  std::stable_sort(uses.begin(), uses.end(),
                   [](const GlobalUse& a, const GlobalUse& b) { return a.line < b.line; });
  return uses;
}

}  // namespace tandem::cli
