#include "tools/cli/line_coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/cli/in_process_server.h"

namespace tandem::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LineCoverageTest : public testing::Test {
 protected:
  LineCoverageTest() { server_.server().functions().observe_lines(&coverage_); }

  void load(const std::string& path, const std::string& source) {
    coverage_.add_library(path, source);
    const auto loaded = server_.server().functions().load(source, true);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  }

  LineCoverage coverage_;
  InProcessServer server_;
};

TEST_F(LineCoverageTest, CountsTheLinesThatRan) {
  load("lib.lua",
       "#!lua name=lib\n"
       "local function f(keys)\n"
       "  if #keys > 0 then\n"
       "    local n = 1\n"
       "\n"
       "    return n\n"
       "  end\n"
       "  local g = coroutine.wrap(function()\n"
       "    return 2\n"
       "  end)\n"
       "  return g()\n"
       "end\n"
       "server.register_function('f', f)\n");
  EXPECT_THAT(coverage_.report(), ElementsAre("lib.lua: 22.2% (2 of 9 lines), missed 3-11"));
  server_.run({"FCALL", "f", "0"});
  EXPECT_THAT(coverage_.report(), ElementsAre("lib.lua: 77.8% (7 of 9 lines), missed 4-6"));
  server_.run({"FCALL", "f", "1", "k"});
  EXPECT_THAT(coverage_.report(), ElementsAre("lib.lua: 100.0% (9 of 9 lines)"));
}

TEST_F(LineCoverageTest, LibrariesAreKeptApart) {
  const std::string body =
      "  return 1\n"
      "end)\n";
  load("a.lua", "#!lua name=a\nserver.register_function('fa', function()\n" + body);
  load("b.lua", "#!lua name=b\nserver.register_function('fb', function()\n" + body);
  server_.run({"FCALL", "fb", "0"});
  EXPECT_THAT(coverage_.report(),
              ElementsAre("a.lua: 66.7% (2 of 3 lines), missed 3", "b.lua: 100.0% (3 of 3 lines)"));
}

TEST_F(LineCoverageTest, CodeThatIsNotTheLibrarysTextDoesNotCount) {
  load("lib.lua",
       "#!lua name=lib\n"
       "server.register_function('f', function()\n"
       "  loadstring('\\n\\n\\n\\n\\nreturn 1')()\n"
       "end)\n");
  server_.run({"FCALL", "f", "0"});
  server_.run({"EVAL", "return 1", "0"});
  EXPECT_THAT(coverage_.report(), ElementsAre("lib.lua: 100.0% (3 of 3 lines)"));
}

TEST_F(LineCoverageTest, WhatIsNoFileIsLeftOut) {
  server_.run({"FUNCTION", "LOAD",
               "#!lua name=lib\nserver.register_function('f', function() return 1 end)"});
  server_.run({"FCALL", "f", "0"});
  EXPECT_THAT(coverage_.report(), IsEmpty());
}

}  // namespace
}  // namespace tandem::cli
