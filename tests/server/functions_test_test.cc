// `tandem-cli functions test`, the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kLibrary =
    "#!lua name=lib\n"
    "local function bump(keys, args)\n"
    "  if args[1] == 'twice' then\n"
    "    server.call('INCR', keys[1])\n"
    "  end\n"
    "  return server.call('INCR', keys[1])\n"
    "end\n"
    "server.register_function('bump', bump)\n"
    "server.register_function{function_name='peek', flags={'no-writes'},\n"
    "  callback=function(keys) return server.call('GET', keys[1]) end}\n";

class FunctionsTestTest : public testing::Test {
 protected:
  FunctionsTestTest() { write("lib.lua", kLibrary); }

  void write(const std::string& name, std::string_view text) { write_whole(dir_.file(name), text); }
  // Runs lib_test.lua with this text. The output shows paths without the directory.
  Output run(std::string_view text, const std::vector<std::string>& options = {}) {
    write("lib_test.lua", text);
    std::vector<std::string> arguments = options;
    arguments.push_back(dir_.file("lib_test.lua"));
    return run_with(arguments);
  }
  Output run_with(const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {tandem_cli_path(), "functions", "test"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Output output = run_program(command);
    shorten(&output.out);
    shorten(&output.err);
    return output;
  }
  void shorten(std::string* text) const {
    const std::string prefix = dir_.path() + "/";
    for (size_t at; (at = text->find(prefix)) != std::string::npos;) text->erase(at, prefix.size());
  }
  // What a test with this body, on line 1, fails with.
  std::string failure(const std::string& body) {
    const Output output = run("test('t', function() " + body + " end)");
    EXPECT_EQ(output.code, 1) << output.out;
    const std::string before = "  message: |-\n    ", after = "\n  at: lib_test.lua:1\n";
    const size_t from = output.out.find(before) + before.size();
    return output.out.substr(from, output.out.find(after) - from);
  }
  // Whether a test with this body passes.
  bool passes(const std::string& body) {
    const Output output = run("test('t', function() " + body + "\nend)");
    EXPECT_EQ(output.out, "TAP version 13\nok 1 - lib_test.lua: t\n1..1\n") << output.err;
    return output.code == 0;
  }

  TempDir dir_;
};

TEST_F(FunctionsTestTest, ReportsTap) {
  const Output output =
      run("test('bumps', function()\n"
          "  expect(fcall('bump', {'k'}), 1)\n"
          "  expect(fcall('bump', {'k'}, {'twice'}), 3)\n"
          "  expect(fcall_ro('peek', {'k'})):equals('3')\n"
          "end)\n"
          "test('fails', function()\n"
          "  expect(fcall('bump', {'k'}), 2)\n"
          "end)\n");
  EXPECT_EQ(output.code, 1);
  EXPECT_EQ(output.out,
            "TAP version 13\n"
            "ok 1 - lib_test.lua: bumps\n"
            "not ok 2 - lib_test.lua: fails\n"
            "  ---\n"
            "  message: |-\n"
            "    expected 2, got 1\n"
            "  at: lib_test.lua:7\n"
            "  ...\n"
            "1..2\n");
  EXPECT_EQ(output.err, "");
}

TEST_F(FunctionsTestTest, EachTestHasAServerOfItsOwn) {
  const Output output =
      run("for i = 1, 3 do test('t' .. i, function()\n"
          "  expect(call('DBSIZE'), 0)\n"
          "  expect(call('CONFIG', 'GET', 'hz')[2], '10')\n"
          "  call('SET', 'k', i)\n"
          "  call('CONFIG', 'SET', 'hz', 20)\n"
          "  call('FUNCTION', 'LOAD', '#!lua name=other\\nserver.register_function(\"o\", "
          "function() end)')\n"
          "  clock.advance(1)\n"
          "  expect(clock.now(), 1700000001)\n"
          "end) end\n");
  EXPECT_EQ(output.code, 0) << output.out;
}

TEST_F(FunctionsTestTest, RepliesAreLuaValues) {
  EXPECT_TRUE(passes(R"(
    expect(call('SET', 'k', 12), 'OK')
    expect(call('GET', 'none'), nil)
    expect(call('MGET', 'none', 'k', 'none'), {false, '12', false})
    call('MULTI') call('LPUSH', 'k', 'x') call('INCRBY', 'k', 1e3)
    expect(call('EXEC'), {{err = 'WRONGTYPE Operation against a key holding the wrong kind of value'}, 1012})
    call('HSET', 'h', 'f', 0.5)
    expect(call('HGETALL', 'h'), {'f', '0.5'})
    call('HELLO', 3)
    expect(call('HGETALL', 'h'), {f = '0.5'})
    call('ZADD', 'z', 1.5, 'm')
    expect(call('ZSCORE', 'z', 'm'), 1.5)
    expect(call('PING', 'a\0b'), 'a\0b'))"));
}

TEST_F(FunctionsTestTest, TheClockStandsStillUntilItIsMoved) {
  EXPECT_TRUE(passes(R"(
    expect(call('TIME'), {'1700000000', '0'})
    call('SET', 'k', 'v', 'PX', 1500)
    clock.advance(1.25)
    expect(call('PTTL', 'k'), 250)
    clock.advance(0.25)
    expect(call('GET', 'k'), nil)
    call('SET', 'unseen', 'v', 'EX', 10)
    clock.advance(3600)
    expect(call('INFO', 'stats')):contains('expired_keys:2')
    clock.set(12.5)
    expect(call('TIME'), {'12', '500000'})
    expect(clock.now(), 12.5))"));
}

TEST_F(FunctionsTestTest, CommandsDoNotWait) {
  EXPECT_TRUE(passes(R"(
    expect(call('BLPOP', 'k', 0), nil)
    expect(call('WAIT', 1, 0), 0)
    expect(call('QUIT'), 'OK')
    expect(call('PING'), 'PONG'))"));
}

TEST_F(FunctionsTestTest, DifferencesOfTablesNameTheirPlaces) {
  EXPECT_EQ(failure("expect({a = {1, {b = 'x'}}, c = 1}, {a = {1, {b = 'y'}, 3}, d = {}})"),
            "the values differ:\n"
            "      a[2].b: expected \"y\", got \"x\"\n"
            "      a[3]: expected 3, got nil\n"
            "      c: expected nil, got 1\n"
            "      d: expected {}, got nil");
  EXPECT_EQ(failure("expect({1}, 'a')"), "expected \"a\", got {1}");
  EXPECT_EQ(failure("expect('1', 1)"), "expected 1, got \"1\"");
  EXPECT_EQ(failure("expect('a\\nb\\1', 'a\\nc')"), "expected \"a\\nc\", got \"a\\nb\\x01\"");
  const std::string text = failure("expect(('a'):rep(300) .. 'b', ('a'):rep(300) .. 'c')");
  EXPECT_THAT(text, StartsWith("from byte 301 on: expected \"aaaa"));
  EXPECT_LT(text.size(), 100u);
  const std::string many = failure("local t = {} for i = 1, 50 do t[i] = i end expect(t, {})");
  EXPECT_THAT(many, HasSubstr("[20]: expected nil, got 20"));
  EXPECT_THAT(many, HasSubstr("... and 30 more"));
}

TEST_F(FunctionsTestTest, ExpectationsThatFail) {
  EXPECT_EQ(failure("expect(nil):equals(1)"), "expected 1, got nil");
  EXPECT_EQ(failure("expect(1):differs_from(1)"), "expected something else than 1");
  EXPECT_EQ(failure("expect('hello'):contains('x')"), "expected \"x\" in \"hello\"");
  EXPECT_EQ(failure("expect({1, 2}):contains(3)"), "expected 3 in {1, 2}");
  EXPECT_EQ(failure("expect_error(function() end)"), "expected an error, got none");
  EXPECT_EQ(failure("expect_error(function() call('NONE') end, 'WRONGTYPE')"),
            "expected an error with \"WRONGTYPE\", got \"ERR unknown command 'NONE', with args "
            "beginning with: \"");
  EXPECT_THAT(failure("expect(call('GET', 'k') == nil)"), HasSubstr("compares with nothing"));
  EXPECT_EQ(failure("expect(1):equal(1)"), "expect() has no comparison \"equal\"");
}

TEST_F(FunctionsTestTest, ErrorsFailTheTest) {
  EXPECT_EQ(failure("local x = nil; x.y = 1"), "attempt to index local 'x' (a nil value)");
  EXPECT_EQ(failure("error({err = 'mine'})"), "mine");
  EXPECT_EQ(failure("call('LPUSH')"), "ERR wrong number of arguments for 'lpush' command");
  EXPECT_EQ(failure("call('SET', 'k', {})"), "a command's words are strings or numbers, not table");
  EXPECT_THAT(failure("fcall('bump')"), HasSubstr("script: bump, on @user_function:6."));
}

TEST_F(FunctionsTestTest, WhatNeverEndsIsEnded) {
  write("lib.lua",
        "#!lua name=lib\n"
        "server.register_function('spin', function(keys)\n"
        "  server.call('SET', keys[1], 1)\n"
        "  while true do end\n"
        "end)\n");
  const Output output =
      run("test('in a function', function() fcall('spin', {'k'}) end)\n"
          "test('in a script', function() call('EVAL', 'redis.call(\"SET\", \"k\", 1) while true "
          "do end', 0) end)\n"
          "test('in the test', function() while true do end end)\n"
          "test('afterwards', function() expect(call('PING'), 'PONG') end)\n",
          {"--timeout", "0.5"});
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.out, HasSubstr("script: spin, on @user_function:4. (the test ran longer than "
                                    "0.5 s)\n  at: lib_test.lua:1\n"));
  EXPECT_THAT(output.out, HasSubstr("not ok 2"));
  EXPECT_THAT(output.out, HasSubstr("    the test ran longer than 0.5 s\n  at: lib_test.lua:3\n"));
  EXPECT_THAT(output.out, HasSubstr("\nok 4"));
}

TEST_F(FunctionsTestTest, FilesThatCannotRunFailOnce) {
  Output output = run("test('t' function() end)");
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.out, HasSubstr("not ok 1 - lib_test.lua: (file)\n"));
  EXPECT_THAT(output.out, HasSubstr("at: lib_test.lua:1\n"));
  EXPECT_THAT(run("local x = 1").out, HasSubstr("it has no tests"));
  EXPECT_THAT(run("call('PING')").out, HasSubstr("there is no server outside of a test"));
  EXPECT_THAT(run("test('a', print) test('a', print)").out,
              HasSubstr("there is a test of this name already"));

  write("lib.lua", "#!lua name=lib\nlocal x = = 1\n");
  output = run("test('a', function() end) test('b', function() end)");
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.out, HasSubstr("lib.lua:2: error: Error compiling function: "));
  EXPECT_THAT(output.out, HasSubstr("1..1\n"));

  EXPECT_THAT(run_with({dir_.file("none_test.lua")}).out, HasSubstr("No such file"));
}

TEST_F(FunctionsTestTest, LibrariesOfAnotherName) {
  write("second.lua",
        "#!lua name=second\nserver.register_function('two', function() return 2 end)\n");
  const Output output = run(
      "load_library('second.lua')\n"
      "test('of the file', function()\n"
      "  expect(fcall('two'), 2)\n"
      "  expect_error(function() fcall('bump', {'k'}) end, 'Function not found')\n"
      "end)\n"
      "test('of the test', function()\n"
      "  expect(load_library('lib.lua'), 'lib')\n"
      "  expect(fcall('bump', {'k'}), 1)\n"
      "  expect_error(function() load_library('lib.lua') end, \"Library 'lib' already exists\")\n"
      "end)\n");
  EXPECT_EQ(output.code, 0) << output.out;
}

TEST_F(FunctionsTestTest, WhatFunctionsLogGoesToStandardError) {
  write("lib.lua",
        "#!lua name=lib\n"
        "server.register_function('say', function() server.log(server.LOG_NOTICE, 'hello') end)\n");
  const Output output = run("test('t', function() fcall('say') end)");
  EXPECT_EQ(output.out, "TAP version 13\nok 1 - lib_test.lua: t\n1..1\n");
  EXPECT_THAT(output.err, HasSubstr("* hello\n"));
}

TEST_F(FunctionsTestTest, FilterRunsSome) {
  const std::string tests =
      "test('one', function() end)\n"
      "test('two', function() error('no') end)\n"
      "test('another one', function() end)\n";
  const Output output = run(tests, {"--filter", "one"});
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(output.out,
            "TAP version 13\n"
            "ok 1 - lib_test.lua: one\n"
            "ok 2 - lib_test.lua: another one\n"
            "1..2\n");
  const Output none = run(tests, {"--filter", "three"});
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.err, HasSubstr("no test has \"three\" in its name"));
}

TEST_F(FunctionsTestTest, CoverageCountsLinesOfAllTests) {
  const std::string tests =
      "test('once', function() fcall('bump', {'k'}) end)\n"
      "test('peek', function() fcall('peek', {'k'}) end)\n";
  Output output = run(tests, {"--coverage"});
  EXPECT_THAT(output.out, HasSubstr("# lib.lua: 85.7% (6 of 7 lines), missed 4\n")) << output.out;
  output = run(tests + "test('twice', function() fcall('bump', {'k'}, {'twice'}) end)\n",
               {"--coverage"});
  EXPECT_THAT(output.out, HasSubstr("# lib.lua: 100.0% (7 of 7 lines)\n")) << output.out;
  // Nothing is in its way on standard output.
  output = run(tests, {"--coverage", "--format", "junit"});
  EXPECT_THAT(output.out, Not(HasSubstr("missed 4")));
  EXPECT_THAT(output.err, HasSubstr("missed 4"));
}

TEST_F(FunctionsTestTest, ReportsJunitToAFile) {
  const Output output =
      run("test('good & \"well\"', function() end)\n"
          "test('bad', function() print('said') expect('<\\1\\255>', 'ä') end)\n",
          {"--format", "junit", "--output", dir_.file("report.xml")});
  EXPECT_EQ(output.code, 1);
  EXPECT_EQ(output.out, "");
  EXPECT_EQ(output.err, "said\n");
  // An XML parser that is not ours, and what it finds.
  const Output read =
      run_program({"/usr/bin/python3", "-c",
                   "import sys, xml.etree.ElementTree as tree\n"
                   "root = tree.parse(sys.argv[1]).getroot()\n"
                   "suite, = root\n"
                   "print(root.tag, root.get('tests'), root.get('failures'), root.get('errors'))\n"
                   "print(suite.tag, suite.get('tests'), suite.get('failures'), "
                   "float(suite.get('time')) >= 0)\n"
                   "for case in suite:\n"
                   "  print(case.tag, case.get('classname'), case.get('name'), len(case))\n"
                   "failure = suite[1][0]\n"
                   "print(failure.tag, failure.get('message'))\n"
                   "print(failure.text)\n",
                   dir_.file("report.xml")});
  std::string found = read.out;
  shorten(&found);
  EXPECT_EQ(found,
            "testsuites 2 1 0\n"
            "testsuite 2 1 True\n"
            "testcase lib_test good & \"well\" 0\n"
            "testcase lib_test bad 1\n"
            "failure expected \"ä\", got \"<\\x01?>\"\n"
            "lib_test.lua:2: expected \"ä\", got \"<\\x01?>\"\n")
      << read.err;
}

TEST_F(FunctionsTestTest, WrongUseIsAnError) {
  EXPECT_THAT(run_with({}).err, HasSubstr("name at least one file"));
  EXPECT_EQ(run_with({}).code, 1);
  EXPECT_THAT(run("", {"--format", "xml"}).err, HasSubstr("--format is tap or junit"));
  EXPECT_THAT(run("", {"--timeout", "-1"}).err, HasSubstr("--timeout is a number of seconds"));
  EXPECT_THAT(run("", {"--verbose", "1"}).err, HasSubstr("there is no option --verbose"));
  EXPECT_THAT(run("test('t', function() end)", {"--output", dir_.file("none/report")}).err,
              HasSubstr("none/report"));
}

}  // namespace
}  // namespace tandem
