// string.find, match, gmatch and gsub: what stock Lua does, within limits.

#include "functions/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <lua.hpp>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "functions/lua_allocator.h"
#include "functions/string_library.h"
#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The memory goes last.
struct CloseState {
  std::shared_ptr<LuaAllocator> memory = std::make_shared<LuaAllocator>();
  void operator()(lua_State* lua) const { lua_close(lua); }
};
using State = std::unique_ptr<lua_State, CloseState>;

State make_state(bool checked) {
  CloseState close;
  State lua(lua_newstate(&LuaAllocator::reallocate, close.memory.get()), close);
  luaL_openlibs(lua.get());
  if (checked) {
    lua_getglobal(lua.get(), "string");
    open_pattern_functions(lua.get());
    lua_pop(lua.get(), 1);
  }
  return lua;
}

// All that the four functions return for a subject and a pattern, as one line of text.
constexpr const char kProbe[] = R"(
  local s, p = ...
  local out = {}
  local function show(...)
    for i = 1, select('#', ...) do out[#out + 1] = tostring((select(i, ...))) end
    out[#out + 1] = ';'
  end
  local function try(f, ...) show(pcall(f, ...)) end
  try(string.find, s, p)
  try(string.find, s, p, 2)
  try(string.find, s, p, -2)
  try(string.match, s, p)
  try(string.gsub, s, p, '<%0%1>')
  try(string.gsub, s, p, '%%x', 2)
  try(string.gsub, s, p, function(a, b) return b end)
  try(string.gsub, s, p, {a = 'A', b = 1, ['ab'] = false})
  try(function()
    local n = 0
    for a, b in string.gmatch(s, p) do
      show(a, b)
      n = n + 1
      if n > 50 then break end
    end
  end)
  return table.concat(out, ' ')
)";

std::string probe(lua_State* lua, std::string_view subject, std::string_view pattern) {
  EXPECT_EQ(luaL_loadstring(lua, kProbe), 0);
  lua_pushlstring(lua, subject.data(), subject.size());
  lua_pushlstring(lua, pattern.data(), pattern.size());
  lua_pcall(lua, 2, 1, 0);
  size_t length = 0;
  const char* text = lua_tolstring(lua, -1, &length);
  std::string result = text != nullptr ? std::string(text, length) : "no text";
  lua_settop(lua, 0);
  return result;
}

TEST(PatternTest, DoesWhatStockLuaDoes) {
  const State stock = make_state(false), checked = make_state(true);
  const std::string_view pieces[] = {
      "a",     "b",      ".",    "%a", "%A", "%d",   "%w", "%s", "%%",  "[ab]", "[^a]", "[a-c]",
      "[%d_]", "[]]",    "[^]]", "(",  ")",  "()",   "*",  "+",  "-",   "?",    "^",    "$",
      "%b()",  "%f[%w]", "%1",   "%2", "%z", "[a-]", "[",  "%",  "%b(", "%fa",  "x"};
  std::mt19937 random(7);
  const auto below = [&random](size_t bound) { return random() % bound; };
  for (int round = 0; round < 20'000; ++round) {
    std::string subject, pattern;
    for (size_t i = below(12); i > 0; --i) subject += "aabbc_1 ()x%\0]"[below(14)];
    for (size_t i = below(6) + 1; i > 0; --i) pattern += pieces[below(std::size(pieces))];
    ASSERT_EQ(probe(checked.get(), subject, pattern), probe(stock.get(), subject, pattern))
        << "subject \"" << subject << "\", pattern \"" << pattern << "\"";
  }
}

class PatternLimitTest : public FunctionFixture {};

TEST_F(PatternLimitTest, DeepPatternsAreErrors) {
  EXPECT_THAT(eval("return string.find(string.rep('a', 100000), string.rep('a?', 100000))"),
              HasSubstr("pattern too complex"));
  EXPECT_THAT(eval("return string.find('a', string.rep('(', 1000))"),
              HasSubstr("too many captures"));
  EXPECT_EQ(eval("return string.find(string.rep('a', 100000), string.rep('a', 100000))"),
            "(integer) 1");
}

TEST_F(PatternLimitTest, AnEndlessMatchCanBeKilled) {
  load_body(
      "local s = string.rep('a', 5000)\n"
      "return s:find(string.rep('a-', 20) .. 'b')");
  configure("busy-reply-threshold", "100");
  clock_.step_us = 60'000;
  executor_.serve_while_busy = [this] { EXPECT_EQ(engine_.kill(), KillOutcome::kKilled); };
  EXPECT_THAT(run("FCALL", "f", "0"), StartsWith("(error) ERR Script killed by user"));
}

TEST_F(PatternLimitTest, AReplacingFunctionThatRaisesLeavesTheEngineWell) {
  EXPECT_THAT(eval("return ('abc'):gsub('.', function() error('stop') end)"), HasSubstr("stop"));
  EXPECT_EQ(eval("return (('abc'):gsub('.', '%0%0'))"), "\"aabbcc\"");
}

}  // namespace
}  // namespace tandem
