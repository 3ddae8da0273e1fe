// Servers and tools that meet damaged files. (Damage at every byte: tests/unit/damage.)

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"
#include "tests/support/process.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

constexpr const char* kManifest = "appendonlydir/appendonly.aof.manifest";
constexpr const char* kBase = "appendonlydir/appendonly.aof.2.base.rdb";
constexpr const char* kFirst = "appendonlydir/appendonly.aof.2.incr.aof";
constexpr const char* kLast = "appendonlydir/appendonly.aof.3.incr.aof";

class DamagedFiles : public ::testing::Test {
 protected:
  // A base that holds the example dataset, and two incremental files: "first" is set in the one,
  // "pair:a" and "pair:b" by a transaction at the end of the other.
  DamagedFiles() : server_({"--appendonly", "yes", "--appendfsync", "always"}) {
    populate(server_);
    rewrite();
    server_.run("SET", "first", "1");
    const std::string manifest = read_whole(server_.file(kManifest));
    server_.terminate();
    // As a rewrite that failed leaves it.
    write_whole(server_.file(kManifest),
                manifest + "file appendonly.aof.3.incr.aof seq 3 type i\n");
    write_whole(server_.file(kLast), "");
    server_.start();
    RespClient client = server_.connect();
    client.run("MULTI");
    client.run("SET", "pair:a", "1");
    client.run("SET", "pair:b", "1");
    EXPECT_EQ(client.run("EXEC"), "[OK, OK]");
    server_.terminate();
  }

  void rewrite() {
    ASSERT_THAT(server_.run("BGREWRITEAOF"), HasSubstr("started"));
    ASSERT_TRUE(eventually([&] { return server_.info("aof_rewrites") == "1"; }));
  }

  std::string bytes(const char* name) { return read_whole(server_.file(name)); }
  void set_bytes(const char* name, std::string_view content) {
    write_whole(server_.file(name), content);
  }
  void flip(const char* name, size_t at) {
    std::string content = bytes(name);
    content.at(at) = static_cast<char>(content[at] ^ 1);
    set_bytes(name, content);
  }

  std::map<std::string, std::string> files() {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(server_.file("appendonlydir"))) {
      found[entry.path().filename()] = read_whole(entry.path());
    }
    return found;
  }

  Output check(bool fix) {
    std::vector<std::string> command = {tandem_cli_path(), "aof", "check"};
    if (fix) command.push_back("--fix");
    command.push_back(server_.file("appendonlydir"));
    return run_program(command);
  }

  // Neither a server nor the tool takes the files, and both leave them as they are.
  void expect_refusal(const std::string& name, const std::string& why_not_repaired) {
    const auto before = files();
    const Output start = server_.start_that_fails();
    EXPECT_EQ(start.code, 1);
    EXPECT_THAT(start.out + start.err, HasSubstr(name));
    for (const bool fix : {false, true}) {
      const Output checked = check(fix);
      EXPECT_EQ(checked.code, 1);
      EXPECT_THAT(checked.err, HasSubstr(name));
      EXPECT_THAT(checked.err, HasSubstr("offset"));
      EXPECT_THAT(checked.err, HasSubstr(why_not_repaired));
    }
    EXPECT_EQ(files(), before);
  }

  ServerProcess server_;
};

TEST_F(DamagedFiles, ACutAofLosesWhatWasCutAndNoMore) {
  const std::string whole = bytes(kLast);
  for (const size_t cut : {1, 2, 7, 20, 50}) {
    set_bytes(kLast, whole.substr(0, whole.size() - cut));
    server_.start();
    EXPECT_TRUE(server_.logged("ends inside a command: cutting it")) << cut;
    EXPECT_EQ(server_.run("EXISTS", "first", "pair:a", "pair:b"), "(integer) 1") << cut;
    server_.run("SET", "later", "1");
    server_.kill();
    server_.start();
    EXPECT_EQ(server_.run("EXISTS", "first", "later"), "(integer) 2") << cut;
    server_.kill();
  }
}

TEST_F(DamagedFiles, ACutAofStopsTheStartIfThatIsWantedAndTheToolRepairsIt) {
  const std::string whole = bytes(kLast);
  set_bytes(kLast, whole.substr(0, whole.size() - 3));
  const auto before = files();
  ServerProcess::Options strict = {"--aof-load-truncated", "no"};
  EXPECT_THROW(server_.start(strict), std::runtime_error);
  EXPECT_EQ(files(), before);
  EXPECT_EQ(check(false).code, 1);
  EXPECT_EQ(files(), before);
  const Output fixed = check(true);
  EXPECT_EQ(fixed.code, 0) << fixed.err;
  EXPECT_EQ(bytes((std::string(kLast) + ".before-fix").c_str()),
            before.at("appendonly.aof.3.incr.aof"));
  EXPECT_EQ(check(false).code, 0);
  server_.start();
  EXPECT_EQ(server_.run("EXISTS", "first", "pair:a", "pair:b"), "(integer) 1");
}

TEST_F(DamagedFiles, ADamagedBaseIsRefusedAndNotRepaired) {
  const size_t size = bytes(kBase).size();
  for (const size_t at : {size_t{2}, size / 2, size - 4}) {
    flip(kBase, at);
    expect_refusal("appendonly.aof.2.base.rdb", "not the last file of the AOF");
    flip(kBase, at);
  }
  server_.start();
  EXPECT_EQ(server_.run("EXISTS", "long", "first", "pair:b"), "(integer) 3");
}

TEST_F(DamagedFiles, ADamagedFileThatIsNotTheLastIsRefusedAndNotRepaired) {
  const std::string whole = bytes(kFirst);
  set_bytes(kFirst, whole.substr(0, whole.size() - 3));
  expect_refusal("appendonly.aof.2.incr.aof", "not the last file of the AOF");
  set_bytes(kFirst, whole);
  flip(kFirst, whole.size() - 1);
  expect_refusal("appendonly.aof.2.incr.aof", "not the last file of the AOF");
}

TEST_F(DamagedFiles, ADamagedManifestIsRefused) {
  set_bytes(kManifest, "file appendonly.aof.2.base.rdb seq 2 type\n");
  const auto before = files();
  EXPECT_EQ(server_.start_that_fails().code, 1);
  EXPECT_EQ(check(true).code, 1);
  EXPECT_EQ(files(), before);
}

TEST(DamagedSnapshot, StopsTheStartAndStays) {
  ServerProcess server;
  populate(server);
  ASSERT_EQ(server.run("SAVE"), "OK");
  server.kill();
  const std::string whole = read_whole(server.file("dump.rdb"));
  for (const size_t at : {size_t{0}, size_t{30}, whole.size() / 2, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_whole(server.file("dump.rdb"), damaged);
    const Output start = server.start_that_fails();
    EXPECT_EQ(start.code, 1);
    EXPECT_THAT(start.out + start.err, HasSubstr("dump.rdb"));
    EXPECT_EQ(read_whole(server.file("dump.rdb")), damaged);
    EXPECT_EQ(run_program({tandem_cli_path(), "rdb", "check", server.file("dump.rdb")}).code, 1);
  }
}

}  // namespace
}  // namespace tandem
