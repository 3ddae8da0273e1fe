// `tandem-cli functions check`, the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tandem {
namespace {

using testing::HasSubstr;

class FunctionsCheckTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    write_whole(dir_.file(name), text);
    return dir_.file(name);
  }
  // The paths of the output are shown without the directory.
  Output check(const std::vector<std::string>& paths) {
    std::vector<std::string> command = {tandem_cli_path(), "functions", "check"};
    command.insert(command.end(), paths.begin(), paths.end());
    Output output = run_program(command);
    for (std::string* text : {&output.out, &output.err}) {
      const std::string prefix = dir_.path() + "/";
      for (size_t at; (at = text->find(prefix)) != std::string::npos;) {
        text->erase(at, prefix.size());
      }
    }
    return output;
  }
  Output check_text(const std::string& text) { return check({file("lib.lua", text)}); }

  TempDir dir_;
};

TEST_F(FunctionsCheckTest, ListsFunctionsWithFlagsAndDescriptions) {
  const Output output = check_text(
      "#!lua name=lib\n"
      "server.register_function('plain', function() end)\n"
      "server.register_function{function_name='other', callback=function() end,\n"
      "  flags={'no-writes', 'allow-stale'}, description='what it is for'}\n");
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(output.out,
            "lib.lua: library lib\n"
            "  plain\n"
            "  other [no-writes, allow-stale] what it is for\n");
  EXPECT_EQ(output.err, "");
}

TEST_F(FunctionsCheckTest, FaultsNameFileAndLine) {
  Output output = check_text("#!lua name=lib\nlocal x =\n= 3\n");
  EXPECT_EQ(output.code, 1);
  EXPECT_EQ(output.err, "lib.lua:3: error: Error compiling function: unexpected symbol near '='\n");

  output = check_text("#!lua name=lib\n\nlocal t = nil\nt.x = 1\n");
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, HasSubstr("lib.lua:4: error: "));
  EXPECT_THAT(output.err, HasSubstr("attempt to index local 't'"));

  output = check_text("#!lua name=lib\n\n\nserver.register_function('a b', function() end)\n");
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, HasSubstr("lib.lua:4: error: "));
  EXPECT_THAT(output.err, HasSubstr("Function names can only contain"));

  output =
      check_text("#!lua name=lib\n\nlocal function spin()\n  while true do end\nend\nspin()\n");
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, HasSubstr("lib.lua:4: error: "));
  EXPECT_THAT(output.err, HasSubstr("timeout"));
}

TEST_F(FunctionsCheckTest, FaultsOfTheWholeAreShownAtTheFirstLine) {
  EXPECT_EQ(check_text("return 1\n").err, "lib.lua:1: error: Missing library metadata\n");
  EXPECT_EQ(check_text("#!lua name=lib\n").err, "lib.lua:1: error: No functions registered\n");
  const Output missing = check({dir_.file("missing.lua")});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err,
            "missing.lua:1: error: Can't open missing.lua: No such file or directory\n");
  EXPECT_EQ(check({dir_.path()}).code, 1);
}

TEST_F(FunctionsCheckTest, ReadsWhatAnEditorPipesIn) {
  const Output output =
      run_program({"/bin/sh", "-c", "cat | \"$0\" functions check /dev/stdin", tandem_cli_path()},
                  "#!lua name=lib\nserver.register_function('f', function() end)\nx = 1\n");
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, HasSubstr("/dev/stdin:3: error: "));
}

TEST_F(FunctionsCheckTest, FilesAreCheckedTogetherAndTheSoundOnesListed) {
  const std::string body = "server.register_function('f', function() end)\n";
  const Output output =
      check({file("a.lua", "#!lua name=a\n" + body), file("b.lua", "#!lua name=b\n" + body),
             file("c.lua", "#!lua name=c\nserver.register_function('g', f)\n")});
  EXPECT_EQ(output.code, 1);
  EXPECT_EQ(output.out, "a.lua: library a\n  f\n");
  EXPECT_THAT(output.err, HasSubstr("b.lua:1: error: Function f already exists\n"));
  EXPECT_THAT(output.err, HasSubstr("c.lua:2: error: "));
}

TEST_F(FunctionsCheckTest, WarnsOfANoWritesFunctionThatWrites) {
  const Output output = check_text(
      "#!lua name=lib\n"
      "local helpers = {}\n"
      "function helpers.write(key) return server.call('HSET', key, 'a', 1) end\n"
      "function helpers.read(key) return server.call('GET', key) end\n"
      "local function deep(key)\n"
      "  return redis.pcall('del', key)\n"
      "end\n"
      "local function reader(keys)\n"
      "  local call = server.call\n"
      "  if #keys > 1 then call('SET', keys[1], 'x') end\n"
      "  return deep(keys[1]) or helpers.read(keys[1])\n"
      "end\n"
      "server.register_function{function_name='r', flags={'no-writes'}, callback=reader}\n"
      "server.register_function('w', function(keys) return helpers.write(keys[1]) end)\n");
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(output.err,
            "lib.lua:6: warning: 'r' is flagged no-writes and calls DEL, which writes\n"
            "lib.lua:10: warning: 'r' is flagged no-writes and calls SET, which writes\n");
}

TEST_F(FunctionsCheckTest, WarnsOfCommandsThatCannotBeCalled) {
  EXPECT_EQ(check_text("#!lua name=lib\n"
                       "server.register_function('f', function()\n"
                       "  server.call('GTE', 'k')\n"
                       "  server.call('SUBSCRIBE', 'k')\n"
                       "  server.call('SET', 'k')\n"
                       "  server.call('SET', unpack({'k', 'v'}))\n"
                       "end)\n")
                .err,
            "lib.lua:3: warning: 'f' calls GTE, which is no command\n"
            "lib.lua:4: warning: 'f' calls SUBSCRIBE, which functions may not call\n"
            "lib.lua:5: warning: 'f' calls SET with the wrong number of arguments\n");
}

TEST_F(FunctionsCheckTest, WarnsOfGlobalsThatDoNotExist) {
  EXPECT_EQ(
      check_text("#!lua name=lib\n"
                 "server.register_function('f', function(keys)\n"
                 "  count = tonumber(keys[1])\n"
                 "  return function() return cjson.encode(ARGV) end\n"
                 "end)\n")
          .err,
      "lib.lua:3: warning: assigns to the global 'count'; globals are read-only, is a 'local' "
      "missing?\n"
      "lib.lua:4: warning: reads the global 'ARGV', which does not exist\n");
}

TEST_F(FunctionsCheckTest, WrongUseIsAnError) {
  EXPECT_EQ(check({}).code, 1);
  const Output unknown = run_program({tandem_cli_path(), "functions", "chekc"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("there is no 'functions chekc'"));
  const Output help = run_program({tandem_cli_path(), "functions", "help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("check FILE..."));
}

}  // namespace
}  // namespace tandem
