#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::StartsWith;

using SandboxTest = FunctionFixture;

TEST_F(SandboxTest, GlobalsAreReadOnly) {
  const std::string with_line = "ERR user_function:3: Attempt to modify a readonly table";
  const std::string without = "ERR Attempt to modify a readonly table";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a = 1", with_line},
      {"string = nil", with_line},
      {"local t = server t.call = 1", with_line},
      {"redis.extra = 1", with_line},
      {"string.extra = 1", with_line},
      {"_G.x = 1", with_line},
      {"math.pi = 3", with_line},
      {"getmetatable(_G).__index = 1", with_line},
      {"getmetatable('').__index = 1", with_line},
      {"(function() x = 1 end)()", with_line},
      {"return (function() return function() server = 1 end end)()()", with_line},
      {"loadstring('x = 1')()", "ERR [string \"x = 1\"]:1: Attempt to modify a readonly table"},
      {"rawset(_G, 'x', 1)", without},
      {"rawset(string, 'x', 1)", without},
      {"setmetatable(_G, {})", without},
      {"setmetatable(server, nil)", without},
      {"table.insert(server, 1)", without},
      {"table.remove(server)", without},
      {"table.sort(_G)", without},
  };
  for (const auto& [body, text] : cases) {
    const std::string reply = eval(body);
    EXPECT_TRUE(reply.starts_with("(error) " + text + " script: f, on ")) << body << ": " << reply;
  }
  EXPECT_EQ(eval("return string.upper('a') .. ('b'):upper() .. type(_G.server.call)"),
            "\"ABfunction\"");
}

// Looking at the bytecode of each function would keep the loop busy for long.
TEST_F(SandboxTest, ManyFunctionsMayShareLargeCode) {
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "x = x + 1 ";
  EXPECT_EQ(load("local function make() return function(keys, args) local x = 0 if args[1] then " +
                 body + " end if args[2] then y = 1 end return type(server.call) end end\n" +
                 "for i = 1, 20000 do server.register_function('f' .. i, make()) end"),
            "lib");
  EXPECT_EQ(run("FCALL", "f1", "0"), "\"function\"");
  EXPECT_EQ(run("FCALL", "f20000", "0"), "\"function\"");
  EXPECT_TRUE(run("FCALL", "f20000", "0", "a", "b")
                  .starts_with("(error) ERR user_function:2: Attempt to modify a readonly table"));
}

TEST_F(SandboxTest, MissingGlobalsAreErrors) {
  for (const char* name : {"x", "io", "debug", "package", "require", "module", "print", "dofile",
                           "loadfile", "newproxy", "getfenv", "setfenv"}) {
    EXPECT_EQ(eval("return " + std::string(name)),
              raised("ERR user_function:3: Script attempted to access nonexistent global variable "
                     "'" +
                     std::string(name) + "'"));
  }
  EXPECT_EQ(eval("return server.register_function"), "(nil)");
  EXPECT_EQ(eval("local n = 0 for _ in pairs(os) do n = n + 1 end return {n, os.clock() > 0}"),
            "[(integer) 1, (integer) 1]");
}

TEST_F(SandboxTest, ProtectedTablesCanBeLookedThrough) {
  EXPECT_EQ(eval("local n = 0 for k in pairs(server) do n = n + 1 end return n > 5"),
            "(integer) 1");
  EXPECT_EQ(eval("for k, v in pairs(_G) do if k == 'server' then return v == server end end"),
            "(integer) 1");
  EXPECT_EQ(eval("return type(rawget(server, 'call'))"), "\"function\"");
  EXPECT_EQ(eval("return type(next(string))"), "\"string\"");
  EXPECT_EQ(eval("local t = {} for k in pairs({a=1, 2}) do t[#t + 1] = k end return #t"),
            "(integer) 2");
}

TEST_F(SandboxTest, PairsDoesNotHandOutTheRealTable) {
  EXPECT_EQ(eval("local n, t = pairs(server) t.x = 1"),
            raised("ERR user_function:3: Attempt to modify a readonly table"));
}

TEST_F(SandboxTest, BytecodeIsNotLoaded) {
  EXPECT_EQ(eval("return loadstring('\\27Lua')"), "(nil)");
  EXPECT_EQ(eval("local f, e = loadstring('\\27Lua') return e"),
            "\"precompiled code is not accepted\"");
  EXPECT_EQ(eval("local p = {'\\27', 'Lua'} local i = 0 "
                 "return load(function() i = i + 1 return p[i] end)"),
            "(nil)");
  EXPECT_EQ(eval("local i = 0 local p = {'return ', '7'} "
                 "return load(function() i = i + 1 return p[i] end)()"),
            "(integer) 7");
  EXPECT_EQ(eval("return loadstring('return 7')()"), "(integer) 7");
  EXPECT_EQ(eval("local f, e = loadstring('+') return e"),
            R"("[string \"+\"]:1: unexpected symbol near '+'")");
}

TEST_F(SandboxTest, ALibrarysLocalsAreItsOwn) {
  load(
      "local count = 0\nserver.register_function('f', function() count = count + 1 return count "
      "end)");
  run("FCALL", "f", "0");
  EXPECT_EQ(run("FCALL", "f", "0"), "(integer) 2");
  run("FUNCTION", "LOAD",
      "#!lua name=other\nserver.register_function('g', function() return count end)");
  EXPECT_TRUE(run("FCALL", "g", "0")
                  .starts_with("(error) ERR user_function:2: Script attempted to access "
                               "nonexistent global variable"));
}

TEST_F(SandboxTest, BigStringsAreRefused) {
  EXPECT_EQ(eval("return string.rep('x', 2^31)"),
            raised("ERR user_function:3: resulting string too large"));
  EXPECT_EQ(eval("return #string.rep('x', 1000)"), "(integer) 1000");
  EXPECT_EQ(eval("return {unpack({}, 1, 1e8)}"),
            raised("ERR user_function:3: too many results to unpack"));
}

TEST_F(SandboxTest, MemoryIsLimitedPerCall) {
  configure("function-memory-limit", "1mb");
  const std::string exceeded = "(error) ERR not enough memory: function-memory-limit is exceeded";
  EXPECT_THAT(eval("local t = {} while true do t[#t + 1] = {} end"), StartsWith(exceeded));
  EXPECT_THAT(eval("local s = 'x' while true do s = s .. s end"), StartsWith(exceeded));
  EXPECT_THAT(load("local t = {} while true do t[#t + 1] = {} end"),
              StartsWith("(error) ERR Error registering functions: " + exceeded.substr(8)));
  // What was caught leaves the rest of the call less than the limit, not nothing.
  EXPECT_EQ(eval("return (pcall(function() local t = {} while true do t[#t + 1] = {} end end))"),
            "(nil)");
  // A command's effect and its reply come whole.
  configure("function-memory-limit", "300kb");
  run("SET", "k", std::string(500'000, 'v'));
  EXPECT_EQ(effects_of("FCALL", "f", "0"), "");
  load_body("return #server.call('GETDEL', 'k')");
  EXPECT_EQ(effects_of("FCALL", "f", "0"), "DEL k");
  EXPECT_EQ(eval("return #string.rep('x', 100000)"), "(integer) 100000");
}

TEST_F(SandboxTest, TheCollectorIsNotTheirs) {
  EXPECT_EQ(eval("return collectgarbage('count') > 0 and gcinfo() > 0"), "(integer) 1");
  EXPECT_EQ(eval("collectgarbage('stop') return collectgarbage()"), "(integer) 0");
}

TEST_F(SandboxTest, CaughtErrorTablesBecomeTheirText) {
  EXPECT_EQ(eval("local ok, e = pcall(error, {err='x'}) return e"), "\"x\"");
  EXPECT_EQ(eval("local ok, e = pcall(error, {a='x'}) return type(e)"), "\"table\"");
  EXPECT_EQ(eval("return {pcall(function() return 1, 2 end)}"),
            "[(integer) 1, (integer) 1, (integer) 2]");
  // An error that is a protected table stays as it is.
  EXPECT_EQ(eval("error(server)"), raised("ERR table"));
}

}  // namespace
}  // namespace tandem
