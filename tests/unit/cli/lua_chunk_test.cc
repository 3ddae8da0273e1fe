#include "tools/cli/lua_chunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

using testing::ElementsAre;

LuaPrototype compiled(std::string_view code) { return compile_lua(code, "=code").value(); }

TEST(LuaChunkTest, ActiveLinesAreThoseThatDoSomething) {
  EXPECT_THAT(active_lines(compiled("local a = 1\n"
                                    "\n"
                                    "-- a comment\n"
                                    "local function f(x)\n"
                                    "  if x then\n"
                                    "    return a\n"
                                    "  end\n"
                                    "  x = x or\n"
                                    "    a\n"
                                    "end\n"
                                    "return f\n")),
              ElementsAre(1, 5, 6, 8, 9, 10, 11));
}

TEST(LuaChunkTest, TheEndOfAFunctionThatReturnsIsNotActive) {
  EXPECT_THAT(active_lines(compiled("return function()\n"
                                    "  return 1\n"
                                    "end, 2\n")),
              ElementsAre(2, 3));
}

TEST(LuaChunkTest, GlobalsWithTheirLines) {
  const auto uses =
      global_uses(compiled("local a = b\n"
                           "local function f() c = a end\n"
                           "d.e = f\n"));
  ASSERT_EQ(uses.size(), 3u);
  EXPECT_EQ(uses[0].name, "b");
  EXPECT_FALSE(uses[0].is_write);
  EXPECT_EQ(uses[1].name, "c");
  EXPECT_EQ(uses[1].line, 2);
  EXPECT_TRUE(uses[1].is_write);
  EXPECT_EQ(uses[2].name, "d");
  EXPECT_EQ(uses[2].line, 3);
  EXPECT_FALSE(uses[2].is_write);
}

TEST(LuaChunkTest, EveryKindOfConstantIsRead) {
  const LuaPrototype function = compiled("return 'text', 1.5, nil, x == true, x == nil, ''");
  EXPECT_EQ(function.constants.at(0), "text");
  EXPECT_EQ(compile_lua("return +", "=code").error().message, "code:1: unexpected symbol near '+'");
}

}  // namespace
}  // namespace tandem::cli
