#include "server/store/hyperloglog.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

using namespace std::string_literals;

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr const char* kNoHll = "(error) WRONGTYPE Key is not a valid HyperLogLog string value.";
constexpr const char* kCorrupt = "(error) INVALIDOBJ Corrupted HLL object detected";

class HyperloglogCommandsTest : public CommandFixture {
 protected:
  // Adds so many elements, from `first` on.
  void add(std::string_view key, int first, int count) {
    std::vector<std::string> texts;
    for (int i = first; i < first + count; ++i) texts.push_back("e" + std::to_string(i));
    std::vector<std::string_view> words = {"PFADD", key};
    words.insert(words.end(), texts.begin(), texts.end());
    run_words(words);
    effects();
  }
};

TEST_F(HyperloglogCommandsTest, AddAndCount) {
  EXPECT_EQ(run("PFCOUNT", "h"), "(integer) 0");
  EXPECT_EQ(run("PFADD", "h"), "(integer) 1");
  EXPECT_EQ(run("PFADD", "h"), "(integer) 0");
  EXPECT_EQ(run("PFADD", "h", "a", "b", "c"), "(integer) 1");
  EXPECT_EQ(run("PFADD", "h", "b", "a"), "(integer) 0");
  EXPECT_EQ(run("PFCOUNT", "h"), "(integer) 3");
  EXPECT_EQ(run("OBJECT", "ENCODING", "h"), "\"raw\"");
  EXPECT_EQ(run("TYPE", "h"), "string");
  EXPECT_EQ(run("PFADD", "g", "c", "d"), "(integer) 1");
  EXPECT_EQ(run("PFCOUNT", "h", "none", "g"), "(integer) 4");
}

// The count that PFCOUNT keeps in the string is a change of the string.
TEST_F(HyperloglogCommandsTest, EffectsAreTheCommandsThatChangedSomething) {
  EXPECT_EQ(effects_of("PFADD", "h", "a"), "PFADD h a");
  EXPECT_EQ(effects_of("PFADD", "h", "a"), "");
  EXPECT_EQ(effects_of("PFCOUNT", "h"), "PFCOUNT h");
  EXPECT_EQ(effects_of("PFCOUNT", "h"), "");
  EXPECT_EQ(effects_of("PFCOUNT", "h", "g"), "");
  EXPECT_EQ(effects_of("PFMERGE", "h"), "PFMERGE h");
  EXPECT_EQ(effects_of("PFDEBUG", "ENCODING", "h"), "");
  EXPECT_EQ(effects_of("PFDEBUG", "TODENSE", "h"), "PFDEBUG TODENSE h");
  EXPECT_EQ(effects_of("PFDEBUG", "TODENSE", "h"), "");
  // On a replica the string is the primary's to change.
  run("PFADD", "h", "b");
  executor_.state().is_replica = true;
  EXPECT_EQ(run("PFCOUNT", "h"), "(integer) 2");
  EXPECT_EQ(effects_of("PFCOUNT", "h"), "");
}

TEST_F(HyperloglogCommandsTest, WhatChangesNothingLeavesAWatchIntact) {
  add("dense", 0, 5000);
  add("sparse", 0, 5);
  run("WATCH", "dense", "sparse");
  add("dense", 10, 100);
  add("sparse", 1, 2);
  run("PFCOUNT", "dense", "sparse");
  run("MULTI");
  EXPECT_EQ(run("EXEC"), "[]");
}

TEST_F(HyperloglogCommandsTest, MergeIntoTheTargetToo) {
  add("a", 0, 100);
  add("b", 50, 100);
  add("to", 140, 20);
  EXPECT_EQ(run("PFMERGE", "to", "a", "none", "b"), "OK");
  EXPECT_EQ(joined_effects(), "PFMERGE to a none b");
  EXPECT_EQ(run("PFCOUNT", "to"), run("PFCOUNT", "a", "b", "to"));
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "to"), "sparse");
  add("large", 0, 5000);
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "large"), "dense");
  EXPECT_EQ(run("PFMERGE", "to", "large"), "OK");
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "to"), "dense");
  EXPECT_EQ(run("PFMERGE", "fresh", "large"), "OK");
  EXPECT_EQ(run("PFCOUNT", "fresh"), run("PFCOUNT", "large"));
  EXPECT_EQ(run("PFMERGE", "empty", "none"), "OK");
  EXPECT_EQ(run("PFCOUNT", "empty"), "(integer) 0");
}

TEST_F(HyperloglogCommandsTest, SparseUpToTheConfiguredSize) {
  configure("hll-sparse-max-bytes", "40");
  add("h", 0, 5);
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "h"), "sparse");
  add("h", 5, 50);
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "h"), "dense");
  EXPECT_EQ(run("STRLEN", "h"), "(integer) 12304");
}

TEST_F(HyperloglogCommandsTest, Debug) {
  run("PFADD", "h");
  EXPECT_EQ(run("PFDEBUG", "DECODE", "h"), "\"Z:16384\"");
  add("h", 0, 1);
  EXPECT_EQ(run("PFDEBUG", "decode", "h"), "\"Z:1318 v:1,1 Z:15065\"");
  const std::string registers = run("PFDEBUG", "GETREG", "h");
  EXPECT_EQ(std::count(registers.begin(), registers.end(), ','), 16383);
  EXPECT_EQ(joined_effects(), "PFDEBUG GETREG h");
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "h"), "dense");
  EXPECT_EQ(run("PFDEBUG", "DECODE", "h"), "(error) ERR HLL encoding is not sparse");
  EXPECT_EQ(run("PFDEBUG", "TODENSE", "h"), "(integer) 0");
  EXPECT_EQ(run("PFDEBUG", "X", "h"), "(error) ERR Unknown PFDEBUG subcommand 'X'");
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "none"), "(error) ERR The specified key does not exist");
  EXPECT_EQ(run("PFSELFTEST"), "OK");
}

TEST_F(HyperloglogCommandsTest, RefuseOtherStringsAndTypes) {
  run("HSET", "hash", "f", "v");
  run("MSET", "text", "hello world, this is no HLL", "number", "12", "magic", "HYLL", "unknown",
      "HYLL\x02" + std::string(20, 'x'), "short", "HYLL" + std::string(100, '\0'));
  effects();
  EXPECT_EQ(run("PFADD", "hash", "a"), kWrongType);
  EXPECT_EQ(run("PFCOUNT", "hash"), kWrongType);
  EXPECT_EQ(run("PFCOUNT", "none", "hash"), kWrongType);
  EXPECT_EQ(run("PFMERGE", "to", "hash"), kWrongType);
  EXPECT_EQ(run("PFDEBUG", "ENCODING", "hash"), kWrongType);
  for (const char* key : {"text", "number", "magic", "unknown", "short"}) {
    EXPECT_EQ(run("PFADD", key, "a"), kNoHll) << key;
    EXPECT_EQ(run("PFCOUNT", key), kNoHll) << key;
    EXPECT_EQ(run("PFCOUNT", "none", key), kNoHll) << key;
    EXPECT_EQ(run("PFMERGE", "to", key), kNoHll) << key;
    EXPECT_EQ(run("PFMERGE", key, "none"), kNoHll) << key;
    EXPECT_EQ(run("PFDEBUG", "ENCODING", key), kNoHll) << key;
  }
  EXPECT_EQ(run("EXISTS", "to"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "");
}

TEST_F(HyperloglogCommandsTest, CorruptOnesAreRefusedAndLeftAsTheyAre) {
  std::string hll = empty_hll();
  hll.back() = '\xfe';  // one register short
  hll_invalidate_cache(hll.data());
  run("SET", "h", hll);
  effects();
  EXPECT_EQ(run("PFCOUNT", "h"), kCorrupt);
  EXPECT_EQ(run("PFCOUNT", "none", "h"), kCorrupt);
  EXPECT_EQ(run("PFMERGE", "to", "h"), kCorrupt);
  EXPECT_EQ(run("PFMERGE", "h", "none"), kCorrupt);
  EXPECT_EQ(run("PFDEBUG", "GETREG", "h"), kCorrupt);
  EXPECT_EQ(run("PFDEBUG", "TODENSE", "h"), kCorrupt);
  run("SET", "h", hll.substr(0, 17));
  EXPECT_EQ(run("PFADD", "h", "a", "b"), kCorrupt);
  EXPECT_EQ(run("PFDEBUG", "DECODE", "h"), kCorrupt);
  EXPECT_EQ(run("STRLEN", "h"), "(integer) 17");
  EXPECT_EQ(effects().size(), 1u);
}

}  // namespace
}  // namespace tandem
