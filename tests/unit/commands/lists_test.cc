#include <string>
#include <vector>

#include "server/commands/dataset_digest.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr const char* kSyntax = "(error) ERR syntax error";
constexpr const char* kNotAnInteger = "(error) ERR value is not an integer or out of range";

class ListCommandsTest : public CommandFixture {
 protected:
  // The key `l` with these elements and nothing else.
  template <typename... Elements>
  void set_list(const Elements&... elements) {
    run("DEL", "l");
    run("RPUSH", "l", elements...);
    effects();
  }
  std::string list() { return run("LRANGE", "l", "0", "-1"); }
  std::string digest(std::string_view key) { return value_digest(keyspace_.database(0).peek(key)); }
  std::string encoding() { return run("OBJECT", "ENCODING", "l"); }
};

TEST_F(ListCommandsTest, PushAtBothEnds) {
  EXPECT_EQ(run("RPUSH", "l", "b", "c"), "(integer) 2");
  EXPECT_EQ(run("LPUSH", "l", "a", "12"), "(integer) 4");
  EXPECT_EQ(list(), "[\"12\", \"a\", \"b\", \"c\"]");
  EXPECT_EQ(run("LPUSHX", "l", "x"), "(integer) 5");
  EXPECT_EQ(run("RPUSHX", "l", "y", "z"), "(integer) 7");
  EXPECT_EQ(run("LPUSHX", "none", "x"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "none"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "RPUSH l b c; LPUSH l a 12; LPUSHX l x; RPUSHX l y z");
  EXPECT_EQ(run("LLEN", "l"), "(integer) 7");
  EXPECT_EQ(run("LLEN", "none"), "(integer) 0");
  EXPECT_EQ(run("TYPE", "l"), "list");
}

TEST_F(ListCommandsTest, RefuseOtherTypes) {
  run("SET", "s", "1");
  set_list("a");
  EXPECT_EQ(run("LPUSH", "s", "a"), kWrongType);
  EXPECT_EQ(run("RPUSHX", "s", "a"), kWrongType);
  EXPECT_EQ(run("LPOP", "s"), kWrongType);
  EXPECT_EQ(run("RPOP", "s", "2"), kWrongType);
  EXPECT_EQ(run("LLEN", "s"), kWrongType);
  EXPECT_EQ(run("LINDEX", "s", "x"), kWrongType);
  EXPECT_EQ(run("LRANGE", "s", "0", "1"), kWrongType);
  EXPECT_EQ(run("LSET", "s", "x", "1"), kWrongType);
  EXPECT_EQ(run("LINSERT", "s", "BEFORE", "a", "b"), kWrongType);
  EXPECT_EQ(run("LREM", "s", "0", "a"), kWrongType);
  EXPECT_EQ(run("LTRIM", "s", "0", "1"), kWrongType);
  EXPECT_EQ(run("LPOS", "s", "a"), kWrongType);
  EXPECT_EQ(run("LMOVE", "s", "l", "LEFT", "LEFT"), kWrongType);
  EXPECT_EQ(run("LMOVE", "l", "s", "LEFT", "LEFT"), kWrongType);
  EXPECT_EQ(run("RPOPLPUSH", "s", "l"), kWrongType);
  EXPECT_EQ(run("LMPOP", "2", "none", "s", "LEFT"), kWrongType);
  EXPECT_EQ(run("BLPOP", "none", "s", "0"), kWrongType);
  EXPECT_EQ(run("BLMOVE", "s", "l", "LEFT", "LEFT", "0"), kWrongType);
  EXPECT_EQ(run("BRPOPLPUSH", "l", "s", "0"), kWrongType);
  EXPECT_TRUE(effects().empty());
  EXPECT_EQ(run("HGET", "l", "f"), kWrongType);
}

TEST_F(ListCommandsTest, PopTakesTheKeyWithTheLastElement) {
  set_list("a", "b", "c", "d", "5");
  EXPECT_EQ(run("LPOP", "l"), "\"a\"");
  EXPECT_EQ(run("RPOP", "l"), "\"5\"");
  EXPECT_EQ(run("RPOP", "l", "2"), "[\"d\", \"c\"]");
  EXPECT_EQ(run("LPOP", "l", "0"), "[]");
  EXPECT_EQ(run("LPOP", "l", "9223372036854775807"), "[\"b\"]");
  EXPECT_EQ(joined_effects(), "LPOP l; RPOP l; RPOP l 2; LPOP l 9223372036854775807");
  EXPECT_EQ(run("EXISTS", "l"), "(integer) 0");
  EXPECT_EQ(run("LPOP", "l"), "(nil)");
  EXPECT_EQ(run("LPOP", "l", "0"), "(nil array)");
  EXPECT_EQ(run("LPOP", "l", "-1"), "(error) ERR value is out of range, must be positive");
  EXPECT_EQ(run("LPOP", "l", "x"), "(error) ERR value is out of range, must be positive");
  EXPECT_EQ(run("RPOP", "l", "1", "2"), "(error) ERR wrong number of arguments for 'rpop' command");
  EXPECT_TRUE(effects().empty());
}

TEST_F(ListCommandsTest, IndexesAndRanges) {
  set_list("a", "b", "c");
  EXPECT_EQ(run("LINDEX", "l", "0"), "\"a\"");
  EXPECT_EQ(run("LINDEX", "l", "-1"), "\"c\"");
  EXPECT_EQ(run("LINDEX", "l", "3"), "(nil)");
  EXPECT_EQ(run("LINDEX", "l", "-4"), "(nil)");
  EXPECT_EQ(run("LINDEX", "l", "-9223372036854775808"), "(nil)");
  EXPECT_EQ(run("LINDEX", "l", "x"), kNotAnInteger);
  EXPECT_EQ(run("LINDEX", "none", "x"), "(nil)");
  EXPECT_EQ(run("LRANGE", "l", "1", "1"), "[\"b\"]");
  EXPECT_EQ(run("LRANGE", "l", "-2", "100"), "[\"b\", \"c\"]");
  EXPECT_EQ(run("LRANGE", "l", "-100", "-3"), "[\"a\"]");
  EXPECT_EQ(run("LRANGE", "l", "2", "1"), "[]");
  EXPECT_EQ(run("LRANGE", "l", "3", "9"), "[]");
  EXPECT_EQ(run("LRANGE", "l", "0", "-4"), "[]");
  EXPECT_EQ(run("LRANGE", "l", "-9223372036854775808", "9223372036854775807"),
            "[\"a\", \"b\", \"c\"]");
  EXPECT_EQ(run("LRANGE", "none", "x", "1"), kNotAnInteger);
  EXPECT_EQ(run("LRANGE", "none", "0", "1"), "[]");
}

TEST_F(ListCommandsTest, SetAndInsert) {
  set_list("a", "b", "c");
  EXPECT_EQ(run("LSET", "l", "1", "B"), "OK");
  EXPECT_EQ(run("LSET", "l", "-1", "77"), "OK");
  EXPECT_EQ(run("LSET", "l", "3", "x"), "(error) ERR index out of range");
  EXPECT_EQ(run("LSET", "l", "x", "x"), kNotAnInteger);
  EXPECT_EQ(run("LSET", "none", "x", "x"), "(error) ERR no such key");
  EXPECT_EQ(run("LINSERT", "l", "before", "a", "first"), "(integer) 4");
  EXPECT_EQ(run("LINSERT", "l", "AFTER", "77", "last"), "(integer) 5");
  EXPECT_EQ(run("LINSERT", "l", "AFTER", "none", "x"), "(integer) -1");
  EXPECT_EQ(run("LINSERT", "none", "AFTER", "a", "x"), "(integer) 0");
  EXPECT_EQ(run("LINSERT", "s", "NEAR", "a", "x"), kSyntax);
  EXPECT_EQ(joined_effects(),
            "LSET l 1 B; LSET l -1 77; LINSERT l before a first; LINSERT l AFTER 77 last");
  EXPECT_EQ(list(), "[\"first\", \"a\", \"B\", \"77\", \"last\"]");
}

TEST_F(ListCommandsTest, RemoveFromEitherEnd) {
  set_list("x", "1", "x", "1", "x");
  EXPECT_EQ(run("LREM", "l", "-1", "x"), "(integer) 1");
  EXPECT_EQ(list(), "[\"x\", \"1\", \"x\", \"1\"]");
  EXPECT_EQ(run("LREM", "l", "1", "1"), "(integer) 1");
  EXPECT_EQ(list(), "[\"x\", \"x\", \"1\"]");
  EXPECT_EQ(run("LREM", "l", "0", "none"), "(integer) 0");
  EXPECT_EQ(run("LREM", "l", "5", "x"), "(integer) 2");
  EXPECT_EQ(run("LREM", "l", "0", "1"), "(integer) 1");
  EXPECT_EQ(run("EXISTS", "l"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "LREM l -1 x; LREM l 1 1; LREM l 5 x; LREM l 0 1");
  EXPECT_EQ(run("LREM", "l", "0", "1"), "(integer) 0");
  EXPECT_EQ(run("LREM", "l", "x", "1"), kNotAnInteger);
  EXPECT_EQ(run("LREM", "l", "-9223372036854775808", "1"),
            "(error) ERR value is out of range, value must between -9223372036854775807 and "
            "9223372036854775807");
}

TEST_F(ListCommandsTest, Trim) {
  set_list("a", "b", "c", "d");
  EXPECT_EQ(effects_of("LTRIM", "l", "0", "-1"), "") << "nothing was removed";
  EXPECT_EQ(effects_of("LTRIM", "l", "1", "-2"), "LTRIM l 1 -2");
  EXPECT_EQ(list(), "[\"b\", \"c\"]");
  EXPECT_EQ(run("LTRIM", "l", "5", "9"), "OK");
  EXPECT_EQ(run("EXISTS", "l"), "(integer) 0");
  EXPECT_EQ(run("LTRIM", "l", "0", "0"), "OK");
  EXPECT_EQ(run("LTRIM", "l", "0", "x"), kNotAnInteger);
}

TEST_F(ListCommandsTest, Positions) {
  set_list("a", "b", "c", "1", "2", "3", "c", "c");
  EXPECT_EQ(run("LPOS", "l", "c"), "(integer) 2");
  EXPECT_EQ(run("LPOS", "l", "2"), "(integer) 4");
  EXPECT_EQ(run("LPOS", "l", "c", "RANK", "-1"), "(integer) 7");
  EXPECT_EQ(run("LPOS", "l", "c", "RANK", "4"), "(nil)");
  EXPECT_EQ(run("LPOS", "l", "c", "COUNT", "2"), "[(integer) 2, (integer) 6]");
  EXPECT_EQ(run("LPOS", "l", "c", "count", "0", "rank", "-2"), "[(integer) 6, (integer) 2]");
  EXPECT_EQ(run("LPOS", "l", "c", "COUNT", "0", "MAXLEN", "7"), "[(integer) 2, (integer) 6]");
  EXPECT_EQ(run("LPOS", "l", "c", "MAXLEN", "2"), "(nil)");
  EXPECT_EQ(run("LPOS", "l", "a", "RANK", "-1", "MAXLEN", "7", "COUNT", "1"), "[]");
  EXPECT_EQ(run("LPOS", "l", "a", "RANK", "-1", "MAXLEN", "0"), "(integer) 0");
  EXPECT_EQ(run("LPOS", "none", "a"), "(nil)");
  EXPECT_EQ(run("LPOS", "none", "a", "COUNT", "0"), "[]");
  EXPECT_EQ(run("LPOS", "l", "a", "RANK", "0"),
            "(error) ERR RANK can't be zero: use 1 to start from the first match, 2 from the "
            "second ... or use negative to start from the end of the list");
  EXPECT_EQ(run("LPOS", "l", "a", "RANK", "-9223372036854775808"),
            "(error) ERR value is out of range, value must between -9223372036854775807 and "
            "9223372036854775807");
  EXPECT_EQ(run("LPOS", "l", "a", "COUNT", "-1"), "(error) ERR COUNT can't be negative");
  EXPECT_EQ(run("LPOS", "l", "a", "MAXLEN", "x"), "(error) ERR MAXLEN can't be negative");
  EXPECT_EQ(run("LPOS", "l", "a", "RANK"), kSyntax);
  EXPECT_EQ(run("LPOS", "l", "a", "OTHER", "1"), kSyntax);
}

TEST_F(ListCommandsTest, Move) {
  set_list("a", "b", "3");
  EXPECT_EQ(run("RPOPLPUSH", "l", "to"), "\"3\"");
  EXPECT_EQ(run("LMOVE", "l", "to", "LEFT", "right"), "\"a\"");
  EXPECT_EQ(run("LRANGE", "to", "0", "-1"), "[\"3\", \"a\"]");
  EXPECT_EQ(run("LMOVE", "l", "to", "RIGHT", "LEFT"), "\"b\"");
  EXPECT_EQ(run("EXISTS", "l"), "(integer) 0");
  EXPECT_EQ(run("LMOVE", "to", "to", "LEFT", "RIGHT"), "\"b\"");
  EXPECT_EQ(run("LMOVE", "to", "to", "LEFT", "LEFT"), "\"3\"");
  EXPECT_EQ(run("RPOPLPUSH", "to", "to"), "\"b\"");
  EXPECT_EQ(run("LRANGE", "to", "0", "-1"), "[\"b\", \"3\", \"a\"]");
  EXPECT_EQ(joined_effects(),
            "RPOPLPUSH l to; LMOVE l to LEFT right; LMOVE l to RIGHT LEFT; "
            "LMOVE to to LEFT RIGHT; LMOVE to to LEFT LEFT; RPOPLPUSH to to");
  run("SET", "s", "1");
  EXPECT_EQ(run("LMOVE", "none", "s", "LEFT", "LEFT"), "(nil)");
  EXPECT_EQ(run("LMOVE", "to", "l", "UP", "LEFT"), kSyntax);
  run("RPUSH", "one", "1");
  EXPECT_EQ(run("RPOPLPUSH", "one", "one"), "\"1\"");
  EXPECT_EQ(run("LRANGE", "one", "0", "-1"), "[\"1\"]");
}

TEST_F(ListCommandsTest, MultiPop) {
  set_list("a", "b", "3", "d");
  EXPECT_EQ(run("LMPOP", "2", "none", "l", "LEFT"), "[\"l\", [\"a\"]]");
  EXPECT_EQ(run("LMPOP", "1", "l", "right", "COUNT", "2"), "[\"l\", [\"d\", \"3\"]]");
  EXPECT_EQ(run("LMPOP", "1", "l", "LEFT", "count", "100"), "[\"l\", [\"b\"]]");
  EXPECT_EQ(joined_effects(), "LPOP l 1; RPOP l 2; LPOP l 1");
  EXPECT_EQ(run("EXISTS", "l"), "(integer) 0");
  EXPECT_EQ(run("LMPOP", "1", "none", "LEFT"), "(nil array)");
  EXPECT_EQ(run("LMPOP", "0", "l", "LEFT"), "(error) ERR numkeys should be greater than 0");
  EXPECT_EQ(run("LMPOP", "x", "l", "LEFT"), "(error) ERR numkeys should be greater than 0");
  EXPECT_EQ(run("LMPOP", "2", "l", "LEFT"), kSyntax);
  EXPECT_EQ(run("LMPOP", "9223372036854775807", "l", "LEFT"), kSyntax);
  EXPECT_EQ(run("LMPOP", "1", "l", "UP"), kSyntax);
  EXPECT_EQ(run("LMPOP", "1", "l", "LEFT", "COUNT"), kSyntax);
  EXPECT_EQ(run("LMPOP", "1", "l", "LEFT", "COUNT", "0"),
            "(error) ERR count should be greater than 0");
  EXPECT_EQ(run("LMPOP", "1", "l", "LEFT", "COUNT", "1", "COUNT", "1"), kSyntax);
  EXPECT_EQ(run("LMPOP", "1", "l", "LEFT", "COUNT", "0", "COUNT"),
            "(error) ERR count should be greater than 0");
}

TEST_F(ListCommandsTest, BlockingOnesTakeWhatIsThere) {
  set_list("a", "b", "c", "d", "e", "f");
  EXPECT_EQ(run("BLPOP", "none", "l", "0"), "[\"l\", \"a\"]");
  EXPECT_EQ(run("BRPOP", "l", "1.5"), "[\"l\", \"f\"]");
  EXPECT_EQ(run("BLMOVE", "l", "to", "left", "right", "0"), "\"b\"");
  EXPECT_EQ(run("BRPOPLPUSH", "l", "to", "0"), "\"e\"");
  EXPECT_EQ(run("BLMPOP", "0", "1", "l", "LEFT", "COUNT", "10"), "[\"l\", [\"c\", \"d\"]]");
  EXPECT_EQ(joined_effects(), "LPOP l; RPOP l; LMOVE l to left right; RPOPLPUSH l to; LPOP l 2");
  EXPECT_EQ(run("BLPOP", "l", "-1"), "(error) ERR timeout is negative");
  EXPECT_EQ(run("BLPOP", "l", "x"), "(error) ERR timeout is not a float or out of range");
  EXPECT_EQ(run("BLMOVE", "l", "l", "up", "left", "x"), kSyntax);
  EXPECT_EQ(run("BLMPOP", "x", "1", "l", "LEFT"),
            "(error) ERR timeout is not a float or out of range");
  EXPECT_EQ(run("BLMPOP", "x", "0", "l", "LEFT"), "(error) ERR numkeys should be greater than 0");
}

TEST_F(ListCommandsTest, DoNotBlockInsideATransaction) {
  run("MULTI");
  run("BLPOP", "none", "0");
  run("BLMPOP", "0", "1", "none", "LEFT");
  run("BLMOVE", "none", "l", "LEFT", "LEFT", "0");
  run("BRPOPLPUSH", "none", "l", "0");
  EXPECT_EQ(run("EXEC"), "[(nil array), (nil array), (nil), (nil)]");
}

TEST_F(ListCommandsTest, EncodingsChangeAtTheLimits) {
  configure("list-max-listpack-size", "4");
  set_list("1", "2", "3", "4");
  EXPECT_EQ(encoding(), "\"listpack\"");
  EXPECT_EQ(run("RPOPLPUSH", "l", "l"), "\"4\"");
  EXPECT_EQ(encoding(), "\"listpack\"") << "a rotated list is never longer";
  run("RPUSH", "l", "5");
  EXPECT_EQ(encoding(), "\"quicklist\"");
  run("RPOP", "l", "2");
  EXPECT_EQ(encoding(), "\"quicklist\"");
  run("RPOP", "l");
  EXPECT_EQ(encoding(), "\"listpack\"");
  run("RPUSH", "l", "3", "4", "5");
  EXPECT_EQ(encoding(), "\"quicklist\"");
  run("LTRIM", "l", "0", "1");
  EXPECT_EQ(encoding(), "\"listpack\"");
  configure("list-max-listpack-size", "-2");
  run("LSET", "l", "0", std::string(9000, 'x'));
  EXPECT_EQ(encoding(), "\"quicklist\"");
  EXPECT_EQ(run("LREM", "l", "1", std::string(9000, 'x')), "(integer) 1");
  EXPECT_EQ(encoding(), "\"listpack\"");
}

TEST_F(ListCommandsTest, CopiesAndDigestsAreOfAllElements) {
  for (int i = 0; i < 3000; ++i) run("RPUSH", "l", "element " + std::to_string(i));
  run("RPUSH", "l", std::string(20000, 'x'), "12");
  EXPECT_EQ(run("COPY", "l", "copy"), "(integer) 1");
  EXPECT_EQ(digest("copy"), digest("l"));
  run("LPUSH", "copy", "x");
  EXPECT_EQ(run("LLEN", "l"), "(integer) 3002");
  run("LPOP", "copy");
  EXPECT_EQ(digest("copy"), digest("l"));
  run("LSET", "copy", "1500", "other");
  EXPECT_NE(digest("copy"), digest("l"));
}

}  // namespace
}  // namespace tandem
