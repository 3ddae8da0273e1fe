#include <string>
#include <vector>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr const char* kInvalidId =
    "(error) ERR Invalid stream ID specified as stream command argument";

class StreamCommandsTest : public CommandFixture {
 protected:
  // s, with entries 1-0, 2-0 …
  void fill(int entries) {
    for (int i = 1; i <= entries; ++i) {
      run("XADD", "s", std::to_string(i), "n", std::to_string(i));
    }
    effects();
  }
};

TEST_F(StreamCommandsTest, AddGeneratesIds) {
  EXPECT_EQ(run("XADD", "s", "*", "f", "v"), "\"1700000000000-0\"");
  EXPECT_EQ(run("XADD", "s", "*", "f", "v", "g", "w"), "\"1700000000000-1\"");
  advance_ms(5);
  EXPECT_EQ(run("XADD", "s", "*", "f", "v"), "\"1700000000005-0\"");
  EXPECT_EQ(run("XADD", "s", "1700000000005-*", "f", "v"), "\"1700000000005-1\"");
  EXPECT_EQ(run("XADD", "s", "1700000000009-*", "f", "v"), "\"1700000000009-0\"");
  EXPECT_EQ(run("XADD", "s", "1700000000009-7", "f", "v"), "\"1700000000009-7\"");
  // The clock is behind the last id: its sequence goes on.
  EXPECT_EQ(run("XADD", "s", "*", "f", "v"), "\"1700000000009-8\"");
  EXPECT_EQ(run("XADD", "t", "0-*", "f", "v"), "\"0-1\"");
  EXPECT_EQ(run("XADD", "t", "5", "f", "v"), "\"5-0\"");
  EXPECT_EQ(run("XLEN", "s"), "(integer) 7");
  EXPECT_EQ(run("XLEN", "none"), "(integer) 0");
  EXPECT_EQ(run("TYPE", "s"), "stream");
  EXPECT_EQ(run("OBJECT", "ENCODING", "s"), "\"stream\"");
}

TEST_F(StreamCommandsTest, EffectsOfAddAreDecided) {
  EXPECT_EQ(effects_of("XADD", "s", "*", "f", "v"), "XADD s 1700000000000-0 f v");
  EXPECT_EQ(effects_of("xadd", "s", "NOMKSTREAM", "1700000000000-*", "f", "v"),
            "xadd s NOMKSTREAM 1700000000000-1 f v");
  EXPECT_EQ(effects_of("XADD", "s", "1700000000001-1", "f", "v"), "XADD s 1700000000001-1 f v");
  EXPECT_EQ(effects_of("XADD", "s", "MAXLEN", "2", "*", "f", "v"),
            "XADD s MAXLEN 2 1700000000001-2 f v");
  EXPECT_EQ(effects_of("XADD", "s", "MAXLEN", "~", "1", "LIMIT", "10", "*", "f", "v"),
            "XADD s MAXLEN = 3 LIMIT 10 1700000000001-3 f v");
  EXPECT_EQ(effects_of("XADD", "s", "MINID", "~", "5", "*", "f", "v"),
            "XADD s MINID = 1700000000000-0 1700000000001-4 f v");
  // Everything goes, this entry too.
  EXPECT_EQ(effects_of("XADD", "s", "MINID", "~", "1800000000000", "*", "f", "v"),
            "XADD s MINID = 18446744073709551615-18446744073709551615 1700000000001-5 f v");
  EXPECT_EQ(run("XLEN", "s"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "s"), "(integer) 1");
  std::vector<std::string_view> many = {"XADD", "s", "*"};
  for (int i = 0; i < 80; ++i) many.push_back("x");
  effects();
  run_words(many);
  EXPECT_EQ(joined_effects().substr(0, 30), "XADD s 1700000000001-6 x x x x");
}

TEST_F(StreamCommandsTest, AddRefuses) {
  constexpr const char* kSmaller =
      "(error) ERR The ID specified in XADD is equal or smaller than the target stream top item";
  EXPECT_EQ(run("XADD", "s", "NOMKSTREAM", "*", "f", "v"), "(nil)");
  EXPECT_EQ(run("XADD", "s", "0-0", "f", "v"),
            "(error) ERR The ID specified in XADD must be greater than 0-0");
  EXPECT_EQ(run("EXISTS", "s"), "(integer) 0");
  fill(3);
  EXPECT_EQ(run("XADD", "s", "3-0", "f", "v"), kSmaller);
  EXPECT_EQ(run("XADD", "s", "2-*", "f", "v"), kSmaller);
  EXPECT_EQ(run("XADD", "s", "*", "f"), "(error) ERR wrong number of arguments for 'xadd' command");
  EXPECT_EQ(run("XADD", "s", "*", "f", "v", "g"),
            "(error) ERR wrong number of arguments for 'xadd' command");
  EXPECT_EQ(run("XADD", "s", "MAXLEN", "5", "*"),
            "(error) ERR wrong number of arguments for 'xadd' command");
  for (const char* id : {"-", "+", "x", "1-x", "1-", "-1", "1--2", "18446744073709551616", "1-2-3",
                         "", "0x1", "1-*-"}) {
    EXPECT_EQ(run("XADD", "s", id, "f", "v"), kInvalidId) << id;
  }
  // As strtoull() reads numbers.
  EXPECT_EQ(run("XADD", "s", " 4-+07", "f", "v"), "\"4-7\"");
  EXPECT_EQ(run("XADD", "s", "MAXLEN", "-1", "*", "f", "v"),
            "(error) ERR The MAXLEN argument must be >= 0.");
  EXPECT_EQ(run("XADD", "s", "MAXLEN", "~", "x", "*", "f", "v"),
            "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("XADD", "s", "MAXLEN", "1", "MINID", "1", "*", "f", "v"),
            "(error) ERR syntax error, MAXLEN and MINID options at the same time are not "
            "compatible");
  EXPECT_EQ(run("XADD", "s", "LIMIT", "1", "*", "f", "v"),
            "(error) ERR syntax error, LIMIT cannot be used without specifying a trimming "
            "strategy");
  EXPECT_EQ(run("XADD", "s", "MAXLEN", "=", "1", "LIMIT", "1", "*", "f", "v"),
            "(error) ERR syntax error, LIMIT cannot be used without the special ~ option");
  EXPECT_EQ(run("XADD", "s", "MAXLEN", "~", "1", "LIMIT", "-1", "*", "f", "v"),
            "(error) ERR The LIMIT argument must be >= 0.");
  run("XADD", "s", "18446744073709551615-18446744073709551615", "f", "v");
  EXPECT_EQ(run("XADD", "s", "*", "f", "v"),
            "(error) ERR The stream has exhausted the last possible ID, unable to add more items");
  run("XADD", "t", "5-18446744073709551615", "f", "v");
  EXPECT_EQ(run("XADD", "t", "5-*", "f", "v"), kSmaller);
}

TEST_F(StreamCommandsTest, RefuseOtherTypes) {
  run("SET", "k", "v");
  effects();
  EXPECT_EQ(run("XADD", "k", "*", "f", "v"), kWrongType);
  EXPECT_EQ(run("XLEN", "k"), kWrongType);
  EXPECT_EQ(run("XRANGE", "k", "-", "+"), kWrongType);
  EXPECT_EQ(run("XDEL", "k", "1"), kWrongType);
  EXPECT_EQ(run("XTRIM", "k", "MAXLEN", "1"), kWrongType);
  EXPECT_EQ(run("XREAD", "STREAMS", "k", "0"), kWrongType);
  EXPECT_EQ(run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">"), kWrongType);
  EXPECT_EQ(run("XSETID", "k", "1"), kWrongType);
  EXPECT_EQ(run("XACK", "k", "g", "1"), kWrongType);
  EXPECT_EQ(run("XCLAIM", "k", "g", "c", "0", "1"), kWrongType);
  EXPECT_EQ(run("XAUTOCLAIM", "k", "g", "c", "0", "0"), kWrongType);
  EXPECT_EQ(run("XPENDING", "k", "g"), kWrongType);
  EXPECT_EQ(run("XGROUP", "CREATE", "k", "g", "0"), kWrongType);
  EXPECT_EQ(run("XINFO", "STREAM", "k"), kWrongType);
  EXPECT_TRUE(effects().empty());
}

TEST_F(StreamCommandsTest, Range) {
  fill(3);
  run("XADD", "s", "3-5", "a", "1", "b", "2");
  EXPECT_EQ(run("XRANGE", "s", "-", "+", "COUNT", "2"),
            "[[\"1-0\", [\"n\", \"1\"]], [\"2-0\", [\"n\", \"2\"]]]");
  EXPECT_EQ(run("XRANGE", "s", "2", "3"),
            "[[\"2-0\", [\"n\", \"2\"]], [\"3-0\", [\"n\", \"3\"]], "
            "[\"3-5\", [\"a\", \"1\", \"b\", \"2\"]]]");
  EXPECT_EQ(run("XRANGE", "s", "(1", "(3"), run("XRANGE", "s", "1-1", "3-18446744073709551614"));
  EXPECT_EQ(run("XREVRANGE", "s", "+", "-", "COUNT", "1"),
            "[[\"3-5\", [\"a\", \"1\", \"b\", \"2\"]]]");
  EXPECT_EQ(run("XREVRANGE", "s", "(2-0", "0"), "[[\"1-0\", [\"n\", \"1\"]]]");
  EXPECT_EQ(run("XRANGE", "s", "3", "2"), "[]");
  EXPECT_EQ(run("XRANGE", "none", "-", "+"), "[]");
  EXPECT_EQ(run("XRANGE", "s", "-", "+", "COUNT", "0"), "(nil array)");
  EXPECT_EQ(run("XRANGE", "s", "-", "+", "COUNT"), "(error) ERR syntax error");
  EXPECT_EQ(run("XRANGE", "s", "-", "+", "LIMIT", "1"), "(error) ERR syntax error");
  EXPECT_EQ(run("XRANGE", "s", "x", "+"), kInvalidId);
  EXPECT_EQ(run("XRANGE", "s", "(-", "+"), kInvalidId);
  EXPECT_EQ(run("XRANGE", "s", "(18446744073709551615-18446744073709551615", "+"),
            "(error) ERR invalid start ID for the interval");
  EXPECT_EQ(run("XRANGE", "s", "-", "(0-0"), "(error) ERR invalid end ID for the interval");
}

TEST_F(StreamCommandsTest, Delete) {
  fill(4);
  EXPECT_EQ(run("XDEL", "s", "2", "9", "3-0", "2"), "(integer) 2");
  EXPECT_EQ(joined_effects(), "XDEL s 2 9 3-0 2");
  EXPECT_EQ(effects_of("XDEL", "s", "2"), "");
  EXPECT_EQ(run("XDEL", "s", "1", "x"), kInvalidId);
  EXPECT_EQ(run("XDEL", "none", "x"), "(integer) 0");
  EXPECT_EQ(run("XRANGE", "s", "-", "+"), "[[\"1-0\", [\"n\", \"1\"]], [\"4-0\", [\"n\", \"4\"]]]");
  EXPECT_EQ(run("XDEL", "s", "1", "4"), "(integer) 2");
  // A stream outlives its last entry.
  EXPECT_EQ(run("XLEN", "s"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "s"), "(integer) 1");
}

TEST_F(StreamCommandsTest, Trim) {
  configure("stream-node-max-entries", "10");
  fill(100);
  EXPECT_EQ(run("XTRIM", "s", "MAXLEN", "95"), "(integer) 5");
  EXPECT_EQ(run("XTRIM", "s", "MAXLEN", "=", "94"), "(integer) 1");
  EXPECT_EQ(run("XTRIM", "s", "MAXLEN", "200"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "XTRIM s MAXLEN 95; XTRIM s MAXLEN = 94");
  EXPECT_EQ(effects_of("XTRIM", "s", "MAXLEN", "~", "50"), "XTRIM s MAXLEN = 50");
  EXPECT_EQ(effects_of("XTRIM", "s", "MAXLEN", "~", "45"), "");
  EXPECT_EQ(effects_of("XTRIM", "s", "minid", "~", "75", "limit", "15"),
            "XTRIM s minid = 61-0 limit 15");
  EXPECT_EQ(run("XTRIM", "s", "MINID", "99"), "(integer) 38");
  EXPECT_EQ(run("XTRIM", "none", "MINID", "99"), "(integer) 0");
  EXPECT_EQ(run("XTRIM", "s", "MAXLEN"),
            "(error) ERR wrong number of arguments for 'xtrim' command");
  EXPECT_EQ(run("XTRIM", "s", "LIMIT", "0"),
            "(error) ERR syntax error, XTRIM must be called with a trimming strategy");
  EXPECT_EQ(run("XTRIM", "s", "MAXLEN", "1", "x"), "(error) ERR syntax error");
  // 100 nodes' worth of entries is the most without a LIMIT.
  configure("stream-node-max-entries", "1");
  fill(0);
  for (int i = 101; i <= 400; ++i) run("XADD", "s", std::to_string(i), "n", "x");
  EXPECT_EQ(run("XTRIM", "s", "MAXLEN", "~", "0"), "(integer) 100");
  EXPECT_EQ(run("XTRIM", "s", "MAXLEN", "~", "0", "LIMIT", "0"), "(integer) 202");
}

TEST_F(StreamCommandsTest, SetId) {
  EXPECT_EQ(run("XSETID", "s", "5"), "(error) ERR no such key");
  fill(3);
  EXPECT_EQ(run("XSETID", "s", "2-9"),
            "(error) ERR The ID specified in XSETID is smaller than the target stream top item");
  EXPECT_EQ(effects_of("XSETID", "s", "9-1", "ENTRIESADDED", "40", "MAXDELETEDID", "8-8"),
            "XSETID s 9-1 ENTRIESADDED 40 MAXDELETEDID 8-8");
  EXPECT_EQ(run("XADD", "s", "9-1", "f", "v"),
            "(error) ERR The ID specified in XADD is equal or smaller than the target stream top "
            "item");
  EXPECT_EQ(run("XSETID", "s", "8-0"),
            "(error) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  EXPECT_EQ(run("XSETID", "s", "10", "MAXDELETEDID", "11"),
            "(error) ERR The ID specified in XSETID is smaller than the provided "
            "max_deleted_entry_id");
  EXPECT_EQ(run("XSETID", "s", "10", "ENTRIESADDED", "2"),
            "(error) ERR The entries_added specified in XSETID is smaller than the target stream "
            "length");
  EXPECT_EQ(run("XSETID", "s", "10", "ENTRIESADDED", "-2"),
            "(error) ERR entries_added must be positive");
  EXPECT_EQ(run("XSETID", "s", "10", "ENTRIESADDED"), "(error) ERR syntax error");
  EXPECT_EQ(run("XSETID", "s", "+"), kInvalidId);
}

TEST_F(StreamCommandsTest, Read) {
  fill(3);
  run("XADD", "t", "5-1", "x", "y");
  effects();
  EXPECT_EQ(run("XREAD", "COUNT", "1", "STREAMS", "s", "none", "t", "1", "0", "5-0"),
            "[[\"s\", [[\"2-0\", [\"n\", \"2\"]]]], [\"t\", [[\"5-1\", [\"x\", \"y\"]]]]]");
  EXPECT_EQ(run("XREAD", "STREAMS", "s", "3"), "(nil array)");
  EXPECT_EQ(run("XREAD", "STREAMS", "s", "$"), "(nil array)");
  EXPECT_EQ(run("XREAD", "STREAMS", "s", "t", "+", "+"),
            "[[\"s\", [[\"3-0\", [\"n\", \"3\"]]]], [\"t\", [[\"5-1\", [\"x\", \"y\"]]]]]");
  EXPECT_EQ(run("XREAD", "COUNT", "0", "STREAMS", "s", "2-5"),
            "[[\"s\", [[\"3-0\", [\"n\", \"3\"]]]]]");
  set_protocol(3);
  EXPECT_EQ(run("XREAD", "STREAMS", "s", "2"), "{\"s\": [[\"3-0\", [\"n\", \"3\"]]]}");
  EXPECT_EQ(run("XREAD", "STREAMS", "s", "3"), "(nil)");
  EXPECT_TRUE(effects().empty());
}

TEST_F(StreamCommandsTest, ReadRefuses) {
  fill(1);
  EXPECT_EQ(run("XREAD", "STREAMS", "s", "t", "0"),
            "(error) ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must "
            "be specified.");
  EXPECT_EQ(run("XREAD", "COUNT", "1", "s", "0"), "(error) ERR syntax error");
  EXPECT_EQ(run("XREAD", "COUNT", "1", "STREAMS"), "(error) ERR syntax error");
  EXPECT_EQ(run("XREAD", "COUNT", "x", "STREAMS", "s", "0"),
            "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("XREAD", "BLOCK", "x", "STREAMS", "s", "0"),
            "(error) ERR timeout is not an integer or out of range");
  EXPECT_EQ(run("XREAD", "BLOCK", "-1", "STREAMS", "s", "0"), "(error) ERR timeout is negative");
  EXPECT_EQ(run("XREAD", "STREAMS", "s", ">"),
            "(error) ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
            "<group> <consumer> option.");
  EXPECT_EQ(run("XREAD", "GROUP", "g", "c", "STREAMS", "s", "0"),
            "(error) ERR The GROUP option is only supported by XREADGROUP. You called XREAD "
            "instead.");
  EXPECT_EQ(run("XREAD", "NOACK", "STREAMS", "s", "0"),
            "(error) ERR The NOACK option is only supported by XREADGROUP. You called XREAD "
            "instead.");
  EXPECT_EQ(run("XREAD", "STREAMS", "s", "x"), kInvalidId);
}

TEST_F(StreamCommandsTest, InfoOfAStream) {
  EXPECT_EQ(run("XINFO", "STREAM", "s"), "(error) ERR no such key");
  fill(2);
  run("XDEL", "s", "1");
  set_protocol(3);
  EXPECT_EQ(run("XINFO", "STREAM", "s"),
            "{\"length\": (integer) 1, \"radix-tree-keys\": (integer) 1, "
            "\"radix-tree-nodes\": (integer) 2, \"last-generated-id\": \"2-0\", "
            "\"max-deleted-entry-id\": \"1-0\", \"entries-added\": (integer) 2, "
            "\"recorded-first-entry-id\": \"2-0\", \"groups\": (integer) 0, "
            "\"first-entry\": [\"2-0\", [\"n\", \"2\"]], \"last-entry\": [\"2-0\", [\"n\", "
            "\"2\"]]}");
  run("XDEL", "s", "2");
  EXPECT_EQ(run("XINFO", "STREAM", "s"),
            "{\"length\": (integer) 0, \"radix-tree-keys\": (integer) 0, "
            "\"radix-tree-nodes\": (integer) 1, \"last-generated-id\": \"2-0\", "
            "\"max-deleted-entry-id\": \"2-0\", \"entries-added\": (integer) 2, "
            "\"recorded-first-entry-id\": \"0-0\", \"groups\": (integer) 0, "
            "\"first-entry\": (nil), \"last-entry\": (nil)}");
  EXPECT_EQ(run("XINFO", "STREAM", "s", "x"),
            "(error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO "
            "HELP.");
  EXPECT_EQ(run("XINFO", "STREAM", "s", "FULL", "COUNT", "x"),
            "(error) ERR value is not an integer or out of range");
}

TEST_F(StreamCommandsTest, Copy) {
  fill(250);
  run("XGROUP", "CREATE", "s", "g", "7");
  EXPECT_EQ(run("COPY", "s", "t"), "(integer) 1");
  EXPECT_EQ(run("XRANGE", "s", "-", "+"), run("XRANGE", "t", "-", "+"));
  EXPECT_EQ(run("XINFO", "GROUPS", "s"), run("XINFO", "GROUPS", "t"));
  run("XDEL", "t", "200");
  EXPECT_EQ(run("XLEN", "s"), "(integer) 250");
}

}  // namespace
}  // namespace tandem
