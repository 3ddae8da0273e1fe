#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

class SortTest : public CommandFixture {
 protected:
  SortTest() {
    run("RPUSH", "l", "3", "-1.5", "20", "3");
    run("RPUSH", "names", "b", "Z", "a", "10", "9");
    effects();
  }
};

TEST_F(SortTest, ByNumberAndByText) {
  EXPECT_EQ(run("SORT", "l"), "[\"-1.5\", \"3\", \"3\", \"20\"]");
  EXPECT_EQ(run("SORT", "l", "desc"), "[\"20\", \"3\", \"3\", \"-1.5\"]");
  EXPECT_EQ(run("SORT", "l", "ALPHA"), "[\"-1.5\", \"20\", \"3\", \"3\"]");
  EXPECT_EQ(run("SORT_RO", "names", "ALPHA"), "[\"10\", \"9\", \"Z\", \"a\", \"b\"]");
  EXPECT_EQ(run("SORT", "names"), "(error) ERR One or more scores can't be converted into double");
  EXPECT_EQ(run("SORT", "none"), "[]");
  run("RPUSH", "odd", "0x10", " 12", "inf", "", "-inf");
  EXPECT_EQ(run("SORT", "odd"), "[\"-inf\", \"\", \" 12\", \"0x10\", \"inf\"]");
  for (const char* bad : {"nan", "1e400", "1x", "12 "}) {
    run("DEL", "bad");
    run("RPUSH", "bad", bad);
    EXPECT_EQ(run("SORT", "bad"), "(error) ERR One or more scores can't be converted into double")
        << bad;
  }
}

TEST_F(SortTest, Limits) {
  EXPECT_EQ(run("SORT", "l", "LIMIT", "1", "2"), "[\"3\", \"3\"]");
  EXPECT_EQ(run("SORT", "l", "LIMIT", "-5", "1"), "[\"-1.5\"]");
  EXPECT_EQ(run("SORT", "l", "LIMIT", "2", "-1"), "[\"3\", \"20\"]");
  EXPECT_EQ(run("SORT", "l", "LIMIT", "9", "2"), "[]");
  EXPECT_EQ(run("SORT", "l", "LIMIT", "0", "0"), "[]");
  EXPECT_EQ(run("SORT", "l", "LIMIT", "-9223372036854775808", "9223372036854775807", "DESC"),
            "[\"20\", \"3\", \"3\", \"-1.5\"]");
  EXPECT_EQ(run("SORT", "names", "BY", "nosort", "LIMIT", "1", "2"), "[\"Z\", \"a\"]");
  EXPECT_EQ(run("SORT", "names", "BY", "nosort", "DESC", "LIMIT", "1", "2"), "[\"10\", \"a\"]");
}

TEST_F(SortTest, ByAndGetFollowPatterns) {
  run("MSET", "w_b", "1", "w_a", "2", "w_Z", "3", "w_10", "0");
  run("HSET", "h_a", "f", "of a", "g", "1");
  EXPECT_EQ(run("SORT", "names", "BY", "w_*"), "[\"10\", \"9\", \"b\", \"a\", \"Z\"]")
      << "a missing weight is 0, and equal ones go by text";
  EXPECT_EQ(run("SORT", "names", "BY", "w_*", "ALPHA", "LIMIT", "0", "2"), "[\"9\", \"10\"]")
      << "a missing weight comes before all";
  EXPECT_EQ(run("SORT", "names", "BY", "h_*->g", "DESC", "LIMIT", "0", "1"), "[\"a\"]");
  EXPECT_EQ(run("SORT", "names", "ALPHA", "LIMIT", "3", "2", "GET", "h_*->f", "GET", "#", "GET",
                "w_*", "GET", "nothing"),
            "[\"of a\", \"a\", \"2\", (nil), (nil), \"b\", \"1\", (nil)]");
  EXPECT_EQ(run("SORT", "names", "ALPHA", "LIMIT", "3", "1", "GET", "h_*", "GET", "w_*->f", "GET",
                "h_*->none", "GET", "h_*->"),
            "[(nil), (nil), (nil), (nil)]");
  run("SET", "w_9", "x");
  EXPECT_EQ(run("SORT", "names", "BY", "w_*"),
            "(error) ERR One or more scores can't be converted into double");
}

TEST_F(SortTest, StoresAList) {
  EXPECT_EQ(effects_of("SORT", "l", "STORE", "l"), "SORT l STORE l");
  EXPECT_EQ(run("LRANGE", "l", "0", "-1"), "[\"-1.5\", \"3\", \"3\", \"20\"]");
  run("SET", "s", "x");
  EXPECT_EQ(
      run("SORT", "names", "ALPHA", "GET", "none_*", "GET", "#", "LIMIT", "0", "1", "STORE", "s"),
      "(integer) 2");
  EXPECT_EQ(run("LRANGE", "s", "0", "-1"), "[\"\", \"10\"]");
  EXPECT_EQ(run("OBJECT", "ENCODING", "s"), "\"listpack\"");
  effects();
  EXPECT_EQ(effects_of("SORT", "none", "STORE", "s"), "SORT none STORE s");
  EXPECT_EQ(run("EXISTS", "s"), "(integer) 0");
  EXPECT_EQ(effects_of("SORT", "none", "STORE", "s"), "");
  EXPECT_EQ(effects_of("SORT", "names", "STORE", "s"), "");
}

TEST_F(SortTest, Sets) {
  run("SADD", "s", "3", "1", "20", "100");
  EXPECT_EQ(run("SORT", "s", "DESC", "LIMIT", "0", "3"), "[\"100\", \"20\", \"3\"]");
  EXPECT_EQ(run("SORT", "s", "BY", "nosort", "LIMIT", "1", "2"), "[\"3\", \"20\"]");
  EXPECT_EQ(run("SORT", "s", "BY", "nosort", "STORE", "to"), "(integer) 4");
  EXPECT_EQ(run("LRANGE", "to", "0", "-1"), "[\"1\", \"100\", \"20\", \"3\"]")
      << "what is stored has an order, that of the texts";
}

TEST_F(SortTest, SortedSets) {
  run("ZADD", "z", "3", "a", "1", "30", "2", "4", "9", "b");
  EXPECT_EQ(run("SORT", "z", "BY", "nosort"), "[\"30\", \"4\", \"a\", \"b\"]");
  EXPECT_EQ(run("SORT", "z", "BY", "nosort", "LIMIT", "1", "2"), "[\"4\", \"a\"]");
  EXPECT_EQ(run("SORT", "z", "BY", "nosort", "DESC", "LIMIT", "1", "2"), "[\"a\", \"4\"]");
  EXPECT_EQ(run("SORT", "z", "ALPHA", "LIMIT", "0", "3"), "[\"30\", \"4\", \"a\"]");
  run("ZREM", "z", "a", "b");
  EXPECT_EQ(run("SORT", "z"), "[\"4\", \"30\"]");
}

TEST_F(SortTest, ItsTargetIsAKey) {
  EXPECT_EQ(run("COMMAND", "GETKEYS", "SORT", "a", "BY", "store", "STORE", "x", "STORE", "b"),
            "[\"a\", \"b\"]");
  EXPECT_EQ(run("COMMAND", "GETKEYS", "SORT", "a", "LIMIT", "0", "1"), "[\"a\"]");
  EXPECT_EQ(run("COMMAND", "GETKEYSANDFLAGS", "SORT", "a", "STORE", "b"),
            "[[\"a\", [RO, access]], [\"b\", [OW, update]]]");
}

TEST_F(SortTest, RefusesWhatIsMalformed) {
  run("SET", "s", "x");
  EXPECT_EQ(run("SORT", "s"),
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value");
  EXPECT_EQ(run("SORT", "s", "UP"), "(error) ERR syntax error");
  EXPECT_EQ(run("SORT", "l", "LIMIT", "1"), "(error) ERR syntax error");
  EXPECT_EQ(run("SORT", "l", "LIMIT", "x", "1"),
            "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("SORT", "l", "GET"), "(error) ERR syntax error");
  EXPECT_EQ(run("SORT_RO", "l", "STORE", "x"), "(error) ERR syntax error");
}

}  // namespace
}  // namespace tandem
