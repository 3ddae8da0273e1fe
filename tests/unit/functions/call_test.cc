#include <string>
#include <utility>
#include <vector>

#include "server/base/memory.h"
#include "tests/unit/functions/function_fixture.h"
#include "tests/unit/functions/recording_reply.h"

namespace tandem {
namespace {

using CallTest = FunctionFixture;

TEST_F(CallTest, ChecksItsArguments) {
  load_body("return #KEYS .. #ARGV");
  EXPECT_EQ(run("FCALL", "g", "0"), "(error) ERR Function not found");
  EXPECT_EQ(run("FCALL", "f", "x"), "(error) ERR Bad number of keys provided");
  EXPECT_EQ(run("FCALL", "f", "99999999999999999999"), "(error) ERR Bad number of keys provided");
  EXPECT_EQ(run("FCALL", "f", "-1"), "(error) ERR Number of keys can't be negative");
  EXPECT_EQ(run("FCALL", "f", "2", "k"),
            "(error) ERR Number of keys can't be greater than number of args");
  EXPECT_EQ(run("FCALL", "f", "1", "k", "a", "b"), "\"12\"");
  EXPECT_EQ(run("FCALL", "f"), "(error) ERR wrong number of arguments for 'fcall' command");
}

TEST_F(CallTest, ConvertsResults) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"return 'a\\0b'", "\"a\\x00b\""},
      {"return 3.99", "(integer) 3"},
      {"return -3.99", "(integer) -3"},
      {"return 1e300", "(integer) -9223372036854775808"},
      {"return 0/0", "(integer) -9223372036854775808"},
      {"return true", "(integer) 1"},
      {"return false", "(nil)"},
      {"return nil", "(nil)"},
      {"return", "(nil)"},
      {"return function() end", "(nil)"},
      {"return {1, {'a', {}}, nil, 4}", "[(integer) 1, [\"a\", []]]"},
      {"return {true, false, true}", "[(integer) 1, (nil), (integer) 1]"},
      {"return {[1]='a', x='b'}", "[\"a\"]"},
      {"return {ok='fine'}", "fine"},
      {"return {ok='two\\r\\nlines'}", "two  lines"},
      {"return {err='My err'}", "(error) My err"},
      {"return {err='a\\nb'}", "(error) a b"},
      {"return {err='x', ok='y'}", "(error) x"},
      {"return {err=1}", "[]"},
      {"return {double='x'}", "[]"},
      {"return {double=1.5}", "\"1.5\""},
      {"return {map={a=1}}", "[\"a\", (integer) 1]"},
      {"return {set={a=true}}", "[\"a\"]"},
      {"return {big_number='12'}", "\"12\""},
      {"return {verbatim_string={format='txt', string='abc'}}", "\"abc\""},
      {"return {verbatim_string={string='abc'}}", "[]"},
      {"return setmetatable({}, {__index=function() return 'x' end})", "[]"},
  };
  for (const auto& [body, reply] : cases) EXPECT_EQ(eval(body), reply) << body;
}

TEST_F(CallTest, ConvertsResultsForResp3) {
  set_protocol(3);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"return true", "(integer) 1"},
      {"return false", "(nil)"},
      {"server.setresp(3) return true", "(true)"},
      {"server.setresp(3) return {true, false}", "[(true), (false)]"},
      {"return {double=1.5}", "(double) 1.5"},
      {"return {map={a={map={}}}}", "{\"a\": {}}"},
      {"return {set={1, 2}}", "~[(integer) 1, (integer) 2]"},
      {"return {big_number='12'}", "(big number) 12"},
      {"return {verbatim_string={format='txt', string='abc'}}", "txt:\"abc\""},
      {"return {verbatim_string={format='t', string='abc'}}", "t  :\"abc\""},
  };
  for (const auto& [body, reply] : cases) EXPECT_EQ(eval(body), reply) << body;
}

TEST_F(CallTest, ResultsNestedTooDeeplyEndInAnError) {
  load_body("local t = {} t[1] = t return t");
  const std::string_view words[] = {"FCALL", "f", "0"};
  RecordingReply reply;
  executor_.call(*client_, *executor_.commands().find("fcall"), words, reply);
  EXPECT_EQ(reply.text, "ERR reached lua stack limit ");
  EXPECT_EQ(eval("return 1"), "(integer) 1");
}

TEST_F(CallTest, ConvertsCommandReplies) {
  run("SET", "k", "v");
  run("HSET", "h", "f", "1");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"return type(server.call('GET', 'k'))", "\"string\""},
      {"return type(server.call('STRLEN', 'k'))", "\"number\""},
      {"return tostring(server.call('GET', 'none'))", "\"false\""},
      {"return server.call('SET', 'x', 'y').ok", "\"OK\""},
      {"return server.call('HGETALL', 'h')", "[\"f\", \"1\"]"},
      {"return server.call('MGET', 'k', 'none', 'k')", "[\"v\", (nil), \"v\"]"},
      {"return server.call('HGETALL', 'none')", "[]"},
      {"server.setresp(3) return tostring(server.call('GET', 'none'))", "\"nil\""},
      {"server.setresp(3) return server.call('HGETALL', 'h').map.f", "\"1\""},
      {"server.setresp(3) return type(server.call('HGETALL', 'none').map)", "\"table\""},
      {"server.setresp(3) return server.call('HGETALL', 'h')", "[\"f\", \"1\"]"},
      // The protocol is the function's own each time.
      {"return server.call('HGETALL', 'h')[1]", "\"f\""},
  };
  for (const auto& [body, reply] : cases) EXPECT_EQ(eval(body), reply) << body;
}

TEST_F(CallTest, AMapKeepsTheOrderOfItsCommand) {
  run("HSET", "h", "one", "1", "two", "2", "three", "3", "four", "4", "five", "5", "six", "6");
  const std::string get = "server.setresp(3) local r = server.call('HGETALL', 'h') ";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"return r",
       R"(["one", "1", "two", "2", "three", "3", "four", "4", "five", "5", "six", "6"])"},
      {"r.map.one = nil r.map.four = nil r.map.two = 22 return r",
       R"(["two", (integer) 22, "three", "3", "five", "5", "six", "6"])"},
      {"for i, f in ipairs({'one', 'two', 'three', 'four', 'five'}) do r.map[f] = nil end "
       "r.map.seven = '7' return r",
       R"(["six", "6", "seven", "7"])"},
      {"r.map.one = nil r.map.one = 'back' collectgarbage() return {r.map.one, {map=r.map}}",
       R"(["back", ["one", "back", "two", "2", "three", "3", "four", "4", "five", "5", )"
       R"("six", "6"]])"},
      // The order belongs to one table, not to its copies.
      {"local only = {map={six=r.map.six}} return only", R"(["six", "6"])"},
  };
  for (const auto& [body, reply] : cases) EXPECT_EQ(eval(get + body), reply) << body;
}

// Names are remembered by the string that held them; the collector must not mix them up.
TEST_F(CallTest, RemembersCommandsByName) {
  EXPECT_EQ(eval("for i = 1, 300 do\n"
                 "  server.call('SET', 'k', i)\n"
                 "  local name = ({'GET', 'get', 'Get', 'gEt', 'STRLEN', 'strlen'})[i % 6 + 1]\n"
                 "  local n = server.call(string.sub(name .. i, 1, #name), 'k')\n"
                 "  local expected = #name == 3 and tostring(i) or #tostring(i)\n"
                 "  if n ~= expected then return {i, n, name} end\n"
                 "  collectgarbage()\n"
                 "end return 'same'"),
            "\"same\"");
  EXPECT_EQ(eval("return server.call('OBJECT', 'ENCODING', 'k')"), "\"int\"");
  EXPECT_EQ(eval("return server.call('OBJECT', 'REFCOUNT', 'k')"), "(integer) 1");
}

TEST_F(CallTest, WritesNumbersAsArguments) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"42", "42"},    {"-7", "-7"},   {"1e15", "1000000000000000"}, {"2^53", "9007199254740992"},
      {"0.5", "0.5"},  {"0.1", "0.1"}, {"1e100", "1e+100"},          {"1/0", "inf"},
      {"0/0", "-nan"},
  };
  for (const auto& [number, text] : cases) {
    EXPECT_EQ(eval("return server.call('ECHO', " + number + ")"), "\"" + text + "\"") << number;
  }
  std::string many = "1";
  for (int i = 2; i <= 40; ++i) many += "," + std::to_string(i) + ".5";
  EXPECT_EQ(eval("server.call('MSET', 'k', " + many + ") return server.call('GET', '39.5')"),
            "(error) ERR wrong number of arguments for 'mset' command script: f, on "
            "@user_function:3.");
  EXPECT_EQ(eval("server.call('MSET', " + many + ") return server.call('GET', '39.5')"),
            "\"40.5\"");
}

TEST_F(CallTest, ErrorsSayWhereTheyWereRaised) {
  run("SET", "k", "v");
  EXPECT_EQ(load("server.register_function('boom', function()\n\nerror('boom') end)"), "lib");
  EXPECT_EQ(run("FCALL", "boom", "0"),
            "(error) ERR user_function:4: boom script: boom, on @user_function:4.");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"error('x', 0)", "ERR x"},
      {"error()", "ERR nil"},
      {"error(true)", "ERR true"},
      {"error(5)", "ERR user_function:3: 5"},
      {"error({err='My err'})", "My err"},
      {"error({})", "ERR unknown error"},
      {"error('a\\nb')", "ERR user_function:3: a b"},
      {"local x = nil return x.y", "ERR user_function:3: attempt to index local 'x' (a nil value)"},
      {"local function f() return 1 + f() end return f()", "ERR user_function:3: stack overflow"},
      {"return server.call('INCR', 'k')", "ERR value is not an integer or out of range"},
      {"return server.call('HGET', 'k', 'f')",
       "WRONGTYPE Operation against a key holding the wrong kind of value"},
      {"return server.call()", "ERR Please specify at least one argument for this call"},
      {"return server.call({})", "ERR Command arguments must be strings or integers"},
      {"return server.call('GET', nil)", "ERR Command arguments must be strings or integers"},
      {"return server.call('NOSUCH')", "ERR Unknown command called from script"},
      {"return server.call('FUNCTION', 'NOSUCH')", "ERR Unknown command called from script"},
      {"return server.call('FUNCTION')", "ERR Wrong number of args calling command from script"},
      {"return server.call('GET')", "ERR Wrong number of args calling command from script"},
      {"return server.call('MULTI')", "ERR This Redis command is not allowed from script"},
      {"return server.call('FCALL', 'f', 0)", "ERR This Redis command is not allowed from script"},
      {"return server.call('FUNCTION', 'LIST')",
       "ERR This Redis command is not allowed from script"},
      {"server.setresp(4)", "ERR RESP version must be 2 or 3."},
      {"server.setresp()", "ERR server.setresp() requires one argument."},
      {"server.log(1)", "ERR server.log() requires two arguments or more."},
      {"server.log('a', 'b')", "ERR First argument must be a number (log level)."},
      {"server.log(9, 'b')", "ERR Invalid debug level."},
      {"server.sha1hex()", "ERR wrong number of arguments"},
  };
  for (const auto& [body, text] : cases) EXPECT_EQ(eval(body), raised(text)) << body;
}

TEST_F(CallTest, ErrorRepliesComeBackAsGiven) {
  EXPECT_EQ(eval("return server.error_reply('Hash key name not provided')"),
            "(error) Hash key name not provided");
  EXPECT_EQ(eval("return server.error_reply('-CODE text')"), "(error) CODE text");
  EXPECT_EQ(eval("return server.error_reply('refused')"), "(error) ERR refused");
  EXPECT_EQ(eval("return server.error_reply()"), "(error) ERR wrong number or type of arguments");
  EXPECT_EQ(eval("return server.status_reply('FINE')"), "FINE");
  EXPECT_EQ(eval("return server.status_reply(1)"), "(error) ERR wrong number or type of arguments");
}

TEST_F(CallTest, PcallReturnsErrorsAsValues) {
  run("SET", "k", "v");
  const std::string error = "ERR value is not an integer or out of range";
  EXPECT_EQ(eval("return server.pcall('INCR', 'k')"), "(error) " + error);
  EXPECT_EQ(eval("return server.pcall('INCR', 'k').err"), quote(error));
  EXPECT_EQ(eval("return server.pcall('INCR', 'k').ignore_error_stats_update"), "(integer) 1");
  EXPECT_EQ(eval("return server.pcall('NOSUCH').err"),
            quote("ERR Unknown command called from script"));
  EXPECT_EQ(eval("local ok, e = pcall(server.call, 'INCR', 'k') return e"), quote(error));
  EXPECT_EQ(eval("local ok, e = xpcall(function() error('x') end, function(e) return e .. '!' "
                 "end) return e"),
            "\"user_function:3: x!\"");
  EXPECT_EQ(eval("return coroutine.wrap(function() return server.call('GET', 'k') end)()"),
            "\"v\"");
  EXPECT_EQ(eval("local in_coroutine = coroutine.wrap(function() return server.pcall('PING') end) "
                 "return server.pcall('SET', 'k', 'v').ok .. in_coroutine().ok"),
            "\"OKPONG\"");
}

TEST_F(CallTest, AnErrorThatPassesThroughCountsOnce) {
  run("SET", "k", "v");
  load_body("return server.call('HGET', 'k', 'f')");
  run("FCALL", "f", "0");
  EXPECT_EQ(executor_.stats().errors["WRONGTYPE"], 1u);
  load_body("server.pcall('HGET', 'k', 'f') return 1");
  run("FCALL", "f", "0");
  EXPECT_EQ(executor_.stats().errors["WRONGTYPE"], 2u);
}

TEST_F(CallTest, WritesTravelAsTheyWere) {
  load_body("return server.call(unpack(ARGV))");
  EXPECT_EQ(effects_of("FCALL", "f", "1", "k", "SET", "k", "v"), "SET k v");
  EXPECT_EQ(effects_of("FCALL", "f", "1", "k", "GET", "k"), "");
  load_body("server.call('SET', 'a', 1) server.call('INCR', 'a') error('late')");
  EXPECT_EQ(effects_of("FCALL", "f", "0"), "MULTI; SET a 1; INCR a; EXEC");
  EXPECT_EQ(run("GET", "a"), "\"2\"");
}

TEST_F(CallTest, RunsInTheCallersDatabase) {
  load_body("server.call('SET', 'k', 'v')");
  run("SELECT", "3");
  run("FCALL", "f", "0");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 1");
  run("SELECT", "0");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
  load_body("server.call('SELECT', 5) server.call('SET', 'five', 'v')");
  run("FCALL", "f", "0");
  EXPECT_EQ(run("EXISTS", "five"), "(integer) 0");
  run("SELECT", "5");
  EXPECT_EQ(run("EXISTS", "five"), "(integer) 1");
}

TEST_F(CallTest, RunsInATransaction) {
  load_body("return server.call('INCR', 'k')");
  run("MULTI");
  run("FCALL", "f", "0");
  run("FCALL", "f", "0");
  EXPECT_EQ(effects_of("EXEC"), "MULTI; INCR k; INCR k; EXEC");
}

TEST_F(CallTest, NoWritesIsKept) {
  load_body("return server.call('SET', 'k', 'v')");
  EXPECT_EQ(run("FCALL_RO", "f", "0"),
            "(error) ERR Can not execute a function with write flag using fcall_ro.");
  load_body("return server.call('SET', 'k', 'v')", "'no-writes'");
  const std::string refused = raised("ERR Write commands are not allowed from read-only scripts.");
  EXPECT_EQ(run("FCALL_RO", "f", "0"), refused);
  EXPECT_EQ(run("FCALL", "f", "0"), refused);
  load_body("return server.call('GET', 'k')", "'no-writes'");
  EXPECT_EQ(run("FCALL_RO", "f", "0"), "(nil)");
}

TEST_F(CallTest, AReplicaRunsOnlyNoWrites) {
  load_body("return 1");
  executor_.state().is_replica = true;
  EXPECT_EQ(run("FCALL", "f", "0"),
            "(error) READONLY You can't write against a read only replica.");
  EXPECT_EQ(run("FCALL_RO", "f", "0"),
            "(error) ERR Can not execute a function with write flag using fcall_ro.");
  executor_.state().is_replica = false;
  load_body("return 1", "'no-writes'");
  executor_.state().is_replica = true;
  EXPECT_EQ(run("FCALL", "f", "0"), "(integer) 1");
  EXPECT_EQ(run("FCALL_RO", "f", "0"), "(integer) 1");
}

TEST_F(CallTest, AStaleReplicaRunsOnlyAllowStale) {
  configure("replica-serve-stale-data", "no");
  load_body("return 1", "'no-writes'");
  const auto go_stale = [&](bool stale) {
    executor_.state().is_replica = stale;
    executor_.state().primary_link_up = !stale;
  };
  go_stale(true);
  EXPECT_EQ(run("FCALL", "f", "0"),
            "(error) MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
            "'no'.");
  go_stale(false);
  load_body("return server.call('GET', 'k')", "'no-writes', 'allow-stale'");
  go_stale(true);
  EXPECT_EQ(run("FCALL", "f", "0"), raised("ERR Can not execute the command on a stale replica"));
}

TEST_F(CallTest, APrimaryThatCannotPersistRunsOnlyNoWrites) {
  load(
      "server.register_function('w', function() return 1 end)\n"
      "server.register_function{function_name='r', callback=function() return 1 end,\n"
      "  flags={'no-writes'}}");
  executor_.state().misconf = "MISCONF Errors writing to the AOF file: No space left on device";
  EXPECT_EQ(run("FCALL", "w", "0"),
            "(error) MISCONF Errors writing to the AOF file: No space left on device");
  EXPECT_EQ(run("FCALL", "r", "0"), "(integer) 1");
  EXPECT_EQ(run("FCALL_RO", "r", "0"), "(integer) 1");
}

// As for any other command: what cannot run is refused when it is queued, and EXEC with it.
TEST_F(CallTest, ATransactionIsRefusedWithTheFunctionThatMayNotRun) {
  load(
      "server.register_function('w', function() return 1 end)\n"
      "server.register_function{function_name='r', callback=function() return 1 end,\n"
      "  flags={'no-writes'}}");
  executor_.state().is_replica = true;
  const std::string refused = "(error) READONLY You can't write against a read only replica.";
  run("MULTI");
  EXPECT_EQ(run("FCALL", "r", "0"), "QUEUED");
  EXPECT_EQ(run("EVAL", "#!lua flags=no-writes\nreturn 2", "0"), "QUEUED");
  EXPECT_EQ(run("EXEC"), "[(integer) 1, (integer) 2]");
  for (const std::vector<std::string>& writer :
       {std::vector<std::string>{"FCALL", "w", "0"}, {"EVAL", "#!lua\nreturn 1", "0"}}) {
    run("MULTI");
    EXPECT_EQ(run(writer[0], writer[1], writer[2]), refused);
    EXPECT_EQ(run("EXEC"), "(error) EXECABORT Transaction discarded because of previous errors.");
  }
}

TEST_F(CallTest, OverTheMemoryLimitOnlyAllowOomRuns) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  load(
      "server.register_function('w', function() return server.call('SET', 'k', 'v') end)\n"
      "server.register_function{function_name='o', flags={'allow-oom'},\n"
      "  callback=function() return server.call('SET', 'k', 'v') end}");
  configure("maxmemory", "1");
  EXPECT_EQ(run("FCALL", "w", "0"),
            "(error) OOM command not allowed when used memory > 'maxmemory'.");
  EXPECT_EQ(run("FCALL", "o", "0"), "OK");
}

TEST_F(CallTest, KnowsItsVersions) {
  EXPECT_EQ(eval("return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM, server.SERVER_NAME}"),
            "[\"7.2.4\", (integer) 459268, \"tandem\"]");
  EXPECT_EQ(eval("return {server.LOG_DEBUG, server.LOG_VERBOSE, server.LOG_NOTICE, "
                 "server.LOG_WARNING}"),
            "[(integer) 0, (integer) 1, (integer) 2, (integer) 3]");
  EXPECT_EQ(eval("return server.sha1hex('a')"), "\"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8\"");
}

class LongCallTest : public FunctionFixture {
 protected:
  LongCallTest() {
    configure("busy-reply-threshold", "100");
    other_ = executor_.make_internal_client(ClientKind::kNormal);
    clock_.step_us = 60'000;
  }

  // What a client is answered while a function is busy.
  std::string run_meanwhile(std::vector<std::string_view> words) {
    RecordingReply reply;
    Command* command = executor_.commands().resolve(words);
    executor_.call(*other_, *command, words, reply);
    return reply.text;
  }

  std::unique_ptr<Client> other_;
};

TEST_F(LongCallTest, IsSeenAndKilled) {
  std::string stats, busy, killed;
  executor_.serve_while_busy = [&] {
    busy = executor_.state().busy;
    stats = run_meanwhile({"FUNCTION", "STATS"});
    killed = run_meanwhile({"FUNCTION", "KILL"});
  };
  for (const char* body :
       {"while true do end", "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "local function spin() while true do end end xpcall(spin, spin)",
        "coroutine.wrap(function() local function spin() while true do end end xpcall(spin, spin) "
        "end)()"}) {
    load_body(body);
    EXPECT_EQ(run("FCALL", "f", "1", "key", "arg"),
              raised("ERR Script killed by user with SCRIPT KILL..."))
        << body;
    EXPECT_TRUE(stats.starts_with("running_script name f command FCALL f 1 key arg duration_ms "))
        << stats;
    EXPECT_EQ(killed, "OK ");
    EXPECT_EQ(busy,
              "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN "
              "NOSAVE.");
    EXPECT_EQ(executor_.state().busy, "");
  }
  EXPECT_EQ(eval("return 1"), "(integer) 1");
  EXPECT_EQ(run("FUNCTION", "KILL"), "(error) NOTBUSY No scripts in execution right now.");
}

TEST_F(LongCallTest, IsNotKilledOnceItHasWritten) {
  std::string killed;
  executor_.serve_while_busy = [&] { killed = run_meanwhile({"FUNCTION", "KILL"}); };
  load_body("server.call('SET', 'k', 'v') for i = 1, 1000000 do end return 'done'");
  EXPECT_EQ(run("FCALL", "f", "0"), "\"done\"");
  EXPECT_EQ(killed,
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You "
            "can either wait the script termination or kill the server in a hard way using the "
            "SHUTDOWN NOSAVE command. ");
}

TEST_F(LongCallTest, IsLeftAloneWithoutAThreshold) {
  configure("busy-reply-threshold", "0");
  executor_.serve_while_busy = [] { FAIL(); };
  EXPECT_EQ(eval("for i = 1, 1000000 do end return 'done'"), "\"done\"");
}

}  // namespace
}  // namespace tandem
