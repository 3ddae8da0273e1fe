#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "server/commands/dataset_digest.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

class SetCommandsTest : public CommandFixture {
 protected:
  // The elements of a reply like "["a", "b"]", or of a RESP3 set, in order.
  static std::string sorted(const std::string& reply) {
    std::multiset<std::string> elements;
    for (size_t at = reply.find('"'); at != std::string::npos; at = reply.find('"', at)) {
      const size_t end = reply.find('"', at + 1);
      elements.insert(reply.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    std::string joined;
    for (const std::string& element : elements) joined += (joined.empty() ? "" : " ") + element;
    return joined;
  }
  template <typename... Words>
  std::string run_sorted(const Words&... words) {
    return sorted(run(words...));
  }
  void add(const std::string& key, int from, int to, const std::string& prefix = "") {
    for (int i = from; i < to; ++i) run("SADD", key, prefix + std::to_string(i));
    effects();
  }
  const Entry* find(const std::string& key) { return keyspace_.database(0).peek(key); }
};

TEST_F(SetCommandsTest, AddRemoveAndAsk) {
  EXPECT_EQ(run("SADD", "s", "a", "b", "a"), "(integer) 2");
  EXPECT_EQ(run("SADD", "s", "b", "c"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "SADD s a b a; SADD s b c");
  EXPECT_EQ(effects_of("SADD", "s", "a"), "") << "nothing new";
  EXPECT_EQ(run("SCARD", "s"), "(integer) 3");
  EXPECT_EQ(run("SCARD", "none"), "(integer) 0");
  EXPECT_EQ(run("SISMEMBER", "s", "c"), "(integer) 1");
  EXPECT_EQ(run("SISMEMBER", "s", "d"), "(integer) 0");
  EXPECT_EQ(run("SISMEMBER", "none", "d"), "(integer) 0");
  EXPECT_EQ(run("SMISMEMBER", "s", "a", "d", "b"), "[(integer) 1, (integer) 0, (integer) 1]");
  EXPECT_EQ(run("SMISMEMBER", "none", "a", "d"), "[(integer) 0, (integer) 0]");
  EXPECT_EQ(run_sorted("SMEMBERS", "s"), "a b c");
  EXPECT_EQ(run("SMEMBERS", "none"), "[]");
  EXPECT_EQ(effects_of("SREM", "s", "d"), "");
  EXPECT_EQ(run("SREM", "none", "d"), "(integer) 0");
  EXPECT_EQ(run("SREM", "s", "a", "d", "b"), "(integer) 2");
  EXPECT_EQ(run("SREM", "s", "c", "a"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "SREM s a d b; SREM s c a");
  EXPECT_EQ(run("EXISTS", "s"), "(integer) 0");
}

TEST_F(SetCommandsTest, RefuseOtherTypes) {
  run("SET", "x", "1");
  run("SADD", "s", "a");
  effects();
  for (const char* name : {"SADD", "SREM", "SISMEMBER", "SMISMEMBER"}) {
    EXPECT_EQ(run(name, "x", "a"), kWrongType) << name;
  }
  for (const char* name : {"SCARD", "SMEMBERS", "SPOP", "SRANDMEMBER", "SINTER", "SUNION"}) {
    EXPECT_EQ(run(name, "x"), kWrongType) << name;
  }
  for (const char* name : {"SINTER", "SUNION", "SDIFF"}) {
    EXPECT_EQ(run(name, "none", "x"), kWrongType) << name;
    EXPECT_EQ(run(std::string(name) + "STORE", "s", "none", "x"), kWrongType) << name;
  }
  EXPECT_EQ(run("SPOP", "x", "2"), kWrongType);
  EXPECT_EQ(run("SRANDMEMBER", "x", "2"), kWrongType);
  EXPECT_EQ(run("SMOVE", "x", "s", "a"), kWrongType);
  EXPECT_EQ(run("SMOVE", "s", "x", "a"), kWrongType);
  EXPECT_EQ(run("SMOVE", "none", "x", "a"), "(integer) 0") << "the source is looked at first";
  EXPECT_EQ(run("SINTERCARD", "2", "s", "x"), kWrongType);
  EXPECT_EQ(run("SSCAN", "x", "0"), kWrongType);
  EXPECT_EQ(run("SCARD", "s"), "(integer) 1");
  EXPECT_EQ(joined_effects(), "");
}

TEST_F(SetCommandsTest, EncodingsAndTypeAreNamed) {
  add("s", 0, 3);
  EXPECT_EQ(run("TYPE", "s"), "set");
  EXPECT_EQ(run("OBJECT", "ENCODING", "s"), "\"intset\"");
  run("SADD", "s", "word");
  EXPECT_EQ(run("OBJECT", "ENCODING", "s"), "\"listpack\"");
  run("SADD", "s", std::string(65, 'x'));
  EXPECT_EQ(run("OBJECT", "ENCODING", "s"), "\"hashtable\"");
  configure("set-max-intset-entries", "2");
  add("t", 0, 3);
  EXPECT_EQ(run("OBJECT", "ENCODING", "t"), "\"hashtable\"");
  configure("set-max-listpack-entries", "2");
  run("SADD", "u", "a", "b", "a");
  EXPECT_EQ(run("OBJECT", "ENCODING", "u"), "\"hashtable\"") << "as many arguments pass the limit";
}

TEST_F(SetCommandsTest, MoveAMember) {
  run("SADD", "a", "1", "2");
  effects();
  EXPECT_EQ(run("SMOVE", "a", "b", "3"), "(integer) 0");
  EXPECT_EQ(run("SMOVE", "a", "a", "1"), "(integer) 1");
  EXPECT_EQ(run("SMOVE", "a", "a", "3"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("SMOVE", "a", "b", "1"), "(integer) 1");
  EXPECT_EQ(run("SADD", "b", "2"), "(integer) 1");
  effects();
  EXPECT_EQ(run("SMOVE", "a", "b", "2"), "(integer) 1") << "already there";
  EXPECT_EQ(joined_effects(), "SMOVE a b 2");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
  EXPECT_EQ(run_sorted("SMEMBERS", "b"), "1 2");
}

TEST_F(SetCommandsTest, PopTravelsAsWhatItRemoved) {
  run("SADD", "s", "only");
  effects();
  EXPECT_EQ(run("SPOP", "s"), "\"only\"");
  EXPECT_EQ(joined_effects(), "SREM s only");
  EXPECT_EQ(run("EXISTS", "s"), "(integer) 0");
  EXPECT_EQ(run("SPOP", "s"), "(nil)");
  EXPECT_EQ(run("SPOP", "s", "3"), "[]");
  EXPECT_EQ(run("SPOP", "s", "-1"), "(error) ERR value is out of range, must be positive");
  EXPECT_EQ(run("SPOP", "s", "x"), "(error) ERR value is out of range, must be positive");
  EXPECT_EQ(run("SPOP", "s", "1", "2"), "(error) ERR syntax error");
  EXPECT_EQ(joined_effects(), "");

  configure("lazyfree-lazy-server-del", "no");
  add("s", 0, 3);
  EXPECT_EQ(run("SPOP", "s", "0"), "[]");
  EXPECT_EQ(run_sorted("SPOP", "s", "9"), "0 1 2");
  EXPECT_EQ(joined_effects(), "DEL s");
  configure("lazyfree-lazy-server-del", "yes");
  add("s", 0, 3);
  EXPECT_EQ(run_sorted("SPOP", "s", "3"), "0 1 2");
  EXPECT_EQ(joined_effects(), "UNLINK s");

  for (const char* prefix : {"", "w"}) {
    add("big", 0, 3000, prefix);
    const std::string popped = run_sorted("SPOP", "big", "2500");
    std::string removed;
    size_t commands = 0;
    for (const std::string& effect : effects()) {
      if (effect == "MULTI" || effect == "EXEC") continue;
      ASSERT_EQ(effect.substr(0, 9), "SREM big ");
      removed += '"' + effect.substr(9) + '"';
      ++commands;
    }
    EXPECT_EQ(commands, 3u) << "1024 members a command";
    for (size_t at; (at = removed.find(' ')) != std::string::npos;) removed.replace(at, 1, "\"\"");
    EXPECT_EQ(sorted(removed), popped);
    EXPECT_EQ(run("SCARD", "big"), "(integer) 500");
    run("DEL", "big");
    effects();
  }
}

TEST_F(SetCommandsTest, RandomMembersOnceOrOften) {
  EXPECT_EQ(run("SRANDMEMBER", "none"), "(nil)");
  EXPECT_EQ(run("SRANDMEMBER", "none", "3"), "[]");
  add("s", 0, 5);
  EXPECT_EQ(run("SRANDMEMBER", "s", "0"), "[]");
  EXPECT_EQ(run_sorted("SRANDMEMBER", "s", "9"), "0 1 2 3 4");
  const std::string often = run_sorted("SRANDMEMBER", "s", "-9");
  EXPECT_EQ(std::count(often.begin(), often.end(), ' '), 8);
  EXPECT_EQ(run("SRANDMEMBER", "s", "1", "2"), "(error) ERR syntax error");
  EXPECT_EQ(run("SRANDMEMBER", "s", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("SRANDMEMBER", "s", "-9223372036854775808"),
            "(error) ERR value is out of range, value must between -9223372036854775807 and "
            "9223372036854775807");
  EXPECT_EQ(run("SCARD", "s"), "(integer) 5");
  EXPECT_EQ(joined_effects(), "");
}

TEST_F(SetCommandsTest, CombineSetsOfEveryEncoding) {
  for (const char* prefix : {"", "w"}) {
    for (const char* limit : {"512", "0"}) {
      SCOPED_TRACE(std::string(prefix) + limit);
      configure("set-max-intset-entries", limit);
      configure("set-max-listpack-entries", limit);
      run("FLUSHALL");
      add("a", 0, 6, prefix);
      configure("set-max-listpack-entries", "512");
      add("b", 3, 9, prefix);
      run("SADD", "b", "other");
      add("c", 5, 20, prefix);
      effects();
      const auto named = [&](std::vector<int> numbers) {
        std::multiset<std::string> names;
        for (const int n : numbers) names.insert(prefix + std::to_string(n));
        std::string joined;
        for (const std::string& name : names) joined += (joined.empty() ? "" : " ") + name;
        return joined;
      };
      EXPECT_EQ(run_sorted("SINTER", "a", "b"), named({3, 4, 5}));
      EXPECT_EQ(run_sorted("SINTER", "c", "a", "b", "a"), named({5}));
      EXPECT_EQ(run("SINTER", "a", "none"), "[]");
      EXPECT_EQ(run_sorted("SUNION", "a", "none"), named({0, 1, 2, 3, 4, 5}));
      EXPECT_EQ(run_sorted("SDIFF", "a", "b"), named({0, 1, 2}));
      EXPECT_EQ(run_sorted("SDIFF", "a", "none", "c"), named({0, 1, 2, 3, 4}));
      EXPECT_EQ(run_sorted("SDIFF", "c", "a", "b"),
                named({9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
      EXPECT_EQ(run("SDIFF", "a", "c", "a"), "[]");
      EXPECT_EQ(run("SDIFF", "none", "a"), "[]");
      EXPECT_EQ(run("SINTERSTORE", "to", "a", "b"), "(integer) 3");
      EXPECT_EQ(run_sorted("SMEMBERS", "to"), named({3, 4, 5}));
      EXPECT_EQ(run("SUNIONSTORE", "to", "a", "b", "c"), "(integer) 21");
      EXPECT_EQ(run("SDIFFSTORE", "a", "a", "b"), "(integer) 3") << "onto a source";
      EXPECT_EQ(run_sorted("SMEMBERS", "a"), named({0, 1, 2}));
      EXPECT_EQ(joined_effects(), "SINTERSTORE to a b; SUNIONSTORE to a b c; SDIFFSTORE a a b");
      EXPECT_EQ(run("SINTERSTORE", "to", "a", "c"), "(integer) 0");
      EXPECT_EQ(run("EXISTS", "to"), "(integer) 0") << "nothing in common";
      EXPECT_EQ(joined_effects(), "SINTERSTORE to a c");
      EXPECT_EQ(run("SDIFFSTORE", "to", "none"), "(integer) 0");
      EXPECT_EQ(joined_effects(), "") << "there was nothing to delete";
    }
  }
}

TEST_F(SetCommandsTest, DifferencesByRemovalAreTheSame) {
  // Many sets beside a large first one: looking each of its members up would be more work.
  for (const char* prefix : {"", "w"}) {
    run("FLUSHALL");
    add("big", 0, 100, prefix);
    run("SADD", "one", std::string(prefix) + "1");
    run("SADD", "two", std::string(prefix) + "2", "unknown");
    run("SADD", "three", std::string(prefix) + "3");
    run("SDIFFSTORE", "left", "big", "one", "two", "three", "none");
    EXPECT_EQ(run("SCARD", "left"), "(integer) 97");
    EXPECT_EQ(run("SMISMEMBER", "left", std::string(prefix) + "2", std::string(prefix) + "4"),
              "[(integer) 0, (integer) 1]");
    EXPECT_EQ(run_sorted("SDIFF", "big", "one", "two", "three"), run_sorted("SMEMBERS", "left"));
  }
}

TEST_F(SetCommandsTest, AResultIsPackedWhenItCanBe) {
  configure("set-max-intset-entries", "3");
  configure("set-max-listpack-entries", "3");
  add("a", 0, 6);
  run("SADD", "b", "1", "2", "word");
  run("SADD", "c", "1", "2", "other", "fourth");
  run("SINTERSTORE", "to", "a", "b");
  EXPECT_EQ(run("OBJECT", "ENCODING", "to"), "\"intset\"");
  run("SADD", "d", "word", "1");
  run("SINTERSTORE", "to", "d", "b");
  EXPECT_EQ(run("OBJECT", "ENCODING", "to"), "\"listpack\"");
  run("SUNIONSTORE", "to", "b", "c");
  EXPECT_EQ(run("OBJECT", "ENCODING", "to"), "\"hashtable\"");
  run("SDIFFSTORE", "to", "c", "b");
  EXPECT_EQ(run("OBJECT", "ENCODING", "to"), "\"listpack\"");
}

TEST_F(SetCommandsTest, CountAnIntersection) {
  add("a", 0, 600);
  add("b", 100, 900, "");
  EXPECT_EQ(run("SINTERCARD", "2", "a", "b"), "(integer) 500");
  EXPECT_EQ(run("SINTERCARD", "2", "a", "b", "LIMIT", "7"), "(integer) 7");
  EXPECT_EQ(run("SINTERCARD", "2", "a", "b", "limit", "0"), "(integer) 500");
  EXPECT_EQ(run("SINTERCARD", "1", "none", "LIMIT", "1"), "(integer) 0");
  EXPECT_EQ(run("SINTERCARD", "0", "a"), "(error) ERR numkeys should be greater than 0");
  EXPECT_EQ(run("SINTERCARD", "x", "a"), "(error) ERR numkeys should be greater than 0");
  EXPECT_EQ(run("SINTERCARD", "3", "a", "b"),
            "(error) ERR Number of keys can't be greater than number of args");
  EXPECT_EQ(run("SINTERCARD", "1", "a", "LIMIT", "-1"), "(error) ERR LIMIT can't be negative");
  EXPECT_EQ(run("SINTERCARD", "1", "a", "LIMIT", "x"), "(error) ERR LIMIT can't be negative");
  EXPECT_EQ(run("SINTERCARD", "1", "a", "b"), "(error) ERR syntax error");
  EXPECT_EQ(run("SINTERCARD", "1", "a", "LIMIT"), "(error) ERR syntax error");
}

TEST_F(SetCommandsTest, ScanReturnsAllMembers) {
  EXPECT_EQ(run("SSCAN", "none", "0"), "[\"0\", []]");
  EXPECT_EQ(run("SSCAN", "none", "x"), "(error) ERR invalid cursor");
  add("small", 0, 20);
  EXPECT_EQ(run_sorted("SSCAN", "small", "0", "MATCH", "1[0-3]"), "0 10 11 12 13");
  EXPECT_EQ(run("SSCAN", "small", "0", "COUNT", "0"), "(error) ERR syntax error");
  EXPECT_EQ(run("SSCAN", "small", "0", "TYPE", "set"), "(error) ERR syntax error");
  EXPECT_EQ(run("SSCAN", "small", "0", "NOVALUES"),
            "(error) ERR NOVALUES option can only be used in HSCAN");
  add("big", 0, 1000, "w");
  std::set<std::string> seen;
  std::string cursor = "0";
  do {
    const std::string reply = run("SSCAN", "big", cursor, "COUNT", "50");
    cursor = reply.substr(2, reply.find('"', 2) - 2);
    for (size_t at = reply.find("\"w"); at != std::string::npos; at = reply.find("\"w", at + 1)) {
      seen.insert(reply.substr(at + 1, reply.find('"', at + 1) - at - 1));
    }
  } while (cursor != "0");
  EXPECT_EQ(seen.size(), 1000u);
}

TEST_F(SetCommandsTest, AreSetsInResp3) {
  run("SADD", "s", "a");
  set_protocol(3);
  EXPECT_EQ(run("SMEMBERS", "s"), run("SINTER", "s"));
  EXPECT_EQ(run("SMEMBERS", "s"), run("SUNION", "s", "none"));
  EXPECT_NE(run("SMEMBERS", "s"), run("SRANDMEMBER", "s", "1"));
  EXPECT_EQ(run("SPOP", "none", "1"), run("SMEMBERS", "none"));
}

TEST_F(SetCommandsTest, CopiesAndDigestsAreEqual) {
  for (const char* prefix : {"", "w"}) {
    add("from", 0, 10, prefix);
    EXPECT_EQ(run("COPY", "from", "to", "REPLACE"), "(integer) 1");
    EXPECT_EQ(value_digest(find("from")), value_digest(find("to")));
    run("SADD", "to", "more");
    EXPECT_NE(value_digest(find("from")), value_digest(find("to")));
    EXPECT_EQ(run("SCARD", "from"), prefix[0] == 'w' ? "(integer) 20" : "(integer) 10");
  }
  // What redis-server 7.0.15 says of the same keys: the encoding is not part of it.
  run("FLUSHALL");
  run("SADD", "s", "1", "2", "three");
  EXPECT_EQ(dataset_digest(keyspace_), "8c511ceb6f2b8e8958fd1783f57c45409ce3df90");
}

}  // namespace
}  // namespace tandem
