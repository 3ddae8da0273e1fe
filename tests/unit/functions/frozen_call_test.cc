// What stands still while a function runs, and what it may not wait for.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

class FrozenCallTest : public FunctionFixture {
 protected:
  // Long enough for the clock to be looked at some times; each look moves it.
  static constexpr const char* kLong = "for i = 1, 1000000 do end ";
  static constexpr int64_t kStep_us = 60'000;

  FrozenCallTest() {
    configure("busy-reply-threshold", "1000000");
    clock_.step_us = kStep_us;
  }
};

TEST_F(FrozenCallTest, TimeStandsStill) {
  const int64_t before_us = clock_.now_us;
  EXPECT_EQ(eval(std::string("local a = server.call('TIME') ") + kLong +
                 "local b = server.call('TIME') "
                 "return a[1] == b[1] and a[2] == b[2] and 'equal' or 'moved'"),
            "\"equal\"");
  EXPECT_GT(clock_.now_us, before_us + 5 * kStep_us);
}

TEST_F(FrozenCallTest, KeysDoNotExpireUnderIt) {
  load_body(kLong + std::string("return {server.call('GET', 'key'), server.call('TTL', 'key')}"));
  run("SET", "key", "value", "PX", "100");
  EXPECT_EQ(run("FCALL", "f", "0"), "[\"value\", (integer) 0]");
  EXPECT_EQ(run("GET", "key"), "(nil)");
  EXPECT_EQ(run("FCALL", "f", "0"), "[(nil), (integer) -2]");
}

TEST_F(FrozenCallTest, ExpiriesCountFromItsBeginning) {
  load_body(kLong + std::string("return server.call('SET', 'key', 'value', 'PX', 5000)"));
  const std::string effect = effects_of("FCALL", "f", "0");
  EXPECT_THAT(effect, HasSubstr("SET key value PXAT "));
  const int64_t due_ms = std::stoll(effect.substr(effect.rfind(' ') + 1));
  EXPECT_LT(due_ms, clock_.now_us / 1000 + 5000 - kStep_us / 1000);
}

TEST_F(FrozenCallTest, NothingIsWaitedFor) {
  EXPECT_EQ(eval("return server.call('BLPOP', 'list', 0)"), "(nil)");
  EXPECT_EQ(eval("return server.call('BZPOPMIN', 'zset', 0)"), "(nil)");
  EXPECT_THAT(eval("return server.call('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$')"),
              HasSubstr("ERR XREAD command is not allowed with BLOCK option from scripts"));
  run("RPUSH", "list", "element");
  EXPECT_EQ(eval("return server.call('BLPOP', 'list', 0)"), "[\"list\", \"element\"]");
  for (const char* command : {"'MULTI'", "'SUBSCRIBE', 'c'", "'FCALL', 'f', 0", "'MONITOR'"}) {
    EXPECT_THAT(eval(std::string("return server.call(") + command + ")"),
                HasSubstr("This Redis command is not allowed from script"))
        << command;
  }
}

TEST_F(FrozenCallTest, ItsWritesTravelTogether) {
  load_body("server.call('SET', 'a', 1) server.call('SET', 'b', 2)");
  EXPECT_EQ(effects_of("FCALL", "f", "0"), "MULTI; SET a 1; SET b 2; EXEC");
  // Inside a transaction there is one already.
  run("MULTI");
  run("SET", "c", "3");
  run("FCALL", "f", "0");
  EXPECT_EQ(effects_of("EXEC"), "MULTI; SET c 3; SET a 1; SET b 2; EXEC");
  load_body("server.call('SET', 'a', 1)");
  EXPECT_EQ(effects_of("FCALL", "f", "0"), "SET a 1");
}

TEST_F(FrozenCallTest, FlagsOfClustersMeanNothingAlone) {
  load_body("return server.call('MGET', KEYS[1], 'other')", "'allow-cross-slot-keys'");
  EXPECT_EQ(run("FCALL", "f", "1", "key"), "[(nil), (nil)]");
  load_body("return 1", "'no-cluster'");
  EXPECT_EQ(run("FCALL", "f", "0"), "(integer) 1");
}

}  // namespace
}  // namespace tandem
