// The checks between a request and its command, and transactions. The texts are what Valkey says.

#include "server/exec/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "server/base/crash.h"
#include "server/base/log.h"
#include "server/base/memory.h"
#include "server/exec/call.h"
#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ExecutorTest : public ExecFixture {
 protected:
  DispatchState& state_ = executor_.state();
};

constexpr char kOom[] = "-OOM command not allowed when used memory > 'maxmemory'.|";
constexpr char kReadonly[] = "-READONLY You can't write against a read only replica.|";
constexpr char kMasterdown[] =
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.|";
constexpr char kLoading[] = "-LOADING Redis is loading the dataset in memory|";
constexpr char kAborted[] = "-EXECABORT Transaction discarded because of previous errors.|";

TEST_F(ExecutorTest, RefusesUnknownCommands) {
  EXPECT_EQ(run("foo"), "-ERR unknown command 'foo', with args beginning with: |");
  EXPECT_EQ(run("FoO a b"), "-ERR unknown command 'FoO', with args beginning with: 'a' 'b' |");
  EXPECT_EQ(run(std::string(200, 'f')),
            "-ERR unknown command '" + std::string(128, 'f') + "', with args beginning with: |");
  EXPECT_EQ(
      run("foo " + std::string(200, 'a') + " b"),
      "-ERR unknown command 'foo', with args beginning with: '" + std::string(128, 'a') + "' |");
  const std::string thirty(30, 'x');
  EXPECT_EQ(run("foo " + thirty + " " + thirty + " " + thirty + " " + thirty + " " + thirty),
            "-ERR unknown command 'foo', with args beginning with: '" + thirty + "' '" + thirty +
                "' '" + thirty + "' '" + thirty + "' 'xxxxxxxx' |");
  EXPECT_EQ(send(*peers_[0], "*1\r\n$0\r\n\r\n"),
            "-ERR unknown command '', with args beginning with: |");
  EXPECT_EQ(send(*peers_[0], "*1\r\n$6\r\nfo\r\nba\r\n"),
            "-ERR unknown command 'fo  ba', with args beginning with: |");
}

TEST_F(ExecutorTest, RefusesUnknownSubcommandsAndBadArgumentCounts) {
  EXPECT_EQ(run("CLIENT FOOfoo bar"), "-ERR unknown subcommand 'FOOfoo'. Try CLIENT HELP.|");
  EXPECT_EQ(run("client " + std::string(200, 'x')),
            "-ERR unknown subcommand '" + std::string(128, 'x') + "'. Try CLIENT HELP.|");
  EXPECT_EQ(run("CLIENT"), "-ERR wrong number of arguments for 'client' command|");
  EXPECT_EQ(run("CLIENT SETNAME"), "-ERR wrong number of arguments for 'client|setname' command|");
  EXPECT_EQ(run("GET"), "-ERR wrong number of arguments for 'get' command|");
  EXPECT_EQ(run("GET a b"), "-ERR wrong number of arguments for 'get' command|");
}

TEST_F(ExecutorTest, AsksForThePasswordAfterTheArguments) {
  configure("requirepass", "secret");
  Peer& peer = connect();
  EXPECT_EQ(run(peer, "PING"), "-NOAUTH Authentication required.|");
  EXPECT_EQ(run(peer, "SET a b"), "-NOAUTH Authentication required.|");
  EXPECT_EQ(run(peer, "GET"), "-ERR wrong number of arguments for 'get' command|");
  EXPECT_EQ(run(peer, "foo"), "-ERR unknown command 'foo', with args beginning with: |");
  // The limits end with the authentication, in the middle of what came together.
  EXPECT_EQ(send(peer, resp("AUTH secret") + resp("ECHO " + std::string(20000, 'x'))),
            "+OK|$20000|" + std::string(20000, 'x') + "|");
  EXPECT_FALSE(peer.link.closing_after_flush);
}

TEST_F(ExecutorTest, RefusesWritesOnAReadOnlyReplica) {
  state_.is_replica = true;
  EXPECT_EQ(run("SET a b"), kReadonly);
  EXPECT_EQ(run("GET a"), "$-1|");
  configure("replica-read-only", "no");
  EXPECT_EQ(run("SET a b"), "+OK|");
}

TEST_F(ExecutorTest, RefusesStaleDataOfAReplicaThatLostItsPrimary) {
  state_.is_replica = true;
  state_.primary_link_up = false;
  EXPECT_EQ(run("GET a"), "$-1|");
  configure("replica-serve-stale-data", "no");
  EXPECT_EQ(run("GET a"), kMasterdown);
  EXPECT_EQ(run("SET a b"), kReadonly);
  EXPECT_EQ(run("CLIENT GETNAME"), "$-1|");
  EXPECT_EQ(run("MULTI"), "+OK|");
  EXPECT_EQ(run("EXEC"), "*0|");
}

TEST_F(ExecutorTest, RefusesExecOfWhatMayNotRunAnyMore) {
  run("MULTI");
  run("GET a");
  state_.is_replica = true;
  state_.primary_link_up = false;
  configure("replica-serve-stale-data", "no");
  EXPECT_EQ(run("EXEC"),
            "-EXECABORT Transaction discarded because of: " + std::string(kMasterdown + 1));
  state_ = {};
  run("MULTI");
  run("GET a");
  state_.loading = true;
  EXPECT_EQ(run("EXEC"),
            "-EXECABORT Transaction discarded because of: LOADING Redis is loading the "
            "dataset in memory|");
  state_.loading = false;
  run("MULTI");
  run("SET a b");
  state_.is_replica = true;
  EXPECT_EQ(run("EXEC"),
            "-EXECABORT Transaction discarded because of: " + std::string(kReadonly + 1));
  EXPECT_EQ(run("EXEC"), "-ERR EXEC without MULTI|");
}

TEST_F(ExecutorTest, RefusesWritesWhileTheDiskFails) {
  state_.misconf = "MISCONF Errors writing to the AOF file: No space left on device";
  const std::string refusal = "-" + state_.misconf + "|";
  EXPECT_EQ(run("SET a b"), refusal);
  EXPECT_EQ(run("PING"), refusal);
  EXPECT_EQ(run("GET a"), "$-1|");
  EXPECT_EQ(run("MULTI"), "+OK|");
  EXPECT_EQ(run("SET a b"), refusal);
  EXPECT_EQ(run("EXEC"), kAborted);
}

TEST_F(ExecutorTest, RefusesWritesWithTooFewReplicas) {
  state_.too_few_replicas = true;
  EXPECT_EQ(run("SET a b"), "-NOREPLICAS Not enough good replicas to write.|");
  EXPECT_EQ(run("GET a"), "$-1|");
}

TEST_F(ExecutorTest, RefusesAlmostEverythingWhileLoading) {
  state_.loading = true;
  EXPECT_EQ(run("GET a"), kLoading);
  EXPECT_EQ(run("SET a b"), kLoading);
  EXPECT_EQ(run("CLIENT GETNAME"), "$-1|");
}

TEST_F(ExecutorTest, ABusyServerAnswersFewCommands) {
  state_.busy = "BUSY Tandem is busy running a script.";
  EXPECT_EQ(run("GET a"), "-" + state_.busy + "|");
  EXPECT_EQ(run("MULTI"), "+OK|");
  EXPECT_EQ(run("GET a"), "-" + state_.busy + "|");
  EXPECT_EQ(run("EXEC"), "-EXECABORT Transaction discarded because of: " + state_.busy + "|");
}

TEST_F(ExecutorTest, RefusesWhatTakesMemoryAboveMaxmemory) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  run("SET a b");
  configure("maxmemory", "1");
  EXPECT_EQ(run("SET a c"), kOom);
  EXPECT_EQ(run("GET a"), "$1|b|");
  EXPECT_EQ(run("DEL none"), ":0|");
  EXPECT_EQ(run("MULTI"), "+OK|");
  EXPECT_EQ(run("GET a"), kOom);  // what is queued takes memory, whatever it is
  EXPECT_EQ(run("EXEC"), kAborted);
  state_.is_replica = true;  // replica-ignore-maxmemory
  configure("replica-read-only", "no");
  EXPECT_EQ(run("SET a d"), "+OK|");
  configure("replica-ignore-maxmemory", "no");
  EXPECT_EQ(run("SET a e"), kOom);
  configure("maxmemory", "0");
  EXPECT_EQ(run("SET a f"), "+OK|");
}

TEST_F(ExecutorTest, ThePrimarysStreamIsNotChecked) {
  state_.is_replica = true;
  state_.misconf = "MISCONF x";
  MemoryLink link;
  Client* primary = executor_.adopt_link(&link, ClientKind::kPrimary);
  primary->set_kind(ClientKind::kPrimary);
  const std::string set = resp("SET a b");
  EXPECT_EQ(primary->on_input(set), set.size());
  EXPECT_TRUE(link.output().empty());
  EXPECT_EQ(run("GET a"), "$1|b|");
}

TEST_F(ExecutorTest, QueuesAndRunsATransaction) {
  EXPECT_EQ(run("MULTI"), "+OK|");
  EXPECT_EQ(run("SET a 1"), "+QUEUED|");
  EXPECT_EQ(run("INCR a"), "+QUEUED|");
  EXPECT_EQ(run("HGET a f"), "+QUEUED|");
  EXPECT_EQ(run("GET a"), "+QUEUED|");
  EXPECT_EQ(run("EXEC"),
            "*4|+OK|:2|-WRONGTYPE Operation against a key holding the wrong kind of "
            "value|$1|2|");
  EXPECT_EQ(run("EXEC"), "-ERR EXEC without MULTI|");
}

TEST_F(ExecutorTest, ErrorsWhileQueueingAbort) {
  for (const char* bad : {"foo", "GET", "CLIENT FOO", "MULTI", "WATCH a", "SAVE"}) {
    run("MULTI");
    run("SET kept no");
    EXPECT_EQ(run(bad)[0], '-') << bad;
    EXPECT_EQ(run("SET kept no"), "+QUEUED|");
    EXPECT_EQ(peers_[0]->client->transaction.queue.size(), 1u);
    EXPECT_EQ(run("EXEC"), kAborted) << bad;
  }
  EXPECT_EQ(run("GET kept"), "$-1|");
  run("MULTI");
  EXPECT_EQ(run("WATCH a"), "-ERR Command not allowed inside a transaction|");
  EXPECT_EQ(run("EXEC x"),
            "-EXECABORT Transaction discarded because of: wrong number of arguments "
            "for 'exec' command|");
  EXPECT_EQ(run("EXEC"), "-ERR EXEC without MULTI|");
  EXPECT_EQ(run("EXEC x"),
            "-EXECABORT Transaction discarded because of: wrong number of arguments "
            "for 'exec' command|");
}

TEST_F(ExecutorTest, DiscardForgetsQueueAndWatches) {
  run("WATCH a");
  run("MULTI");
  run("SET a 1");
  EXPECT_EQ(run("DISCARD"), "+OK|");
  EXPECT_EQ(run("GET a"), "$-1|");
  EXPECT_TRUE(peers_[0]->client->watched.empty());
  EXPECT_EQ(run("DISCARD"), "-ERR DISCARD without MULTI|");
}

TEST_F(ExecutorTest, ATransactionIsOneUnitOfEffects) {
  UnitRecorder sink;
  executor_.effects().add_sink(&sink);
  run("MULTI");
  run("SET a 1");
  run("GET a");
  run("SELECT 1");
  run("SET b 2");
  run("EXEC");
  run("SELECT 0");
  run("MULTI");
  run("SET c 3");
  run("EXEC");
  run("MULTI");
  run("GET c");
  run("EXEC");
  EXPECT_THAT(sink.units, ElementsAre(resp("SELECT 0") + resp("MULTI") + resp("SET a 1") +
                                          resp("SELECT 1") + resp("SET b 2") + resp("EXEC"),
                                      resp("SELECT 0") + resp("SET c 3")));
  executor_.effects().remove_sink(&sink);
}

// WATCHed keys: `change` is what another client does between MULTI and EXEC.
class WatchTest : public ExecutorTest {
 protected:
  WatchTest() : watcher_(connect()), other_(connect()) {}

  bool broken_by(const std::string& change) {
    run(watcher_, "MULTI");
    run(watcher_, "PING");
    if (!change.empty()) run(other_, change);
    const std::string result = run(watcher_, "EXEC");
    EXPECT_TRUE(result == "*-1|" || result == "*1|+PONG|") << result;
    EXPECT_TRUE(watcher_.client->watched.empty());
    return result == "*-1|";
  }

  Peer& watcher_;
  Peer& other_;
};

TEST_F(WatchTest, BreaksOnAnyChangeOfTheKey) {
  for (const char* change : {"SET x 2", "DEL x", "EXPIRE x 100", "APPEND x y", "RENAME x z",
                             "FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "SWAPDB 1 0", "MOVE x 1"}) {
    run("FLUSHALL");
    run("SET x 1");
    run(watcher_, "WATCH none x");
    EXPECT_TRUE(broken_by(change)) << change;
  }
  run("FLUSHALL");
  run(watcher_, "WATCH x");
  EXPECT_TRUE(broken_by("SET x new"));
}

TEST_F(WatchTest, HoldsWhenTheKeyStaysAsItIs) {
  for (const char* change : {"SET y 2", "GET x", "TTL x", "DEL none", "FLUSHDB nothing",
                             "SWAPDB 2 3", "PERSIST x", "SETNX x 3"}) {
    run("FLUSHALL");
    run("SET x 1");
    run(watcher_, "WATCH x");
    EXPECT_FALSE(broken_by(change)) << change;
  }
  // Keys that are not there do not change when everything goes.
  run(watcher_, "WATCH none");
  EXPECT_FALSE(broken_by("FLUSHALL"));
  run(watcher_, "WATCH none");
  EXPECT_FALSE(broken_by("SWAPDB 0 1"));
}

TEST_F(WatchTest, BelongsToADatabase) {
  run("SET x 1");
  run(watcher_, "WATCH x");
  run(other_, "SELECT 1");
  EXPECT_FALSE(broken_by("SET x other"));
  // A swap that brings another x into the watched database changes it.
  run(watcher_, "WATCH none");
  run(other_, "SET none 1");
  EXPECT_TRUE(broken_by("SWAPDB 0 1"));
}

TEST_F(WatchTest, BreaksWhenTheKeyExpires) {
  run("SET x 1 PX 100");
  run(watcher_, "WATCH x");
  advance_ms(99);
  EXPECT_FALSE(broken_by(""));
  run(watcher_, "WATCH x");
  advance_ms(1);
  EXPECT_TRUE(broken_by(""));
}

TEST_F(WatchTest, AKeyExpiredBeforeTheWatchIsNone) {
  run("SET x 1 PX 100");
  advance_ms(200);
  run(watcher_, "WATCH x");
  EXPECT_FALSE(broken_by("EXISTS x"));
  run("SET x 1 PX 100");
  advance_ms(200);
  run(watcher_, "WATCH x");
  EXPECT_FALSE(broken_by("FLUSHDB"));
  // An expired key in place of none.
  run("SET x 1 PX 100");
  advance_ms(200);
  run(watcher_, "SELECT 1");
  run(watcher_, "WATCH x");
  EXPECT_FALSE(broken_by("SWAPDB 0 1"));
}

TEST_F(WatchTest, EndsWithUnwatchAndWithTheClient) {
  run(watcher_, "WATCH x x y");
  EXPECT_EQ(watcher_.client->watched.size(), 2u);
  run(other_, "SET x 1");
  EXPECT_EQ(run(watcher_, "UNWATCH"), "+OK|");
  EXPECT_FALSE(broken_by("SET x 2"));
  run(watcher_, "WATCH x");
  watcher_.client->on_closed("gone");
  EXPECT_EQ(run(other_, "SET x 3"), "+OK|");
}

TEST_F(ExecutorTest, PauseHoldsRequestsBack) {
  Peer& admin = connect();
  Peer& peer = connect();
  EXPECT_EQ(run(admin, "CLIENT PAUSE 1000"), "+OK|");
  EXPECT_EQ(send(peer, resp("PING") + resp("GET a")), "");
  EXPECT_TRUE(peer.link.paused);
  EXPECT_TRUE(peer.client->blocked());
  EXPECT_EQ(run(admin, "CLIENT UNPAUSE"), "+OK|");
  EXPECT_FALSE(peer.link.paused);
  EXPECT_EQ(redeliver(peer), "+PONG|$-1|");
}

TEST_F(ExecutorTest, PauseEndsByItself) {
  Peer& admin = connect();
  Peer& peer = connect();
  run(admin, "CLIENT PAUSE 1000");
  run(peer, "PING");
  advance_ms(1000);
  executor_.resume_paused_clients();
  EXPECT_EQ(redeliver(peer), "+PONG|");
}

TEST_F(ExecutorTest, WritePauseHoldsOnlyWritesBack) {
  Peer& admin = connect();
  Peer& reader = connect();
  Peer& writer = connect();
  Peer& queuer = connect();
  run(queuer, "MULTI");
  run(queuer, "SET b 1");
  run(admin, "CLIENT PAUSE 1000 WRITE");
  EXPECT_EQ(run(reader, "GET a"), "$-1|");
  EXPECT_EQ(send(writer, resp("MULTI") + resp("GET a") + resp("SET a 1")), "+OK|+QUEUED|");
  EXPECT_TRUE(writer.client->blocked());
  EXPECT_EQ(run(queuer, "EXEC"), "");
  EXPECT_EQ(run(reader, "EXISTS a b"), ":0|");
  run(admin, "CLIENT UNPAUSE");
  EXPECT_EQ(redeliver(writer), "+QUEUED|");
  EXPECT_EQ(redeliver(queuer), "*1|+OK|");
}

constexpr CommandRow kCrashRow[] = {
    {.name = "crash", .handler = [](Call&) { std::abort(); }, .arity = -1, .categories = "@slow"}};

#if !defined(__SANITIZE_ADDRESS__)  // with a sanitizer the report is its own
TEST_F(ExecutorTest, ACrashReportNamesTheRunningCommand) {
  executor_.commands().add(kCrashRow);
  const std::string path = ::testing::TempDir() + "executor_crash_" + std::to_string(getpid());
  const auto report = [&](const char* hide) {
    std::remove(path.c_str());
    configure("hide-user-data-from-log", hide);
    const pid_t child = fork();
    if (child == 0) {
      if (!open_log(path).ok()) _exit(1);
      install_crash_handler();
      run("CRASH secret");
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::ifstream file(path);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  EXPECT_THAT(report("no"), HasSubstr("CRASH secret"));
  EXPECT_THAT(report("yes"), AllOf(HasSubstr("CRASH *redacted*"), Not(HasSubstr("secret"))));
  std::remove(path.c_str());
}
#endif

TEST_F(ExecutorTest, CountsErrorsByCode) {
  run("GET");
  run("foo");
  run("SET s 1");
  run("HGET s f");
  EXPECT_EQ(executor_.stats().total_error_replies, 3u);
  EXPECT_EQ(executor_.stats().errors.at("ERR"), 2u);
  EXPECT_EQ(executor_.stats().errors.at("WRONGTYPE"), 1u);
  EXPECT_EQ(executor_.commands().find("get")->stats.rejected, 1u);
  EXPECT_EQ(executor_.commands().find("hget")->stats.failed, 1u);
}

}  // namespace
}  // namespace tandem
