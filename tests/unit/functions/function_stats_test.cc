#include "functions/function_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "persistence/dump_payload.h"
#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class FunctionStatsTest : public FunctionFixture {
 protected:
  FunctionStatsTest() { configure("latency-tracking", "no"); }

  const FunctionStats& stats(std::string_view function) {
    return *engine_.functions().find_function(function)->stats;
  }
  std::string text(std::string_view function) {
    return function_stats_text(*engine_.functions().find_function(function), config_.settings());
  }
};

TEST_F(FunctionStatsTest, CallsAreCounted) {
  load_body("return redis.call('SET', KEYS[1], 'x')");
  EXPECT_FALSE(stats("f").used());
  run("FCALL", "f", "1", "k");
  run("FCALL", "F", "1", "k");
  EXPECT_TRUE(stats("f").used());
  EXPECT_EQ(stats("f").calls.calls, 2u);
  EXPECT_EQ(stats("f").calls.failed, 0u);
  EXPECT_EQ(stats("f").last_call_ms, kStart_ms);
  EXPECT_THAT(text("f"), StartsWith("library=lib,calls=2,usec="));
  EXPECT_THAT(text("f"),
              EndsWith(",rejected_calls=0,failed_calls=0,last_call=1700000000,last_error="));
}

TEST_F(FunctionStatsTest, AnErrorThatIsTheReplyIsAFailure) {
  eval("return redis.error_reply('MY own: a=b,\\r\\nsecond line #2')");
  EXPECT_EQ(stats("f").calls.failed, 1u);
  // What would break INFO's lines, or be taken for a field, is left out of them.
  EXPECT_THAT(text("f"), EndsWith("failed_calls=1,last_call=1700000000,"
                                  "last_error=MY own_ a_b___second line _2"));
  eval("error('boom')");
  EXPECT_EQ(stats("f").last_error, "ERR user_function:3: boom script: f, on @user_function:3.");
  eval("return redis.call('NOSUCH')");
  EXPECT_THAT(stats("f").last_error, StartsWith("ERR Unknown command called from script"));
  EXPECT_EQ(stats("f").calls.failed, 3u);
}

TEST_F(FunctionStatsTest, AnErrorThatTheFunctionHandledIsNone) {
  eval("redis.pcall('NOSUCH') return {redis.error_reply('ERR inside')}");
  EXPECT_EQ(stats("f").calls.calls, 1u);
  EXPECT_EQ(stats("f").calls.failed, 0u);
  EXPECT_EQ(stats("f").last_error, "");
}

TEST_F(FunctionStatsTest, LongErrorsAreCut) {
  eval("return redis.error_reply('ERR ' .. string.rep('x', 10000))");
  EXPECT_EQ(stats("f").last_error, "ERR " + std::string(FunctionStats::kMaxErrorBytes - 4, 'x'));
}

TEST_F(FunctionStatsTest, RefusedCallsCountApart) {
  load_body("return 1");
  EXPECT_EQ(run("FCALL_RO", "f", "0"),
            "(error) ERR Can not execute a function with write flag using fcall_ro.");
  EXPECT_EQ(stats("f").calls.calls, 0u);
  EXPECT_EQ(stats("f").calls.rejected, 1u);
  EXPECT_TRUE(stats("f").used());
  EXPECT_THAT(stats("f").last_error, HasSubstr("using fcall_ro"));
}

TEST_F(FunctionStatsTest, PercentilesFollowTheConfigurationOfLatencyTracking) {
  configure("latency-tracking", "yes");
  load_body("return 1");
  run("FCALL", "f", "0");
  EXPECT_THAT(text("f"), HasSubstr(",p50="));
  EXPECT_THAT(text("f"), HasSubstr(",p99.9="));
  configure("latency-tracking-info-percentiles", "75");
  EXPECT_THAT(text("f"), HasSubstr(",p75="));
  EXPECT_THAT(text("f"), Not(HasSubstr(",p50=")));
  configure("latency-tracking", "no");
  EXPECT_THAT(text("f"), Not(HasSubstr(",p75=")));
}

TEST_F(FunctionStatsTest, ListShowsThemOnlyWhenAsked) {
  load_body("return redis.error_reply('MY a=b')");
  run("FCALL", "f", "0");
  EXPECT_THAT(run("FUNCTION", "LIST"), Not(HasSubstr("stats")));
  const std::string listed = run("FUNCTION", "LIST", "WITHSTATS");
  EXPECT_THAT(listed, HasSubstr(R"("flags", [], "stats", ["calls", (integer) 1, "usec", )"));
  EXPECT_THAT(listed, HasSubstr(R"("rejected_calls", (integer) 0, "failed_calls", (integer) 1, )"
                                R"("last_call", (integer) 1700000000, "last_error", "MY a=b"])"));
  EXPECT_EQ(run("FUNCTION", "LIST", "WITHSTATS", "WITHSTATS"),
            "(error) ERR Unknown argument WITHSTATS");
  configure("latency-tracking", "yes");
  run("FCALL", "f", "0");
  set_protocol(3);
  EXPECT_THAT(run("FUNCTION", "LIST", "withstats", "LIBRARYNAME", "lib"),
              HasSubstr(R"("percentiles_usec": {"p50": )"));
}

TEST_F(FunctionStatsTest, ReplacingALibraryKeepsThem) {
  load_body("return 1");
  run("FCALL", "f", "0");
  load_body("return 2");
  EXPECT_EQ(stats("f").calls.calls, 1u);
  // A load that fails leaves them where they are.
  load("server.register_function('f', function() end) error('no')");
  EXPECT_EQ(stats("f").calls.calls, 1u);
  const std::vector<std::string> sources = {engine_.functions().libraries().at("lib")->source};
  const std::string payload = dump_libraries(sources);
  run("FUNCTION", "RESTORE", payload, "REPLACE");
  EXPECT_EQ(stats("f").calls.calls, 1u);
  run("FUNCTION", "RESTORE", payload, "FLUSH");
  EXPECT_EQ(stats("f").calls.calls, 1u);
}

TEST_F(FunctionStatsTest, ALibraryThatWasDeletedStartsAnew) {
  load_body("return 1");
  run("FCALL", "f", "0");
  run("FUNCTION", "DELETE", "lib");
  load_body("return 1");
  EXPECT_EQ(stats("f").calls.calls, 0u);
  run("FCALL", "f", "0");
  run("FUNCTION", "FLUSH");
  // So does a function of that name in another library.
  run("FUNCTION", "LOAD", "#!lua name=other\nserver.register_function('f', function() end)");
  EXPECT_FALSE(stats("f").used());
}

TEST_F(FunctionStatsTest, CanBeReset) {
  eval("return redis.error_reply('MY own')");
  engine_.reset_stats();
  EXPECT_FALSE(stats("f").used());
  EXPECT_EQ(stats("f").calls.calls, 0u);
  EXPECT_EQ(stats("f").last_error, "");
}

TEST_F(FunctionStatsTest, TheCommandLogNamesTheFunctionForThoseWhoAsk) {
  configure("slowlog-log-slower-than", "0");
  load_body("return redis.call('GET', KEYS[1])");
  run("FCALL", "F", "1", "k");
  configure("slowlog-log-slower-than", "-1");
  const std::string plain = run("SLOWLOG", "GET", "2");
  EXPECT_THAT(plain, HasSubstr(R"(["FCALL", "F", "1", "k"], "127.0.0.1:50000", ""])"));
  const std::string named = run("SLOWLOG", "GET", "2", "WITHFUNCTION");
  EXPECT_THAT(named, HasSubstr(R"(["FCALL", "F", "1", "k"], "127.0.0.1:50000", "", "f", "lib"])"));
  EXPECT_THAT(named, HasSubstr(R"(["GET", "k"], "127.0.0.1:50000", "", "f", "lib"])"));
  EXPECT_EQ(run("COMMANDLOG", "GET", "2", "slow", "withfunction"), named);
  EXPECT_EQ(run("COMMANDLOG", "GET", "2", "slow"), plain);
  // The load is the oldest entry; no function ran.
  EXPECT_THAT(run("SLOWLOG", "GET", "-1", "withfunction"),
              EndsWith(R"("127.0.0.1:50000", "", "", ""]])"));
}

TEST_F(FunctionStatsTest, CallsThatAreNotTimedCountAllTheSame) {
  configure("latency-tracking", "yes");
  run("SET", "k", "x");
  eval("for i = 1, 1000 do redis.call('GET', 'k') end");
  const CommandStats& get = executor_.commands().find("GET")->stats;
  EXPECT_EQ(get.calls, 1000u);
  ASSERT_NE(get.latencies, nullptr);
  EXPECT_EQ(get.latencies->count(), 1000u);
  // The sum is what the histogram holds.
  EXPECT_GE(get.ticks / ticks_per_us() * 1000, get.latencies->percentile_ns(1) * 500);
}

TEST_F(FunctionStatsTest, EachCallIsTimedWhileShortOnesAreSlow) {
  configure("slowlog-max-len", "2000");
  configure("slowlog-log-slower-than", "0");
  eval("for i = 1, 1000 do redis.call('GET', 'k') end");
  configure("slowlog-log-slower-than", "-1");
  // The load, the call, and what it called.
  EXPECT_THAT(run("SLOWLOG", "LEN"), "(integer) 1002");
}

TEST_F(FunctionStatsTest, TheCommandLogTakesNoOtherWord) {
  EXPECT_THAT(run("SLOWLOG", "GET", "1", "WITH"),
              HasSubstr("wrong number of arguments for 'GET'. Try SLOWLOG HELP."));
  EXPECT_EQ(run("COMMANDLOG", "GET", "1", "slow", "WITH"),
            "(error) ERR wrong number of arguments for 'commandlog|get' command");
}

}  // namespace
}  // namespace tandem
