// What libraries keep between their calls, and function-memory-limit.

#include <gmock/gmock.h>

#include <string>

#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char kHoarder[] =
    "local kept, count = {}, 0\n"
    "server.register_function('hoard', function()\n"
    "  for i = 1, 1000 do\n"
    "    count = count + 1\n"
    "    kept[count] = 'text number ' .. count\n"
    "  end\n"
    "  return count\n"
    "end)\n"
    "server.register_function('drop', function() kept, count = {}, 0 return 0 end)";

class HostileMemoryTest : public FunctionFixture {
 protected:
  HostileMemoryTest() {
    configure("function-memory-limit", "2mb");
    run("FUNCTION", "LOAD",
        "#!lua name=modest\n"
        "local kept = {'kept'}\n"
        "server.register_function('modest', function()\n"
        "  local garbage = {}\n"
        "  for i = 1, 1000 do garbage[i] = {i} end\n"
        "  return kept[1]\n"
        "end)");
  }

  // Calls the hoarder until it fails; returns the error, or nothing when it never does.
  std::string hoard_until_refused() {
    for (int i = 0; i < 1000; ++i) {
      std::string reply = run("FCALL", "hoard", "0");
      if (reply.starts_with("(error)")) return reply;
    }
    return "";
  }
};

TEST_F(HostileMemoryTest, ALibraryThatKeepsTooMuchIsRefused) {
  load(kHoarder);
  EXPECT_THAT(hoard_until_refused(), HasSubstr("function-memory-limit"));
  EXPECT_LT(engine_.memory_bytes(), 4u << 20);
  // What it keeps is not given up by calling it again; all its functions are refused.
  EXPECT_THAT(run("FCALL", "hoard", "0"), HasSubstr("function-memory-limit"));
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(run("FCALL", "hoard", "0"), StartsWith("(error) ERR not enough memory: "));
  }
  EXPECT_EQ(run("FCALL", "modest", "0"), "\"kept\"");
}

TEST_F(HostileMemoryTest, ItRunsAgainUnderALargerLimitOrReplaced) {
  load(kHoarder);
  ASSERT_NE(hoard_until_refused(), "");
  const std::string refused = run("FCALL", "drop", "0");
  EXPECT_THAT(refused, HasSubstr("Library 'lib' keeps so much that function-memory-limit"));
  configure("function-memory-limit", "4mb");
  EXPECT_EQ(run("FCALL", "drop", "0"), "(integer) 0");
  configure("function-memory-limit", "2mb");
  EXPECT_EQ(run("FCALL", "hoard", "0"), "(integer) 1000");
  ASSERT_NE(hoard_until_refused(), "");
  load(kHoarder);
  EXPECT_EQ(run("FCALL", "hoard", "0"), "(integer) 1000");
}

TEST_F(HostileMemoryTest, DeletingItGivesItsMemoryBack) {
  const size_t before = engine_.memory_bytes();
  load(kHoarder);
  ASSERT_NE(hoard_until_refused(), "");
  EXPECT_GT(engine_.memory_bytes(), before + (1u << 20));
  run("FUNCTION", "DELETE", "lib");
  EXPECT_LT(engine_.memory_bytes(), before + (1u << 18));
  EXPECT_EQ(run("FCALL", "modest", "0"), "\"kept\"");
}

TEST_F(HostileMemoryTest, GarbageIsNotKept) {
  // Far more than the limit in all.
  for (int i = 0; i < 500; ++i) ASSERT_EQ(run("FCALL", "modest", "0"), "\"kept\"");
  // Nor does what others keep take from a library's own.
  load(kHoarder);
  ASSERT_NE(hoard_until_refused(), "");
  for (int i = 0; i < 500; ++i) ASSERT_EQ(run("FCALL", "modest", "0"), "\"kept\"");
}

TEST_F(HostileMemoryTest, LoadingIsBounded) {
  EXPECT_THAT(load("local t = {} for i = 1, 1e7 do t[i] = i .. '' end"),
              HasSubstr("ERR not enough memory: function-memory-limit is exceeded"));
  EXPECT_THAT(load("local t = {" +
                   [] {
                     std::string text;
                     for (int i = 0; i < 100'000; ++i) text += "'" + std::to_string(i) + "',";
                     return text;
                   }() +
                   "}"),
              HasSubstr("not enough memory"));
  EXPECT_EQ(run("FCALL", "modest", "0"), "\"kept\"");
}

TEST_F(HostileMemoryTest, CompiledPatternsCount) {
  EXPECT_THAT(eval("return ('x'):find(('[a]'):rep(3e5))"), HasSubstr("not enough memory"));
  EXPECT_THAT(eval("local t, p = {}, ('[a]b'):rep(1000) "
                   "for i = 1, 1e6 do t[i] = ('x'):gmatch(p) end"),
              HasSubstr("not enough memory"));
  EXPECT_EQ(eval("return {('a,b'):find('[,]'), ('x'):rep(3):gsub('%l', '%0%0')}"),
            "[(integer) 2, \"xxxxxx\", (integer) 3]");
}

TEST_F(HostileMemoryTest, ManyLibrariesAreNobodysDebt) {
  configure("function-memory-limit", "300kb");
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "many" + std::to_string(i);
    ASSERT_EQ(run("FUNCTION", "LOAD",
                  "#!lua name=" + name + "\nserver.register_function('" + name +
                      "', function() return 1 end)"),
              name);
  }
  for (int i = 0; i < 2000; i += 99) {
    ASSERT_EQ(run("FCALL", "many" + std::to_string(i), "0"), "(integer) 1");
  }
  run("FUNCTION", "FLUSH");
  EXPECT_LT(engine_.memory_bytes(), 2u << 20);
}

TEST_F(HostileMemoryTest, ScriptsLeaveNothingBehind) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(run("EVAL", "local t = {} for i = 1, 1000 do t[i] = {i} end return #t", "0"),
              "(integer) 1000");
  }
  EXPECT_THAT(run("EVAL", "local t = {} while true do t[#t + 1] = {} end", "0"),
              HasSubstr("function-memory-limit is exceeded"));
  EXPECT_EQ(run("EVAL", "return 1", "0"), "(integer) 1");
}

}  // namespace
}  // namespace tandem
