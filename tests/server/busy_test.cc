// A function that does not end: who may still talk to the server, and how it is stopped.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kLibrary = R"lua(#!lua name=lib
server.register_function{function_name='spin', callback=function() while true do end end,
                         flags={'no-writes'}}
server.register_function('write_and_spin', function(keys)
  server.call('SET', keys[1], 'written')
  while true do end
end)
server.register_function('stubborn', function()
  while true do pcall(function() while true do end end) end
end))lua";

MATCHER(IsBusy, "") {
  return arg.starts_with("(error) BUSY ") &&
         arg.ends_with(
             " is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");
}

class Busy : public ::testing::Test {
 protected:
  Busy() : server_({"--busy-reply-threshold", "20"}), runner_(server_.connect()) {
    runner_.call("FUNCTION", "LOAD", kLibrary);
  }

  // Runs the function on a connection of its own and awaits that the others are told BUSY.
  void run_until_busy(std::string_view function, std::string_view key = "") {
    if (key.empty()) {
      runner_.send("FCALL", function, "0");
    } else {
      runner_.send("FCALL", function, "1", key);
    }
    ASSERT_TRUE(eventually([this] { return server_.run("PING").starts_with("(error) BUSY"); }));
  }

  ServerProcess server_;
  RespClient runner_;
};

TEST_F(Busy, OthersAreToldSoUntilTheFunctionIsKilledFromANewConnection) {
  RespClient earlier = server_.connect();
  earlier.call("PING");
  run_until_busy("spin");
  EXPECT_THAT(earlier.run("GET", "key"), IsBusy());
  EXPECT_THAT(server_.run("GET", "key"), IsBusy());
  EXPECT_THAT(server_.run("SHUTDOWN"), IsBusy());
  EXPECT_EQ(server_.run("FUNCTION", "KILL"), "OK");
  EXPECT_THAT(runner_.read().text, StartsWith("ERR Script killed by user with SCRIPT KILL..."));
  EXPECT_EQ(earlier.run("PING"), "PONG");
  EXPECT_EQ(server_.run("FUNCTION", "KILL"), "(error) NOTBUSY No scripts in execution right now.");
}

TEST_F(Busy, StatsTellWhatRuns) {
  run_until_busy("spin");
  const std::string stats = server_.run("FUNCTION", "STATS");
  EXPECT_THAT(stats, HasSubstr(R"(["name", "spin", "command", ["FCALL", "spin", "0"])"));
  EXPECT_THAT(stats, HasSubstr("\"duration_ms\", (integer) "));
  EXPECT_EQ(server_.run("FUNCTION", "KILL"), "OK");
  runner_.read();
  EXPECT_THAT(server_.run("FUNCTION", "STATS"), StartsWith("[\"running_script\", (nil)"));
}

TEST_F(Busy, AFunctionThatCatchesErrorsIsKilledToo) {
  run_until_busy("stubborn");
  EXPECT_EQ(server_.run("FUNCTION", "KILL"), "OK");
  EXPECT_TRUE(runner_.read().is_error());
  EXPECT_EQ(server_.run("PING"), "PONG");
}

TEST_F(Busy, AfterAWriteItCannotBeKilledButTheServerCanBeStopped) {
  run_until_busy("write_and_spin", "key");
  EXPECT_EQ(server_.run("FUNCTION", "KILL"),
            "(error) UNKILLABLE Sorry the script already executed write commands against the "
            "dataset. You can either wait the script termination or kill the server in a hard way "
            "using the SHUTDOWN NOSAVE command.");
  EXPECT_THAT(server_.run("PING"), IsBusy());
  server_.connect().send("SHUTDOWN", "NOSAVE");
  EXPECT_EQ(server_.wait().code, 0);
}

TEST_F(Busy, ShutdownNosaveLeavesNoPartOfTheFunctionInTheAof) {
  server_.terminate();
  server_.start({"--appendonly", "yes", "--appendfsync", "always", "--pidfile", "server.pid"});
  runner_ = server_.connect();
  runner_.call("SET", "before", "1");
  runner_.call("FUNCTION", "LOAD", kLibrary);
  run_until_busy("write_and_spin", "key");
  server_.connect().send("SHUTDOWN", "NOSAVE");
  EXPECT_EQ(server_.wait().code, 0);
  EXPECT_FALSE(std::filesystem::exists(server_.file("server.pid")));
  server_.start();
  EXPECT_EQ(server_.run("MGET", "before", "key"), "[\"1\", (nil)]");
}

TEST_F(Busy, WhatArrivedMeanwhileIsAnsweredAfterwards) {
  run_until_busy("spin");
  runner_.send("PING");
  EXPECT_EQ(server_.run("FUNCTION", "KILL"), "OK");
  EXPECT_TRUE(runner_.read().is_error());
  EXPECT_TRUE(runner_.read().is_text("PONG"));
}

TEST_F(Busy, TheRunnerMayGoAway) {
  run_until_busy("spin");
  runner_.close();
  EXPECT_EQ(server_.run("FUNCTION", "KILL"), "OK");
  EXPECT_TRUE(eventually([this] { return server_.run("PING") == "PONG"; }));
}

TEST_F(Busy, OnAReplicaItIsKilledAndReplicationGoesOn) {
  ServerProcess replica(
      {"--busy-reply-threshold", "20", "--replicaof", "127.0.0.1 " + server_.port_text()});
  ASSERT_TRUE(eventually([&] { return caught_up(server_, replica); }));
  RespClient runner = replica.connect();
  runner.send("FCALL_RO", "spin", "0");
  ASSERT_TRUE(eventually([&] { return replica.run("PING").starts_with("(error) BUSY"); }));
  server_.run("SET", "key", "value");
  EXPECT_EQ(replica.run("FUNCTION", "KILL"), "OK");
  EXPECT_TRUE(runner.read().is_error());
  expect_same_dataset(server_, replica);
}

TEST_F(Busy, SigtermStopsTheServerWhileAFunctionRuns) {
  run_until_busy("spin");
  server_.process().signal(SIGTERM);
  server_.connect().send("FUNCTION", "KILL");
  EXPECT_EQ(server_.wait().code, 0);
}

}  // namespace
}  // namespace tandem
