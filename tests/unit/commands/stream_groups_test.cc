#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

constexpr const char* kInvalidId =
    "(error) ERR Invalid stream ID specified as stream command argument";

class StreamGroupCommandsTest : public CommandFixture {
 protected:
  // s, with entries 1-0 … and a group g that has read nothing.
  void fill(int entries) {
    for (int i = 1; i <= entries; ++i) {
      run("XADD", "s", std::to_string(i), "n", std::to_string(i));
    }
    run("XGROUP", "CREATE", "s", "g", "0");
    effects();
  }
  std::string read(std::string_view consumer, std::string_view id, std::string_view count = "10") {
    return run("XREADGROUP", "GROUP", "g", consumer, "COUNT", count, "STREAMS", "s", id);
  }
};

TEST_F(StreamGroupCommandsTest, CreateAndDestroy) {
  EXPECT_EQ(run("XGROUP", "CREATE", "s", "g", "$"),
            "(error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you "
            "may want to use the MKSTREAM option to create an empty stream automatically.");
  EXPECT_EQ(effects_of("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"),
            "XGROUP CREATE s g $ MKSTREAM");
  EXPECT_EQ(run("XGROUP", "CREATE", "s", "g", "0"),
            "(error) BUSYGROUP Consumer Group name already exists");
  EXPECT_EQ(run("XGROUP", "CREATE", "s", "h", "x"), kInvalidId);
  EXPECT_EQ(run("XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD", "-2"),
            "(error) ERR value for ENTRIESREAD must be positive or -1");
  EXPECT_EQ(run("XGROUP", "CREATE", "s", "h", "0", "x"),
            "(error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP "
            "HELP.");
  EXPECT_EQ(run("XGROUP", "CREATECONSUMER", "s", "g", "c"), "(integer) 1");
  EXPECT_EQ(run("XGROUP", "CREATECONSUMER", "s", "g", "c"), "(integer) 0");
  EXPECT_EQ(run("XGROUP", "CREATECONSUMER", "s", "none", "c"),
            "(error) NOGROUP No such consumer group 'none' for key name 's'");
  EXPECT_EQ(run("XGROUP", "DELCONSUMER", "s", "g", "none"), "(integer) 0");
  EXPECT_EQ(run("XGROUP", "SETID", "s", "g", "5-5", "ENTRIESREAD", "3"), "OK");
  EXPECT_EQ(run("XINFO", "GROUPS", "s"),
            "[[\"name\", \"g\", \"consumers\", (integer) 1, \"pending\", (integer) 0, "
            "\"last-delivered-id\", \"5-5\", \"entries-read\", (integer) 3, \"lag\", (integer) "
            "0]]");
  EXPECT_EQ(run("XGROUP", "DESTROY", "s", "g"), "(integer) 1");
  EXPECT_EQ(effects_of("XGROUP", "DESTROY", "s", "g"), "");
  EXPECT_EQ(run("XINFO", "GROUPS", "s"), "[]");
  EXPECT_EQ(run("XINFO", "CONSUMERS", "s", "g"),
            "(error) NOGROUP No such consumer group 'g' for key name 's'");
}

TEST_F(StreamGroupCommandsTest, ReadingMakesEntriesPending) {
  fill(3);
  EXPECT_EQ(read("ada", ">", "2"),
            "[[\"s\", [[\"1-0\", [\"n\", \"1\"]], [\"2-0\", [\"n\", \"2\"]]]]]");
  EXPECT_EQ(joined_effects(),
            "MULTI; XCLAIM s g ada 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0; "
            "XCLAIM s g ada 0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0; EXEC");
  EXPECT_EQ(read("grace", ">"), "[[\"s\", [[\"3-0\", [\"n\", \"3\"]]]]]");
  EXPECT_EQ(read("grace", ">"), "(nil array)");
  EXPECT_EQ(run("XPENDING", "s", "g"),
            "[(integer) 3, \"1-0\", \"3-0\", [[\"ada\", \"2\"], [\"grace\", \"1\"]]]");
  advance_ms(100);
  EXPECT_EQ(run("XPENDING", "s", "g", "-", "+", "10"),
            "[[\"1-0\", \"ada\", (integer) 100, (integer) 1], "
            "[\"2-0\", \"ada\", (integer) 100, (integer) 1], "
            "[\"3-0\", \"grace\", (integer) 100, (integer) 1]]");
  EXPECT_EQ(run("XPENDING", "s", "g", "IDLE", "101", "-", "+", "10"), "[]");
  EXPECT_EQ(run("XPENDING", "s", "g", "(1", "+", "10", "ada"),
            "[[\"2-0\", \"ada\", (integer) 100, (integer) 1]]");
  EXPECT_EQ(run("XPENDING", "s", "g", "-", "+", "10", "nobody"), "[]");
  EXPECT_EQ(effects_of("XACK", "s", "g", "1", "7", "3"), "XACK s g 1 7 3");
  EXPECT_EQ(effects_of("XACK", "s", "g", "1"), "");
  EXPECT_EQ(run("XACK", "s", "none", "1"), "(integer) 0");
  EXPECT_EQ(run("XACK", "s", "g", "x"), kInvalidId);
  EXPECT_EQ(run("XPENDING", "s", "g"), "[(integer) 1, \"2-0\", \"2-0\", [[\"ada\", \"1\"]]]");
  EXPECT_EQ(run("XGROUP", "DELCONSUMER", "s", "g", "ada"), "(integer) 1");
  EXPECT_EQ(run("XPENDING", "s", "g"), "[(integer) 0, (nil), (nil), (nil array)]");
}

TEST_F(StreamGroupCommandsTest, HistoryIsTheConsumersOwn) {
  fill(3);
  read("ada", ">", "2");
  read("grace", ">", "2");
  run("XDEL", "s", "1");
  effects();
  EXPECT_EQ(read("ada", "0"), "[[\"s\", [[\"1-0\", (nil array)], [\"2-0\", [\"n\", \"2\"]]]]]");
  EXPECT_EQ(read("ada", "0", "1"), "[[\"s\", [[\"1-0\", (nil array)]]]]");
  EXPECT_EQ(read("ada", "2"), "[[\"s\", []]]");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(run("XPENDING", "s", "g", "-", "+", "10", "ada"),
            "[[\"1-0\", \"ada\", (integer) 0, (integer) 1], "
            "[\"2-0\", \"ada\", (integer) 0, (integer) 2]]");
  set_protocol(3);
  EXPECT_EQ(read("grace", "0"), "{\"s\": [[\"3-0\", [\"n\", \"3\"]]]}");
}

TEST_F(StreamGroupCommandsTest, WithoutAcknowledgementOnlyThePlaceMoves) {
  fill(2);
  EXPECT_EQ(effects_of("XREADGROUP", "GROUP", "g", "ada", "NOACK", "STREAMS", "s", ">"),
            "MULTI; XGROUP CREATECONSUMER s g ada; XGROUP SETID s g 2-0 ENTRIESREAD 2; EXEC");
  EXPECT_EQ(run("XPENDING", "s", "g"), "[(integer) 0, (nil), (nil), (nil array)]");
  EXPECT_EQ(run("XINFO", "CONSUMERS", "s", "g"),
            "[[\"name\", \"ada\", \"pending\", (integer) 0, \"idle\", (integer) 0, \"inactive\", "
            "(integer) -1]]");
}

TEST_F(StreamGroupCommandsTest, AStreamNamedTwiceGivesItsEntriesOnce) {
  fill(3);
  EXPECT_EQ(run("XREADGROUP", "GROUP", "g", "ada", "COUNT", "2", "STREAMS", "s", "s", ">", ">"),
            "[[\"s\", [[\"1-0\", [\"n\", \"1\"]], [\"2-0\", [\"n\", \"2\"]]]], "
            "[\"s\", [[\"3-0\", [\"n\", \"3\"]]]]]");
  run("XADD", "s", "4", "n", "4");
  EXPECT_EQ(run("XREADGROUP", "GROUP", "g", "ada", "STREAMS", "s", "s", ">", ">"),
            "[[\"s\", [[\"4-0\", [\"n\", \"4\"]]]]]");
}

TEST_F(StreamGroupCommandsTest, ReadingRefuses) {
  fill(1);
  EXPECT_EQ(run("XREADGROUP", "GROUP", "none", "c", "STREAMS", "s", ">"),
            "(error) NOGROUP No such key 's' or consumer group 'none' in XREADGROUP with GROUP "
            "option");
  EXPECT_EQ(run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "none", ">"),
            "(error) NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP "
            "option");
  EXPECT_EQ(run("XREADGROUP", "COUNT", "1", "NOACK", "STREAMS", "s", "t", "0", "0"),
            "(error) ERR Missing GROUP option for XREADGROUP");
  EXPECT_EQ(run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "$"),
            "(error) ERR The $ ID is meaningless in the context of XREADGROUP: you want to read "
            "the history of this consumer by specifying a proper ID, or use the > ID to get new "
            "messages. The $ ID would just return an empty result set.");
  EXPECT_EQ(run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "t", ">"),
            "(error) ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' "
            "must be specified.");
  EXPECT_TRUE(effects().empty());
}

// A consumer that reads nothing is still one, here and where the effects go.
TEST_F(StreamGroupCommandsTest, ReadingCreatesTheConsumer) {
  fill(0);
  run("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM");
  effects();
  EXPECT_EQ(read("ada", ">"), "(nil array)");
  EXPECT_EQ(joined_effects(), "XGROUP CREATECONSUMER s g ada");
  EXPECT_EQ(read("ada", ">"), "(nil array)");
  EXPECT_EQ(joined_effects(), "");
  EXPECT_EQ(read("grace", "0"), "[[\"s\", []]]");
  EXPECT_EQ(joined_effects(), "XGROUP CREATECONSUMER s g grace");
}

TEST_F(StreamGroupCommandsTest, Claim) {
  fill(4);
  read("ada", ">", "3");
  advance_ms(1000);
  effects();
  EXPECT_EQ(run("XCLAIM", "s", "g", "grace", "1001", "1"), "[]");
  EXPECT_EQ(joined_effects(), "XGROUP CREATECONSUMER s g grace");
  EXPECT_EQ(run("XCLAIM", "s", "g", "grace", "1000", "1", "4"), "[[\"1-0\", [\"n\", \"1\"]]]");
  EXPECT_EQ(joined_effects(),
            "XCLAIM s g grace 0 1-0 TIME 1700000001000 RETRYCOUNT 2 FORCE JUSTID LASTID 3-0");
  EXPECT_EQ(run("XCLAIM", "s", "g", "grace", "0", "2", "JUSTID"), "[\"2-0\"]");
  EXPECT_EQ(joined_effects(),
            "XCLAIM s g grace 0 2-0 TIME 1700000001000 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0");
  EXPECT_EQ(run("XCLAIM", "s", "g", "grace", "0", "4", "FORCE", "IDLE", "500", "RETRYCOUNT", "9"),
            "[[\"4-0\", [\"n\", \"4\"]]]");
  EXPECT_EQ(joined_effects(),
            "XCLAIM s g grace 0 4-0 TIME 1700000000500 RETRYCOUNT 9 FORCE JUSTID LASTID 3-0");
  EXPECT_EQ(effects_of("XCLAIM", "s", "g", "grace", "0", "9", "LASTID", "4-1"),
            "XGROUP SETID s g 4-1 ENTRIESREAD 3");
  run("XDEL", "s", "3");
  effects();
  EXPECT_EQ(run("XCLAIM", "s", "g", "grace", "0", "3"), "[]");
  EXPECT_EQ(joined_effects(),
            "XCLAIM s g ada 0 3-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 4-1");
  EXPECT_EQ(run("XPENDING", "s", "g"), "[(integer) 3, \"1-0\", \"4-0\", [[\"grace\", \"3\"]]]");
}

TEST_F(StreamGroupCommandsTest, ClaimRefuses) {
  fill(1);
  EXPECT_EQ(run("XCLAIM", "s", "none", "c", "0", "1"),
            "(error) NOGROUP No such key 's' or consumer group 'none'");
  EXPECT_EQ(run("XCLAIM", "s", "g", "c", "x", "1"),
            "(error) ERR Invalid min-idle-time argument for XCLAIM");
  EXPECT_EQ(run("XCLAIM", "s", "g", "c", "0", "1", "IDLE", "x"),
            "(error) ERR Invalid IDLE option argument for XCLAIM");
  EXPECT_EQ(run("XCLAIM", "s", "g", "c", "0", "1", "TIME", "x"),
            "(error) ERR Invalid TIME option argument for XCLAIM");
  EXPECT_EQ(run("XCLAIM", "s", "g", "c", "0", "1", "RETRYCOUNT", "x"),
            "(error) ERR Invalid RETRYCOUNT option argument for XCLAIM");
  EXPECT_EQ(run("XCLAIM", "s", "g", "c", "0", "1", "LASTID", "x"), kInvalidId);
  EXPECT_EQ(run("XCLAIM", "s", "g", "c", "0", "1", "2-x"),
            "(error) ERR Unrecognized XCLAIM option '2-x'");
  EXPECT_EQ(run("XAUTOCLAIM", "s", "g", "c", "x", "0"),
            "(error) ERR Invalid min-idle-time argument for XAUTOCLAIM");
  EXPECT_EQ(run("XAUTOCLAIM", "s", "g", "c", "0", "x"), kInvalidId);
  EXPECT_EQ(run("XAUTOCLAIM", "s", "g", "c", "0", "0", "COUNT", "0"),
            "(error) ERR COUNT must be > 0");
  EXPECT_EQ(run("XAUTOCLAIM", "s", "g", "c", "0", "0", "x"), "(error) ERR syntax error");
  EXPECT_EQ(run("XAUTOCLAIM", "none", "g", "c", "0", "0"),
            "(error) NOGROUP No such key 'none' or consumer group 'g'");
  EXPECT_TRUE(effects().empty());
}

TEST_F(StreamGroupCommandsTest, AutoClaimGoesThroughWhatIsPending) {
  fill(5);
  read("ada", ">");
  advance_ms(10);
  run("XDEL", "s", "2", "5");
  effects();
  EXPECT_EQ(run("XAUTOCLAIM", "s", "g", "grace", "5", "-", "COUNT", "2"),
            "[\"3-0\", [[\"1-0\", [\"n\", \"1\"]]], [\"2-0\"]]");
  EXPECT_EQ(
      joined_effects(),
      "MULTI; XCLAIM s g grace 0 1-0 TIME 1700000000010 RETRYCOUNT 2 FORCE JUSTID LASTID 5-0; "
      "XCLAIM s g ada 0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 5-0; EXEC");
  EXPECT_EQ(run("XAUTOCLAIM", "s", "g", "grace", "5", "(3", "JUSTID"),
            "[\"0-0\", [\"4-0\"], [\"5-0\"]]");
  EXPECT_EQ(run("XPENDING", "s", "g"),
            "[(integer) 3, \"1-0\", \"4-0\", [[\"ada\", \"1\"], [\"grace\", \"2\"]]]");
  // Nothing is idle for so long; ten entries are looked at for each that is asked for.
  EXPECT_EQ(run("XAUTOCLAIM", "s", "g", "grace", "500", "-"), "[\"0-0\", [], []]");
}

TEST_F(StreamGroupCommandsTest, EffectsRebuildTheGroup) {
  fill(20);
  read("ada", ">", "7");
  read("grace", ">", "7");
  run("XACK", "s", "g", "3");
  advance_ms(50);
  run("XCLAIM", "s", "g", "grace", "10", "1", "2");
  const std::string pending = run("XPENDING", "s", "g", "-", "+", "100");
  const std::vector<std::string> all = effects();
  run("XGROUP", "DESTROY", "s", "g");
  run("XGROUP", "CREATE", "s", "g", "0");
  for (const std::string& effect : all) {
    std::vector<std::string_view> words;
    for (size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
      end = effect.find(' ', at);
      words.push_back(std::string_view(effect).substr(at, end - at));
    }
    run_words(words);
  }
  EXPECT_EQ(run("XPENDING", "s", "g", "-", "+", "100"), pending);
}

TEST_F(StreamGroupCommandsTest, FullInfo) {
  fill(12);
  read("ada", ">", "1");
  run("XGROUP", "CREATECONSUMER", "s", "g", "bob");
  set_protocol(3);
  const std::string full = run("XINFO", "STREAM", "s", "FULL", "COUNT", "1");
  EXPECT_NE(
      full.find("\"entries\": [[\"1-0\", [\"n\", \"1\"]]], \"groups\": [{\"name\": \"g\", "
                "\"last-delivered-id\": \"1-0\", \"entries-read\": (integer) 1, \"lag\": (integer) "
                "11, \"pel-count\": (integer) 1, \"pending\": [[\"1-0\", \"ada\", (integer) "
                "1700000000000, (integer) 1]], \"consumers\": [{\"name\": \"ada\", \"seen-time\": "
                "(integer) 1700000000000, \"active-time\": (integer) 1700000000000, \"pel-count\": "
                "(integer) 1, \"pending\": [[\"1-0\", (integer) 1700000000000, (integer) 1]]}, "
                "{\"name\": \"bob\", \"seen-time\": (integer) 1700000000000, \"active-time\": "
                "(integer) -1, \"pel-count\": (integer) 0, \"pending\": []}]}]}"),
      std::string::npos)
      << full;
}

}  // namespace
}  // namespace tandem
