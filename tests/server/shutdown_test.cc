// The end of a server: how it waits for replicas, what signals ask for, what an operator can
// change.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kFailed = "(error) ERR Errors trying to SHUTDOWN. Check logs.";

// A pair whose replica can be stopped.
class ShutdownOfAPair : public ::testing::Test {
 protected:
  ShutdownOfAPair() {
    EXPECT_TRUE(eventually([this] { return caught_up(primary_, replica_); }));
    EXPECT_EQ(primary_.run("SET", "key", "old"), "OK");
    EXPECT_EQ(primary_.run("WAIT", "1", "0"), "(integer) 1");
  }

  // Every write from now on is one that the replica has not.
  void lag() {
    replica_.process().signal(SIGSTOP);
    EXPECT_EQ(primary_.run("SET", "key", "new"), "OK");
  }
  void timeout(const std::string& seconds) {
    EXPECT_EQ(primary_.run("CONFIG", "SET", "shutdown-timeout", seconds), "OK");
  }
  void await_pending() {
    EXPECT_TRUE(eventually([this] { return !primary_.info("shutdown_in_milliseconds").empty(); }));
  }

  Pair pair_;
  ServerProcess& primary_ = pair_.primary;
  ServerProcess& replica_ = pair_.replica;
};

TEST_F(ShutdownOfAPair, WaitsForAReplicaThatLags) {
  timeout("300");
  EXPECT_EQ(primary_.info("shutdown_in_milliseconds"), "");
  lag();
  RespClient asking = primary_.connect(), writing = primary_.connect();
  asking.send("SHUTDOWN", "SAVE");
  await_pending();
  writing.send("SET", "key", "never");
  EXPECT_TRUE(eventually([this] { return primary_.info("blocked_clients") == "2"; }));
  EXPECT_EQ(primary_.run("GET", "key"), "\"new\"");
  replica_.process().signal(SIGCONT);
  EXPECT_TRUE(asking.closed_by_server());
  EXPECT_EQ(primary_.wait().code, 0);
  EXPECT_TRUE(eventually([this] { return replica_.run("GET", "key") == "\"new\""; }));
  const std::string log = primary_.log();
  EXPECT_THAT(log, HasSubstr("Waiting for replicas before shutting down."));
  EXPECT_THAT(log, HasSubstr("1 of 1 replicas are in sync when shutting down."));
  EXPECT_THAT(log, Not(HasSubstr("Lagging replica")));
  primary_.start();
  EXPECT_EQ(primary_.run("GET", "key"), "\"new\"");
}

TEST_F(ShutdownOfAPair, NamesTheReplicaThatItLeavesBehind) {
  timeout("1");
  lag();
  EXPECT_EQ(primary_.terminate().code, 0);
  const std::string log = primary_.log();
  EXPECT_THAT(log,
              HasSubstr("Lagging replica 127.0.0.1:" + replica_.port_text() + " reported offset "));
  EXPECT_THAT(log, HasSubstr(", state=online."));
  EXPECT_THAT(log, HasSubstr("0 of 1 replicas are in sync when shutting down."));
}

TEST_F(ShutdownOfAPair, StopsExpiryUntilItIsAborted) {
  timeout("300");
  // However slow the machine is, the key is still there when the wait begins.
  EXPECT_EQ(primary_.run("DEBUG", "SET-ACTIVE-EXPIRE", "0"), "OK");
  EXPECT_EQ(primary_.run("SET", "volatile", "x", "PX", "100"), "OK");
  lag();
  primary_.process().signal(SIGTERM);
  await_pending();
  EXPECT_EQ(primary_.run("DEBUG", "SET-ACTIVE-EXPIRE", "1"), "OK");
  // Another SIGTERM changes nothing.
  primary_.process().signal(SIGTERM);
  // It has expired, and a look at it does not remove it either.
  EXPECT_TRUE(eventually([this] { return primary_.run("PTTL", "volatile") == "(integer) -2"; }));
  EXPECT_EQ(primary_.run("DBSIZE"), "(integer) 2");
  EXPECT_EQ(primary_.run("SHUTDOWN", "ABORT"), "OK");
  EXPECT_TRUE(eventually([this] { return primary_.run("DBSIZE") == "(integer) 1"; }));
  EXPECT_EQ(primary_.info("shutdown_in_milliseconds"), "");
  EXPECT_TRUE(primary_.logged("Shutdown manually aborted."));
  // The two signals are forgotten: this SIGINT is a first one.
  primary_.process().signal(SIGINT);
  await_pending();
  EXPECT_EQ(primary_.run("SHUTDOWN", "ABORT"), "OK");
}

TEST_F(ShutdownOfAPair, ASecondSigintEndsItAtOnce) {
  timeout("300");
  lag();
  primary_.process().signal(SIGTERM);
  await_pending();
  primary_.process().signal(SIGINT);
  EXPECT_EQ(primary_.wait().code, 1);
  EXPECT_TRUE(primary_.logged(":signal-handler You insist... exiting now."));
}

TEST_F(ShutdownOfAPair, AFailedSaveIsAnError) {
  timeout("300");
  std::filesystem::create_directory(primary_.file("dump.rdb"));
  lag();
  RespClient first = primary_.connect(), second = primary_.connect();
  first.send("SHUTDOWN", "SAVE");
  await_pending();
  second.send("SHUTDOWN", "NOW");
  EXPECT_TRUE(eventually([this] { return primary_.info("blocked_clients") == "2"; }));
  replica_.process().signal(SIGCONT);
  EXPECT_EQ(reply_text(first.read()), kFailed);
  EXPECT_EQ(reply_text(second.read()), kFailed);
  EXPECT_EQ(primary_.run("SET", "key", "newer"), "OK");
  EXPECT_TRUE(primary_.logged("Errors trying to shut down the server"));
  first.send("SHUTDOWN", "SAVE", "FORCE");
  EXPECT_EQ(primary_.wait().code, 0);
}

TEST_F(ShutdownOfAPair, WhoBecomesAReplicaRefusesItsClients) {
  timeout("300");
  lag();
  RespClient asking = primary_.connect();
  asking.send("SHUTDOWN");
  await_pending();
  EXPECT_EQ(primary_.run("REPLICAOF", "127.0.0.1", replica_.port_text()), "OK");
  EXPECT_THAT(reply_text(asking.read()), HasSubstr("UNBLOCKED force unblock"));
  EXPECT_TRUE(asking.closed_by_server());
  EXPECT_NE(primary_.info("shutdown_in_milliseconds"), "");
}

TEST_F(ShutdownOfAPair, AReplicaThatWaitsStaysInLineWithItsPrimary) {
  ServerProcess last(replica_of(replica_));
  ASSERT_TRUE(eventually([&] { return caught_up(replica_, last); }));
  EXPECT_EQ(replica_.run("CONFIG", "SET", "shutdown-timeout", "300"), "OK");
  last.process().signal(SIGSTOP);
  EXPECT_EQ(primary_.run("SET", "key", "new"), "OK");
  EXPECT_TRUE(eventually([this] { return replica_.run("GET", "key") == "\"new\""; }));
  replica_.process().signal(SIGTERM);
  EXPECT_TRUE(eventually([this] { return !replica_.info("shutdown_in_milliseconds").empty(); }));
  EXPECT_EQ(replica_.run("SHUTDOWN", "ABORT"), "OK");
  last.process().signal(SIGCONT);
  // What they resume from is what they have.
  EXPECT_NE(primary_.run("CLIENT", "KILL", "TYPE", "replica"), "(integer) 0");
  EXPECT_EQ(primary_.run("SET", "key", "newer"), "OK");
  EXPECT_TRUE(
      eventually([&] { return caught_up(primary_, replica_) && caught_up(replica_, last); }));
  EXPECT_EQ(replica_.run("GET", "key"), "\"newer\"");
  EXPECT_EQ(last.run("GET", "key"), "\"newer\"");
  EXPECT_EQ(primary_.info("sync_full"), "1");
}

TEST_F(ShutdownOfAPair, ASignalCanAskNotToWait) {
  timeout("300");
  EXPECT_EQ(primary_.run("CONFIG", "SET", "shutdown-on-sigint", "now save"), "OK");
  lag();
  primary_.process().signal(SIGINT);
  EXPECT_EQ(primary_.wait().code, 0);
  EXPECT_FALSE(primary_.logged("Waiting for replicas"));
  EXPECT_TRUE(std::filesystem::exists(primary_.file("dump.rdb")));
}

TEST(ClientPause, KeepsWhatHasExpired) {
  ServerProcess server;
  EXPECT_EQ(server.run("DEBUG", "SET-ACTIVE-EXPIRE", "0"), "OK");
  EXPECT_EQ(server.run("SET", "volatile", "x", "PX", "100"), "OK");
  EXPECT_EQ(server.run("CLIENT", "PAUSE", "100000", "WRITE"), "OK");
  EXPECT_EQ(server.run("DEBUG", "SET-ACTIVE-EXPIRE", "1"), "OK");
  EXPECT_TRUE(eventually([&] { return server.run("GET", "volatile") == "(nil)"; }));
  EXPECT_EQ(server.run("DBSIZE"), "(integer) 1");
  EXPECT_EQ(server.run("CLIENT", "UNPAUSE"), "OK");
  EXPECT_TRUE(eventually([&] { return server.run("DBSIZE") == "(integer) 0"; }));
}

TEST(ShutdownSignals, DoWhatTheirOptionsSay) {
  ServerProcess server({"--save", "3600 100000"});
  const auto ends_with = [&](const char* options) {
    server.run("SET", "key", "value");
    EXPECT_EQ(server.run("CONFIG", "SET", "shutdown-on-sigterm", options), "OK");
    std::filesystem::remove_all(server.file("dump.rdb"));
    EXPECT_EQ(server.terminate().code, 0);
    const bool saved = std::filesystem::exists(server.file("dump.rdb"));
    server.start();
    return saved;
  };
  EXPECT_TRUE(ends_with("default"));
  EXPECT_FALSE(ends_with("nosave"));
  EXPECT_FALSE(ends_with("nosave now force"));
  server.run("CONFIG", "SET", "save", "");
  EXPECT_TRUE(ends_with("save"));
}

TEST(ShutdownSignals, ForceIgnoresAFailedSave) {
  ServerProcess server({"--save", "3600 100000"});
  std::filesystem::create_directory(server.file("dump.rdb"));
  server.process().signal(SIGINT);
  const std::string failed = "Errors trying to shut down the server";
  EXPECT_TRUE(eventually([&] { return server.logged(failed); }));
  EXPECT_EQ(server.run("PING"), "PONG");
  // The failed shutdown has forgotten its signal: this one is a first one again.
  EXPECT_EQ(server.run("CONFIG", "SET", "shutdown-on-sigint", "force"), "OK");
  server.process().signal(SIGINT);
  EXPECT_EQ(server.wait().code, 0);
}

TEST(ShutdownSignals, ASecondSigintEndsAFunctionThatNeverEnds) {
  ServerProcess server({"--busy-reply-threshold", "20"});
  RespClient runner = server.connect();
  runner.call("FUNCTION", "LOAD",
              "#!lua name=lib\nserver.register_function('spin', function() while true do end end)");
  runner.send("FCALL", "spin", "0");
  ASSERT_TRUE(eventually([&] { return server.run("PING").starts_with("(error) BUSY"); }));
  server.process().signal(SIGINT);
  EXPECT_TRUE(server.run("PING").starts_with("(error) BUSY"));
  server.process().signal(SIGINT);
  EXPECT_EQ(server.wait().code, 1);
}

}  // namespace
}  // namespace tandem
