#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::EndsWith;

using LoadTest = FunctionFixture;

constexpr const char kFunction[] = "server.register_function('f', function() return 1 end)";

std::string library(std::string_view name, std::string_view function) {
  return "#!lua name=" + std::string(name) + "\nserver.register_function('" +
         std::string(function) + "', function() return '" + std::string(name) + "' end)";
}

TEST_F(LoadTest, ReadsTheFirstLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "Missing library metadata"},
      {"return 1", "Missing library metadata"},
      {"#!lua name=lib", "Invalid library metadata"},
      {"#!lua 'name=lib\n", "Invalid library metadata"},
      {"#!lua\n", "Library name was not given"},
      {"#!\n", "Library name was not given"},
      {"#!lua name=a name=b\n", "Invalid metadata value, name argument was given multiple times"},
      {"#!lua name=a foo=b\n", "Invalid metadata value given: foo=b"},
      {"#! lua name=a\n", "Invalid metadata value given: lua"},
      {"#!lua name=\n",
       "Library names can only contain letters, numbers, or underscores(_) and must be at least "
       "one character long"},
      {"#!lua name=a-b\n",
       "Library names can only contain letters, numbers, or underscores(_) and must be at least "
       "one character long"},
      {"#!js name=a\n", "Engine 'js' not found"},
      {"#! name=a\n", "Engine '' not found"},
      {"#!lua name=mylib\n", "No functions registered"},
  };
  for (const auto& [source, reply] : cases) {
    EXPECT_EQ(run("FUNCTION", "LOAD", source), "(error) ERR " + reply) << source;
  }
  EXPECT_EQ(run("FUNCTION", "LOAD", "#!LUA name=\"quoted\"\n" + std::string(kFunction)), "quoted");
}

TEST_F(LoadTest, TakesOptions) {
  EXPECT_EQ(run("FUNCTION", "LOAD", "REPLACE", library("a", "f")), "a");
  EXPECT_EQ(run("FUNCTION", "LOAD", "replace", library("a", "f")), "a");
  EXPECT_EQ(run("FUNCTION", "LOAD", "force", library("a", "f")),
            "(error) ERR Unknown option given: force");
  EXPECT_EQ(run("FUNCTION", "LOAD"),
            "(error) ERR wrong number of arguments for 'function|load' command");
}

TEST_F(LoadTest, NamesAreTakenOnce) {
  run("FUNCTION", "LOAD", library("a", "f"));
  EXPECT_EQ(run("FUNCTION", "LOAD", library("a", "g")), "(error) ERR Library 'a' already exists");
  EXPECT_EQ(run("FUNCTION", "LOAD", library("b", "f")), "(error) ERR Function f already exists");
  EXPECT_EQ(run("FUNCTION", "LOAD", library("b", "F")), "(error) ERR Function F already exists");
  EXPECT_EQ(run("FUNCTION", "LOAD", "REPLACE", library("b", "f")),
            "(error) ERR Function f already exists");
  EXPECT_EQ(run("FCALL", "f", "0"), "\"a\"");
  EXPECT_EQ(run("FCALL", "F", "0"), "\"a\"");
}

TEST_F(LoadTest, AFailedLoadLeavesTheOldLibraryWhole) {
  load(
      "server.register_function('f', function() return 'old' end)\n"
      "server.register_function('g', function() return 'old' end)");
  for (const char* broken :
       {"foo(", "", "server.register_function('f', 1)", "x = 1", "server.nosuch()",
        "server.register_function('f', function() return 'new' end) local t t()"}) {
    EXPECT_TRUE(load(broken).starts_with("(error) ERR ")) << broken;
    EXPECT_EQ(run("FCALL", "f", "0"), "\"old\"") << broken;
    EXPECT_EQ(run("FCALL", "g", "0"), "\"old\"") << broken;
  }
  load("server.register_function('f', function() return 'new' end)");
  EXPECT_EQ(run("FCALL", "f", "0"), "\"new\"");
  EXPECT_EQ(run("FCALL", "g", "0"), "(error) ERR Function not found");
}

TEST_F(LoadTest, SaysWhatIsWrongWithTheCode) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"foo(", "compiling function: user_function:2: unexpected symbol near '<eof>'"},
      {"x = 1", "registering functions: ERR user_function:2: Attempt to modify a readonly table"},
      {"server.x = 1",
       "registering functions: ERR user_function:2: Attempt to modify a readonly table"},
      {"return y",
       "registering functions: ERR user_function:2: Script attempted to access nonexistent global "
       "variable 'y'"},
      // What only a running function has.
      {"server.call('PING')",
       "registering functions: ERR user_function:2: Script attempted to access nonexistent global "
       "variable 'call'"},
      {"redis.setresp(3)",
       "registering functions: ERR user_function:2: Script attempted to access nonexistent global "
       "variable 'setresp'"},
      {"return pairs",
       "registering functions: ERR user_function:2: Script attempted to access nonexistent global "
       "variable 'pairs'"},
      {"local t = 5 t()",
       "registering functions: ERR user_function:2: attempt to call local 't' (a number value)"},
  };
  for (const auto& [code, reply] : cases) {
    EXPECT_EQ(load(code), "(error) ERR Error " + reply) << code;
  }
}

TEST_F(LoadTest, RegistersByPositionAndByName) {
  EXPECT_EQ(load("server.register_function('a', function(keys, args) return {keys, args} end)\n"
                 "redis.register_function{function_name='b', callback=function() return 'b' end,\n"
                 "  description='does b', flags={'allow-oom', 'no-writes'}}"),
            "lib");
  EXPECT_EQ(run("FCALL", "a", "2", "k1", "k2", "a1"), R"([["k1", "k2"], ["a1"]])");
  EXPECT_EQ(run("FCALL_RO", "b", "0"), "\"b\"");
  EXPECT_EQ(run("FUNCTION", "LIST"),
            R"([["library_name", "lib", "engine", "LUA", "functions", )"
            R"([["name", "a", "description", (nil), "flags", []], )"
            R"(["name", "b", "description", "does b", "flags", [no-writes, allow-oom]]]]])");
}

TEST_F(LoadTest, RefusesWrongRegistrations) {
  const std::string function = "function() end";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"()", "wrong number of arguments to server.register_function"},
      {"('f', " + function + ", 1)", "wrong number of arguments to server.register_function"},
      {"('f')",
       "calling server.register_function with a single argument is only applicable to Lua table "
       "(representing named arguments)."},
      {"(" + function + ", 'f')", "first argument to server.register_function must be a string"},
      {"('f', 1)", "second argument to server.register_function must be a function"},
      {"{}", "server.register_function must get a function name argument"},
      {"{function_name='f'}", "server.register_function must get a callback argument"},
      {"{function_name={}, callback=" + function + "}",
       "function_name argument given to server.register_function must be a string"},
      {"{function_name='f', callback=1}",
       "callback argument given to server.register_function must be a function"},
      {"{function_name='f', callback=" + function + ", flags=1}",
       "flags argument to server.register_function must be a table representing function flags"},
      {"{function_name='f', callback=" + function + ", flags={'no-write'}}", "unknown flag given"},
      {"{function_name='f', callback=" + function + ", flags={{}}}", "unknown flag given"},
      {"{function_name='f', callback=" + function + ", description={}}",
       "description argument given to server.register_function must be a string"},
      {"{function_name='f', callback=" + function + ", extra=1}",
       "unknown argument given to server.register_function"},
      {"{[true]=1}", "named argument key given to server.register_function is not a string"},
      {"('f-g', " + function + ")",
       "Function names can only contain letters, numbers, or underscores(_) and must be at least "
       "one character long"},
      {"('f', " + function + ") server.register_function('f', " + function + ")",
       "Function already exists in the library"},
  };
  for (const auto& [call, reply] : cases) {
    EXPECT_EQ(load("server.register_function" + call),
              "(error) ERR Error registering functions: ERR " + reply)
        << call;
  }
  EXPECT_EQ(engine_.functions().libraries().size(), 0u);
}

TEST_F(LoadTest, CodeThatDoesNotEndIsStopped) {
  clock_.step_us = 600'000;
  const std::string timeout = "(error) ERR Error registering functions: ERR FUNCTION LOAD timeout";
  EXPECT_EQ(load("while true do end"), timeout);
  EXPECT_EQ(load("local function f() return f() end f()"), timeout);
  clock_.step_us = 0;
  EXPECT_EQ(load(kFunction), "lib");
}

TEST_F(LoadTest, TheTimeThatLoadingMayTakeIsConfigured) {
  // Each look at the clock, one in 100,000 instructions, finds it a second later.
  clock_.step_us = 1'000'000;
  const std::string slow = "for i = 1, 600000 do end " + std::string(kFunction);
  EXPECT_THAT(load(slow), EndsWith("FUNCTION LOAD timeout"));
  configure("function-load-timeout", "60000");
  EXPECT_EQ(load(slow), "lib");
  configure("function-load-timeout", "1000");
  EXPECT_THAT(load(slow), EndsWith("FUNCTION LOAD timeout"));
  configure("function-load-timeout", "0");
  EXPECT_EQ(load(slow), "lib");
}

TEST_F(LoadTest, ListsByPatternAndWithCode) {
  run("FUNCTION", "LOAD", library("one", "f"));
  run("FUNCTION", "LOAD", library("two", "g"));
  const std::string one = R"("library_name", "one", "engine", "LUA", "functions", )"
                          R"([["name", "f", "description", (nil), "flags", []]])";
  EXPECT_EQ(run("FUNCTION", "LIST", "LIBRARYNAME", "ON*"), "[[" + one + "]]");
  EXPECT_EQ(run("FUNCTION", "LIST", "withcode", "libraryname", "one"),
            "[[" + one + ", \"library_code\", " + quote(library("one", "f")) + "]]");
  EXPECT_EQ(run("FUNCTION", "LIST", "LIBRARYNAME", "none"), "[]");
  EXPECT_EQ(run("FUNCTION", "LIST", "LIBRARYNAME"),
            "(error) ERR library name argument was not given");
  EXPECT_EQ(run("FUNCTION", "LIST", "WITHCODE", "WITHCODE"),
            "(error) ERR Unknown argument WITHCODE");
  EXPECT_EQ(run("FUNCTION", "LIST", "all"), "(error) ERR Unknown argument all");
  set_protocol(3);
  EXPECT_EQ(run("FUNCTION", "LIST", "LIBRARYNAME", "one"),
            R"([{"library_name": "one", "engine": "LUA", "functions": )"
            R"([{"name": "f", "description": (nil), "flags": ~[]}]}])");
}

TEST_F(LoadTest, DeletesAndFlushes) {
  run("FUNCTION", "LOAD", library("a", "f"));
  run("FUNCTION", "LOAD", library("b", "g"));
  EXPECT_EQ(run("FUNCTION", "DELETE", "c"), "(error) ERR Library not found");
  EXPECT_EQ(run("FUNCTION", "DELETE", "a"), "OK");
  EXPECT_EQ(run("FCALL", "f", "0"), "(error) ERR Function not found");
  EXPECT_EQ(run("FCALL", "g", "0"), "\"b\"");
  EXPECT_EQ(run("FUNCTION", "FLUSH", "NOW"),
            "(error) ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  EXPECT_EQ(run("FUNCTION", "FLUSH", "async"), "OK");
  EXPECT_EQ(run("FUNCTION", "LIST"), "[]");
  EXPECT_EQ(run("FUNCTION", "FLUSH"), "OK");
}

TEST_F(LoadTest, ChangesAreEffects) {
  const std::string source = library("a", "f");
  EXPECT_EQ(effects_of("FUNCTION", "LOAD", source), "FUNCTION LOAD " + source);
  EXPECT_EQ(effects_of("FUNCTION", "LOAD", source), "");
  EXPECT_EQ(effects_of("FUNCTION", "DELETE", "a"), "FUNCTION DELETE a");
  EXPECT_EQ(effects_of("FUNCTION", "FLUSH"), "FUNCTION FLUSH");
}

TEST_F(LoadTest, StatsCount) {
  EXPECT_EQ(run("FUNCTION", "STATS"),
            R"(["running_script", (nil), "engines", ["LUA", )"
            R"(["libraries_count", (integer) 0, "functions_count", (integer) 0]]])");
  load(
      "server.register_function('f', function() end)\n"
      "server.register_function('g', function() end)");
  set_protocol(3);
  EXPECT_EQ(run("FUNCTION", "STATS"),
            R"({"running_script": (nil), "engines": {"LUA": )"
            R"({"libraries_count": (integer) 1, "functions_count": (integer) 2}}})");
}

// What persistence and replication build on.
TEST_F(LoadTest, ASetIsBuiltAside) {
  run("FUNCTION", "LOAD", library("old", "f"));
  FunctionSet set;
  EXPECT_TRUE(engine_.load_into(set, library("a", "f"), false).ok());
  EXPECT_TRUE(engine_.load_into(set, library("b", "g"), false).ok());
  EXPECT_EQ(engine_.load_into(set, library("c", "g"), false).error().message,
            "Function g already exists");
  EXPECT_EQ(run("FCALL", "f", "0"), "\"old\"");
  engine_.replace_all(std::move(set));
  EXPECT_EQ(run("FCALL", "f", "0"), "\"a\"");
  std::vector<std::string> names;
  engine_.for_each_library(
      [&](std::string_view name, std::string_view) { names.emplace_back(name); });
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
}

TEST_F(LoadTest, ForgottenLibrariesGiveTheirMemoryBack) {
  const std::string source =
      "local t = {'" + std::string(100'000, 'x') +
      "'}\n"
      "server.register_function('f', function() return collectgarbage() + #t end)";
  load(source);
  run("FCALL", "f", "0");
  const size_t once = engine_.memory_bytes();
  for (int i = 0; i < 20; ++i) load(source);
  run("FCALL", "f", "0");
  EXPECT_LT(engine_.memory_bytes(), once + 50'000);
}

}  // namespace
}  // namespace tandem
