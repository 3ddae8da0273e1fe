#include <string>

#include "persistence/dump_payload.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

// Which events each command causes, and in which order.
class CommandEventsTest : public CommandFixture {
 protected:
  void SetUp() override {
    event_classes_ = "EAnm";
    run("MSET", "s", "text", "n", "1");
    run("HSET", "h", "f", "1", "g", "2");
    run("SET", "v", "text", "EX", "1000");
  }
};

TEST_F(CommandEventsTest, Strings) {
  EXPECT_EQ(events_of("SET", "s", "x"), "set s");
  EXPECT_EQ(events_of("SET", "s", "x", "EX", "10"), "set s, expire s");
  EXPECT_EQ(events_of("SET", "s", "x", "PXAT", "1700000999000", "GET"), "set s, expire s");
  EXPECT_EQ(events_of("SET", "s", "x", "KEEPTTL"), "set s");
  EXPECT_EQ(events_of("SET", "s", "x", "NX"), "");
  EXPECT_EQ(events_of("SET", "s", "x", "IFEQ", "other"), "");
  EXPECT_EQ(events_of("SETNX", "s", "x"), "");
  EXPECT_EQ(events_of("SETEX", "s", "10", "x"), "set s, expire s");
  EXPECT_EQ(events_of("PSETEX", "s", "10000", "x"), "set s, expire s");
  EXPECT_EQ(events_of("GETSET", "s", "x"), "set s");
  EXPECT_EQ(events_of("MSET", "s", "x", "n", "1"), "set s, set n");
  EXPECT_EQ(events_of("MSETNX", "s", "x", "other", "1"), "");
  EXPECT_EQ(events_of("MSETEX", "2", "s", "x", "n", "1"), "set s, set n");
  EXPECT_EQ(events_of("MSETEX", "1", "s", "x", "EX", "5"), "set s, expire s");
  EXPECT_EQ(events_of("APPEND", "s", "x"), "append s");
  EXPECT_EQ(events_of("SETRANGE", "s", "1", "x"), "setrange s");
  EXPECT_EQ(events_of("SETRANGE", "s", "1", ""), "");
  EXPECT_EQ(events_of("INCR", "n"), "incrby n");
  EXPECT_EQ(events_of("DECRBY", "n", "3"), "incrby n");
  EXPECT_EQ(events_of("INCR", "s"), "");
  EXPECT_EQ(events_of("INCRBYFLOAT", "n", "1.5"), "incrbyfloat n");
  EXPECT_EQ(events_of("DELIFEQ", "s", "other"), "");
  EXPECT_EQ(events_of("GETDEL", "s"), "del s");
  EXPECT_EQ(events_of("DELIFEQ", "n", "0.5"), "del n");
}

TEST_F(CommandEventsTest, GetexTellsOfTheExpiryOnly) {
  EXPECT_EQ(events_of("GETEX", "s"), "");
  EXPECT_EQ(events_of("GETEX", "s", "PERSIST"), "");
  EXPECT_EQ(events_of("GETEX", "s", "EX", "10"), "expire s");
  EXPECT_EQ(events_of("GETEX", "s", "PERSIST"), "persist s");
  EXPECT_EQ(events_of("GETEX", "s", "PXAT", "1"), "del s");
}

TEST_F(CommandEventsTest, Bits) {
  EXPECT_EQ(events_of("SETBIT", "s", "1", "0"), "setbit s");
  EXPECT_EQ(events_of("SETBIT", "s", "1", "0"), "");
  EXPECT_EQ(events_of("BITFIELD", "s", "SET", "u8", "0", "1", "SET", "u8", "8", "1"), "setbit s");
  EXPECT_EQ(events_of("BITFIELD", "s", "SET", "u8", "0", "1", "GET", "u8", "8"), "");
  EXPECT_EQ(events_of("BITOP", "NOT", "n", "s"), "set n");
  EXPECT_EQ(events_of("BITOP", "AND", "n", "none"), "keymiss none, del n");
}

TEST_F(CommandEventsTest, HyperLogLogs) {
  run("PFADD", "p", "a");
  EXPECT_EQ(events_of("PFADD", "p", "b", "c"), "pfadd p");
  EXPECT_EQ(events_of("PFADD", "p", "b", "c"), "");
  EXPECT_EQ(events_of("PFCOUNT", "p"), "");
  EXPECT_EQ(events_of("PFMERGE", "p", "p"), "pfadd p");
}

TEST_F(CommandEventsTest, Hashes) {
  EXPECT_EQ(events_of("HSET", "h", "f", "1", "x", "2"), "hset h");
  EXPECT_EQ(events_of("HMSET", "h", "f", "1"), "hset h");
  EXPECT_EQ(events_of("HSETNX", "h", "f", "1"), "");
  EXPECT_EQ(events_of("HSETNX", "h", "y", "1"), "hset h");
  EXPECT_EQ(events_of("HINCRBY", "h", "f", "1"), "hincrby h");
  EXPECT_EQ(events_of("HINCRBYFLOAT", "h", "f", "1"), "hincrbyfloat h");
  EXPECT_EQ(events_of("HDEL", "h", "none"), "");
  EXPECT_EQ(events_of("HDEL", "h", "f", "g"), "hdel h");
  EXPECT_EQ(events_of("HDEL", "h", "x", "y"), "hdel h, del h");
}

TEST_F(CommandEventsTest, Keys) {
  EXPECT_EQ(events_of("DEL", "s", "none", "n"), "del s, del n");
  EXPECT_EQ(events_of("UNLINK", "h"), "del h");
  EXPECT_EQ(events_of("EXPIRE", "none", "10"), "");
  EXPECT_EQ(events_of("EXPIRE", "v", "10"), "expire v");
  EXPECT_EQ(events_of("EXPIRE", "v", "20", "NX"), "");
  EXPECT_EQ(events_of("PERSIST", "v"), "persist v");
  EXPECT_EQ(events_of("PERSIST", "v"), "");
  EXPECT_EQ(events_of("RENAME", "v", "v"), "");
  run("SET", "w", "1");
  EXPECT_EQ(events_of("RENAMENX", "v", "w"), "");
  EXPECT_EQ(events_of("PEXPIREAT", "w", "1"), "del w");
}

TEST_F(CommandEventsTest, KeysThatComeAndGoElsewhere) {
  EXPECT_EQ(events_of("RENAME", "s", "t"), "new t, rename_from s, rename_to t");
  EXPECT_EQ(events_of("COPY", "t", "u"), "new u, copy_to u");
  EXPECT_EQ(events_of("COPY", "t", "u"), "");
  EXPECT_EQ(events_of("COPY", "t", "u", "DB", "2"), "new u@2, copy_to u@2");
  EXPECT_EQ(events_of("MOVE", "t", "3"), "new t@3, move_from t, move_to t@3");
  EXPECT_EQ(events_of("FLUSHDB"), "");
}

TEST_F(CommandEventsTest, Restore) {
  const std::string payload = dump_value(*keyspace_.database(0).peek("h"));
  EXPECT_EQ(events_of("RESTORE", "h", "0", payload), "");
  EXPECT_EQ(events_of("RESTORE", "h", "0", payload, "REPLACE"), "new h, restore h");
  EXPECT_EQ(events_of("RESTORE", "other", "100", payload), "new other, restore other");
  EXPECT_EQ(events_of("RESTORE", "h", "1", payload, "REPLACE", "ABSTTL"), "del h");
  EXPECT_EQ(events_of("RESTORE", "h", "1", payload, "REPLACE", "ABSTTL"), "");
}

TEST_F(CommandEventsTest, NewKeysAndMisses) {
  EXPECT_EQ(events_of("SET", "a", "1"), "new a, set a");
  EXPECT_EQ(events_of("HSET", "b", "f", "v"), "new b, hset b");
  EXPECT_EQ(events_of("SETBIT", "c", "0", "1"), "new c, setbit c");
  EXPECT_EQ(events_of("PFADD", "d", "x"), "new d, pfadd d");
  EXPECT_EQ(events_of("BITOP", "OR", "e", "s"), "new e, set e");
  EXPECT_EQ(events_of("GET", "none"), "keymiss none");
  EXPECT_EQ(events_of("GETBIT", "none", "1"), "keymiss none");
  EXPECT_EQ(events_of("SETBIT", "none", "1", "0"), "new none, setbit none");
}

}  // namespace
}  // namespace tandem
