#pragma once

#include <cstdint>
#include <lua.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"

namespace tandem::cli {

// Operations of the Lua 5.1 virtual machine, by number (lopcodes.h of its source).
enum class LuaOp : uint8_t {
  kMove,
  kLoadK,
  kLoadBool,
  kLoadNil,
  kGetUpvalue,
  kGetGlobal,
  kGetTable,
  kSetGlobal,
  kSetUpvalue,
  kSetTable,
  kNewTable,
  kSelf,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kUnm,
  kNot,
  kLen,
  kConcat,
  kJump,
  kEq,
  kLt,
  kLe,
  kTest,
  kTestSet,
  kCall,
  kTailCall,
  kReturn,
  kForLoop,
  kForPrep,
  kTForLoop,
  kSetList,
  kClose,
  kClosure,
  kVararg,
};

struct LuaInstruction {
  // B and C from here on name a constant instead of a register.
  static constexpr int kFirstConstant = 256;

  LuaOp op = LuaOp::kMove;
  int a = 0, b = 0, c = 0;
  int bx = 0;  // B and C as one number
  int line = 0;
};

// A compiled Lua function. Of its constants only the strings are kept.
struct LuaPrototype {
  std::vector<LuaInstruction> code;
  std::vector<std::string> constants;  // "" in place of what is no string
  std::vector<LuaPrototype> nested;    // the functions written inside it
  int upvalue_count = 0;
  int register_count = 0;
};

// A function of a Lua state, read from what string.dump makes of it. `lua` has it on the top of its
// stack and keeps it there; it is a Lua function.
LuaPrototype read_lua_function(lua_State* lua);
// Compiles `code` without running it; the error is Lua's, which names its place.
Result<LuaPrototype> compile_lua(std::string_view code, const char* chunk_name);

// The lines, of this function and those inside it, that do something when they are run.
std::set<int> active_lines(const LuaPrototype& function);

struct GlobalUse {
  std::string name;
  std::string field;  // that is read of it, as in `server.call`; empty when it is used otherwise
  int line = 0;
  bool is_write = false;
};
// Every use of a global in this function and those inside it, in the order of the lines.
std::vector<GlobalUse> global_uses(const LuaPrototype& function);

}  // namespace tandem::cli
