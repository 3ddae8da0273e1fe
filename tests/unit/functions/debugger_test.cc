// The debugger without a client's connection: what it sends for what it is told. tests/peer
// compares whole sessions with redis-server.

#include "functions/debugger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/exec/call.h"
#include "server/resp/encoder.h"
#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A client that says these requests, and hangs up when it has nothing more to say.
class ScriptedClient final : public DebugChannel {
 public:
  bool receive(std::string* input) override {
    if (to_say_.empty()) return false;
    input->append(to_say_);
    to_say_.clear();
    return true;
  }
  void send(std::string_view bytes) override { heard_.append(bytes); }
  bool closed() override { return to_say_.empty(); }

  void say(const std::vector<std::string_view>& words) {
    to_say_ += "*" + std::to_string(words.size()) + "\r\n";
    for (std::string_view word : words) {
      to_say_ += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
    }
  }
  void say_bytes(std::string_view bytes) { to_say_ += bytes; }
  // The lines of all answers.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (size_t at = 0; (at = heard_.find("\r\n+", at)) != std::string::npos;) {
      at += 3;
      lines.push_back(heard_.substr(at, heard_.find("\r\n", at) - at));
    }
    return lines;
  }

 private:
  std::string to_say_, heard_;
};

class DebuggerTest : public FunctionFixture {
 protected:
  // Debugs the script in the way of a sync session; returns what EVAL answers.
  std::string debug(std::string_view source, bool disposable = false) {
    const auto script = scripts_.compile(source, ScriptOrigin::kEval);
    EXPECT_TRUE(script.ok());
    OutputBuffer bytes;
    RespEncoder reply(&bytes);
    const std::vector<std::string_view> args = {"EVAL", source, "1", "key", "arg"};
    Command* const command = executor_.commands().find("EVAL");
    Call call(executor_, *client_, *command, args, reply, tick_count());
    ScriptDebugger debugger(peer_, {.source = source,
                                    .chunk = kScriptChunk,
                                    .top_level = "top level",
                                    .disposable = disposable});
    scripts_.run(call, *script.value(), 1, /*read_only=*/false, &debugger);
    debugger.finish();
    return std::string(bytes.view());
  }
  // The same with a function; returns what FCALL answers.
  std::string debug_function(std::string_view name) {
    const Function* const function = engine_.functions().find_function(name);
    OutputBuffer bytes;
    RespEncoder reply(&bytes);
    const std::vector<std::string_view> args = {"FCALL", name, "0"};
    Call call(executor_, *client_, *executor_.commands().find("FCALL"), args, reply, tick_count());
    ScriptDebugger debugger(peer_, {.source = function->library->source,
                                    .chunk = kFunctionChunk,
                                    .top_level = function->name});
    engine_.run(call, *function, 0, /*read_only=*/false, &debugger);
    debugger.finish();
    return std::string(bytes.view());
  }

  ScriptedClient peer_;
};

TEST_F(DebuggerTest, StopsAtTheFirstLineAndStepsOn) {
  peer_.say({"s"});
  peer_.say({"c"});
  EXPECT_EQ(debug("local a = 1\nreturn a"), ":1\r\n");
  EXPECT_THAT(
      peer_.lines(),
      ElementsAre("* Stopped at 1, stop reason = step over", "-> 1   local a = 1",
                  "* Stopped at 2, stop reason = step over", "-> 2   return a", "<endsession>"));
}

TEST_F(DebuggerTest, ShowsCommandsOfAStep) {
  peer_.say({"s"});
  peer_.say({"c"});
  debug("server.call('SET', KEYS[1], ARGV[1])\nserver.call('DEL', KEYS[1])");
  EXPECT_THAT(peer_.lines()[2], "<redis> SET key arg");
  EXPECT_THAT(peer_.lines()[3], "<reply> \"+OK\"");
  EXPECT_EQ(peer_.lines().size(), 7u);
}

TEST_F(DebuggerTest, ShowsAFunctionOfAnyLuaState) {
  // One that fills its Lua state comes first.
  run("FUNCTION", "LOAD",
      "#!lua name=large\nlocal kept = ('x'):rep(1000):rep(1000)\n"
      "server.register_function('large', function() return #kept end)");
  load_body("local n = #KEYS\nreturn n + 1");
  peer_.say({"s"});
  peer_.say({"p", "n"});
  peer_.say({"c"});
  EXPECT_EQ(debug_function("f"), ":1\r\n");
  EXPECT_THAT(peer_.lines(),
              ElementsAre("* Stopped at 3, stop reason = step over", "-> 3   local n = #KEYS",
                          "* Stopped at 4, stop reason = step over", "-> 4   return n + 1",
                          "<value> 0", "<endsession>"));
  EXPECT_EQ(run("FCALL", "f", "0"), "(integer) 1");
}

TEST_F(DebuggerTest, RunsOnWithoutItsClient) {
  peer_.say({"b", "3"});
  EXPECT_EQ(debug("local n = 0\nfor i = 1, 10 do\n  n = n + i\nend\nreturn n"), ":55\r\n");
  EXPECT_EQ(peer_.lines().back(), "<endsession>");
}

TEST_F(DebuggerTest, EndsALoopWhoseClientIsGone) {
  clock_.step_us = 1'000'000;
  EXPECT_THAT(debug("while true do pcall(function() while true do end end) end"),
              StartsWith("-ERR timeout during Lua debugging with client closing connection"));
  EXPECT_THAT(debug("while true do pcall(function() while true do end end) end", true),
              StartsWith("-ERR the client that debugs has closed its connection"));
}

TEST_F(DebuggerTest, AbortIsNotCaught) {
  peer_.say({"s"});
  peer_.say({"a"});
  EXPECT_THAT(debug("while true do\n  pcall(function() local x = 1 end)\nend"),
              StartsWith("-ERR script aborted for user request script: "));
  // The host is as good as before.
  EXPECT_EQ(run("EVAL", "return 7", "0"), "(integer) 7");
}

TEST_F(DebuggerTest, StopsALoopThatIsEvaluated) {
  clock_.step_us = 1'000'000;
  peer_.say({"e", "while true do end"});
  peer_.say({"c"});
  EXPECT_THAT(debug("return 1"), StartsWith("-ERR timeout in the code given to"));
  EXPECT_EQ(run("EVAL", "return 7", "0"), "(integer) 7");
}

TEST_F(DebuggerTest, BadInputEndsTheScript) {
  for (const std::string& bytes : {std::string("*2000\r\n"), std::string("*1\r\n$-1\r\n"),
                                   std::string("*1\r\n$99999999\r\n")}) {
    peer_ = ScriptedClient();
    peer_.say_bytes(bytes);
    EXPECT_THAT(debug("return 1"), StartsWith("-ERR protocol error")) << bytes;
  }
  peer_ = ScriptedClient();
  peer_.say_bytes("*1000\r\n");
  for (int i = 0; i < 100; ++i) peer_.say_bytes("$60000\r\n" + std::string(60000, 'x') + "\r\n");
  EXPECT_THAT(debug("return 1"), StartsWith("-ERR max client buffer reached"));
}

TEST_F(DebuggerTest, ErrorsOfCodeThatIsEvaluatedStayThere) {
  peer_.say({"e", "error({err = 'MY error'})"});
  peer_.say({"e", "error({})"});
  peer_.say({"e", "server.call('NOSUCH')"});
  peer_.say({"e", "\x1bLua"});
  peer_.say({"e", "local function f() return f() + 1 end return f()"});
  peer_.say({"e", "string.rep('x', 2^40)"});
  peer_.say({"c"});
  EXPECT_EQ(debug("return 1"), ":1\r\n");
  const auto lines = peer_.lines();
  EXPECT_THAT(lines[2], "<error> MY error");
  EXPECT_THAT(lines[3], "<error> unknown error");
  EXPECT_THAT(lines[4], "<error> ERR Unknown command called from script");
  EXPECT_THAT(lines[5], "<error> precompiled code is not accepted");
  EXPECT_THAT(lines[6], HasSubstr("stack overflow"));
  EXPECT_THAT(lines[7], StartsWith("<error> "));
}

TEST_F(DebuggerTest, ValuesAreBounded) {
  peer_.say({"b", "4"});
  peer_.say({"c"});
  peer_.say({"maxlen", "0"});
  peer_.say({"p", "t"});
  peer_.say({"p", "deep"});
  peer_.say({"c"});
  debug(
      "local t, deep = {}, {}\nfor i = 1, 50 do t['k' .. i] = t end\n"
      "local at = deep for i = 1, 1000 do at[1] = {} at = at[1] end\nreturn 1");
  for (const std::string& line : peer_.lines()) EXPECT_LT(line.size(), size_t{2} << 20);
  EXPECT_THAT(peer_.lines(), Contains(HasSubstr("<max recursion level reached! Nested table?>")));
}

TEST(DebugSourceTest, LinesAndBreakpoints) {
  DebugSource source("a\n\nb\r\n\n");
  EXPECT_EQ(source.line_count(), 3);
  EXPECT_EQ(source.show(1, 1), "-> 1   a");
  EXPECT_EQ(source.show(4, 1), "   4   <out of range source code line>");
  EXPECT_FALSE(source.add_breakpoint(0));
  EXPECT_FALSE(source.add_breakpoint(4));
  EXPECT_TRUE(source.add_breakpoint(3));
  EXPECT_FALSE(source.add_breakpoint(3));
  EXPECT_EQ(source.show(3, 3), "->#3   b");
  EXPECT_TRUE(source.remove_breakpoint(3));
  EXPECT_FALSE(source.remove_breakpoint(3));
  EXPECT_EQ(DebugSource("").line_count(), 0);
  EXPECT_EQ(DebugSource("\n\n").line_count(), 0);
}

}  // namespace
}  // namespace tandem
