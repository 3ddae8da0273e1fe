// EVAL and SCRIPT. The texts are what redis-server 7.0.15 says.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/digest.h"
#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

class EvalTest : public FunctionFixture {
 protected:
  std::string script(std::string_view source) { return run("EVAL", source, "0"); }
  // What an error looks like that the first line of `source` raised.
  static std::string raised_by(std::string_view source, std::string_view text) {
    return "(error) " + std::string(text) + " script: " + sha1_hex(source) + ", on @user_script:1.";
  }
};

constexpr std::string_view kUnknown = "(error) NOSCRIPT No matching script. Please use EVAL.";

TEST_F(EvalTest, FindsKeysAndArgumentsAmongTheGlobals) {
  EXPECT_EQ(run("EVAL", "return {KEYS[1], #KEYS, ARGV[1], ARGV[2], #ARGV}", "1", "k", "a", "b"),
            "[\"k\", (integer) 1, \"a\", \"b\", (integer) 2]");
  EXPECT_EQ(script("return #KEYS + #ARGV"), "(integer) 0");
  EXPECT_EQ(run("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", "1", "k", "v"), "OK");
  EXPECT_EQ(run("GET", "k"), "\"v\"");
}

TEST_F(EvalTest, ChecksTheNumberOfKeys) {
  EXPECT_EQ(run("EVAL", "return 1", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("EVAL", "return 1", "-1"), "(error) ERR Number of keys can't be negative");
  EXPECT_EQ(run("EVAL", "return 1", "2", "k"),
            "(error) ERR Number of keys can't be greater than number of args");
}

TEST_F(EvalTest, NamesTheScriptAndTheLineOfAnError) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"return foo",
       "ERR user_script:1: Script attempted to access nonexistent global variable 'foo'"},
      {"foo=1", "ERR user_script:1: Attempt to modify a readonly table"},
      {"error('x')", "ERR user_script:1: x"},
      {"error({err='MY x'})", "MY x"},
      {"return redis.call('INCRBY', 'a', 'b')", "ERR value is not an integer or out of range"},
  };
  for (const auto& [source, text] : cases) EXPECT_EQ(script(source), raised_by(source, text));
  EXPECT_EQ(script("return 1 +"),
            "(error) ERR Error compiling script (new function): user_script:1: unexpected symbol "
            "near '<eof>'");
}

TEST_F(EvalTest, ReadsTheShebangLine) {
  EXPECT_EQ(script("#!lua\nreturn 1"), "(integer) 1");
  EXPECT_EQ(script("#!lua flags=\nreturn 1"), "(integer) 1");
  EXPECT_EQ(script("#!lua"), "(error) ERR Invalid script shebang");
  EXPECT_EQ(script("#!js\nreturn 1"), "(error) ERR Unexpected engine in script shebang: #!js");
  EXPECT_EQ(script("#!lua name=x\nreturn 1"), "(error) ERR Unknown lua shebang option: name=x");
  EXPECT_EQ(script("#!lua flags=bogus\nreturn 1"),
            "(error) ERR Unexpected flag in script shebang: bogus");
  const std::string writes =
      "#!lua flags=no-writes,allow-stale\nreturn redis.call('SET', 'a', '1')";
  EXPECT_EQ(script(writes),
            "(error) ERR Write commands are not allowed from read-only scripts. "
            "script: " +
                sha1_hex(writes) + ", on @user_script:2.");
}

TEST_F(EvalTest, ReadOnlyFormsRefuseWrites) {
  const std::string writes = "return redis.call('SET', 'a', '1')";
  const std::string refused =
      raised_by(writes, "ERR Write commands are not allowed from read-only scripts.");
  EXPECT_EQ(run("EVAL_RO", writes, "0"), refused);
  EXPECT_EQ(run("EVALSHA_RO", sha1_hex(writes), "0"), refused);
  EXPECT_EQ(run("EVAL_RO", "#!lua\nreturn 1", "0"),
            "(error) ERR Can not execute a script with write flag using *_ro command.");
  EXPECT_EQ(run("EVAL_RO", "#!lua flags=no-writes\nreturn 1", "0"), "(integer) 1");
  EXPECT_EQ(run("EVAL_RO", "return redis.call('EXISTS', 'a')", "0"), "(integer) 0");
}

TEST_F(EvalTest, AReplicaRunsWhatOnlyReads) {
  executor_.state().is_replica = true;
  EXPECT_EQ(script("return redis.call('EXISTS', 'a')"), "(integer) 0");
  const std::string writes = "return redis.call('SET', 'a', '1')";
  EXPECT_EQ(script(writes),
            raised_by(writes, "READONLY You can't write against a read only replica."));
  EXPECT_EQ(script("#!lua\nreturn 1"),
            "(error) READONLY You can't write against a read only replica.");
  EXPECT_EQ(script("#!lua flags=no-writes\nreturn 1"), "(integer) 1");
}

TEST_F(EvalTest, KnownScriptsRunByTheirDigest) {
  EXPECT_EQ(run("EVALSHA", sha1_hex("return 1"), "0"), kUnknown);
  EXPECT_EQ(run("EVALSHA", "ffff", "0"), kUnknown);
  EXPECT_EQ(script("return 1"), "(integer) 1");
  EXPECT_EQ(run("EVALSHA", sha1_hex("return 1"), "0"), "(integer) 1");
  EXPECT_EQ(run("EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "0"), "(integer) 1");
  EXPECT_EQ(run("SCRIPT", "LOAD", "return 2"), "\"" + sha1_hex("return 2") + "\"");
  EXPECT_EQ(run("EVALSHA", sha1_hex("return 2"), "0"), "(integer) 2");
  EXPECT_EQ(run("SCRIPT", "EXISTS", sha1_hex("return 1"), "x", sha1_hex("return 2")),
            "[(integer) 1, (integer) 0, (integer) 1]");
  EXPECT_EQ(run("SCRIPT", "SHOW", sha1_hex("return 2")), "\"return 2\"");
  EXPECT_EQ(run("SCRIPT", "SHOW", "x"), kUnknown);
  EXPECT_EQ(run("SCRIPT", "FLUSH"), "OK");
  EXPECT_EQ(run("EVALSHA", sha1_hex("return 2"), "0"), kUnknown);
  EXPECT_EQ(run("SCRIPT", "FLUSH", "LATER"),
            "(error) ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  EXPECT_EQ(run("SCRIPT", "KILL"), "(error) NOTBUSY No scripts in execution right now.");
}

TEST_F(EvalTest, OnlyScriptsThatWereNotLoadedMakeRoom) {
  run("SCRIPT", "LOAD", "return 'loaded'");
  script("return 'first'");
  script("return 'used'");
  script("return 'then loaded'");
  run("SCRIPT", "LOAD", "return 'then loaded'");
  for (size_t i = 0; i < ScriptCache::kMaxEvalScripts - 1; ++i) {
    script("return " + std::to_string(i));
    script("return 'used'");
  }
  EXPECT_EQ(run("SCRIPT", "EXISTS", sha1_hex("return 'loaded'"), sha1_hex("return 'first'"),
                sha1_hex("return 'used'"), sha1_hex("return 'then loaded'")),
            "[(integer) 1, (integer) 0, (integer) 1, (integer) 1]");
  EXPECT_EQ(scripts_.evicted(), 1u);
  EXPECT_EQ(scripts_.cache().size(), ScriptCache::kMaxEvalScripts + 2);
}

TEST_F(EvalTest, LeavesTheClientsDatabaseAlone) {
  script("redis.call('SELECT', 3) return redis.call('SET', 'k', 'v')");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
}

TEST_F(EvalTest, ScriptsAndFunctionsDoNotSeeEachOther) {
  EXPECT_EQ(script("return tostring(redis.register_function)"), "\"nil\"");
  EXPECT_EQ(script("return redis.replicate_commands() and redis.breakpoint() == false and 1"),
            "(integer) 1");
  EXPECT_EQ(eval("return tostring(server.replicate_commands)"), "\"nil\"");
}

TEST_F(EvalTest, SetReplChoosesWhereEffectsGo) {
  EXPECT_EQ(script("return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, "
                   "redis.REPL_ALL}"),
            "[(integer) 0, (integer) 1, (integer) 2, (integer) 2, (integer) 3]");
  EXPECT_EQ(effects_of("EVAL",
                       "redis.set_repl(redis.REPL_NONE) redis.call('SET', 'a', '1') "
                       "redis.set_repl(redis.REPL_AOF) redis.call('SET', 'b', '2')",
                       "0"),
            "SET b 2");
  script("redis.set_repl(redis.REPL_NONE)");
  EXPECT_EQ(effects_of("SET", "c", "3"), "SET c 3");
  const std::string bad = "redis.set_repl(4)";
  EXPECT_EQ(script(bad), raised_by(bad,
                                   "ERR Invalid replication flags. Use REPL_AOF, "
                                   "REPL_REPLICA, REPL_ALL or REPL_NONE."));
}

}  // namespace
}  // namespace tandem
