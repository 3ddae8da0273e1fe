#include "tools/cli/lua_chunk.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "functions/lua_dump.h"

namespace tandem::cli {

namespace {

// Builds prototypes from what a reader shows.
class PrototypeBuilder {
 public:
  void begin_function(int upvalues, int registers) {
    open_.push_back({.function = {}, .next_line = 0});
    open_.back().function.upvalue_count = upvalues;
    open_.back().function.register_count = registers;
  }
  void instruction(uint32_t word) {
    LuaInstruction result;
    result.op = static_cast<LuaOp>(word & 0x3f);
    result.a = static_cast<int>(word >> 6 & 0xff);
    result.c = static_cast<int>(word >> 14 & 0x1ff);
    result.b = static_cast<int>(word >> 23);
    result.bx = static_cast<int>(word >> 14);
    open_.back().function.code.push_back(result);
  }
  void constant(std::string_view text) { open_.back().function.constants.emplace_back(text); }
  void line(int number) {
    Open& open = open_.back();
    open.function.code.at(open.next_line++).line = number;
  }
  void end_function() {
    LuaPrototype ended = std::move(open_.back().function);
    open_.pop_back();
    (open_.empty() ? whole_ : open_.back().function.nested.emplace_back()) = std::move(ended);
  }

  LuaPrototype whole() { return std::move(whole_); }

 private:
  struct Open {
    LuaPrototype function;
    size_t next_line = 0;
  };
  std::vector<Open> open_;  // each inside the one before it
  LuaPrototype whole_;
};

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
  PrototypeBuilder builder;
  LuaDumpReader<PrototypeBuilder>(dump_function(lua), builder).read();
  return builder.whole();
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
