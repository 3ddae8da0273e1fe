#include <set>
#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr const char* kSyntax = "(error) ERR syntax error";

// Each test of it runs on both encodings.
class SortedSetCommandsTest : public CommandFixture, public ::testing::WithParamInterface<bool> {
 protected:
  SortedSetCommandsTest() {
    if (GetParam()) configure("zset-max-listpack-entries", "0");
  }
};

INSTANTIATE_TEST_SUITE_P(Encodings, SortedSetCommandsTest, ::testing::Bool(),
                         [](const auto& encoding) { return encoding.param ? "Large" : "Packed"; });

TEST_P(SortedSetCommandsTest, AddAndRead) {
  EXPECT_EQ(run("ZADD", "z", "1", "a", "2.5", "b", "inf", "c"), "(integer) 3");
  EXPECT_EQ(run("OBJECT", "ENCODING", "z"), GetParam() ? "\"skiplist\"" : "\"listpack\"");
  EXPECT_EQ(run("ZADD", "z", "3", "a", "7", "d"), "(integer) 1");
  EXPECT_EQ(run("ZADD", "z", "CH", "3", "a", "8", "d"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "ZADD z 1 a 2.5 b inf c; ZADD z 3 a 7 d; ZADD z CH 3 a 8 d");
  EXPECT_EQ(effects_of("ZADD", "z", "3", "a"), "");
  EXPECT_EQ(run("ZSCORE", "z", "b"), "\"2.5\"");
  EXPECT_EQ(run("ZSCORE", "z", "c"), "\"inf\"");
  EXPECT_EQ(run("ZSCORE", "z", "none"), "(nil)");
  EXPECT_EQ(run("ZSCORE", "none", "a"), "(nil)");
  EXPECT_EQ(run("ZMSCORE", "z", "a", "none", "d"), "[\"3\", (nil), \"8\"]");
  EXPECT_EQ(run("ZMSCORE", "none", "a"), "[(nil)]");
  EXPECT_EQ(run("ZCARD", "z"), "(integer) 4");
  EXPECT_EQ(run("ZCARD", "none"), "(integer) 0");
  EXPECT_EQ(run("TYPE", "z"), "zset");
  EXPECT_EQ(run("ZADD", "z", "-0", "zero"), "(integer) 1");
  EXPECT_EQ(run("ZSCORE", "z", "zero"), GetParam() ? "\"-0\"" : "\"0\"");
}

TEST_P(SortedSetCommandsTest, AddUnderConditions) {
  run("ZADD", "z", "5", "a");
  EXPECT_EQ(run("ZADD", "none", "XX", "1", "a"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "none"), "(integer) 0");
  EXPECT_EQ(run("ZADD", "z", "NX", "6", "a", "1", "n"), "(integer) 1");
  EXPECT_EQ(run("ZSCORE", "z", "a"), "\"5\"");
  EXPECT_EQ(run("ZADD", "z", "XX", "CH", "6", "a", "1", "x"), "(integer) 1");
  EXPECT_EQ(run("ZADD", "z", "gt", "ch", "5", "a", "2", "g"), "(integer) 1");
  EXPECT_EQ(run("ZADD", "z", "LT", "XX", "CH", "5", "a", "9", "g"), "(integer) 1");
  EXPECT_EQ(run("ZADD", "z", "INCR", "1.5", "a"), "\"6.5\"");
  EXPECT_EQ(run("ZADD", "z", "NX", "INCR", "1.5", "a"), "(nil)");
  EXPECT_EQ(run("ZADD", "z", "XX", "INCR", "1.5", "none"), "(nil)");
  EXPECT_EQ(run("ZADD", "none", "XX", "INCR", "1.5", "none"), "(nil)");
  EXPECT_EQ(run("ZADD", "z", "GT", "INCR", "-1", "a"), "(nil)");
  EXPECT_EQ(run("ZINCRBY", "z", "-10", "a"), "\"-3.5\"");
  EXPECT_EQ(run("ZINCRBY", "new", "2", "m"), "\"2\"");
  EXPECT_EQ(effects_of("ZINCRBY", "z", "1e3", "a"), "ZINCRBY z 1e3 a");
  EXPECT_EQ(effects_of("ZINCRBY", "z", "0", "a"), "");
}

TEST_P(SortedSetCommandsTest, AddRefuses) {
  EXPECT_EQ(run("ZADD", "z", "NX", "XX", "1", "a"),
            "(error) ERR XX and NX options at the same time are not compatible");
  for (const auto& [one, other] : {std::pair("GT", "LT"), {"NX", "GT"}, {"LT", "NX"}}) {
    EXPECT_EQ(run("ZADD", "z", one, other, "1", "a"),
              "(error) ERR GT, LT, and/or NX options at the same time are not compatible");
  }
  EXPECT_EQ(run("ZADD", "z", "INCR", "1", "a", "2", "b"),
            "(error) ERR INCR option supports a single increment-element pair");
  EXPECT_EQ(run("ZADD", "z", "1", "a", "2"), kSyntax);
  EXPECT_EQ(run("ZADD", "z", "NX", "XX", "CH"), kSyntax);
  for (const char* score : {"x", "nan", "", " 1", "1 ", "1e"}) {
    EXPECT_EQ(run("ZADD", "z", "1", "a", score, "b"), "(error) ERR value is not a valid float");
    EXPECT_EQ(run("ZINCRBY", "z", score, "b"), "(error) ERR value is not a valid float");
  }
  EXPECT_EQ(run("EXISTS", "z"), "(integer) 0");
  run("ZADD", "z", "inf", "i");
  EXPECT_EQ(run("ZINCRBY", "z", "-inf", "i"), "(error) ERR resulting score is not a number (NaN)");
  EXPECT_EQ(run("ZADD", "z", "INCR", "-inf", "i"),
            "(error) ERR resulting score is not a number (NaN)");
  EXPECT_EQ(run("ZSCORE", "z", "i"), "\"inf\"");
}

TEST_P(SortedSetCommandsTest, Remove) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c");
  EXPECT_EQ(effects_of("ZREM", "z", "none"), "");
  EXPECT_EQ(run("ZREM", "z", "a", "none", "a"), "(integer) 1");
  EXPECT_EQ(run("ZREM", "z", "b", "c", "d"), "(integer) 2");
  EXPECT_EQ(joined_effects(), "ZREM z a none a; ZREM z b c d");
  EXPECT_EQ(run("EXISTS", "z"), "(integer) 0");
  EXPECT_EQ(run("ZREM", "z", "a"), "(integer) 0");
}

TEST_P(SortedSetCommandsTest, Ranks) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c");
  EXPECT_EQ(run("ZRANK", "z", "c"), "(integer) 2");
  EXPECT_EQ(run("ZREVRANK", "z", "c"), "(integer) 0");
  EXPECT_EQ(run("ZRANK", "z", "none"), "(nil)");
  EXPECT_EQ(run("ZRANK", "z", "b", "WITHSCORE"), "[(integer) 1, \"2\"]");
  EXPECT_EQ(run("ZREVRANK", "z", "a", "withscore"), "[(integer) 2, \"1\"]");
  EXPECT_EQ(run("ZRANK", "z", "b", "WITHSCORES"), kSyntax);
  EXPECT_EQ(run("ZRANK", "z", "b", "WITHSCORE", "x"),
            "(error) ERR wrong number of arguments for 'zrank' command");
}

TEST_P(SortedSetCommandsTest, RangesByIndex) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
  EXPECT_EQ(run("ZRANGE", "z", "1", "2"), "[\"b\", \"c\"]");
  EXPECT_EQ(run("ZRANGE", "z", "-2", "100"), "[\"c\", \"d\"]");
  EXPECT_EQ(run("ZRANGE", "z", "-100", "0", "WITHSCORES"), "[\"a\", \"1\"]");
  EXPECT_EQ(run("ZRANGE", "z", "3", "1"), "[]");
  EXPECT_EQ(run("ZRANGE", "z", "4", "9"), "[]");
  EXPECT_EQ(run("ZRANGE", "z", "0", "-5"), "[]");
  EXPECT_EQ(run("ZRANGE", "none", "0", "-1"), "[]");
  EXPECT_EQ(run("ZRANGE", "z", "0", "1", "REV"), "[\"d\", \"c\"]");
  EXPECT_EQ(run("ZREVRANGE", "z", "1", "-1", "withscores"),
            "[\"c\", \"3\", \"b\", \"2\", \"a\", \"1\"]");
  EXPECT_EQ(run("ZRANGE", "z", "0", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("ZREVRANGE", "z", "0", "1", "REV"), kSyntax);
  EXPECT_EQ(run("ZRANGE", "z", "0", "-1", "LIMIT", "0", "1"),
            "(error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE "
            "or BYLEX");
  EXPECT_EQ(run("ZRANGE", "z", "0", "1", "LIMIT", "1", "-1"), "[\"a\", \"b\"]");
}

TEST_P(SortedSetCommandsTest, RangesByScore) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "2", "(4"), "[\"b\", \"c\"]");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "-inf", "+inf", "LIMIT", "1", "2", "WITHSCORES"),
            "[\"b\", \"2\", \"c\", \"3\"]");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "-inf", "+inf", "LIMIT", "1", "-1"), "[\"b\", \"c\", \"d\"]");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "-inf", "+inf", "LIMIT", "-1", "2"), "[]");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "-inf", "+inf", "LIMIT", "4", "2"), "[]");
  EXPECT_EQ(run("ZREVRANGEBYSCORE", "z", "4", "2", "LIMIT", "1", "1"), "[\"c\"]");
  EXPECT_EQ(run("ZREVRANGEBYSCORE", "z", "(4", "-inf"), "[\"c\", \"b\", \"a\"]");
  EXPECT_EQ(run("ZRANGE", "z", "(1", "3", "BYSCORE"), "[\"b\", \"c\"]");
  EXPECT_EQ(run("ZRANGE", "z", "3", "(1", "BYSCORE", "REV"), "[\"c\", \"b\"]");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "x", "1"), "(error) ERR min or max is not a float");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "1", "(nan"), "(error) ERR min or max is not a float");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "1", "2", "BYLEX"), kSyntax);
  EXPECT_EQ(run("ZCOUNT", "z", "(1", "3"), "(integer) 2");
  EXPECT_EQ(run("ZCOUNT", "none", "1", "3"), "(integer) 0");
  EXPECT_EQ(run("ZCOUNT", "none", "1", "x"), "(error) ERR min or max is not a float");
}

TEST_P(SortedSetCommandsTest, RangesByMember) {
  run("ZADD", "z", "0", "a", "0", "b", "0", "c", "0", "d");
  EXPECT_EQ(run("ZRANGEBYLEX", "z", "[b", "(d"), "[\"b\", \"c\"]");
  EXPECT_EQ(run("ZRANGEBYLEX", "z", "-", "+", "LIMIT", "1", "2"), "[\"b\", \"c\"]");
  EXPECT_EQ(run("ZREVRANGEBYLEX", "z", "+", "(b"), "[\"d\", \"c\"]");
  EXPECT_EQ(run("ZRANGE", "z", "[d", "-", "BYLEX", "REV", "LIMIT", "0", "1"), "[\"d\"]");
  EXPECT_EQ(run("ZLEXCOUNT", "z", "(a", "[c"), "(integer) 2");
  for (const char* bound : {"b", "", "+x", "-x"}) {
    EXPECT_EQ(run("ZRANGEBYLEX", "z", bound, "+"),
              "(error) ERR min or max not valid string range item");
  }
  EXPECT_EQ(run("ZRANGE", "z", "-", "+", "BYLEX", "WITHSCORES"),
            "(error) ERR syntax error, WITHSCORES not supported in combination with BYLEX");
}

TEST_P(SortedSetCommandsTest, StoreRanges) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c");
  run("SET", "d", "of another type");
  effects();
  EXPECT_EQ(run("ZRANGESTORE", "d", "z", "1", "-1"), "(integer) 2");
  EXPECT_EQ(run("ZRANGE", "d", "0", "-1", "WITHSCORES"), "[\"b\", \"2\", \"c\", \"3\"]");
  EXPECT_EQ(run("ZRANGESTORE", "d", "z", "inf", "2", "BYSCORE", "REV", "LIMIT", "1", "5"),
            "(integer) 1");
  EXPECT_EQ(run("ZRANGE", "d", "0", "-1"), "[\"b\"]");
  EXPECT_EQ(run("ZRANGESTORE", "d", "none", "0", "-1"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "d"), "(integer) 0");
  EXPECT_EQ(joined_effects(),
            "ZRANGESTORE d z 1 -1; ZRANGESTORE d z inf 2 BYSCORE REV LIMIT 1 5; "
            "ZRANGESTORE d none 0 -1");
  EXPECT_EQ(effects_of("ZRANGESTORE", "d", "none", "0", "-1"), "");
  EXPECT_EQ(run("ZRANGESTORE", "d", "z", "0", "-1", "WITHSCORES"), kSyntax);
  EXPECT_EQ(run("ZRANGESTORE", "z", "z", "0", "0"), "(integer) 1");
  EXPECT_EQ(run("ZRANGE", "z", "0", "-1"), "[\"a\"]");
}

TEST_P(SortedSetCommandsTest, RemoveRanges) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e");
  EXPECT_EQ(run("ZREMRANGEBYRANK", "z", "-1", "-1"), "(integer) 1");
  EXPECT_EQ(run("ZREMRANGEBYSCORE", "z", "(1", "2"), "(integer) 1");
  EXPECT_EQ(run("ZREMRANGEBYSCORE", "z", "7", "8"), "(integer) 0");
  EXPECT_EQ(run("ZRANGE", "z", "0", "-1"), "[\"a\", \"c\", \"d\"]");
  EXPECT_EQ(run("ZREMRANGEBYLEX", "z", "-", "[a"), "(integer) 1");
  EXPECT_EQ(run("ZREMRANGEBYRANK", "z", "0", "-1"), "(integer) 2");
  EXPECT_EQ(run("EXISTS", "z"), "(integer) 0");
  EXPECT_EQ(run("ZREMRANGEBYRANK", "z", "0", "x"),
            "(error) ERR value is not an integer or out of range");
}

TEST_P(SortedSetCommandsTest, Pop) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e");
  effects();
  EXPECT_EQ(run("ZPOPMIN", "z"), "[\"a\", \"1\"]");
  EXPECT_EQ(run("ZPOPMAX", "z", "2"), "[\"e\", \"5\", \"d\", \"4\"]");
  EXPECT_EQ(run("ZPOPMAX", "z", "0"), "[]");
  EXPECT_EQ(joined_effects(), "ZPOPMIN z; ZPOPMAX z 2");
  EXPECT_EQ(run("ZPOPMIN", "z", "-1"), "(error) ERR value is out of range, must be positive");
  EXPECT_EQ(run("ZPOPMIN", "z", "x"), "(error) ERR value is out of range, must be positive");
  EXPECT_EQ(run("ZPOPMIN", "z", "1", "2"), kSyntax);
  set_protocol(3);
  EXPECT_EQ(run("ZPOPMIN", "z"), "[\"b\", (double) 2]");
  EXPECT_EQ(run("ZPOPMIN", "z", "9"), "[[\"c\", (double) 3]]");
  EXPECT_EQ(run("EXISTS", "z"), "(integer) 0");
  EXPECT_EQ(run("ZPOPMIN", "z"), "[]");
}

TEST_P(SortedSetCommandsTest, PopFromSeveral) {
  EXPECT_EQ(run("ZMPOP", "2", "none", "z", "MIN"), "(nil array)");
  run("ZADD", "z", "1", "a", "2", "b", "3", "c");
  effects();
  EXPECT_EQ(run("ZMPOP", "2", "none", "z", "MIN"), "[\"z\", [[\"a\", \"1\"]]]");
  EXPECT_EQ(run("ZMPOP", "1", "z", "max", "count", "5"),
            "[\"z\", [[\"c\", \"3\"], [\"b\", \"2\"]]]");
  EXPECT_EQ(joined_effects(), "ZPOPMIN z 1; ZPOPMAX z 2");
  EXPECT_EQ(run("ZMPOP", "0", "z", "MIN"), "(error) ERR numkeys should be greater than 0");
  EXPECT_EQ(run("ZMPOP", "1", "z", "MID"), kSyntax);
  EXPECT_EQ(run("ZMPOP", "2", "z", "MIN"), kSyntax);
  EXPECT_EQ(run("ZMPOP", "1", "z", "MIN", "COUNT", "0"),
            "(error) ERR count should be greater than 0");
  EXPECT_EQ(run("ZMPOP", "1", "z", "MIN", "COUNT"), kSyntax);
  EXPECT_EQ(run("ZMPOP", "1", "z", "MIN", "COUNT", "1", "COUNT", "2"), kSyntax);
}

TEST_P(SortedSetCommandsTest, PopAtOnceWhenThereIsSomething) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
  effects();
  EXPECT_EQ(run("BZPOPMIN", "none", "z", "0"), "[\"z\", \"a\", \"1\"]");
  EXPECT_EQ(run("BZPOPMAX", "z", "0"), "[\"z\", \"d\", \"4\"]");
  EXPECT_EQ(run("BZMPOP", "0", "1", "z", "MIN", "COUNT", "2"),
            "[\"z\", [[\"b\", \"2\"], [\"c\", \"3\"]]]");
  EXPECT_EQ(joined_effects(), "ZPOPMIN z; ZPOPMAX z; ZPOPMIN z 2");
  EXPECT_EQ(run("BZPOPMIN", "z", "x"), "(error) ERR timeout is not a float or out of range");
  run("MULTI");
  run("BZPOPMIN", "none", "0");
  EXPECT_EQ(run("EXEC"), "[(nil array)]");
}

TEST_P(SortedSetCommandsTest, Unions) {
  run("ZADD", "x", "1", "a", "2", "b");
  run("ZADD", "y", "10", "b", "20", "c");
  EXPECT_EQ(run("ZUNION", "2", "x", "y"), "[\"a\", \"b\", \"c\"]");
  EXPECT_EQ(run("ZUNION", "3", "x", "none", "y", "WITHSCORES"),
            "[\"a\", \"1\", \"b\", \"12\", \"c\", \"20\"]");
  EXPECT_EQ(run("ZUNION", "2", "x", "y", "WEIGHTS", "2", "-1", "WITHSCORES"),
            "[\"c\", \"-20\", \"b\", \"-6\", \"a\", \"2\"]");
  EXPECT_EQ(run("ZUNION", "2", "x", "y", "AGGREGATE", "MAX", "WITHSCORES"),
            "[\"a\", \"1\", \"b\", \"10\", \"c\", \"20\"]");
  effects();
  EXPECT_EQ(run("ZUNIONSTORE", "d", "2", "x", "y", "AGGREGATE", "MIN"), "(integer) 3");
  EXPECT_EQ(run("ZRANGE", "d", "0", "-1", "WITHSCORES"),
            "[\"a\", \"1\", \"b\", \"2\", \"c\", \"20\"]");
  EXPECT_EQ(joined_effects(), "ZUNIONSTORE d 2 x y AGGREGATE MIN");
  EXPECT_EQ(run("ZUNIONSTORE", "d", "1", "none"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "d"), "(integer) 0");
  EXPECT_EQ(run("ZUNIONSTORE", "x", "2", "x", "x"), "(integer) 2");
  EXPECT_EQ(run("ZSCORE", "x", "b"), "\"4\"");
  EXPECT_EQ(run("ZUNION", "1", "x", "WEIGHTS", "inf", "AGGREGATE", "SUM", "WITHSCORES"),
            "[\"a\", \"inf\", \"b\", \"inf\"]");
  run("ZADD", "p", "inf", "m");
  run("ZADD", "n", "-inf", "m", "0", "o");
  EXPECT_EQ(run("ZUNION", "2", "p", "n", "WITHSCORES"), "[\"m\", \"0\", \"o\", \"0\"]");
}

TEST_P(SortedSetCommandsTest, IntersectionsAndDifferences) {
  run("ZADD", "x", "1", "a", "2", "b", "3", "c");
  run("ZADD", "y", "10", "b", "20", "c");
  EXPECT_EQ(run("ZINTER", "2", "x", "y", "WITHSCORES"), "[\"b\", \"12\", \"c\", \"23\"]");
  EXPECT_EQ(run("ZINTER", "2", "x", "none"), "[]");
  EXPECT_EQ(run("ZINTER", "2", "x", "x", "WEIGHTS", "1", "3", "WITHSCORES"),
            "[\"a\", \"4\", \"b\", \"8\", \"c\", \"12\"]");
  EXPECT_EQ(run("ZINTERSTORE", "d", "2", "x", "y"), "(integer) 2");
  EXPECT_EQ(run("ZINTERCARD", "2", "x", "y"), "(integer) 2");
  EXPECT_EQ(run("ZINTERCARD", "2", "x", "y", "LIMIT", "1"), "(integer) 1");
  EXPECT_EQ(run("ZINTERCARD", "2", "x", "y", "LIMIT", "0"), "(integer) 2");
  EXPECT_EQ(run("ZDIFF", "2", "x", "y", "WITHSCORES"), "[\"a\", \"1\"]");
  EXPECT_EQ(run("ZDIFF", "2", "x", "x"), "[]");
  EXPECT_EQ(run("ZDIFFSTORE", "d", "2", "y", "x"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "d"), "(integer) 0");
  EXPECT_EQ(run("ZDIFF", "2", "x", "y", "WEIGHTS", "1", "1"), kSyntax);
  EXPECT_EQ(run("ZINTER", "0", "x"),
            "(error) ERR at least 1 input key is needed for 'zinter' command");
  EXPECT_EQ(run("ZUNIONSTORE", "d", "-1", "x"),
            "(error) ERR at least 1 input key is needed for 'zunionstore' command");
  EXPECT_EQ(run("ZINTER", "2", "x"), kSyntax);
  EXPECT_EQ(run("ZINTER", "2", "x", "y", "WEIGHTS", "1"), kSyntax);
  EXPECT_EQ(run("ZINTER", "2", "x", "y", "WEIGHTS", "1", "x"),
            "(error) ERR weight value is not a float");
  EXPECT_EQ(run("ZINTER", "2", "x", "y", "AGGREGATE", "AVG"), kSyntax);
  EXPECT_EQ(run("ZINTERSTORE", "d", "2", "x", "y", "WITHSCORES"), kSyntax);
  EXPECT_EQ(run("ZINTERCARD", "2", "x", "y", "LIMIT", "-1"), "(error) ERR LIMIT can't be negative");
}

TEST_P(SortedSetCommandsTest, SetsAreSortedSetsOfOnes) {
  run("ZADD", "x", "1", "a", "2", "b", "3", "7");
  run("SADD", "s", "b", "c", "7");
  EXPECT_EQ(run("ZUNION", "2", "x", "s", "WEIGHTS", "1", "10", "WITHSCORES"),
            "[\"a\", \"1\", \"c\", \"10\", \"b\", \"12\", \"7\", \"13\"]");
  EXPECT_EQ(run("ZINTER", "2", "s", "x", "WITHSCORES"), "[\"b\", \"3\", \"7\", \"4\"]");
  EXPECT_EQ(run("ZDIFF", "2", "s", "x", "WITHSCORES"), "[\"c\", \"1\"]");
  EXPECT_EQ(run("ZINTERCARD", "2", "s", "s", "LIMIT", "2"), "(integer) 2");
  EXPECT_EQ(run("ZUNIONSTORE", "d", "1", "s"), "(integer) 3");
  EXPECT_EQ(run("ZADD", "s", "1", "a"), kWrongType);
}

TEST_P(SortedSetCommandsTest, RandomMembers) {
  EXPECT_EQ(run("ZRANDMEMBER", "z"), "(nil)");
  EXPECT_EQ(run("ZRANDMEMBER", "z", "2"), "[]");
  run("ZADD", "z", "1.5", "a");
  EXPECT_EQ(run("ZRANDMEMBER", "z"), "\"a\"");
  EXPECT_EQ(run("ZRANDMEMBER", "z", "5", "WITHSCORES"), "[\"a\", \"1.5\"]");
  EXPECT_EQ(run("ZRANDMEMBER", "z", "-2"), "[\"a\", \"a\"]");
  EXPECT_EQ(run("ZRANDMEMBER", "z", "0"), "[]");
  EXPECT_EQ(run("ZRANDMEMBER", "z", "1", "x"), kSyntax);
  EXPECT_EQ(run("ZRANDMEMBER", "z", "-9223372036854775807", "WITHSCORES"),
            "(error) ERR value is out of range");
  set_protocol(3);
  EXPECT_EQ(run("ZRANDMEMBER", "z", "-2", "WITHSCORES"),
            "[[\"a\", (double) 1.5], [\"a\", (double) 1.5]]");
}

TEST_P(SortedSetCommandsTest, RepliesInResp3) {
  run("ZADD", "z", "1", "a", "2.5", "b");
  set_protocol(3);
  EXPECT_EQ(run("ZSCORE", "z", "b"), "(double) 2.5");
  EXPECT_EQ(run("ZRANGE", "z", "0", "-1", "WITHSCORES"),
            "[[\"a\", (double) 1], [\"b\", (double) 2.5]]");
  EXPECT_EQ(run("ZRANGEBYSCORE", "z", "2", "3", "WITHSCORES"), "[[\"b\", (double) 2.5]]");
  EXPECT_EQ(run("ZRANGE", "z", "0", "0"), "[\"a\"]");
  EXPECT_EQ(run("ZRANK", "z", "b", "WITHSCORE"), "[(integer) 1, (double) 2.5]");
  EXPECT_EQ(run("ZDIFF", "1", "z", "WITHSCORES"), "[[\"a\", (double) 1], [\"b\", (double) 2.5]]");
  EXPECT_EQ(run("ZMPOP", "1", "z", "MIN"), "[\"z\", [[\"a\", (double) 1]]]");
  EXPECT_EQ(run("ZINCRBY", "z", "1", "b"), "(double) 3.5");
  EXPECT_EQ(run("BZPOPMAX", "z", "0"), "[\"z\", \"b\", (double) 3.5]");
}

TEST_P(SortedSetCommandsTest, Scan) {
  EXPECT_EQ(run("ZSCAN", "none", "0"), "[\"0\", []]");
  run("ZADD", "z", "0.1", "a");
  EXPECT_EQ(run("ZSCAN", "z", "0"),
            GetParam() ? "[\"0\", [\"a\", \"0.10000000000000001\"]]" : "[\"0\", [\"a\", \"0.1\"]]");
  EXPECT_EQ(run("ZSCAN", "z", "0", "MATCH", "b*"), "[\"0\", []]");
  EXPECT_EQ(run("ZSCAN", "z", "x"), "(error) ERR invalid cursor");
  EXPECT_EQ(run("ZSCAN", "z", "0", "NOVALUES"),
            "(error) ERR NOVALUES option can only be used in HSCAN");
}

TEST_P(SortedSetCommandsTest, CopyAndDigest) {
  run("ZADD", "z", "0.1", "a", "-inf", "b", "3", "c");
  EXPECT_EQ(run("COPY", "z", "copy"), "(integer) 1");
  EXPECT_EQ(run("ZRANGE", "copy", "0", "-1", "WITHSCORES"),
            "[\"b\", \"-inf\", \"a\", \"0.1\", \"c\", \"3\"]");
  EXPECT_EQ(run("DEBUG", "DIGEST-VALUE", "z"), run("DEBUG", "DIGEST-VALUE", "copy"));
}

TEST_P(SortedSetCommandsTest, RefuseOtherTypes) {
  run("SET", "s", "1");
  effects();
  const std::vector<std::vector<std::string_view>> requests = {
      {"ZADD", "s", "1", "a"},
      {"ZADD", "s", "XX", "1", "a"},
      {"ZINCRBY", "s", "1", "a"},
      {"ZREM", "s", "a"},
      {"ZCARD", "s"},
      {"ZSCORE", "s", "a"},
      {"ZMSCORE", "s", "a"},
      {"ZRANK", "s", "a"},
      {"ZREVRANK", "s", "a"},
      {"ZCOUNT", "s", "1", "2"},
      {"ZLEXCOUNT", "s", "-", "+"},
      {"ZRANGE", "s", "0", "-1"},
      {"ZRANGESTORE", "d", "s", "0", "-1"},
      {"ZRANGEBYSCORE", "s", "0", "1"},
      {"ZREVRANGEBYSCORE", "s", "1", "0"},
      {"ZRANGEBYLEX", "s", "-", "+"},
      {"ZREVRANGEBYLEX", "s", "+", "-"},
      {"ZREVRANGE", "s", "0", "1"},
      {"ZREMRANGEBYRANK", "s", "0", "1"},
      {"ZREMRANGEBYSCORE", "s", "0", "1"},
      {"ZREMRANGEBYLEX", "s", "-", "+"},
      {"ZPOPMIN", "s"},
      {"ZPOPMAX", "s"},
      {"ZMPOP", "1", "s", "MIN"},
      {"BZPOPMIN", "s", "0"},
      {"BZMPOP", "0", "1", "s", "MIN"},
      {"ZUNION", "1", "s"},
      {"ZINTERCARD", "1", "s"},
      {"ZDIFFSTORE", "d", "1", "s"},
      {"ZRANDMEMBER", "s"},
      {"ZRANDMEMBER", "s", "1"},
      {"ZSCAN", "s", "0"},
  };
  for (const auto& request : requests) {
    EXPECT_EQ(run_words(request), kWrongType) << request[0];
  }
  EXPECT_TRUE(effects().empty());
}

TEST_P(SortedSetCommandsTest, Events) {
  EXPECT_EQ(events_of("ZADD", "z", "1", "a", "2", "b"), "zadd z");
  EXPECT_EQ(events_of("ZADD", "z", "1", "a"), "");
  EXPECT_EQ(events_of("ZADD", "z", "INCR", "1", "a"), "zincr z");
  EXPECT_EQ(events_of("ZINCRBY", "z", "1", "a"), "zincr z");
  EXPECT_EQ(events_of("ZREM", "z", "none"), "");
  EXPECT_EQ(events_of("ZREM", "z", "a", "b"), "zrem z, del z");
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e", "6", "f", "7", "g");
  EXPECT_EQ(events_of("ZREMRANGEBYRANK", "z", "0", "0"), "zremrangebyrank z");
  EXPECT_EQ(events_of("ZREMRANGEBYRANK", "z", "50", "60"), "");
  EXPECT_EQ(events_of("ZREMRANGEBYSCORE", "z", "2", "2"), "zremrangebyscore z");
  EXPECT_EQ(events_of("ZREMRANGEBYLEX", "z", "-", "[c"), "zremrangebylex z");
  EXPECT_EQ(events_of("ZPOPMIN", "z"), "zpopmin z");
  EXPECT_EQ(events_of("ZMPOP", "1", "z", "MAX"), "zpopmax z");
  EXPECT_EQ(events_of("ZRANGESTORE", "d", "z", "0", "-1"), "zrangestore d");
  EXPECT_EQ(events_of("ZUNIONSTORE", "d", "1", "z"), "zunionstore d");
  EXPECT_EQ(events_of("ZINTERSTORE", "d", "1", "z"), "zinterstore d");
  EXPECT_EQ(events_of("ZDIFFSTORE", "d", "2", "z", "z"), "del d");
  EXPECT_EQ(events_of("ZDIFFSTORE", "d", "2", "z", "z"), "");
  EXPECT_EQ(events_of("ZDIFFSTORE", "d", "1", "z"), "zdiffstore d");
  EXPECT_EQ(events_of("BZPOPMAX", "z", "0"), "zpopmax z");
  EXPECT_EQ(events_of("ZPOPMIN", "z", "9"), "zpopmin z, del z");
}

// Expiry and WATCH see each change.
TEST_P(SortedSetCommandsTest, ChangesInPlaceAreSeen) {
  run("ZADD", "z", "1", "a", "2", "b", "3", "c");
  for (const auto& change :
       std::vector<std::vector<std::string_view>>{{"ZADD", "z", "4", "d"},
                                                  {"ZINCRBY", "z", "1", "a"},
                                                  {"ZREM", "z", "a"},
                                                  {"ZREMRANGEBYRANK", "z", "0", "0"},
                                                  {"ZPOPMAX", "z"}}) {
    run("WATCH", "z");
    run_words(change);
    run("MULTI");
    EXPECT_EQ(run("EXEC"), "(nil array)") << change[0];
  }
}

TEST_P(SortedSetCommandsTest, InfinityTimesZero) {
  run("ZADD", "a", "5", "m");
  run("ZADD", "i", "inf", "m");
  EXPECT_EQ(run("ZINTER", "2", "a", "i", "WEIGHTS", "4", "0", "WITHSCORES"), "[\"m\", \"0\"]");
  EXPECT_EQ(run("ZINTER", "2", "a", "i", "WEIGHTS", "4", "0", "AGGREGATE", "MIN", "WITHSCORES"),
            "[\"m\", \"20\"]");
  EXPECT_EQ(run("ZUNION", "2", "a", "i", "WEIGHTS", "4", "0", "WITHSCORES"), "[\"m\", \"20\"]");
}

}  // namespace
}  // namespace tandem
