#include "tools/cli/command_calls.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tandem::cli {
namespace {

// The calls that the function which `source` returns can make: "GET:1 XGROUP CREATE:2".
std::string calls(const std::string& source) {
  const std::unique_ptr<lua_State, void (*)(lua_State*)> lua(luaL_newstate(), &lua_close);
  luaL_openlibs(lua.get());
  if (luaL_dostring(lua.get(), source.c_str()) != 0) return lua_tostring(lua.get(), -1);
  std::string text;
  for (const CommandCall& call : find_command_calls(lua.get())) {
    for (const std::string& word : call.words) text += (text.empty() ? "" : " ") + word;
    text += ":" + std::to_string(call.line);
  }
  EXPECT_EQ(lua_gettop(lua.get()), 1);
  return text;
}

TEST(CommandCallsTest, FindsDirectCalls) {
  EXPECT_EQ(calls("return function(k)\n return server.call('GET', k) end"), "GET:2");
  EXPECT_EQ(calls("return function(k) redis.pcall('XGROUP', 'CREATE', 'k') end"),
            "XGROUP CREATE:1");
  EXPECT_EQ(calls("return function(k) server.log('GET', k) print('GET') end"), "");
}

TEST(CommandCallsTest, FollowsLocalNames) {
  EXPECT_EQ(calls("return function(k) local s = server; local c = s.call; c('GET', k) end"),
            "GET:1");
  EXPECT_EQ(calls("local name = 'SET'; return function(k) server.call(name, k) end"), "SET:1");
  EXPECT_EQ(calls("return function(k) pcall(server.call, 'SET', k) end"), "SET:1");
  EXPECT_EQ(calls("return function(k) local c = server.call\n"
                  "return function() c('DEL', k) end end"),
            "DEL:2");
  // What is computed is not known, and neither is what a register held before.
  EXPECT_EQ(calls("return function(k) local n = 'SET'; n = k .. n; server.call(n, k) end"), "");
  EXPECT_EQ(calls("return function(k) server.call(k.name) end"), "");
}

TEST(CommandCallsTest, FollowsTheFunctionsThatAreReached) {
  EXPECT_EQ(calls("local function a() server.call('GET', 1) end\n"
                  "local function unused() server.call('SET', 1) end\n"
                  "return function() a() end"),
            "GET:1");
  EXPECT_EQ(calls("local t = {r = function() server.call('GET', 1) end,\n"
                  "w = function() server.call('SET', 1) end}\n"
                  "return function() t.r() end"),
            "GET:1");
  // A table that is handed on may be used in any way.
  EXPECT_EQ(calls("local t = {w = function() server.call('SET', 1) end}\n"
                  "return function() for _, f in pairs(t) do f() end end"),
            "SET:1");
  EXPECT_EQ(calls("local t = {w = function() server.call('SET', 1) end}\n"
                  "return function(name) return t[name]() end"),
            "SET:1");
}

TEST(CommandCallsTest, CountsTheWordsOfARequest) {
  const std::unique_ptr<lua_State, void (*)(lua_State*)> lua(luaL_newstate(), &lua_close);
  ASSERT_EQ(luaL_dostring(lua.get(),
                          "return function(k, ...)\n"
                          "  server.call('SET', k, 1)\n"
                          "  pcall(server.call, 'GET', k)\n"
                          "  return server.call('DEL', k, ...)\n"
                          "end"),
            0);
  const std::vector<CommandCall> found = find_command_calls(lua.get());
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].word_count, 3u);
  EXPECT_EQ(found[1].word_count, 2u);
  EXPECT_EQ(found[2].word_count, 0u);
}

TEST(CommandCallsTest, EndsOnRecursionAndCycles) {
  EXPECT_EQ(calls("local a, b\n"
                  "function a() return b() end\n"
                  "function b() server.call('GET', 1) return a() end\n"
                  "return a"),
            "GET:3");
  EXPECT_EQ(calls("local t = {} t.t = t\n"
                  "return function() return t, t.t.t.t end"),
            "");
}

}  // namespace
}  // namespace tandem::cli
