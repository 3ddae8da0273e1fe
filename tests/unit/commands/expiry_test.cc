#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

class ExpiryCommandsTest : public CommandFixture {
 protected:
  ExpiryCommandsTest() {
    run("SET", "a", "1");
    effects();
  }
};

TEST_F(ExpiryCommandsTest, ExpireTravelsAsATime) {
  EXPECT_EQ(run("EXPIRE", "none", "10"), "(integer) 0");
  EXPECT_EQ(effects_of("EXPIRE", "a", "10"), "PEXPIREAT a 1700000010000");
  EXPECT_EQ(run("TTL", "a"), "(integer) 10");
  EXPECT_EQ(effects_of("PEXPIRE", "a", "1500"), "PEXPIREAT a 1700000001500");
  EXPECT_EQ(run("PTTL", "a"), "(integer) 1500");
  EXPECT_EQ(run("TTL", "a"), "(integer) 2");
  EXPECT_EQ(effects_of("EXPIREAT", "a", "1700000020"), "PEXPIREAT a 1700000020000");
  EXPECT_EQ(run("EXPIRETIME", "a"), "(integer) 1700000020");
  EXPECT_EQ(effects_of("PEXPIREAT", "a", "1700000030000"), "PEXPIREAT a 1700000030000");
  EXPECT_EQ(run("PEXPIRETIME", "a"), "(integer) 1700000030000");
  EXPECT_EQ(effects_of("PERSIST", "a"), "PERSIST a");
  EXPECT_EQ(run("PERSIST", "a"), "(integer) 0");
  EXPECT_EQ(run("TTL", "a"), "(integer) -1");
  EXPECT_EQ(run("PEXPIRETIME", "none"), "(integer) -2");
}

TEST_F(ExpiryCommandsTest, ATimeInThePastDeletes) {
  EXPECT_EQ(run("EXPIRE", "a", "-1"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "DEL a");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
  run("SET", "b", "1");
  EXPECT_EQ(effects_of("EXPIREAT", "b", "0"), "DEL b");
}

TEST_F(ExpiryCommandsTest, Conditions) {
  EXPECT_EQ(run("EXPIRE", "a", "10", "XX"), "(integer) 0");
  EXPECT_EQ(run("EXPIRE", "a", "10", "GT"), "(integer) 0");
  EXPECT_EQ(run("EXPIRE", "a", "10", "LT"), "(integer) 1");
  EXPECT_EQ(run("EXPIRE", "a", "10", "NX"), "(integer) 0");
  EXPECT_EQ(run("EXPIRE", "a", "10", "GT"), "(integer) 0");
  EXPECT_EQ(run("EXPIRE", "a", "11", "GT"), "(integer) 1");
  EXPECT_EQ(run("EXPIRE", "a", "12", "LT"), "(integer) 0");
  EXPECT_EQ(run("EXPIRE", "a", "9", "XX", "LT"), "(integer) 1");
  EXPECT_EQ(run("TTL", "a"), "(integer) 9");
  EXPECT_EQ(run("EXPIRE", "a", "9", "NX", "LT"),
            "(error) ERR NX and XX, GT or LT options at the same time are not compatible");
  EXPECT_EQ(run("EXPIRE", "a", "9", "GT", "LT"),
            "(error) ERR GT and LT options at the same time are not compatible");
  EXPECT_EQ(run("EXPIRE", "a", "9", "YY"), "(error) ERR Unsupported option YY");
}

TEST_F(ExpiryCommandsTest, TimesThatDoNotFitAreRefused) {
  EXPECT_EQ(run("EXPIRE", "a", "9223372036854775807"),
            "(error) ERR invalid expire time in 'expire' command");
  EXPECT_EQ(run("EXPIRE", "a", "-9223372036854775808"),
            "(error) ERR invalid expire time in 'expire' command");
  EXPECT_EQ(run("PEXPIRE", "a", "9223372036854775807"),
            "(error) ERR invalid expire time in 'pexpire' command");
  EXPECT_EQ(run("PEXPIREAT", "a", "9223372036854775807"), "(integer) 1");
  EXPECT_EQ(run("PEXPIRETIME", "a"), "(integer) 9223372036854775807");
  EXPECT_EQ(run("EXPIRE", "a", "1.5"), "(error) ERR value is not an integer or out of range");
}

TEST_F(ExpiryCommandsTest, AnExpiredKeyIsGoneForEveryCommand) {
  run("PEXPIRE", "a", "100");
  effects();
  advance_ms(99);
  EXPECT_EQ(run("GET", "a"), "\"1\"");
  advance_ms(1);
  EXPECT_EQ(run("TTL", "a"), "(integer) -2");
  EXPECT_EQ(joined_effects(), "DEL a");
  EXPECT_EQ(run("INCR", "a"), "(integer) 1");
  run("PEXPIRE", "a", "100");
  advance_ms(100);
  // What removed the key travels before what was done to it, as one unit.
  EXPECT_EQ(effects_of("APPEND", "a", "x"), "MULTI; DEL a; APPEND a x; EXEC");
}

TEST_F(ExpiryCommandsTest, WhileLoadingThePastDeletesNothing) {
  keyspace_.set_expiry_policy(ExpiryPolicy::kIgnore);
  EXPECT_EQ(run("PEXPIREAT", "a", "-1"), "(integer) 1");
  EXPECT_EQ(run("GET", "a"), "\"1\"");
  keyspace_.set_expiry_policy(ExpiryPolicy::kDelete);
  EXPECT_EQ(run("GET", "a"), "(nil)");
}

}  // namespace
}  // namespace tandem
