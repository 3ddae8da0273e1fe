// The wait of SHUTDOWN for replicas, with the network and the time between the servers simulated.

#include "server/shutdown.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/replication/fake_loop.h"
#include "tests/unit/replication/test_node.h"

namespace tandem {
namespace {

constexpr const char* kFast = "repl-diskless-sync-delay 0\nsave \"\"\n";
constexpr const char* kFailed = "ERR Errors trying to SHUTDOWN. Check logs.";

// A primary that can be shut down, and its replica.
class ShutdownTest : public testing::Test, public ServerControl {
 protected:
  ShutdownTest()
      : primary_(&world_, "p", &primary_disk_, kFast),
        replica_(std::make_unique<TestNode>(&world_, "r", &replica_disk_,
                                            std::string(kFast) + "replicaof p 6379\n")),
        shutdown_({primary_.config, primary_.clock, primary_.executor, primary_.replication,
                   [this](const ShutdownOptions& options) { return leave(options); },
                   [this] { ++cancelled_; }}) {
    primary_.services.control = this;
    primary_.executor.commands().add(server_commands());
    primary_.loop.end_of_turn = [this, inner = primary_.loop.end_of_turn] {
      inner();
      shutdown_.check();
    };
    EXPECT_TRUE(world_.run_until([this] {
      return replica_->in_sync_with(primary_) && primary_.replication.replicas_in_sync();
    }));
    writer_ = std::make_unique<TestClient>(&world_, "p");
    operator_ = std::make_unique<TestClient>(&world_, "p");
  }

  Status shutdown(const ShutdownOptions& options, Client* client) override {
    return shutdown_.start(options, client);
  }
  bool abort_shutdown() override { return shutdown_.abort(); }
  std::string info(std::span<const std::string_view>) override { return ""; }
  void reset_stats() override {}
  const std::string& run_id() const override { return run_id_; }
  int64_t started_ms() const override { return 0; }
  size_t startup_memory() const override { return 0; }

  Status leave(const ShutdownOptions& options) {
    left_with_ = options;
    if (save_fails_ && !options.force) return make_error(ErrorKind::kIo, "disk full");
    left_ = true;
    return {};
  }
  // The replica hears of nothing from now on.
  void part(bool parted = true) { world_.part("p", "r", parted); }
  void lag() {
    part();
    EXPECT_EQ(writer_->ask({"SET", "key", "1"}), "OK");
  }
  // Its reply does not come yet.
  void pending(TestClient& client, std::initializer_list<std::string_view> request) {
    client.send(request);
    world_.run_for(100);
    EXPECT_FALSE(client.next().has_value());
    EXPECT_FALSE(client.closed());
  }
  std::string reply(TestClient& client) {
    std::optional<ReplyValue> reply;
    world_.run_until([&] { return (reply = client.next()).has_value() || client.closed(); });
    return reply ? reply->text : "(closed)";
  }
  void configure(std::string_view name, std::string_view value) {
    const std::string_view pair[] = {name, value};
    EXPECT_TRUE(primary_.config.set(pair, {}).ok());
  }

  FakeWorld world_;
  MemoryEnv primary_disk_, replica_disk_;
  TestNode primary_;
  std::unique_ptr<TestNode> replica_;
  Shutdown shutdown_;
  std::unique_ptr<TestClient> writer_, operator_;
  ShutdownOptions left_with_;
  bool left_ = false, save_fails_ = false;
  int cancelled_ = 0;
  const std::string run_id_ = std::string(40, 'a');
};

TEST_F(ShutdownTest, IsImmediateWhenNobodyLags) {
  EXPECT_EQ(operator_->ask({"SHUTDOWN"}), "(none)");
  EXPECT_TRUE(left_ && operator_->closed());
}

TEST_F(ShutdownTest, IsImmediateWithoutReplicas) {
  lag();
  replica_.reset();
  ASSERT_TRUE(world_.run_until([this] { return primary_.info().replicas.empty(); }));
  EXPECT_EQ(operator_->ask({"SHUTDOWN"}), "(none)");
  EXPECT_TRUE(left_);
}

TEST_F(ShutdownTest, NowAndATimeoutOfZeroDoNotWait) {
  lag();
  EXPECT_TRUE(shutdown({.now = true}, nullptr).ok());
  EXPECT_TRUE(left_ && left_with_.now);
  left_ = false;
  configure("shutdown-timeout", "0");
  EXPECT_EQ(operator_->ask({"SHUTDOWN", "NOSAVE"}), "(none)");
  EXPECT_TRUE(left_ && left_with_.no_save);
}

TEST_F(ShutdownTest, WaitsUntilTheReplicaHasEverything) {
  lag();
  pending(*operator_, {"SHUTDOWN"});
  world_.run_for(5'000);
  EXPECT_FALSE(left_);
  pending(*writer_, {"SET", "key", "2"});
  EXPECT_EQ(TestClient(&world_, "p").ask({"GET", "key"}), "1");
  EXPECT_TRUE(primary_.executor.paused());
  part(false);
  EXPECT_EQ(reply(*operator_), "(closed)");
  EXPECT_TRUE(left_);
  EXPECT_EQ(TestClient(&world_, "r").ask({"GET", "key"}), "1");
  EXPECT_FALSE(writer_->next().has_value()) << "nothing is written behind the final save";
}

TEST_F(ShutdownTest, LeavesAtTheDeadline) {
  lag();
  configure("shutdown-timeout", "3");
  const int64_t start_us = world_.now_us();
  operator_->send({"SHUTDOWN", "SAVE"});
  ASSERT_TRUE(world_.run_until([this] { return left_; }));
  const int64_t waited_ms = (world_.now_us() - start_us) / 1000;
  EXPECT_NEAR(static_cast<double>(waited_ms), 3'000, 200);
  EXPECT_TRUE(left_with_.save);
}

TEST_F(ShutdownTest, TheDeadlineStaysWhenTheTimeoutIsChanged) {
  constexpr int64_t kMaxMs = int64_t{INT32_MAX} * 1000;
  lag();
  configure("shutdown-timeout", "2147483647");
  ASSERT_TRUE(shutdown({}, nullptr).ok());
  EXPECT_EQ(shutdown_.left_ms(), kMaxMs);
  configure("shutdown-timeout", "0");
  world_.run_for(2'000);
  EXPECT_EQ(shutdown_.left_ms(), kMaxMs - 2'000);
  EXPECT_FALSE(left_);
}

TEST_F(ShutdownTest, AReplicaThatGoesIsNotWaitedFor) {
  lag();
  pending(*operator_, {"SHUTDOWN"});
  replica_.reset();
  EXPECT_EQ(reply(*operator_), "(closed)");
  EXPECT_TRUE(left_);
}

TEST_F(ShutdownTest, AReplicaInAFullSyncLags) {
  configure("repl-diskless-sync-delay", "1000");
  TestClient newcomer(&world_, "p");
  newcomer.send({"REPLCONF", "capa", "eof"});
  newcomer.send({"PSYNC", "?", "-1"});
  ASSERT_TRUE(world_.run_until([this] { return primary_.info().replicas.size() == 2; }));
  pending(*operator_, {"SHUTDOWN"});
  world_.run_for(9'000);
  EXPECT_FALSE(left_);
  world_.run_for(2'000);
  EXPECT_TRUE(left_);
}

TEST_F(ShutdownTest, AbortLetsEverybodyGoOn) {
  lag();
  TestClient second(&world_, "p"), third(&world_, "p");
  pending(*operator_, {"SHUTDOWN"});
  pending(second, {"SHUTDOWN", "NOW"});
  pending(*writer_, {"INCR", "key"});
  EXPECT_EQ(third.ask({"SHUTDOWN", "ABORT"}), "OK");
  EXPECT_EQ(reply(*operator_), kFailed);
  EXPECT_EQ(reply(second), kFailed);
  EXPECT_EQ(writer_->ask({"INCR", "key"}), "2");
  EXPECT_EQ(writer_->ask({"INCR", "key"}), "3");
  EXPECT_EQ(third.ask({"SHUTDOWN", "ABORT"}), "ERR No shutdown in progress.");
  EXPECT_EQ(shutdown_.left_ms(), std::nullopt);
  part(false);
  world_.run_for(20'000);
  EXPECT_FALSE(left_);
  EXPECT_EQ(cancelled_, 1);
}

TEST_F(ShutdownTest, TheFirstOneDecidesHow) {
  lag();
  pending(*operator_, {"SHUTDOWN", "NOSAVE"});
  TestClient second(&world_, "p");
  pending(second, {"SHUTDOWN", "SAVE", "FORCE"});
  part(false);
  EXPECT_EQ(reply(second), "(closed)");
  EXPECT_TRUE(left_with_.no_save && !left_with_.save && !left_with_.force);
}

TEST_F(ShutdownTest, AFailedSaveEndsThePause) {
  lag();
  save_fails_ = true;
  pending(*operator_, {"SHUTDOWN"});
  pending(*writer_, {"INCR", "key"});
  part(false);
  EXPECT_EQ(reply(*operator_), kFailed);
  EXPECT_FALSE(left_);
  EXPECT_EQ(cancelled_, 1);
  EXPECT_FALSE(primary_.executor.paused());
  EXPECT_EQ(writer_->ask({"INCR", "key"}), "2");
  // The same when nobody had to be waited for.
  ASSERT_TRUE(world_.run_until([this] { return primary_.replication.replicas_in_sync(); }));
  EXPECT_EQ(operator_->ask({"SHUTDOWN"}), kFailed);
  EXPECT_EQ(cancelled_, 2);
  EXPECT_EQ(operator_->ask({"SHUTDOWN", "FORCE"}), "(none)");
  EXPECT_TRUE(left_);
}

TEST_F(ShutdownTest, GoesOnWithoutTheClientThatAsked) {
  lag();
  pending(*operator_, {"SHUTDOWN"});
  operator_.reset();
  world_.run_for(1'000);
  EXPECT_FALSE(left_);
  part(false);
  EXPECT_TRUE(world_.run_until([this] { return left_; }));
}

TEST_F(ShutdownTest, LeavesAClientsOwnPauseAlone) {
  lag();
  DispatchState& state = primary_.executor.state();
  state.paused_until_ms = primary_.clock.monotonic_ms() + 60'000;
  state.pause_writes_only = true;
  pending(*operator_, {"SHUTDOWN"});
  pending(*writer_, {"INCR", "key"});
  EXPECT_TRUE(abort_shutdown());
  world_.run_for(1'000);
  EXPECT_FALSE(writer_->next().has_value());
  // And the other way round.
  ASSERT_TRUE(shutdown({}, nullptr).ok());
  state.paused_until_ms = 0;
  primary_.executor.resume_paused_clients();
  world_.run_for(1'000);
  EXPECT_FALSE(writer_->next().has_value());
  EXPECT_TRUE(abort_shutdown());
  EXPECT_EQ(writer_->ask({"PING"}), "2");
}

TEST_F(ShutdownTest, AFailoverOutlivesAnAbortedShutdown) {
  lag();
  EXPECT_EQ(TestClient(&world_, "p").ask({"FAILOVER"}), "OK");
  pending(*operator_, {"SHUTDOWN"});
  EXPECT_TRUE(abort_shutdown());
  EXPECT_EQ(reply(*operator_), kFailed);
  EXPECT_TRUE(primary_.replication.failing_over() && primary_.executor.paused());
}

TEST_F(ShutdownTest, DoesNotSaveInTheMiddleOfAFunction) {
  lag();
  pending(*operator_, {"SHUTDOWN"});
  primary_.executor.state().busy = "BUSY";
  part(false);
  world_.run_for(20'000);
  EXPECT_FALSE(left_);
  primary_.executor.state().busy.clear();
  EXPECT_EQ(reply(*operator_), "(closed)");
  EXPECT_TRUE(left_);
}

TEST_F(ShutdownTest, WithoutASaveItDoesNotWaitForAFunction) {
  lag();
  pending(*operator_, {"SHUTDOWN", "NOSAVE"});
  primary_.executor.state().busy = "BUSY";
  part(false);
  EXPECT_EQ(reply(*operator_), "(closed)");
  EXPECT_TRUE(left_);
}

}  // namespace
}  // namespace tandem
