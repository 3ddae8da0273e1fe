// What a restart brings back, however the server ended.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"
#include "tests/support/writer.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// What must come back.
struct Dataset {
  std::string digest;
  std::vector<std::string> functions;

  bool operator==(const Dataset&) const = default;
};

Dataset dataset(const ServerProcess& server) {
  return {server.run("DEBUG", "DIGEST"), libraries(server)};
}

class Restart : public ::testing::Test {
 protected:
  // Starts the server again and expects everything to be there.
  static void expect_back(ServerProcess& server, const Dataset& before) {
    EXPECT_THAT(before.functions, Not(IsEmpty()));
    server.start();
    EXPECT_EQ(dataset(server), before);
    EXPECT_EQ(server.run("FCALL_RO", "take", "1", "key:7"), "\"value of 7\"");
  }
};

TEST_F(Restart, AfterShutdownSave) {
  ServerProcess server;
  populate(server);
  const Dataset before = dataset(server);
  server.connect().send("SHUTDOWN", "SAVE");
  EXPECT_EQ(server.wait().code, 0);
  expect_back(server, before);
}

TEST_F(Restart, AfterShutdownWithSavePoints) {
  ServerProcess server({"--save", "3600 100000"});
  populate(server);
  const Dataset before = dataset(server);
  server.connect().send("SHUTDOWN");
  EXPECT_EQ(server.wait().code, 0);
  expect_back(server, before);
}

TEST_F(Restart, AfterShutdownNosaveNothingOfTheRunRemains) {
  ServerProcess server({"--save", "3600 100000"});
  populate(server);
  server.connect().send("SHUTDOWN", "NOSAVE");
  EXPECT_EQ(server.wait().code, 0);
  server.start();
  EXPECT_EQ(server.run("DBSIZE"), "(integer) 0");
  EXPECT_EQ(server.run("FUNCTION", "LIST"), "[]");
}

TEST_F(Restart, AfterShutdownWithAof) {
  ServerProcess server({"--appendonly", "yes"});
  populate(server);
  const Dataset before = dataset(server);
  server.connect().send("SHUTDOWN");
  EXPECT_EQ(server.wait().code, 0);
  expect_back(server, before);
}

TEST_F(Restart, AfterKillWithFsyncAlways) {
  ServerProcess server({"--appendonly", "yes", "--appendfsync", "always"});
  populate(server);
  const Dataset before = dataset(server);
  server.kill();
  expect_back(server, before);
}

TEST_F(Restart, AfterKillWithFsyncEverySecond) {
  ServerProcess server({"--appendonly", "yes", "--appendfsync", "everysec"});
  populate(server);
  const Dataset before = dataset(server);
  // What is written while the disk is busy with an earlier second may wait for it.
  ASSERT_TRUE(eventually([&] { return server.info("aof_buffer_length") == "0"; }));
  server.kill();
  expect_back(server, before);
}

TEST_F(Restart, AfterKillFollowingARewrite) {
  ServerProcess server({"--appendonly", "yes", "--appendfsync", "always"});
  populate(server);
  server.run("BGREWRITEAOF");
  ASSERT_TRUE(eventually([&] {
    return server.info("aof_rewrite_in_progress") == "0" &&
           server.info("aof_rewrite_scheduled") == "0";
  }));
  EXPECT_EQ(server.info("aof_last_bgrewrite_status"), "ok");
  server.run("SET", "after", "the rewrite");
  server.run("FUNCTION", "LOAD",
             "#!lua name=later\nserver.register_function('later', function() return 1 end)");
  const Dataset before = dataset(server);
  server.kill();
  expect_back(server, before);
  EXPECT_EQ(server.run("FCALL", "later", "0"), "(integer) 1");
}

// Whatever has been answered is there after a kill at any moment, rewrites of the AOF included.
TEST_F(Restart, AfterKillsWhileWritesFlowAndTheAofIsRewritten) {
  ServerProcess server({"--appendonly", "yes", "--appendfsync", "always"});
  populate(server);
  for (int crash = 0; crash < 8; ++crash) {
    const ReplyValue before = server.connect().call("GET", "flow:count");
    Writer writer(server, /*may_lose_server=*/true);
    ASSERT_TRUE(writer.await_rounds(5));
    server.run("BGREWRITEAOF");
    ASSERT_TRUE(writer.await_rounds(crash));
    server.kill();
    writer.stop();
    server.start();
    EXPECT_EQ(server.run("EXISTS", "long", "small", "big"), "(integer) 3");
    const int expected = (before.is_null() ? 0 : std::stoi(before.text)) + writer.rounds();
    const int found = std::stoi(server.text("GET", "flow:count"));
    EXPECT_GE(found, expected);
    EXPECT_LE(found, expected + 1);
  }
}

TEST_F(Restart, AfterKillWithTheAofTurnedOnWhileRunning) {
  ServerProcess server;
  populate(server);
  EXPECT_EQ(server.run("CONFIG", "SET", "appendonly", "yes"), "OK");
  server.run("SET", "after", "the switch");
  ASSERT_TRUE(eventually([&] {
    return server.info("aof_rewrite_in_progress") == "0" &&
           server.info("aof_rewrite_scheduled") == "0" && server.info("aof_buffer_length") == "0" &&
           std::filesystem::exists(server.file("appendonlydir/appendonly.aof.manifest"));
  }));
  const Dataset before = dataset(server);
  server.kill();
  server.start({"--appendonly", "yes"});
  EXPECT_EQ(dataset(server), before);
}

TEST_F(Restart, FunctionsThatWereDeletedStayDeleted) {
  ServerProcess server({"--appendonly", "yes", "--appendfsync", "always"});
  populate(server);
  EXPECT_EQ(server.run("FUNCTION", "DELETE", "lib"), "OK");
  server.kill();
  server.start();
  EXPECT_EQ(server.run("FUNCTION", "LIST"), "[]");
}

TEST_F(Restart, DebugReloadAndLoadaof) {
  ServerProcess server({"--appendonly", "yes"});
  populate(server);
  const Dataset before = dataset(server);
  EXPECT_EQ(server.run("DEBUG", "RELOAD"), "OK");
  EXPECT_EQ(dataset(server), before);
  EXPECT_EQ(server.run("DEBUG", "LOADAOF"), "OK");
  EXPECT_EQ(dataset(server), before);
}

TEST_F(Restart, DebugReloadAddsToWhatThereIs) {
  ServerProcess server({"--save", ""});
  const auto library = [](const std::string& name, const std::string& value) {
    return "#!lua name=" + name + "\nserver.register_function('" + name + "', function() return " +
           value + " end)";
  };
  server.run("SET", "key", "saved");
  server.run("FUNCTION", "LOAD", library("one", "1"));
  ASSERT_EQ(server.run("SAVE"), "OK");
  server.run("FLUSHALL");
  server.run("FUNCTION", "LOAD", "REPLACE", library("one", "2"));
  server.run("FUNCTION", "LOAD", library("other", "3"));
  EXPECT_THAT(server.run("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"), HasSubstr("(error) ERR Error"));
  EXPECT_EQ(server.run("EXISTS", "key"), "(integer) 0");
  EXPECT_EQ(server.run("FCALL", "one", "0"), "(integer) 2");
  EXPECT_EQ(server.run("DEBUG", "RELOAD", "NOSAVE", "noflush", "merge"), "OK");
  EXPECT_EQ(server.run("GET", "key"), "\"saved\"");
  EXPECT_EQ(server.run("FCALL", "one", "0"), "(integer) 1");
  EXPECT_EQ(server.run("FCALL", "other", "0"), "(integer) 3");
  EXPECT_EQ(server.run("DEBUG", "RELOAD", "NOSAVE", "MERGE"), "OK");
  EXPECT_THAT(server.run("FCALL", "other", "0"), HasSubstr("Function not found"));
  EXPECT_EQ(server.run("DEBUG", "RELOAD", "ALL"),
            "(error) ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
}

// Functions come from a live server, once by each of the two clients, and are there before a fresh
// server's port opens.
class FunctionsFile : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string cli() {
    return GetParam() == std::string("tandem-cli") ? tandem_cli_path() : GetParam();
  }
};

TEST_P(FunctionsFile, IsServedBeforeThePortOpens) {
  ServerProcess source;
  populate(source);
  TempDir dir;
  const std::string file = dir.file("functions.rdb");
  const Output saved = run_program({cli(), "-p", source.port_text(), "--functions-rdb", file});
  ASSERT_EQ(saved.code, 0) << saved.out << saved.err;
  EXPECT_THAT(read_whole(file), ::testing::StartsWith("REDIS00"));
  EXPECT_THAT(read_whole(file), Not(HasSubstr("value of 7")));

  ServerProcess fresh({"--dbfilename", "functions.rdb"}, tandem_server_path(), false);
  std::filesystem::copy_file(file, fresh.file("functions.rdb"));
  fresh.launch();
  // The first connection that is accepted at all finds the functions.
  std::string first;
  ASSERT_TRUE(eventually([&] {
    try {
      first = fresh.run("FCALL", "put", "1", "key", "value");
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }));
  EXPECT_EQ(first, "\"value\"");
  EXPECT_EQ(libraries(fresh), libraries(source));
  EXPECT_EQ(fresh.run("DBSIZE"), "(integer) 1");
}

INSTANTIATE_TEST_SUITE_P(Cli, FunctionsFile, ::testing::Values("redis-cli", "tandem-cli"),
                         [](const auto& one) {
                           return one.param == std::string("redis-cli") ? "Redis" : "Tandem";
                         });

}  // namespace
}  // namespace tandem
