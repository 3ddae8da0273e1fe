#include "tools/cli/function_extraction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "persistence/dump_payload.h"
#include "tests/support/temp_dir.h"
#include "tools/cli/connection.h"

namespace tandem::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

std::string library(const std::string& name, const std::string& body = "") {
  return "#!lua name=" + name + "\n" + body;
}

std::string command(std::vector<std::string> words) { return encode_request(words); }

class FunctionExtractionTest : public testing::Test {
 protected:
  // An AOF directory: the libraries of its base, and its incremental files.
  std::string aof(const Libraries& base, const std::vector<std::string>& incremental) {
    const std::string path = dir_.file("aof");
    std::filesystem::create_directories(path);
    EXPECT_TRUE(write_functions_file(path + "/a.1.base.rdb", base, 1'700'000'000'000).ok());
    std::string manifest = "file a.1.base.rdb seq 1 type b\n";
    for (size_t i = 1; i <= incremental.size(); ++i) {
      const std::string name = "a." + std::to_string(i) + ".incr.aof";
      write_whole(path + "/" + name, incremental[i - 1]);
      manifest += "file " + name + " seq " + std::to_string(i) + " type i\n";
    }
    write_whole(path + "/a.manifest", manifest);
    return path;
  }

  Libraries found(const std::string& path) {
    Result<Libraries> libraries = libraries_of_file(*env_, path);
    EXPECT_TRUE(libraries.ok()) << libraries.error().to_string();
    return libraries.ok() ? libraries.value() : Libraries{};
  }
  std::string error(const std::string& path) {
    Result<Libraries> libraries = libraries_of_file(*env_, path);
    EXPECT_FALSE(libraries.ok());
    return libraries.ok() ? "" : libraries.error().to_string();
  }

  TempDir dir_;
  std::unique_ptr<Env> env_ = make_tool_env();
};

TEST_F(FunctionExtractionTest, WhatIsWrittenIsRead) {
  const Libraries libraries{{"a", library("a", "-- one")}, {"b", library("b")}};
  ASSERT_TRUE(write_functions_file(dir_.file("f.rdb"), libraries, 0).ok());
  EXPECT_EQ(found(dir_.file("f.rdb")), libraries);
}

TEST_F(FunctionExtractionTest, CommandsApplyInTheOrderOfTheManifest) {
  const std::string path = aof(
      {{"base", library("base")}, {"old", library("old")}},
      {command({"SELECT", "0"}) + command({"SET", "k", "v"}) +
           command({"function", "load", library("one", "-- 1")}) +
           command({"FUNCTION", "DELETE", "old"}),
       "#TS:1700000000\r\n" + command({"FUNCTION", "LOAD", "REPLACE", library("one", "-- 2")})});
  EXPECT_THAT(found(path),
              ElementsAre(Pair("base", library("base")), Pair("one", library("one", "-- 2"))));
  EXPECT_EQ(found(dir_.path() + "/aof/a.manifest"), found(path));
}

TEST_F(FunctionExtractionTest, TransactionsCountWhenTheyAreExecuted) {
  const std::string half = command({"MULTI"}) + command({"FUNCTION", "FLUSH"}) +
                           command({"FUNCTION", "LOAD", library("new")});
  EXPECT_THAT(found(aof({{"base", library("base")}}, {half + command({"EXEC"})})),
              ElementsAre(Pair("new", library("new"))));
  const std::string unfinished = error(aof({{"base", library("base")}}, {half}));
  EXPECT_THAT(unfinished, HasSubstr("the file ends before the EXEC"));
  EXPECT_THAT(unfinished, HasSubstr("a.1.incr.aof"));
  EXPECT_THAT(unfinished, HasSubstr("at offset 0"));
}

TEST_F(FunctionExtractionTest, RestoreFollowsItsPolicy) {
  const std::string payload = dump_libraries({library("a", "-- new"), library("b")});
  const Libraries base{{"a", library("a", "-- old")}, {"c", library("c")}};
  const auto restored = [&](const char* policy) {
    return found(aof(base, {command({"FUNCTION", "RESTORE", payload, policy})}));
  };
  EXPECT_THAT(restored("FLUSH"),
              ElementsAre(Pair("a", library("a", "-- new")), Pair("b", library("b"))));
  EXPECT_THAT(restored("replace"), ElementsAre(Pair("a", library("a", "-- new")),
                                               Pair("b", library("b")), Pair("c", library("c"))));
  EXPECT_THAT(error(aof(base, {command({"FUNCTION", "RESTORE", payload})})),
              HasSubstr("Library 'a' is there a second time"));
}

TEST_F(FunctionExtractionTest, ASingleFileMayBeginWithASnapshot) {
  ASSERT_TRUE(write_functions_file(dir_.file("f.rdb"), {{"a", library("a")}}, 0).ok());
  write_whole(dir_.file("a.aof"),
              read_whole(dir_.file("f.rdb")) + command({"FUNCTION", "LOAD", library("b")}));
  EXPECT_THAT(found(dir_.file("a.aof")), SizeIs(2));
}

TEST_F(FunctionExtractionTest, NoShorterOrChangedSnapshotIsTaken) {
  ASSERT_TRUE(write_functions_file(dir_.file("f.rdb"), {{"a", library("a", "-- x")}}, 0).ok());
  const std::string whole = read_whole(dir_.file("f.rdb"));
  for (size_t at = 1; at < whole.size(); ++at) {
    write_whole(dir_.file("cut"), whole.substr(0, at));
    ASSERT_THAT(error(dir_.file("cut")), HasSubstr(" at offset ")) << at;
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x01);
    write_whole(dir_.file("changed"), changed);
    ASSERT_THAT(error(dir_.file("changed")), HasSubstr(" at offset ")) << at;
  }
}

TEST_F(FunctionExtractionTest, WhatContradictsTheLibrariesIsDamage) {
  EXPECT_THAT(error(aof({}, {command({"FUNCTION", "DELETE", "gone"})})),
              HasSubstr("names no library that is there at offset 0"));
  EXPECT_THAT(error(aof({}, {command({"EXEC"})})), HasSubstr("EXEC without MULTI"));
  EXPECT_THAT(error(aof({}, {command({"PING"}) + "junk"})), HasSubstr("at offset 14"));
}

TEST_F(FunctionExtractionTest, AMissingFileOfTheManifestIsNamed) {
  const std::string path = aof({}, {""});
  std::filesystem::remove(path + "/a.1.incr.aof");
  EXPECT_THAT(error(path), HasSubstr("lists a file that does not exist"));
  EXPECT_THAT(error(dir_.path()), HasSubstr("no AOF manifest in this directory"));
}

TEST_F(FunctionExtractionTest, SourcesAreReadFromFilesAndDirectories) {
  std::filesystem::create_directories(dir_.file("lib"));
  write_whole(dir_.file("lib/a.lua"), library("a"));
  write_whole(dir_.file("lib/b.lua"), library("b"));
  write_whole(dir_.file("lib/notes.txt"), "no library");
  Result<Libraries> both = read_libraries(*env_, {dir_.file("lib")});
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(names_of(both.value()), "a, b");
  Result<Libraries> twice = read_libraries(*env_, {dir_.file("lib"), dir_.file("lib/a.lua")});
  ASSERT_FALSE(twice.ok());
  EXPECT_THAT(twice.error().message, HasSubstr("lib/a.lua: Library 'a' is there a second time"));
  Result<Libraries> none = read_libraries(*env_, {dir_.file("lib/notes.txt")});
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().message, HasSubstr("notes.txt: Missing library metadata"));
}

}  // namespace
}  // namespace tandem::cli
