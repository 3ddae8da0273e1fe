#include <map>
#include <set>
#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

class HashCommandsTest : public CommandFixture {
 protected:
  // h, with the fields f0 … of values 0 …
  void fill(int fields) {
    for (int i = 0; i < fields; ++i) run("HSET", "h", "f" + std::to_string(i), std::to_string(i));
    effects();
  }
};

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

TEST_F(HashCommandsTest, SetAndGet) {
  EXPECT_EQ(run("HGET", "h", "f"), "(nil)");
  EXPECT_EQ(run("HSET", "h", "f", "v", "g", "12"), "(integer) 2");
  EXPECT_EQ(run("HSET", "h", "f", "w", "x", "y"), "(integer) 1");
  EXPECT_EQ(run("HGET", "h", "f"), "\"w\"");
  EXPECT_EQ(run("HGET", "h", "g"), "\"12\"");
  EXPECT_EQ(run("HMSET", "h", "z", "1"), "OK");
  EXPECT_EQ(joined_effects(), "HSET h f v g 12; HSET h f w x y; HMSET h z 1");
  EXPECT_EQ(run("HMGET", "h", "f", "none", "x"), "[\"w\", (nil), \"y\"]");
  EXPECT_EQ(run("HMGET", "none", "f", "g"), "[(nil), (nil)]");
  EXPECT_EQ(run("HLEN", "h"), "(integer) 4");
  EXPECT_EQ(run("HLEN", "none"), "(integer) 0");
  EXPECT_EQ(run("HSTRLEN", "h", "g"), "(integer) 2");
  EXPECT_EQ(run("HSTRLEN", "h", "none"), "(integer) 0");
  EXPECT_EQ(run("HEXISTS", "h", "g"), "(integer) 1");
  EXPECT_EQ(run("HEXISTS", "h", "none"), "(integer) 0");
  EXPECT_EQ(run("HSETNX", "h", "f", "1"), "(integer) 0");
  EXPECT_EQ(effects_of("HSETNX", "h", "new", "1"), "HSETNX h new 1");
}

TEST_F(HashCommandsTest, RefuseOddArgumentsAndOtherTypes) {
  EXPECT_EQ(run("HSET", "h", "f", "v", "g"),
            "(error) ERR wrong number of arguments for 'hset' command");
  EXPECT_EQ(run("HMSET", "h", "f", "v", "g"),
            "(error) ERR wrong number of arguments for 'hmset' command");
  run("SET", "s", "1");
  effects();
  EXPECT_EQ(run("HSET", "s", "f", "v"), kWrongType);
  EXPECT_EQ(run("HSETNX", "s", "f", "v"), kWrongType);
  EXPECT_EQ(run("HGET", "s", "f"), kWrongType);
  EXPECT_EQ(run("HMGET", "s", "f"), kWrongType);
  EXPECT_EQ(run("HDEL", "s", "f"), kWrongType);
  EXPECT_EQ(run("HLEN", "s"), kWrongType);
  EXPECT_EQ(run("HSTRLEN", "s", "f"), kWrongType);
  EXPECT_EQ(run("HEXISTS", "s", "f"), kWrongType);
  EXPECT_EQ(run("HGETALL", "s"), kWrongType);
  EXPECT_EQ(run("HKEYS", "s"), kWrongType);
  EXPECT_EQ(run("HVALS", "s"), kWrongType);
  EXPECT_EQ(run("HINCRBY", "s", "f", "1"), kWrongType);
  EXPECT_EQ(run("HINCRBYFLOAT", "s", "f", "1"), kWrongType);
  EXPECT_EQ(run("HRANDFIELD", "s"), kWrongType);
  EXPECT_EQ(run("HRANDFIELD", "s", "1"), kWrongType);
  EXPECT_EQ(run("HSCAN", "s", "0"), kWrongType);
  EXPECT_TRUE(effects().empty());
}

TEST_F(HashCommandsTest, ShowAll) {
  run("HSET", "h", "a", "1", "b", "x");
  EXPECT_EQ(run("HGETALL", "h"), "[\"a\", \"1\", \"b\", \"x\"]");
  EXPECT_EQ(run("HKEYS", "h"), "[\"a\", \"b\"]");
  EXPECT_EQ(run("HVALS", "h"), "[\"1\", \"x\"]");
  EXPECT_EQ(run("HGETALL", "none"), "[]");
  EXPECT_EQ(run("HKEYS", "none"), "[]");
  set_protocol(3);
  EXPECT_EQ(run("HGETALL", "h"), "{\"a\": \"1\", \"b\": \"x\"}");
  EXPECT_EQ(run("HGETALL", "none"), "{}");
}

TEST_F(HashCommandsTest, TheLastFieldTakesTheKeyWithIt) {
  run("HSET", "h", "a", "1", "b", "2");
  effects();
  EXPECT_EQ(run("HDEL", "h", "a", "a", "none"), "(integer) 1");
  EXPECT_EQ(run("HDEL", "h", "none"), "(integer) 0");
  EXPECT_EQ(run("HDEL", "h", "b", "a"), "(integer) 1");
  EXPECT_EQ(run("EXISTS", "h"), "(integer) 0");
  EXPECT_EQ(run("HDEL", "h", "b"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "HDEL h a a none; HDEL h b a");
}

TEST_F(HashCommandsTest, Counting) {
  EXPECT_EQ(run("HINCRBY", "h", "n", "5"), "(integer) 5");
  EXPECT_EQ(run("HINCRBY", "h", "n", "-7"), "(integer) -2");
  run("HSET", "h", "max", "9223372036854775807", "text", "1x");
  EXPECT_EQ(run("HINCRBY", "h", "max", "1"), "(error) ERR increment or decrement would overflow");
  EXPECT_EQ(run("HINCRBY", "h", "text", "1"), "(error) ERR hash value is not an integer");
  EXPECT_EQ(run("HINCRBY", "h", "n", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(effects_of("HINCRBYFLOAT", "h", "f", "1.50"), "HSET h f 1.5");
  EXPECT_EQ(run("HINCRBYFLOAT", "h", "f", "0.25"), "\"1.75\"");
  EXPECT_EQ(run("HINCRBYFLOAT", "h", "text", "1"), "(error) ERR hash value is not a float");
  EXPECT_EQ(run("HINCRBYFLOAT", "h", "f", "x"), "(error) ERR value is not a valid float");
  EXPECT_EQ(run("HINCRBYFLOAT", "h", "f", "inf"), "(error) ERR value is NaN or Infinity");
  EXPECT_EQ(run("HINCRBY", "new", "n", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("EXISTS", "new"), "(integer) 0");
}

TEST_F(HashCommandsTest, GrowIntoATable) {
  fill(512);
  EXPECT_EQ(run("OBJECT", "ENCODING", "h"), "\"listpack\"");
  run("HSET", "h", "one more", "1");
  EXPECT_EQ(run("OBJECT", "ENCODING", "h"), "\"hashtable\"");
  EXPECT_EQ(run("HLEN", "h"), "(integer) 513");
  EXPECT_EQ(run("HGET", "h", "f77"), "\"77\"");
  run("HSET", "long", "f", std::string(65, 'x'));
  EXPECT_EQ(run("OBJECT", "ENCODING", "long"), "\"hashtable\"");
  configure("hash-max-listpack-entries", "2");
  run("HSET", "small", "a", "1", "b", "2", "c", "3");
  EXPECT_EQ(run("OBJECT", "ENCODING", "small"), "\"hashtable\"");
}

TEST_F(HashCommandsTest, RandomFields) {
  EXPECT_EQ(run("HRANDFIELD", "none"), "(nil)");
  EXPECT_EQ(run("HRANDFIELD", "none", "3"), "[]");
  run("HSET", "h", "a", "1");
  EXPECT_EQ(run("HRANDFIELD", "h"), "\"a\"");
  EXPECT_EQ(run("HRANDFIELD", "h", "5"), "[\"a\"]");
  EXPECT_EQ(run("HRANDFIELD", "h", "-2"), "[\"a\", \"a\"]");
  EXPECT_EQ(run("HRANDFIELD", "h", "0"), "[]");
  EXPECT_EQ(run("HRANDFIELD", "h", "-2", "WITHVALUES"), "[\"a\", \"1\", \"a\", \"1\"]");
  set_protocol(3);
  EXPECT_EQ(run("HRANDFIELD", "h", "1", "WITHVALUES"), "[[\"a\", \"1\"]]");
  EXPECT_EQ(run("HRANDFIELD", "h", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("HRANDFIELD", "h", "1", "WITHVALUE"), "(error) ERR syntax error");
  EXPECT_EQ(run("HRANDFIELD", "h", "-9223372036854775807", "WITHVALUES"),
            "(error) ERR value is out of range");
  EXPECT_EQ(run("HRANDFIELD", "h", "-9223372036854775808"),
            "(error) ERR value is out of range, value must between -9223372036854775807 and "
            "9223372036854775807");
}

TEST_F(HashCommandsTest, ScanOfASmallHashIsOneStep) {
  EXPECT_EQ(run("HSCAN", "none", "0"), "[\"0\", []]");
  run("HSET", "h", "a1", "1", "b", "x", "a2", "2");
  EXPECT_EQ(run("HSCAN", "h", "0"), "[\"0\", [\"a1\", \"1\", \"b\", \"x\", \"a2\", \"2\"]]");
  EXPECT_EQ(run("HSCAN", "h", "0", "MATCH", "a*", "COUNT", "1"),
            "[\"0\", [\"a1\", \"1\", \"a2\", \"2\"]]");
  EXPECT_EQ(run("HSCAN", "h", "0", "NOVALUES"), "[\"0\", [\"a1\", \"b\", \"a2\"]]");
  EXPECT_EQ(run("HSCAN", "h", "x"), "(error) ERR invalid cursor");
  EXPECT_EQ(run("HSCAN", "h", "0", "COUNT", "0"), "(error) ERR syntax error");
  EXPECT_EQ(run("HSCAN", "h", "0", "TYPE", "string"), "(error) ERR syntax error");
}

TEST_F(HashCommandsTest, ScanOfALargeHashFindsEveryField) {
  fill(3000);
  std::string cursor = "0";
  std::set<std::string> seen;
  int steps = 0;
  do {
    const std::string reply = run("HSCAN", "h", cursor, "NOVALUES", "COUNT", "50");
    const size_t comma = reply.find(", [");
    cursor = reply.substr(2, comma - 3);
    for (size_t at = comma; (at = reply.find("\"f", at)) != std::string::npos; ++at) {
      seen.insert(reply.substr(at + 1, reply.find('"', at + 1) - at - 1));
    }
    ASSERT_LT(++steps, 200);
  } while (cursor != "0");
  EXPECT_EQ(seen.size(), 3000u);
  EXPECT_GT(steps, 20);
}

}  // namespace
}  // namespace tandem
