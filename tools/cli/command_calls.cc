#include "tools/cli/command_calls.h"

#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "tools/cli/lua_chunk.h"

namespace tandem::cli {

namespace {

// A library's own data may be large; what is reached after this many values is not looked at.
constexpr int kMaxValues = 100'000;
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxWords = 2;  // a command and its subcommand

// What is known of a register's or an upvalue's content while the code is followed.
struct Known {
  enum class Kind : unsigned char {
    kNothing,
    kText,   // a string that is written out
    kApi,    // the table `server`
    kCall,   // server.call or server.pcall
    kValue,  // a function or table of the library, by its place in the list of values
  };
  Kind kind = Kind::kNothing;
  std::string text;
  int value = 0;
};

using Kind = Known::Kind;

// Follows the code of each function that is reached, once, from its first instruction to its last.
class CallFinder {
 public:
  // `values` is the stack's place of a table which keeps what has been reached.
  CallFinder(lua_State* lua, int values) : lua_(lua), values_(values) {}

  // Takes the value from the top of the stack.
  Known reach() {
    if (lua_type(lua_, -1) == LUA_TSTRING) {
      size_t length = 0;
      const char* bytes = lua_tolstring(lua_, -1, &length);
      Known text;
      if (length <= kMaxNameBytes) text = {Kind::kText, std::string(bytes, length), 0};
      lua_pop(lua_, 1);
      return text;
    }
    const bool is_code = lua_isfunction(lua_, -1) && lua_iscfunction(lua_, -1) == 0;
    if ((!is_code && !lua_istable(lua_, -1)) || count_ == kMaxValues) {
      lua_pop(lua_, 1);
      return {};
    }
    const void* identity = lua_topointer(lua_, -1);
    lua_rawseti(lua_, values_, ++count_);
    if (is_code && seen_.insert(identity).second) functions_.push_back(count_);
    return {Kind::kValue, {}, count_};
  }

  // The value is used in a way that is not followed.
  void escape(const Known& known) {
    if (known.kind != Kind::kValue) return;
    lua_rawgeti(lua_, values_, known.value);
    const bool fresh = lua_istable(lua_, -1) && seen_.insert(lua_topointer(lua_, -1)).second;
    lua_pop(lua_, 1);
    if (fresh) tables_.push_back(known.value);
  }

  // What a table has under a name that is written out.
  Known field(const Known& table, const std::string& name) {
    if (table.kind == Kind::kApi && (name == "call" || name == "pcall")) {
      return {Kind::kCall, {}, 0};
    }
    if (table.kind != Kind::kValue) return {};
    lua_rawgeti(lua_, values_, table.value);
    if (!lua_istable(lua_, -1)) {
      lua_pop(lua_, 1);
      return {};
    }
    lua_pushlstring(lua_, name.data(), name.size());
    lua_rawget(lua_, -2);
    lua_remove(lua_, -2);
    return reach();
  }

  void add_call(CommandCall call) { calls_.push_back(std::move(call)); }

  std::vector<CommandCall> run() {
    while (!functions_.empty() || !tables_.empty()) {
      if (!functions_.empty()) {
        follow_function(take_last(&functions_));
      } else {
        reach_fields(take_last(&tables_));
      }
    }
    return std::move(calls_);
  }

 private:
  void follow_function(int value);

  static int take_last(std::vector<int>* list) {
    const int last = list->back();
    list->pop_back();
    return last;
  }

  // A table has got out of sight: whatever it holds may be used.
  void reach_fields(int value) {
    lua_rawgeti(lua_, values_, value);
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) escape(reach());
    lua_pop(lua_, 1);
  }

  lua_State* lua_;
  const int values_;
  int count_ = 0;
  std::set<const void*> seen_;
  std::vector<int> functions_;  // reached and not yet followed
  std::vector<int> tables_;
  std::vector<CommandCall> calls_;
};

// One function's registers while its code is followed.
class Frame {
 public:
  Frame(CallFinder* finder, const LuaPrototype& code, std::span<const Known> upvalues)
      // More registers than it has: an instruction may name the one behind the last.
      : finder_(*finder), code_(code), upvalues_(upvalues), registers_(code.register_count + 8u) {}

  void follow() {
    while (next_ < code_.code.size()) {
      const LuaInstruction& step = code_.code[next_++];
      if (!load(step) && !use(step)) compute(step);
    }
  }

 private:
  using Index = size_t;

  Known& at(int index) { return registers_.at(static_cast<Index>(index)); }
  Known upvalue(int index) const {
    const auto place = static_cast<Index>(index);
    return place < upvalues_.size() ? upvalues_[place] : Known();
  }
  Known constant(int index) const {
    const std::string& text = code_.constants.at(static_cast<Index>(index));
    return text.empty() ? Known() : Known{Kind::kText, text, 0};
  }
  Known operand(int index) {
    return index < LuaInstruction::kFirstConstant
               ? at(index)
               : constant(index - LuaInstruction::kFirstConstant);
  }
  void forget(int first, size_t end) {
    for (auto i = static_cast<Index>(first); i < end; ++i) registers_.at(i) = {};
  }
  void escape_from(int first, size_t end) {
    for (auto i = static_cast<Index>(first); i < end; ++i) finder_.escape(registers_.at(i));
  }

  // The instructions that put something known into a register.
  bool load(const LuaInstruction& step) {
    switch (step.op) {
      case LuaOp::kMove:
      case LuaOp::kTestSet:
        at(step.a) = Known(at(step.b));
        return true;
      case LuaOp::kLoadK:
        at(step.a) = constant(step.bx);
        return true;
      case LuaOp::kGetUpvalue:
        at(step.a) = upvalue(step.b);
        return true;
      case LuaOp::kGetGlobal: {
        const std::string name = constant(step.bx).text;
        at(step.a) = {name == "server" || name == "redis" ? Kind::kApi : Kind::kNothing, {}, 0};
        return true;
      }
      case LuaOp::kGetTable:
      case LuaOp::kSelf: {
        const Known table = at(step.b), key = operand(step.c);
        if (key.kind != Kind::kText) finder_.escape(table);
        at(step.a) = key.kind == Kind::kText ? finder_.field(table, key.text) : Known();
        if (step.op == LuaOp::kSelf) at(step.a + 1) = table;
        return true;
      }
      case LuaOp::kClosure:
        make_closure(step);
        return true;
      default:
        return false;
    }
  }

  // The instructions that hand on what registers hold.
  bool use(const LuaInstruction& step) {
    switch (step.op) {
      case LuaOp::kSetTable:
        finder_.escape(operand(step.c));
        return true;
      case LuaOp::kSetGlobal:
      case LuaOp::kSetUpvalue:
        finder_.escape(at(step.a));
        return true;
      case LuaOp::kSetList:
        escape_from(step.a, registers_.size());
        // The number of the batch stands in place of the next instruction when it does not fit.
        if (step.c == 0) ++next_;
        return true;
      case LuaOp::kCall:
      case LuaOp::kTailCall: {
        // B counts the callee and its arguments; it is 0 when the last one is an open list.
        const size_t end = step.b == 0 ? registers_.size() : static_cast<Index>(step.a + step.b);
        note_calls(step, end);
        escape_from(step.a, end);
        forget(step.a, registers_.size());
        return true;
      }
      case LuaOp::kReturn:
        escape_from(step.a,
                    step.b == 0 ? registers_.size() : static_cast<Index>(step.a + step.b - 1));
        return true;
      default:
        return false;
    }
  }

  // The rest: what it leaves in registers is not known.
  void compute(const LuaInstruction& step) {
    switch (step.op) {
      case LuaOp::kJump:
      case LuaOp::kEq:
      case LuaOp::kLt:
      case LuaOp::kLe:
      case LuaOp::kTest:
      case LuaOp::kClose:
        return;
      case LuaOp::kLoadNil:
        return forget(step.a, static_cast<Index>(step.b) + 1);
      case LuaOp::kForLoop:
      case LuaOp::kForPrep:
        return forget(step.a + 3, static_cast<Index>(step.a) + 4);
      case LuaOp::kTForLoop:
      case LuaOp::kVararg:
        return forget(step.a, registers_.size());
      default:
        at(step.a) = {};
    }
  }

  // One pseudo-instruction an upvalue follows: it names a register or an upvalue of this function.
  void make_closure(const LuaInstruction& step) {
    const LuaPrototype& nested = code_.nested.at(static_cast<Index>(step.bx));
    std::vector<Known> captured;
    for (int i = 0; i < nested.upvalue_count; ++i) {
      const LuaInstruction& source = code_.code.at(next_++);
      captured.push_back(source.op == LuaOp::kMove ? at(source.b) : upvalue(source.b));
    }
    at(step.a) = {};
    Frame(&finder_, nested, captured).follow();
  }

  // server.call('SET', ...), and pcall(server.call, 'SET', ...).
  void note_calls(const LuaInstruction& step, size_t end) {
    for (auto i = static_cast<Index>(step.a); i + 1 < end; ++i) {
      if (registers_[i].kind != Kind::kCall || registers_[i + 1].kind != Kind::kText) continue;
      CommandCall call{{}, step.b == 0 ? 0 : end - i - 1, step.line};
      for (size_t word = i + 1; word < end && registers_[word].kind == Kind::kText; ++word) {
        if (call.words.size() < kMaxWords) call.words.push_back(registers_[word].text);
      }
      finder_.add_call(std::move(call));
    }
  }

  CallFinder& finder_;
  const LuaPrototype& code_;
  const std::span<const Known> upvalues_;
  std::vector<Known> registers_;
  size_t next_ = 0;
};

void CallFinder::follow_function(int value) {
  lua_rawgeti(lua_, values_, value);
  const LuaPrototype code = read_lua_function(lua_);
  std::vector<Known> upvalues;
  for (int i = 1; lua_getupvalue(lua_, -1, i) != nullptr; ++i) upvalues.push_back(reach());
  lua_pop(lua_, 1);
  Frame(this, code, upvalues).follow();
}

}  // namespace

std::vector<CommandCall> find_command_calls(lua_State* lua) {
  luaL_checkstack(lua, LUA_MINSTACK, "looking for calls");
  const int top = lua_gettop(lua);
  lua_newtable(lua);
  CallFinder finder(lua, top + 1);
  lua_pushvalue(lua, top);
  finder.reach();
  std::vector<CommandCall> calls = finder.run();
  lua_settop(lua, top);
  return calls;
}

}  // namespace tandem::cli
