#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

class StringCommandsTest : public CommandFixture {};

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr const char* kNotAnInteger = "(error) ERR value is not an integer or out of range";
constexpr const char* kSyntaxError = "(error) ERR syntax error";

TEST_F(StringCommandsTest, SetAndGet) {
  EXPECT_EQ(run("GET", "a"), "(nil)");
  EXPECT_EQ(run("SET", "a", "1"), "OK");
  EXPECT_EQ(run("GET", "a"), "\"1\"");
  EXPECT_EQ(effects(), std::vector<std::string>{"SET a 1"});
  EXPECT_EQ(run("SET", "a"), "(error) ERR wrong number of arguments for 'set' command");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("GET", "h"), kWrongType);
  EXPECT_EQ(run("SET", "h", "now a string"), "OK");
  EXPECT_EQ(run("TYPE", "h"), "string");
}

TEST_F(StringCommandsTest, SetConditions) {
  EXPECT_EQ(run("SET", "a", "1", "XX"), "(nil)");
  EXPECT_EQ(run("SET", "a", "1", "NX"), "OK");
  EXPECT_EQ(run("SET", "a", "2", "nx"), "(nil)");
  EXPECT_EQ(run("SET", "a", "2", "XX"), "OK");
  EXPECT_EQ(run("SET", "a", "3", "IFEQ", "1"), "(nil)");
  EXPECT_EQ(run("SET", "a", "3", "IFEQ", "2"), "OK");
  EXPECT_EQ(run("SET", "missing", "3", "IFEQ", "2"), "(nil)");
  EXPECT_EQ(run("SET", "a", "4", "IFEQ", "2", "GET"), "\"3\"");
  EXPECT_EQ(run("GET", "a"), "\"3\"");
  EXPECT_EQ(run("SET", "a", "4", "NX", "XX"), kSyntaxError);
  EXPECT_EQ(run("SET", "a", "4", "NX", "IFEQ", "3"), kSyntaxError);
  EXPECT_EQ(run("SET", "a", "4", "IFEQ"), kSyntaxError);
  EXPECT_EQ(run("SET", "a", "4", "PERSIST"), kSyntaxError);
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("SET", "h", "1", "IFEQ", "1"), kWrongType);
}

TEST_F(StringCommandsTest, SetGet) {
  EXPECT_EQ(run("SET", "a", "1", "GET"), "(nil)");
  EXPECT_EQ(run("SET", "a", "2", "GET"), "\"1\"");
  EXPECT_EQ(run("SET", "a", "3", "NX", "GET"), "\"2\"");
  EXPECT_EQ(run("GET", "a"), "\"2\"");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("SET", "h", "1", "GET"), kWrongType);
  EXPECT_EQ(run("TYPE", "h"), "hash");
  effects();
  run("SET", "a", "get", "GET", "XX");
  run("SET", "a", "x", "IFEQ", "get", "GET");
  EXPECT_EQ(joined_effects(), "SET a get XX; SET a x IFEQ get");
}

TEST_F(StringCommandsTest, SetWithAnExpiry) {
  EXPECT_EQ(effects_of("SET", "a", "1", "EX", "10"), "SET a 1 PXAT 1700000010000");
  EXPECT_EQ(run("PTTL", "a"), "(integer) 10000");
  EXPECT_EQ(effects_of("SET", "a", "1", "px", "10"), "SET a 1 PXAT 1700000000010");
  EXPECT_EQ(effects_of("SET", "a", "1", "EXAT", "1700000002"), "SET a 1 PXAT 1700000002000");
  EXPECT_EQ(effects_of("SET", "a", "1", "XX", "PXAT", "1700000003000"),
            "SET a 1 XX PXAT 1700000003000");
  EXPECT_EQ(effects_of("SET", "a", "2", "KEEPTTL"), "SET a 2 KEEPTTL");
  EXPECT_EQ(run("PEXPIRETIME", "a"), "(integer) 1700000003000");
  EXPECT_EQ(effects_of("SET", "a", "3", "GET", "EX", "1"), "SET a 3 PXAT 1700000001000");
  EXPECT_EQ(run("SET", "a", "4"), "OK");
  EXPECT_EQ(run("TTL", "a"), "(integer) -1");
  // A key whose time had passed has no expiry to keep.
  run("SET", "a", "5", "PX", "5");
  advance_ms(5);
  run("SET", "a", "6", "KEEPTTL");
  EXPECT_EQ(run("TTL", "a"), "(integer) -1");
}

TEST_F(StringCommandsTest, SetRefusesBadExpiries) {
  const std::string invalid = "(error) ERR invalid expire time in 'set' command";
  EXPECT_EQ(run("SET", "a", "1", "EX", "0"), invalid);
  EXPECT_EQ(run("SET", "a", "1", "PX", "-1"), invalid);
  EXPECT_EQ(run("SET", "a", "1", "EX", "9223372036854775807"), invalid);
  EXPECT_EQ(run("SET", "a", "1", "PX", "9223372036854775807"), invalid);
  EXPECT_EQ(run("SET", "a", "1", "EX", "x"), kNotAnInteger);
  EXPECT_EQ(run("SET", "a", "1", "EX"), kSyntaxError);
  EXPECT_EQ(run("SET", "a", "1", "EX", "1", "PX", "1"), kSyntaxError);
  EXPECT_EQ(run("SET", "a", "1", "EX", "1", "KEEPTTL"), kSyntaxError);
  EXPECT_EQ(run("SETEX", "a", "0", "1"), "(error) ERR invalid expire time in 'setex' command");
  EXPECT_EQ(run("PSETEX", "a", "0", "1"), "(error) ERR invalid expire time in 'psetex' command");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
  EXPECT_TRUE(effects().empty());
}

TEST_F(StringCommandsTest, OlderFormsOfSet) {
  EXPECT_EQ(effects_of("SETEX", "a", "10", "v"), "SET a v PXAT 1700000010000");
  EXPECT_EQ(effects_of("PSETEX", "a", "10", "v"), "SET a v PXAT 1700000000010");
  EXPECT_EQ(run("SETNX", "a", "w"), "(integer) 0");
  EXPECT_EQ(run("SETNX", "b", "w"), "(integer) 1");
  EXPECT_EQ(effects_of("GETSET", "b", "x"), "SET b x");
  EXPECT_EQ(run("GETSET", "b", "y"), "\"x\"");
  EXPECT_EQ(effects_of("GETDEL", "b"), "DEL b");
  EXPECT_EQ(run("GETDEL", "b"), "(nil)");
  EXPECT_TRUE(effects().empty());
}

TEST_F(StringCommandsTest, GetExChangesTheExpiry) {
  run("SET", "a", "v");
  EXPECT_EQ(run("GETEX", "a"), "\"v\"");
  EXPECT_EQ(effects_of("GETEX", "a", "EX", "10"), "PEXPIREAT a 1700000010000");
  EXPECT_EQ(run("TTL", "a"), "(integer) 10");
  EXPECT_EQ(effects_of("GETEX", "a"), "");
  EXPECT_EQ(effects_of("GETEX", "a", "PERSIST"), "PERSIST a");
  EXPECT_EQ(effects_of("GETEX", "a", "PERSIST"), "");
  EXPECT_EQ(run("GETEX", "a", "KEEPTTL"), kSyntaxError);
  EXPECT_EQ(run("GETEX", "a", "EX", "1", "PERSIST"), kSyntaxError);
  EXPECT_EQ(run("GETEX", "a", "EX", "0"), "(error) ERR invalid expire time in 'getex' command");
  EXPECT_EQ(run("GETEX", "none", "EX", "0"), "(nil)");
  EXPECT_EQ(run("GETEX", "a", "PXAT", "1"), "\"v\"");
  EXPECT_EQ(joined_effects(), "DEL a");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
}

TEST_F(StringCommandsTest, SeveralKeysAtOnce) {
  EXPECT_EQ(run("MSET", "a", "1", "b", "2", "a", "3"), "OK");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("MGET", "a", "b", "c", "h"), "[\"3\", \"2\", (nil), (nil)]");
  EXPECT_EQ(run("MSET", "a", "1", "b"), "(error) ERR wrong number of arguments for 'mset' command");
  EXPECT_EQ(run("MSETNX", "c", "1", "a", "2"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "c"), "(integer) 0");
  EXPECT_EQ(effects_of("MSETNX", "c", "1", "d", "2"), "MSETNX c 1 d 2");
}

TEST_F(StringCommandsTest, Counting) {
  EXPECT_EQ(run("INCR", "n"), "(integer) 1");
  EXPECT_EQ(run("INCRBY", "n", "41"), "(integer) 42");
  EXPECT_EQ(run("DECR", "n"), "(integer) 41");
  EXPECT_EQ(run("DECRBY", "n", "-1"), "(integer) 42");
  EXPECT_EQ(joined_effects(), "INCR n; INCRBY n 41; DECR n; DECRBY n -1");
  run("SET", "n", "9223372036854775807", "EX", "100");
  EXPECT_EQ(run("INCR", "n"), "(error) ERR increment or decrement would overflow");
  EXPECT_EQ(run("DECR", "n"), "(integer) 9223372036854775806");
  EXPECT_EQ(run("TTL", "n"), "(integer) 100");
  EXPECT_EQ(run("DECRBY", "n", "-9223372036854775808"), "(error) ERR decrement would overflow");
  EXPECT_EQ(run("INCRBY", "n", "1.5"), kNotAnInteger);
  run("SET", "s", "10x");
  EXPECT_EQ(run("INCR", "s"), kNotAnInteger);
  run("SET", "s", " 10");
  EXPECT_EQ(run("INCR", "s"), kNotAnInteger);
  run("SET", "raw", "1");
  run("APPEND", "raw", "2");
  EXPECT_EQ(run("INCR", "raw"), "(integer) 13");
  EXPECT_EQ(run("OBJECT", "ENCODING", "raw"), "\"int\"");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("INCR", "h"), kWrongType);
}

TEST_F(StringCommandsTest, CountingInFloatingPoint) {
  EXPECT_EQ(run("INCRBYFLOAT", "f", "10.50"), "\"10.5\"");
  EXPECT_EQ(run("INCRBYFLOAT", "f", "0.1"), "\"10.6\"");
  EXPECT_EQ(joined_effects(), "SET f 10.5 KEEPTTL; SET f 10.6 KEEPTTL");
  run("SET", "f", "5.0e3");
  EXPECT_EQ(run("INCRBYFLOAT", "f", "2.0e2"), "\"5200\"");
  EXPECT_EQ(run("INCRBYFLOAT", "f", "x"), "(error) ERR value is not a valid float");
  EXPECT_EQ(run("INCRBYFLOAT", "f", "inf"), "(error) ERR increment would produce NaN or Infinity");
  run("SET", "s", "abc");
  EXPECT_EQ(run("INCRBYFLOAT", "s", "1"), "(error) ERR value is not a valid float");
}

TEST_F(StringCommandsTest, AppendAndLength) {
  EXPECT_EQ(run("APPEND", "a", "12"), "(integer) 2");
  EXPECT_EQ(run("OBJECT", "ENCODING", "a"), "\"int\"");
  EXPECT_EQ(run("APPEND", "a", "34"), "(integer) 4");
  EXPECT_EQ(run("GET", "a"), "\"1234\"");
  EXPECT_EQ(run("OBJECT", "ENCODING", "a"), "\"raw\"");
  EXPECT_EQ(run("STRLEN", "a"), "(integer) 4");
  EXPECT_EQ(run("STRLEN", "none"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "APPEND a 12; APPEND a 34");
}

TEST_F(StringCommandsTest, Ranges) {
  EXPECT_EQ(run("SETRANGE", "a", "5", ""), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
  EXPECT_EQ(run("SETRANGE", "a", "3", "xy"), "(integer) 5");
  EXPECT_EQ(run("GET", "a"), "\"\\x00\\x00\\x00xy\"");
  run("SET", "a", "Hello World");
  EXPECT_EQ(run("SETRANGE", "a", "6", "Redis"), "(integer) 11");
  EXPECT_EQ(run("GET", "a"), "\"Hello Redis\"");
  EXPECT_EQ(run("SETRANGE", "a", "-1", "x"), "(error) ERR offset is out of range");
  EXPECT_EQ(run("GETRANGE", "a", "0", "4"), "\"Hello\"");
  EXPECT_EQ(run("GETRANGE", "a", "-5", "-1"), "\"Redis\"");
  EXPECT_EQ(run("SUBSTR", "a", "6", "100"), "\"Redis\"");
  EXPECT_EQ(run("GETRANGE", "a", "-100", "0"), "\"H\"");
  EXPECT_EQ(run("GETRANGE", "a", "-1", "-5"), "\"\"");
  EXPECT_EQ(run("GETRANGE", "a", "20", "30"), "\"\"");
  EXPECT_EQ(run("GETRANGE", "a", "-9223372036854775808", "9223372036854775807"), "\"Hello Redis\"");
  EXPECT_EQ(run("GETRANGE", "none", "0", "-1"), "\"\"");
  EXPECT_EQ(run("GETRANGE", "none", "x", "-1"), kNotAnInteger);
}

TEST_F(StringCommandsTest, StringsDoNotPassTheLimit) {
  const std::string too_long =
      "(error) ERR string exceeds maximum allowed size (proto-max-bulk-len)";
  configure("proto-max-bulk-len", "1mb");
  EXPECT_EQ(run("SETRANGE", "a", "1048576", "x"), too_long);
  EXPECT_EQ(run("SETRANGE", "a", "9223372036854775807", "x"), too_long);
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
  EXPECT_EQ(run("SETRANGE", "a", "1048575", "x"), "(integer) 1048576");
  EXPECT_EQ(run("APPEND", "a", "x"), too_long);
  EXPECT_EQ(run("APPEND", "a", ""), "(integer) 1048576");
}

TEST_F(StringCommandsTest, LongestCommonSubsequence) {
  run("MSET", "a", "ohmytext", "b", "mynewtext", "n", "12345");
  EXPECT_EQ(run("LCS", "a", "b"), "\"mytext\"");
  EXPECT_EQ(run("LCS", "a", "b", "LEN"), "(integer) 6");
  EXPECT_EQ(run("LCS", "a", "none"), "\"\"");
  EXPECT_EQ(run("LCS", "n", "n"), "\"12345\"");
  EXPECT_EQ(run("LCS", "a", "b", "IDX"),
            "[\"matches\", [[[(integer) 4, (integer) 7], [(integer) 5, (integer) 8]], "
            "[[(integer) 2, (integer) 3], [(integer) 0, (integer) 1]]], \"len\", (integer) 6]");
  EXPECT_EQ(run("LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"),
            "[\"matches\", [[[(integer) 4, (integer) 7], [(integer) 5, (integer) 8], "
            "(integer) 4]], \"len\", (integer) 6]");
  EXPECT_EQ(run("LCS", "a", "b", "IDX", "LEN"),
            "(error) ERR If you want both the length and indexes, please just use IDX.");
  EXPECT_EQ(run("LCS", "a", "b", "MINMATCHLEN"), kSyntaxError);
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("LCS", "a", "h"), "(error) ERR The specified keys must contain string values");
  configure("proto-max-bulk-len", "1mb");
  run("MSET", "a", std::string(600, 'a'), "b", std::string(600, 'b'));
  EXPECT_EQ(run("LCS", "a", "b"),
            "(error) ERR Insufficient memory, transient memory for LCS exceeds "
            "proto-max-bulk-len");
}

TEST_F(StringCommandsTest, SetIfEqual) {
  EXPECT_EQ(run("SET", "k", "new", "IFEQ", "old"), "(nil)");
  EXPECT_EQ(run("SET", "k", "new", "IFEQ", "old", "GET"), "(nil)");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
  run("SET", "k", "12");
  effects();
  EXPECT_EQ(run("SET", "k", "13", "IFEQ", "11"), "(nil)");
  EXPECT_EQ(run("SET", "k", "13", "ifeq", "11", "GET"), "\"12\"");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("SET", "k", "13", "IFEQ", "12"), "OK");
  EXPECT_EQ(run("SET", "k", "14", "IFEQ", "13", "GET"), "\"13\"");
  EXPECT_EQ(run("SET", "k", "get", "IFEQ", "14", "KEEPTTL"), "OK");
  EXPECT_EQ(run("SET", "k", "x", "GET", "IFEQ", "get"), "\"get\"");
  EXPECT_EQ(run("SET", "k", "y", "IFEQ", "x", "EX", "10"), "OK");
  EXPECT_EQ(joined_effects(),
            "SET k 13 IFEQ 12; SET k 14 IFEQ 13; SET k get IFEQ 14 KEEPTTL; SET k x IFEQ get; "
            "SET k y PXAT 1700000010000");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("SET", "h", "x", "IFEQ", "v"),
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value");
  for (const char* other : {"NX", "XX"}) {
    EXPECT_EQ(run("SET", "k", "x", "IFEQ", "y", other), "(error) ERR syntax error");
    EXPECT_EQ(run("SET", "k", "x", other, "IFEQ", "y"), "(error) ERR syntax error");
  }
  EXPECT_EQ(run("SET", "k", "x", "IFEQ"), "(error) ERR syntax error");
}

TEST_F(StringCommandsTest, DeleteIfEqual) {
  EXPECT_EQ(run("DELIFEQ", "k", "v"), "(integer) 0");
  run("MSET", "k", "v", "n", "12");
  run("HSET", "h", "f", "v");
  effects();
  EXPECT_EQ(run("DELIFEQ", "k", "V"), "(integer) 0");
  EXPECT_EQ(run("DELIFEQ", "n", "012"), "(integer) 0");
  EXPECT_EQ(run("DELIFEQ", "h", "v"),
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("DELIFEQ", "k", "v"), "(integer) 1");
  EXPECT_EQ(run("DELIFEQ", "n", "12"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "DEL k; DEL n");
  EXPECT_EQ(run("EXISTS", "k", "n"), "(integer) 0");
}

TEST_F(StringCommandsTest, SetManyWithAnExpiry) {
  EXPECT_EQ(run("MSETEX", "2", "a", "1", "b", "2", "EX", "10"), "(integer) 1");
  EXPECT_EQ(run("MGET", "a", "b"), "[\"1\", \"2\"]");
  EXPECT_EQ(run("PTTL", "b"), "(integer) 10000");
  EXPECT_EQ(joined_effects(),
            "MULTI; SET a 1 PXAT 1700000010000; SET b 2 PXAT 1700000010000; EXEC");
  EXPECT_EQ(run("MSETEX", "2", "a", "3", "c", "4", "KEEPTTL"), "(integer) 1");
  EXPECT_EQ(run("PTTL", "a"), "(integer) 10000");
  EXPECT_EQ(run("PTTL", "c"), "(integer) -1");
  EXPECT_EQ(joined_effects(), "MULTI; SET a 3 KEEPTTL; SET c 4 KEEPTTL; EXEC");
  EXPECT_EQ(run("MSETEX", "1", "a", "5"), "(integer) 1");
  EXPECT_EQ(run("PTTL", "a"), "(integer) -1");
  effects();
  // The condition is on all keys, and of none are only some set.
  EXPECT_EQ(run("MSETEX", "2", "a", "6", "new", "6", "NX"), "(integer) 0");
  EXPECT_EQ(run("MSETEX", "2", "a", "6", "new", "6", "xx", "PX", "5"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("MSETEX", "2", "d", "6", "e", "6", "EXAT", "1700000100", "NX"), "(integer) 1");
  EXPECT_EQ(run("TTL", "e"), "(integer) 100");
  EXPECT_EQ(run("MSETEX", "1", "a", "7", "XX", "PXAT", "1700000000500"), "(integer) 1");
  EXPECT_EQ(run("PTTL", "a"), "(integer) 500");
  // Words that look like options stand where keys and values do.
  EXPECT_EQ(run("MSETEX", "1", "EX", "NX", "NX"), "(integer) 1");
  EXPECT_EQ(run("GET", "EX"), "\"NX\"");
}

TEST_F(StringCommandsTest, SetManyRefuses) {
  for (const char* count : {"0", "-1", "x", "9223372036854775807", "1.5"}) {
    EXPECT_EQ(run("MSETEX", count, "a", "1"), "(error) ERR invalid numkeys value") << count;
  }
  EXPECT_EQ(run("MSETEX", "2", "a", "1"), "(error) ERR wrong number of key-value pairs");
  EXPECT_EQ(run("MSETEX", "2", "a", "1", "b"), "(error) ERR wrong number of key-value pairs");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "b"), "(error) ERR syntax error");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "NX", "XX"), "(error) ERR syntax error");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "EX"), "(error) ERR syntax error");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "EX", "1", "KEEPTTL"), "(error) ERR syntax error");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "GET"), "(error) ERR syntax error");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "IFEQ", "1"), "(error) ERR syntax error");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "EX", "0"),
            "(error) ERR invalid expire time in 'msetex' command");
  EXPECT_EQ(run("MSETEX", "1", "a", "1", "EX", "9223372036854775807"),
            "(error) ERR invalid expire time in 'msetex' command");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
}

// The lengths are checked before anything is allocated.
TEST_F(StringCommandsTest, StringsKeepToTheLargestSize) {
  constexpr const char* kTooLong =
      "(error) ERR string exceeds maximum allowed size (proto-max-bulk-len)";
  EXPECT_EQ(run("SETRANGE", "k", "536870912", "x"), kTooLong);
  EXPECT_EQ(run("SETRANGE", "k", "536870911", "xy"), kTooLong);
  EXPECT_EQ(run("SETRANGE", "k", "9223372036854775807", "x"), kTooLong);
  EXPECT_EQ(run("SETRANGE", "k", "-9223372036854775808", "x"),
            "(error) ERR offset is out of range");
  EXPECT_EQ(run("SETRANGE", "k", "536870912", ""), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
  configure("proto-max-bulk-len", "1mb");
  EXPECT_EQ(run("SETRANGE", "k", "1048575", "x"), "(integer) 1048576");
  EXPECT_EQ(run("APPEND", "k", "y"), kTooLong);
  EXPECT_EQ(run("APPEND", "k", ""), "(integer) 1048576");
  EXPECT_EQ(run("SETRANGE", "k", "1048575", "yz"), kTooLong);
  EXPECT_EQ(run("STRLEN", "k"), "(integer) 1048576");
}

TEST_F(StringCommandsTest, IntegersKeepToTheirLimits) {
  constexpr const char* kOverflow = "(error) ERR increment or decrement would overflow";
  run("SET", "k", "-9223372036854775808");
  EXPECT_EQ(run("OBJECT", "ENCODING", "k"), "\"int\"");
  EXPECT_EQ(run("DECR", "k"), kOverflow);
  EXPECT_EQ(run("INCRBY", "k", "-9223372036854775808"), kOverflow);
  EXPECT_EQ(run("DECRBY", "k", "-9223372036854775808"), "(error) ERR decrement would overflow");
  EXPECT_EQ(run("DECRBY", "k", "-9223372036854775807"), "(integer) -1");
  EXPECT_EQ(run("INCRBY", "k", "-9223372036854775807"), "(integer) -9223372036854775808");
  run("SET", "k", "9223372036854775807");
  EXPECT_EQ(run("INCR", "k"), kOverflow);
  EXPECT_EQ(run("INCRBY", "k", "-9223372036854775808"), "(integer) -1");
  run("SET", "k", "9223372036854775808");
  EXPECT_EQ(run("INCR", "k"), "(error) ERR value is not an integer or out of range");
  run("SET", "k", "x");
  EXPECT_EQ(run("GETRANGE", "k", "-9223372036854775808", "9223372036854775807"), "\"x\"");
  EXPECT_EQ(run("GETRANGE", "k", "9223372036854775807", "-9223372036854775808"), "\"\"");
}

}  // namespace
}  // namespace tandem
