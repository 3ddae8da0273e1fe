#include <string>

#include "server/commands/dataset_digest.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

constexpr const char* kBadCount =
    "(error) ERR numfields should be greater than 0 and match the provided number of fields";
constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

class HashExpiryTest : public CommandFixture {
 protected:
  HashExpiryTest() {
    run("HSET", "h", "a", "1", "b", "2", "c", "3");
    effects();
  }
  static std::string at(int64_t ms) { return std::to_string(kStart_ms + ms); }
  // What cron does.
  size_t expire() {
    executor_.refresh_time();
    return keyspace_.database(0).expire_fields(100);
  }
  void pass_ms(int64_t ms) { advance_ms(ms); }
};

TEST_F(HashExpiryTest, SetsAndTellsWhenFieldsExpire) {
  EXPECT_EQ(run("HEXPIRE", "h", "10", "FIELDS", "3", "a", "none", "b"),
            "[(integer) 1, (integer) -2, (integer) 1]");
  EXPECT_EQ(joined_effects(), "HPEXPIREAT h " + at(10'000) + " FIELDS 2 a b");
  EXPECT_EQ(run("HPEXPIREAT", "h", at(7'400), "fields", "1", "b"), "[(integer) 1]");
  EXPECT_EQ(joined_effects(), "HPEXPIREAT h " + at(7'400) + " FIELDS 1 b");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "4", "a", "b", "c", "d"),
            "[(integer) 10, (integer) 7, (integer) -1, (integer) -2]");
  EXPECT_EQ(run("HPTTL", "h", "FIELDS", "2", "a", "b"), "[(integer) 10000, (integer) 7400]");
  EXPECT_EQ(run("HPEXPIRETIME", "h", "FIELDS", "1", "b"), "[(integer) " + at(7'400) + "]");
  EXPECT_EQ(run("HEXPIRETIME", "h", "FIELDS", "1", "a"), "[(integer) 1700000010]");
  EXPECT_EQ(run("HTTL", "none", "FIELDS", "2", "a", "b"), "[(integer) -2, (integer) -2]");
  EXPECT_EQ(run("HEXPIRE", "none", "10", "FIELDS", "1", "a"), "[(integer) -2]");
  EXPECT_EQ(run("HPEXPIRE", "h", "500", "FIELDS", "1", "c"), "[(integer) 1]");
  EXPECT_EQ(run("HEXPIREAT", "h", "1700000500", "FIELDS", "1", "c"), "[(integer) 1]");
  EXPECT_EQ(joined_effects(),
            "HPEXPIREAT h " + at(500) + " FIELDS 1 c; HPEXPIREAT h " + at(500'000) + " FIELDS 1 c");
  EXPECT_EQ(run("OBJECT", "ENCODING", "h"), "\"hashtable\"");
}

TEST_F(HashExpiryTest, ConditionsLookAtTheExpiryBefore) {
  EXPECT_EQ(run("HEXPIRE", "h", "10", "XX", "FIELDS", "1", "a"), "[(integer) 0]");
  EXPECT_EQ(run("HEXPIRE", "h", "10", "GT", "FIELDS", "1", "a"), "[(integer) 0]");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("HEXPIRE", "h", "10", "LT", "FIELDS", "1", "a"), "[(integer) 1]");
  EXPECT_EQ(run("HEXPIRE", "h", "10", "NX", "FIELDS", "2", "a", "b"), "[(integer) 0, (integer) 1]");
  EXPECT_EQ(run("HEXPIRE", "h", "10", "GT", "FIELDS", "1", "a"), "[(integer) 0]");
  EXPECT_EQ(run("HEXPIRE", "h", "11", "GT", "FIELDS", "1", "a"), "[(integer) 1]");
  EXPECT_EQ(run("HEXPIRE", "h", "11", "LT", "FIELDS", "1", "a"), "[(integer) 0]");
  EXPECT_EQ(run("HEXPIRE", "h", "0", "GT", "FIELDS", "1", "a"), "[(integer) 0]");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "2", "a", "b"), "[(integer) 11, (integer) 10]");
}

TEST_F(HashExpiryTest, ATimeInThePastDeletes) {
  EXPECT_EQ(run("HPEXPIREAT", "h", "1", "FIELDS", "2", "a", "none"), "[(integer) 2, (integer) -2]");
  EXPECT_EQ(joined_effects(), "HDEL h a");
  EXPECT_EQ(run("HEXPIRE", "h", "0", "FIELDS", "2", "b", "c"), "[(integer) 2, (integer) 2]");
  EXPECT_EQ(joined_effects(), "HDEL h b c");
  EXPECT_EQ(run("EXISTS", "h"), "(integer) 0");
}

TEST_F(HashExpiryTest, RefusesWhatIsNotWellFormed) {
  for (const char* name : {"HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"}) {
    EXPECT_EQ(run(name, "h", "10", "FIELDS", "2", "a"), kBadCount) << name;
    EXPECT_EQ(run(name, "h", "10", "FIELDS", "0", "a"), kBadCount);
    EXPECT_EQ(run(name, "h", "10", "FIELDS", "-1", "a"), kBadCount);
    EXPECT_EQ(run(name, "h", "10", "FILES", "1", "a"), kBadCount);
    EXPECT_EQ(run(name, "h", "10", "FIELDS", "x", "a"),
              "(error) ERR value is not an integer or out of range");
    EXPECT_EQ(run(name, "h", "x", "FIELDS", "1", "a"),
              "(error) ERR value is not an integer or out of range");
    EXPECT_EQ(run(name, "h", "10", "YY", "FIELDS", "1", "a"), "(error) ERR Unsupported option YY");
    EXPECT_EQ(run(name, "h", "10", "NX", "GT", "FIELDS", "1", "a"),
              "(error) ERR NX and XX, GT or LT options at the same time are not compatible");
    EXPECT_EQ(run(name, "h", "10", "LT", "GT", "FIELDS", "1", "a"),
              "(error) ERR GT and LT options at the same time are not compatible");
  }
  EXPECT_EQ(run("HEXPIRE", "h", "-1", "FIELDS", "1", "a"),
            "(error) ERR invalid expire time in 'hexpire' command");
  EXPECT_EQ(run("HEXPIRE", "h", "9223372036854775807", "FIELDS", "1", "a"),
            "(error) ERR invalid expire time in 'hexpire' command");
  EXPECT_EQ(run("HPEXPIRE", "h", "9223372036854775807", "FIELDS", "1", "a"),
            "(error) ERR invalid expire time in 'hpexpire' command");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "2", "a"), "(error) ERR syntax error");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "x", "a"),
            "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("HPERSIST", "h", "FIELDS", "2", "a"), kBadCount);
  EXPECT_EQ(run("HGETDEL", "h", "FIELDS", "2", "a"), kBadCount);
  EXPECT_EQ(run("HGETEX", "h", "FIELDS", "2", "a"), kBadCount);
  EXPECT_EQ(run("HGETEX", "h", "EX", "1", "PERSIST", "FIELDS", "1", "a"),
            "(error) ERR syntax error");
  EXPECT_EQ(run("HGETEX", "h", "KEEPTTL", "FIELDS", "1", "a"), "(error) ERR syntax error");
  EXPECT_EQ(run("HGETEX", "h", "EX", "FIELDS", "1", "a"), "(error) ERR syntax error");
  EXPECT_EQ(run("HSETEX", "h", "FIELDS", "1", "a", "1", "b"), kBadCount);
  EXPECT_EQ(run("HSETEX", "h", "FIELDS", "2", "a", "1"), kBadCount);
  EXPECT_EQ(run("HSETEX", "h", "FNX", "FXX", "FIELDS", "1", "a", "1"), "(error) ERR syntax error");
  EXPECT_EQ(run("HSETEX", "h", "EX", "5", "KEEPTTL", "FIELDS", "1", "a", "1"),
            "(error) ERR syntax error");
  EXPECT_EQ(run("HSETEX", "h", "EX", "-5", "FIELDS", "1", "a", "1"),
            "(error) ERR invalid expire time in 'hsetex' command");
  EXPECT_EQ(joined_effects(), "");
  run("SET", "s", "x");
  EXPECT_EQ(run("HEXPIRE", "s", "1", "FIELDS", "1", "a"), kWrongType);
  EXPECT_EQ(run("HPERSIST", "s", "FIELDS", "1", "a"), kWrongType);
  EXPECT_EQ(run("HTTL", "s", "FIELDS", "1", "a"), kWrongType);
  EXPECT_EQ(run("HGETEX", "s", "FIELDS", "1", "a"), kWrongType);
  EXPECT_EQ(run("HGETDEL", "s", "FIELDS", "1", "a"), kWrongType);
  EXPECT_EQ(run("HSETEX", "s", "FIELDS", "1", "a", "1"), kWrongType);
}

TEST_F(HashExpiryTest, AnExpiredFieldIsSeenByNobody) {
  run("HPEXPIRE", "h", "10", "FIELDS", "2", "a", "b");
  effects();
  pass_ms(9);
  EXPECT_EQ(run("HGET", "h", "a"), "\"1\"");
  pass_ms(1);
  EXPECT_EQ(run("HGET", "h", "a"), "(nil)");
  EXPECT_EQ(run("HMGET", "h", "a", "c"), "[(nil), \"3\"]");
  EXPECT_EQ(run("HEXISTS", "h", "a"), "(integer) 0");
  EXPECT_EQ(run("HSTRLEN", "h", "a"), "(integer) 0");
  EXPECT_EQ(run("HGETALL", "h"), "[\"c\", \"3\"]");
  EXPECT_EQ(run("HKEYS", "h"), "[\"c\"]");
  EXPECT_EQ(run("HVALS", "h"), "[\"3\"]");
  EXPECT_EQ(run("HRANDFIELD", "h"), "\"c\"");
  EXPECT_EQ(run("HRANDFIELD", "h", "5"), "[\"c\"]");
  EXPECT_EQ(run("HRANDFIELD", "h", "-2"), "[\"c\", \"c\"]");
  EXPECT_EQ(run("HSCAN", "h", "0"), "[\"0\", [\"c\", \"3\"]]");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "1", "a"), "[(integer) -2]");
  EXPECT_EQ(run("HPERSIST", "h", "FIELDS", "1", "a"), "[(integer) -2]");
  EXPECT_EQ(run("HEXPIRE", "h", "9", "FIELDS", "1", "a"), "[(integer) -2]");
  EXPECT_EQ(run("HGETEX", "h", "EX", "9", "FIELDS", "1", "a"), "[(nil)]");
  EXPECT_EQ(run("HGETDEL", "h", "FIELDS", "1", "a"), "[(nil)]");
  EXPECT_EQ(run("HDEL", "h", "a"), "(integer) 0");
  EXPECT_EQ(run("HSETEX", "h", "FXX", "FIELDS", "1", "a", "x"), "(integer) 0");
  EXPECT_EQ(run("HLEN", "h"), "(integer) 3") << "HLEN counts what is not yet removed";
  EXPECT_EQ(joined_effects(), "");
  run("HPEXPIRE", "h", "1", "FIELDS", "1", "c");
  pass_ms(1);
  EXPECT_EQ(run("HGETALL", "h"), "[]");
  EXPECT_EQ(run("HRANDFIELD", "h"), "(nil)");
  EXPECT_EQ(run("HRANDFIELD", "h", "-5"), "[]");
}

TEST_F(HashExpiryTest, CronRemovesThemWithTheirEffect) {
  run("HPEXPIRE", "h", "10", "FIELDS", "2", "a", "b");
  effects();
  EXPECT_EQ(expire(), 0u);
  pass_ms(10);
  EXPECT_EQ(expire(), 2u);
  run("PING");
  const std::string effect = joined_effects();
  EXPECT_TRUE(effect == "HDEL h a b" || effect == "HDEL h b a") << effect;
  EXPECT_EQ(run("HLEN", "h"), "(integer) 1");
  run("HPEXPIRE", "h", "10", "FIELDS", "1", "c");
  effects();
  pass_ms(10);
  EXPECT_EQ(expire(), 1u);
  run("PING");
  EXPECT_EQ(joined_effects(), "HDEL h c");
  EXPECT_EQ(run("EXISTS", "h"), "(integer) 0");
}

TEST_F(HashExpiryTest, OverwritingAFieldDropsItsExpiry) {
  run("HEXPIRE", "h", "10", "FIELDS", "3", "a", "b", "c");
  effects();
  EXPECT_EQ(run("HSET", "h", "a", "x"), "(integer) 0");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "2", "a", "b"), "[(integer) -1, (integer) 10]");
  EXPECT_EQ(run("HINCRBY", "h", "b", "5"), "(integer) 7");
  EXPECT_EQ(run("HINCRBYFLOAT", "h", "c", "0.5"), "\"3.5\"");
  EXPECT_EQ(run("HINCRBY", "h", "new", "5"), "(integer) 5");
  EXPECT_EQ(run("HSETNX", "h", "newer", "1"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "HSET h a x; HSETEX h PXAT " + at(10'000) +
                                  " FIELDS 1 b 7; HSETEX h PXAT " + at(10'000) +
                                  " FIELDS 1 c 3.5; HSET h new 5; HSET h newer 1");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "2", "b", "c"), "[(integer) 10, (integer) 10]");
}

TEST_F(HashExpiryTest, AnExpiredFieldIsNewWhenItIsSet) {
  run("HPEXPIRE", "h", "10", "FIELDS", "3", "a", "b", "c");
  pass_ms(10);
  effects();
  EXPECT_EQ(run("HSET", "h", "a", "x", "d", "y"), "(integer) 2");
  EXPECT_EQ(run("HINCRBY", "h", "b", "1"), "(integer) 1") << "it had no value";
  EXPECT_EQ(run("HSETNX", "h", "c", "z"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "HSET h a x d y; HSET h b 1; HSET h c z");
  EXPECT_EQ(keyspace_.stats().expired_fields, 3u);
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "3", "a", "b", "c"),
            "[(integer) -1, (integer) -1, (integer) -1]");
}

TEST_F(HashExpiryTest, Persist) {
  run("HEXPIRE", "h", "10", "FIELDS", "2", "a", "b");
  effects();
  EXPECT_EQ(run("HPERSIST", "h", "FIELDS", "3", "a", "c", "none"),
            "[(integer) 1, (integer) -1, (integer) -2]");
  EXPECT_EQ(joined_effects(), "HPERSIST h FIELDS 1 a");
  EXPECT_EQ(run("HPERSIST", "h", "FIELDS", "1", "a"), "[(integer) -1]");
  EXPECT_EQ(run("HPERSIST", "none", "FIELDS", "1", "a"), "[(integer) -2]");
  EXPECT_EQ(joined_effects(), "");
}

TEST_F(HashExpiryTest, GetEx) {
  EXPECT_EQ(run("HGETEX", "h", "FIELDS", "2", "a", "none"), "[\"1\", (nil)]");
  EXPECT_EQ(run("HGETEX", "none", "FIELDS", "1", "a"), "[(nil)]");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("HGETEX", "h", "PX", "500", "FIELDS", "2", "a", "none"), "[\"1\", (nil)]");
  EXPECT_EQ(run("HGETEX", "h", "EXAT", "1700000100", "FIELDS", "1", "b"), "[\"2\"]");
  EXPECT_EQ(run("HGETEX", "h", "PERSIST", "FIELDS", "2", "b", "c"), "[\"2\", \"3\"]");
  EXPECT_EQ(run("HGETEX", "h", "PXAT", "5", "FIELDS", "2", "b", "b"), "[\"2\", (nil)]");
  EXPECT_EQ(joined_effects(), "HPEXPIREAT h " + at(500) + " FIELDS 1 a; HPEXPIREAT h " +
                                  at(100'000) + " FIELDS 1 b; HPERSIST h FIELDS 1 b; HDEL h b");
  EXPECT_EQ(run("HGETEX", "h", "EX", "0", "FIELDS", "2", "a", "c"), "[\"1\", \"3\"]");
  EXPECT_EQ(run("EXISTS", "h"), "(integer) 0");
}

TEST_F(HashExpiryTest, GetDel) {
  EXPECT_EQ(run("HGETDEL", "h", "FIELDS", "3", "a", "none", "a"), "[\"1\", (nil), (nil)]");
  EXPECT_EQ(joined_effects(), "HDEL h a");
  EXPECT_EQ(run("HGETDEL", "h", "FIELDS", "2", "b", "c"), "[\"2\", \"3\"]");
  EXPECT_EQ(run("EXISTS", "h"), "(integer) 0");
  effects();
  EXPECT_EQ(run("HGETDEL", "h", "FIELDS", "1", "b"), "[(nil)]");
  EXPECT_EQ(joined_effects(), "");
}

TEST_F(HashExpiryTest, SetEx) {
  EXPECT_EQ(run("HSETEX", "n", "FIELDS", "2", "a", "1", "b", "2"), "(integer) 1");
  EXPECT_EQ(run("OBJECT", "ENCODING", "n"), "\"listpack\"") << "nothing expires";
  EXPECT_EQ(run("HSETEX", "n", "EX", "10", "FIELDS", "2", "a", "x", "c", "3"), "(integer) 1");
  EXPECT_EQ(run("HTTL", "n", "FIELDS", "3", "a", "b", "c"),
            "[(integer) 10, (integer) -1, (integer) 10]");
  EXPECT_EQ(run("HSETEX", "n", "KEEPTTL", "FIELDS", "2", "a", "y", "d", "4"), "(integer) 1");
  EXPECT_EQ(run("HTTL", "n", "FIELDS", "2", "a", "d"), "[(integer) 10, (integer) -1]");
  EXPECT_EQ(run("HSETEX", "n", "FIELDS", "1", "c", "3"), "(integer) 1");
  EXPECT_EQ(run("HTTL", "n", "FIELDS", "1", "c"), "[(integer) -1]");
  EXPECT_EQ(joined_effects(),
            "HSETEX n FIELDS 2 a 1 b 2; HSETEX n PXAT " + at(10'000) +
                " FIELDS 2 a x c 3; HSETEX n KEEPTTL FIELDS 2 a y d 4; HSETEX n FIELDS 1 c 3");
  EXPECT_EQ(run("HSETEX", "n", "FNX", "FIELDS", "2", "a", "z", "e", "5"), "(integer) 0");
  EXPECT_EQ(run("HSETEX", "n", "FXX", "FIELDS", "2", "a", "z", "e", "5"), "(integer) 0");
  EXPECT_EQ(run("HSETEX", "none", "FXX", "FIELDS", "1", "a", "z"), "(integer) 0");
  EXPECT_EQ(run("HSETEX", "n", "NX", "FIELDS", "1", "e", "5"), "(integer) 0");
  EXPECT_EQ(run("HSETEX", "none", "XX", "FIELDS", "1", "e", "5"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "none"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("HSETEX", "n", "PX", "9", "FNX", "FIELDS", "1", "e", "5"), "(integer) 1");
  EXPECT_EQ(run("HSETEX", "n", "FXX", "FIELDS", "1", "e", "6"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "HSETEX n PXAT " + at(9) + " FIELDS 1 e 5; HSETEX n FIELDS 1 e 6");
}

TEST_F(HashExpiryTest, SetExInThePastDeletes) {
  EXPECT_EQ(run("HSETEX", "h", "PXAT", "1", "FIELDS", "2", "a", "x", "none", "y"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "HDEL h a");
  EXPECT_EQ(run("HSETEX", "missing", "PXAT", "1", "FIELDS", "1", "a", "x"), "(integer) 1");
  EXPECT_EQ(run("EXISTS", "missing"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("HSETEX", "h", "EX", "0", "FIELDS", "2", "b", "x", "c", "y"), "(integer) 1");
  EXPECT_EQ(run("EXISTS", "h"), "(integer) 0");
}

TEST_F(HashExpiryTest, KeepTtlDoesNotReviveAnExpiredTime) {
  run("HPEXPIRE", "h", "10", "FIELDS", "1", "a");
  pass_ms(10);
  effects();
  EXPECT_EQ(run("HSETEX", "h", "KEEPTTL", "FIELDS", "1", "a", "x"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "MULTI; HDEL h a; HSETEX h KEEPTTL FIELDS 1 a x; EXEC");
  EXPECT_EQ(run("HTTL", "h", "FIELDS", "1", "a"), "[(integer) -1]");
}

TEST_F(HashExpiryTest, CopiesAndRenamesKeepTheExpiry) {
  run("HEXPIRE", "h", "10", "FIELDS", "1", "a");
  run("COPY", "h", "copy");
  run("RENAME", "h", "renamed");
  for (const char* key : {"copy", "renamed"}) {
    EXPECT_EQ(run("HTTL", key, "FIELDS", "2", "a", "b"), "[(integer) 10, (integer) -1]");
  }
  pass_ms(10'000);
  EXPECT_EQ(expire(), 2u);
}

TEST_F(HashExpiryTest, TheDigestTellsWhetherAFieldExpires) {
  const std::string plain = dataset_digest(keyspace_);
  run("HEXPIRE", "h", "10", "FIELDS", "1", "a");
  EXPECT_NE(dataset_digest(keyspace_), plain);
  run("HPERSIST", "h", "FIELDS", "1", "a");
  EXPECT_EQ(dataset_digest(keyspace_), plain);
}

}  // namespace
}  // namespace tandem
