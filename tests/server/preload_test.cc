// functions-preload: the libraries of files, there before the first connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::string library(const std::string& name, const std::string& function,
                    const std::string& result) {
  return "#!lua name=" + name + "\nserver.register_function{function_name='" + function +
         "', callback=function() return '" + result + "' end, flags={'no-writes'}}\n";
}

std::string write_file(const TempDir& dir, const std::string& name, const std::string& text) {
  std::ofstream(dir.file(name), std::ios::binary) << text;
  return dir.file(name);
}

// Everything in the directory with its size.
std::vector<std::string> listing(const std::string& directory) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const std::string size = entry.is_regular_file() ? std::to_string(entry.file_size()) : "";
    found.push_back(entry.path().string() + " " + size);
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Preload, TakesFilesDirectoriesAndSnapshots) {
  TempDir dir;
  ServerProcess saved;
  saved.run("FUNCTION", "LOAD", library("from_rdb", "in_rdb", "rdb"));
  saved.run("SAVE");
  std::filesystem::copy(saved.file("dump.rdb"), dir.file("functions.rdb"));
  std::filesystem::create_directory(dir.file("more"));
  write_file(dir, "more/b.lua", library("b", "in_b", "b"));
  write_file(dir, "more/a.lua", library("a", "in_a", "a"));
  write_file(dir, "more/README", "no library");
  write_file(dir, "more/a_test.lua", "no library either");
  const std::string single = write_file(dir, "a single.lua", library("single", "alone", "single"));
  ServerProcess server({"--functions-preload", single, "--functions-preload", dir.file("more"),
                        "--functions-preload", dir.file("functions.rdb")});
  RespClient client = server.connect();
  EXPECT_EQ(client.text("FCALL_RO", "alone", "0"), "single");
  EXPECT_EQ(client.text("FCALL_RO", "in_a", "0"), "a");
  EXPECT_EQ(client.text("FCALL_RO", "in_b", "0"), "b");
  EXPECT_EQ(client.text("FCALL_RO", "in_rdb", "0"), "rdb");
  EXPECT_EQ(client.run("CONFIG", "GET", "functions-preload"),
            "[\"functions-preload\", \"" + single + " " + dir.file("more") + " " +
                dir.file("functions.rdb") + "\"]");
  EXPECT_THAT(client.run("CONFIG", "SET", "functions-preload", "x"), HasSubstr("immutable"));
}

TEST(Preload, AFaultStopsTheStartAndLeavesTheDiskAlone) {
  TempDir dir;
  struct Case {
    std::string name, text, complaint;
  };
  const std::vector<Case> cases = {
      {"syntax.lua", "#!lua name=x\n\nlocal = 1\n", "syntax.lua:3: Error compiling function"},
      {"raises.lua", "#!lua name=x\n\n\nerror('no')\n", "raises.lua:4: "},
      {"unknown.lua", "#!lua name=x\nserver.call('PING')\n", "unknown.lua:2: "},
      {"header.lua", "return 1\n", "header.lua:1: Missing library metadata"},
      {"empty.lua", "#!lua name=x\n", "empty.lua:1: No functions registered"},
      {"again.lua", library("first", "another", "1"), "again.lua:1: Library 'first' already"},
      {"same.lua", library("another", "one", "1"), "same.lua:1: Function one already exists"},
      {"torn.rdb", "REDIS0011\xf5", "torn.rdb: "},
  };
  const std::string first = write_file(dir, "first.lua", library("first", "one", "1"));
  for (const Case& bad : cases) {
    SCOPED_TRACE(bad.name);
    const std::string path = write_file(dir, bad.name, bad.text);
    ServerProcess server(
        {"--appendonly", "yes", "--functions-preload", first, "--functions-preload", path},
        tandem_server_path(), /*start=*/false);
    const std::vector<std::string> before = listing(server.dir());
    const Output output = server.start_that_fails();
    EXPECT_EQ(output.code, 1);
    EXPECT_THAT(output.err, HasSubstr("functions-preload: "));
    EXPECT_THAT(output.err, HasSubstr(bad.complaint));
    EXPECT_EQ(listing(server.dir()), before);
  }
}

TEST(Preload, ASnapshotWithKeysOrNoFileIsAFault) {
  TempDir dir;
  ServerProcess saved;
  saved.run("SET", "key", "value");
  saved.run("SAVE");
  for (const std::string& path : {saved.file("dump.rdb"), dir.file("none.lua")}) {
    ServerProcess server({"--functions-preload", path}, tandem_server_path(), /*start=*/false);
    const Output output = server.start_that_fails();
    EXPECT_EQ(output.code, 1);
    EXPECT_THAT(output.err, HasSubstr(path));
  }
}

TEST(Preload, ReplacesWhatTheDatasetHasAndStaysInIt) {
  TempDir dir;
  const std::string path = write_file(dir, "lib.lua", library("lib", "version", "1"));
  ServerProcess server(
      {"--appendonly", "yes", "--appendfsync", "always", "--functions-preload", path});
  server.run("FUNCTION", "LOAD", library("other", "other", "other"));
  server.run("SET", "key", "value");
  EXPECT_EQ(server.text("FCALL", "version", "0"), "1");
  const std::vector<std::string> before = listing(server.dir());
  // The same library again: nothing is written.
  server.terminate();
  server.start();
  EXPECT_EQ(server.text("FCALL", "version", "0"), "1");
  EXPECT_EQ(server.info("rdb_changes_since_last_save"), "0");
  server.terminate();
  EXPECT_EQ(listing(server.dir()), before);
  // Another version, and then the file is not there any more: it has become part of the dataset.
  write_file(dir, "lib.lua", library("lib", "version", "2"));
  server.start();
  EXPECT_EQ(server.text("FCALL", "version", "0"), "2");
  EXPECT_EQ(server.text("FCALL", "other", "0"), "other");
  server.kill();
  server.start({"--functions-preload", ""});
  EXPECT_EQ(server.text("FCALL", "version", "0"), "2");
  EXPECT_EQ(server.text("GET", "key"), "value");
}

TEST(Preload, LibrariesMayExchangeFunctions) {
  TempDir dir;
  ServerProcess server({"--appendonly", "yes", "--appendfsync", "always"});
  server.run("FUNCTION", "LOAD", library("a", "f", "of a"));
  server.run("FUNCTION", "LOAD", library("b", "g", "of b"));
  server.terminate();
  write_file(dir, "a.lua", library("a", "g", "now of a"));
  write_file(dir, "b.lua", library("b", "f", "now of b"));
  server.start({"--functions-preload", dir.path()});
  EXPECT_EQ(server.text("FCALL", "g", "0"), "now of a");
  server.kill();
  server.start({"--functions-preload", ""});
  EXPECT_EQ(server.text("FCALL", "f", "0"), "now of b");
}

TEST(Preload, AFunctionThatTheDatasetHasElsewhereIsAFault) {
  TempDir dir;
  ServerProcess server;
  server.run("FUNCTION", "LOAD", library("old", "taken", "1"));
  server.run("SAVE");
  server.terminate();
  const std::string path = write_file(dir, "new.lua", library("new", "taken", "2"));
  try {
    server.start({"--functions-preload", path});
    ADD_FAILURE() << "it has started";
  } catch (const std::runtime_error&) {
  }
  EXPECT_TRUE(server.logged("Function taken already exists"));
}

TEST(Preload, AReplicaHasThePrimarysLibraries) {
  TempDir dir;
  const std::string path = write_file(dir, "lib.lua", library("lib", "version", "1"));
  ServerProcess primary({"--functions-preload", path});
  write_file(dir, "newer.lua", library("lib", "version", "2"));
  ServerProcess replica({"--replicaof", "127.0.0.1 " + primary.port_text(), "--functions-preload",
                         dir.file("newer.lua")});
  ASSERT_TRUE(eventually([&] { return replica.info("master_link_status") == "up"; }));
  EXPECT_EQ(replica.text("FCALL_RO", "version", "0"), "1");
  EXPECT_TRUE(replica.logged("functions-preload has no effect on a replica"));
}

TEST(Preload, ReplicasThatResumeGetWhatIsNew) {
  TempDir dir;
  const std::string path = write_file(dir, "lib.lua", library("lib", "version", "1"));
  Pair pair({"--functions-preload", path});
  pair.primary.run("SET", "key", "value");
  expect_same_dataset(pair.primary, pair.replica);
  write_file(dir, "lib.lua", library("lib", "version", "2"));
  pair.primary.run("SAVE");
  pair.primary.terminate();
  pair.primary.start();
  EXPECT_TRUE(eventually([&] { return pair.replica.text("FCALL_RO", "version", "0") == "2"; }));
}

}  // namespace
}  // namespace tandem
