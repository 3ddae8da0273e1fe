#include <algorithm>
#include <set>
#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

class KeyCommandsTest : public CommandFixture {};

constexpr const char* kSyntaxError = "(error) ERR syntax error";
constexpr const char* kSameObject = "(error) ERR source and destination objects are the same";
constexpr const char* kBadDatabase = "(error) ERR DB index is out of range";

TEST_F(KeyCommandsTest, DeleteAndCount) {
  run("MSET", "a", "1", "b", "2", "c", "3");
  EXPECT_EQ(run("EXISTS", "a", "a", "none"), "(integer) 2");
  EXPECT_EQ(run("TOUCH", "a", "b", "none"), "(integer) 2");
  EXPECT_EQ(effects_of("DEL", "a", "none"), "DEL a none");
  EXPECT_EQ(effects_of("DEL", "a", "none"), "");
  EXPECT_EQ(effects_of("UNLINK", "b", "c"), "UNLINK b c");
  EXPECT_EQ(run("DBSIZE"), "(integer) 0");
}

TEST_F(KeyCommandsTest, AnExpiredKeyIsNotDeletedTwice) {
  run("SET", "a", "1", "PX", "10");
  advance_ms(10);
  effects();
  EXPECT_EQ(run("DEL", "a"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "DEL a");
}

TEST_F(KeyCommandsTest, Types) {
  run("SET", "s", "1");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("TYPE", "s"), "string");
  EXPECT_EQ(run("TYPE", "h"), "hash");
  EXPECT_EQ(run("TYPE", "none"), "none");
}

TEST_F(KeyCommandsTest, Rename) {
  run("SET", "a", "1", "EX", "100");
  run("SET", "b", "2");
  effects();
  EXPECT_EQ(run("RENAME", "none", "b"), "(error) ERR no such key");
  EXPECT_EQ(run("RENAME", "none", "none"), "(error) ERR no such key");
  EXPECT_EQ(run("RENAME", "a", "a"), "OK");
  EXPECT_EQ(run("RENAMENX", "a", "a"), "(integer) 0");
  EXPECT_EQ(run("RENAMENX", "a", "b"), "(integer) 0");
  EXPECT_TRUE(effects().empty());
  EXPECT_EQ(run("RENAME", "a", "b"), "OK");
  EXPECT_EQ(run("GET", "b"), "\"1\"");
  EXPECT_EQ(run("TTL", "b"), "(integer) 100");
  EXPECT_EQ(run("RENAMENX", "b", "c"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "RENAME a b; RENAMENX b c");
  run("SET", "gone", "x", "PX", "1");
  advance_ms(1);
  EXPECT_EQ(run("RENAMENX", "c", "gone"), "(integer) 1");
  EXPECT_EQ(run("RENAME", "c", "d"), "(error) ERR no such key");
}

TEST_F(KeyCommandsTest, CopyAndMove) {
  run("SET", "a", "1", "EX", "100");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(effects_of("COPY", "a", "b"), "COPY a b");
  EXPECT_EQ(run("TTL", "b"), "(integer) 100");
  EXPECT_EQ(run("COPY", "h", "b"), "(integer) 0");
  EXPECT_EQ(run("COPY", "h", "b", "REPLACE"), "(integer) 1");
  EXPECT_EQ(run("TTL", "b"), "(integer) -1");
  run("HSET", "b", "f", "changed");
  EXPECT_EQ(run("HGET", "h", "f"), "\"v\"");
  EXPECT_EQ(run("COPY", "a", "a"), kSameObject);
  EXPECT_EQ(run("COPY", "a", "a", "DB", "1"), "(integer) 1");
  EXPECT_EQ(run("COPY", "a", "b", "DB", "16"), kBadDatabase);
  EXPECT_EQ(run("COPY", "a", "b", "DB", "x"),
            "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("COPY", "a", "b", "DB"), kSyntaxError);
  EXPECT_EQ(run("COPY", "none", "b", "REPLACE"), "(integer) 0");
  EXPECT_EQ(run("TYPE", "b"), "hash");

  EXPECT_EQ(run("MOVE", "a", "0"), kSameObject);
  EXPECT_EQ(run("MOVE", "a", "16"), kBadDatabase);
  EXPECT_EQ(run("MOVE", "a", "1"), "(integer) 0");
  EXPECT_EQ(effects_of("MOVE", "a", "2"), "MOVE a 2");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
  run("SELECT", "2");
  EXPECT_EQ(run("TTL", "a"), "(integer) 100");
  EXPECT_EQ(run("MOVE", "none", "1"), "(integer) 0");
}

TEST_F(KeyCommandsTest, KeysByPattern) {
  run("MSET", "one", "1", "two", "2", "three", "3");
  run("SET", "t-expired", "x", "PX", "1");
  advance_ms(1);
  EXPECT_EQ(run("KEYS", "o*"), "[\"one\"]");
  const std::string t_keys = run("KEYS", "t*");
  EXPECT_TRUE(t_keys == "[\"two\", \"three\"]" || t_keys == "[\"three\", \"two\"]") << t_keys;
  EXPECT_EQ(run("KEYS", "[^a-z]*"), "[]");
  EXPECT_EQ(run("KEYS", "\\*"), "[]");
}

TEST_F(KeyCommandsTest, ScanVisitsEveryKey) {
  std::set<std::string> expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "key:" + std::to_string(i);
    run("SET", key, "v");
    expected.insert('"' + key + '"');
  }
  run("HSET", "hash", "f", "v");
  std::string cursor = "0";
  int steps = 0;
  do {
    const std::string reply = run("SCAN", cursor, "COUNT", "30", "TYPE", "STRING");
    const size_t comma = reply.find(", [");
    cursor = reply.substr(2, comma - 3);
    for (size_t at = comma; (at = reply.find("\"", at)) != std::string::npos;) {
      const size_t end = reply.find('"', at + 1);
      EXPECT_NE(reply.substr(at, end + 1 - at), "\"hash\"");
      expected.erase(reply.substr(at, end + 1 - at));
      at = end + 1;
    }
    ASSERT_LT(++steps, 200);
  } while (cursor != "0");
  EXPECT_TRUE(expected.empty());
  EXPECT_GT(steps, 20);
}

TEST_F(KeyCommandsTest, ScanOptions) {
  run("MSET", "a1", "1", "a2", "2", "b", "3");
  run("SET", "a3", "x", "PX", "1");
  advance_ms(1);
  EXPECT_EQ(run("SCAN", "0", "MATCH", "a[23]", "COUNT", "100"), "[\"0\", [\"a2\"]]");
  EXPECT_EQ(run("SCAN", "0", "COUNT", "100", "TYPE", "hash"), "[\"0\", []]");
  EXPECT_EQ(run("SCAN", "0", "TYPE", "no such type"), "[\"0\", []]");
  EXPECT_EQ(run("SCAN", "x"), "(error) ERR invalid cursor");
  EXPECT_EQ(run("SCAN", "18446744073709551616"), "(error) ERR invalid cursor");
  EXPECT_EQ(run("SCAN", "18446744073709551615", "COUNT", "1000").substr(0, 2), "[\"");
  EXPECT_EQ(run("SCAN", "0", "COUNT", "0"), kSyntaxError);
  EXPECT_EQ(run("SCAN", "0", "COUNT", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("SCAN", "0", "COUNT"), kSyntaxError);
  EXPECT_EQ(run("SCAN", "0", "NOVALUES"), "(error) ERR NOVALUES option can only be used in HSCAN");
}

TEST_F(KeyCommandsTest, RandomKey) {
  EXPECT_EQ(run("RANDOMKEY"), "(nil)");
  run("SET", "only", "1");
  EXPECT_EQ(run("RANDOMKEY"), "\"only\"");
}

TEST_F(KeyCommandsTest, Flush) {
  run("SET", "a", "1");
  run("SELECT", "1");
  run("SET", "b", "1");
  EXPECT_EQ(effects_of("FLUSHDB", "ASYNC"), "FLUSHDB ASYNC");
  EXPECT_EQ(run("DBSIZE"), "(integer) 0");
  run("SELECT", "0");
  EXPECT_EQ(run("DBSIZE"), "(integer) 1");
  EXPECT_EQ(run("FLUSHALL", "NOW"), kSyntaxError);
  EXPECT_EQ(run("FLUSHALL", "SYNC", "SYNC"), kSyntaxError);
  EXPECT_EQ(effects_of("FLUSHALL"), "FLUSHALL");
  // A flush of nothing travels: a replica may have more than its primary.
  EXPECT_EQ(effects_of("FLUSHALL"), "FLUSHALL");
}

TEST_F(KeyCommandsTest, SwapDatabases) {
  run("SET", "a", "1");
  EXPECT_EQ(effects_of("SWAPDB", "0", "1"), "SWAPDB 0 1");
  EXPECT_EQ(run("DBSIZE"), "(integer) 0");
  run("SELECT", "1");
  EXPECT_EQ(run("GET", "a"), "\"1\"");
  EXPECT_EQ(run("SWAPDB", "x", "1"), "(error) ERR invalid first DB index");
  EXPECT_EQ(run("SWAPDB", "1", "x"), "(error) ERR invalid second DB index");
  EXPECT_EQ(run("SWAPDB", "1", "99"), kBadDatabase);
}

TEST_F(KeyCommandsTest, Object) {
  run("SET", "n", "12");
  run("HSET", "h", "f", "v");
  EXPECT_EQ(run("OBJECT", "ENCODING", "n"), "\"int\"");
  EXPECT_EQ(run("OBJECT", "ENCODING", "h"), "\"listpack\"");
  EXPECT_EQ(run("OBJECT", "ENCODING", "none"), "(nil)");
  EXPECT_EQ(run("OBJECT", "REFCOUNT", "h"), "(integer) 1");
  advance_ms(7000);
  EXPECT_EQ(run("OBJECT", "IDLETIME", "n"), "(integer) 7");
  run("GET", "n");
  EXPECT_EQ(run("OBJECT", "IDLETIME", "n"), "(integer) 0");
  EXPECT_EQ(run("OBJECT", "FREQ", "n"),
            "(error) ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
            "Please note that when switching between policies at runtime LRU and LFU data will "
            "take some time to adjust.");
  configure("maxmemory-policy", "allkeys-lfu");
  EXPECT_TRUE(run("OBJECT", "IDLETIME", "n").starts_with("(error) ERR An LFU maxmemory policy is"));
  EXPECT_TRUE(run("OBJECT", "HELP").starts_with("[OBJECT <subcommand>"));
}

}  // namespace
}  // namespace tandem
