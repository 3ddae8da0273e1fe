// Replicas that are killed or cut off at random moments of the handshake, the snapshot and the
// stream while functions write to their primary. TANDEM_ROUNDS_SEED and TANDEM_ROUNDS set where the
// chances begin and how many rounds there are.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/function_load.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using Direction = PartitionProxy::Direction;

constexpr size_t kReplicas = 3;
#ifdef __SANITIZE_ADDRESS__
constexpr int kRounds = 10;
#else
constexpr int kRounds = 50;
#endif

int from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : otherwise;
}

enum class Fault {
  kHandshakeCut,  // while the replica asks to go on
  kAnswerCut,     // while it is answered
  kSnapshotCut,
  kSnapshotKill,
  kStreamCut,
  kStreamKill,
  kStreamSlow,
};
constexpr int kFaults = 7;

class ReplicationRounds : public ::testing::TestWithParam<int> {
 protected:
  ReplicationRounds() {
    populate(primary_);
    FunctionLoad::prepare(primary_);
    // What does not compress, so that a snapshot is long enough to be hit.
    RespClient client = primary_.connect();
    for (int i = 0; i < 100; ++i) {
      std::string noise(1000, '\0');
      std::generate(noise.begin(), noise.end(), [this] { return static_cast<char>(random_()); });
      client.call("SET", "noise:" + std::to_string(i), noise);
    }
    for (size_t i = 0; i < kReplicas; ++i) {
      // One of them has something to start from again.
      const ServerProcess::Options more =
          i == 0 ? ServerProcess::Options{"--appendonly", "yes"} : ServerProcess::Options{};
      followers_.push_back(std::make_unique<DistantReplica>(primary_, more));
    }
    for (const auto& follower : followers_) await_caught_up(*follower);
    snapshot_bytes_ = followers_.back()->proxy.passed(Direction::kDown);
    handshake_bytes_ = followers_.back()->proxy.passed(Direction::kUp);
  }

  uint64_t up_to(uint64_t most) {
    return std::uniform_int_distribution<uint64_t>(1, most)(random_);
  }

  void await_caught_up(const DistantReplica& follower) {
    ASSERT_TRUE(eventually([&] { return caught_up(primary_, follower.server); }))
        << "primary " << primary_.info("master_repl_offset") << ", replica "
        << follower.server.info("slave_repl_offset");
  }

  void await_passed(const DistantReplica& follower, uint64_t bytes) {
    const uint64_t goal = follower.proxy.passed(Direction::kDown) + bytes;
    ASSERT_TRUE(eventually([&] { return follower.proxy.passed(Direction::kDown) >= goal; }));
  }

  // Begins a fault, which may come a little later.
  void strike(DistantReplica& follower, Fault fault) {
    PartitionProxy& proxy = follower.proxy;
    switch (fault) {
      case Fault::kHandshakeCut:
        proxy.cut_after(Direction::kUp, up_to(handshake_bytes_));
        proxy.cut();
        break;
      case Fault::kAnswerCut:
        proxy.cut_after(Direction::kDown, up_to(kAnswerBytes));
        proxy.cut();
        break;
      case Fault::kSnapshotCut:
        follower.server.kill();
        proxy.cut_after(Direction::kDown, up_to(snapshot_bytes_));
        follower.server.launch();
        break;
      case Fault::kSnapshotKill:
        follower.server.kill();
        proxy.slow_down(kSlowBytes);
        follower.server.launch();
        await_passed(follower, up_to(snapshot_bytes_));
        follower.server.kill();
        proxy.slow_down(0);
        follower.server.launch();
        break;
      case Fault::kStreamCut:
        proxy.cut_after(Direction::kDown, up_to(kStreamBytes));
        break;
      case Fault::kStreamKill:
        await_passed(follower, up_to(kStreamBytes));
        follower.server.kill();
        follower.server.launch();
        break;
      case Fault::kStreamSlow:
        proxy.slow_down(up_to(kSlowBytes));
        proxy.cut_after(Direction::kDown, up_to(kStreamBytes));
        break;
    }
  }

  void play_round() {
    primary_.run("CONFIG", "SET", "repl-diskless-sync", up_to(3) == 1 ? "no" : "yes");
    primary_.run("CONFIG", "SET", "repl-compression", up_to(2) == 1 ? "no" : "lz4");
    FunctionLoad load(primary_, 5);
    ASSERT_TRUE(load.await_calls(5));
    for (const auto& follower : followers_) {
      const auto fault = static_cast<Fault>(up_to(kFaults) - 1);
      ASSERT_NO_FATAL_FAILURE(strike(*follower, fault)) << "fault " << static_cast<int>(fault);
    }
    for (const auto& follower : followers_) {
      ASSERT_TRUE(eventually([&] {
        EXPECT_TRUE(FunctionLoad::whole(follower->server));
        return !follower->proxy.cut_is_due();
      }));
      follower->proxy.slow_down(0);
    }
    for (const auto& follower : followers_) follower->server.await_ready();
    load.stop();
    ASSERT_EQ(load.ended_by(), "");
    ASSERT_NO_FATAL_FAILURE(expect_all_equal());
    expect_wait_to_tell_the_truth();
  }

  void expect_all_equal() {
    for (const auto& follower : followers_) ASSERT_NO_FATAL_FAILURE(await_caught_up(*follower));
    const std::string digest = primary_.text("DEBUG", "DIGEST");
    const std::string functions = primary_.text("FUNCTION", "DUMP");
    for (const auto& follower : followers_) {
      ASSERT_EQ(digest, follower->server.text("DEBUG", "DIGEST"));
      ASSERT_EQ(functions, follower->server.text("FUNCTION", "DUMP"));
    }
  }

  void expect_wait_to_tell_the_truth() {
    RespClient client = primary_.connect();
    const int64_t call = FunctionLoad::call(client);
    ASSERT_EQ(client.call("WAIT", std::to_string(kReplicas), "20000").integer, kReplicas);
    for (const auto& follower : followers_) {
      ASSERT_EQ(FunctionLoad::calls_in(follower->server), call);
    }
  }

  static constexpr uint64_t kAnswerBytes = 100;
  static constexpr uint64_t kStreamBytes = 8000;
  static constexpr uint64_t kSlowBytes = 4000;

  const int seed_ = from_environment("TANDEM_ROUNDS_SEED", GetParam());
  std::mt19937 random_{static_cast<unsigned>(seed_)};
  ServerProcess primary_;
  std::vector<std::unique_ptr<DistantReplica>> followers_;
  uint64_t snapshot_bytes_ = 0;
  uint64_t handshake_bytes_ = 0;
};

TEST_P(ReplicationRounds, EndWithTheSameDataEverywhere) {
  const int rounds = from_environment("TANDEM_ROUNDS", kRounds);
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    play_round();
    if (HasFailure()) return;
  }
  // The faults hit what they were meant for.
  EXPECT_GT(std::stoi(primary_.info("sync_full")), rounds / 2);
  EXPECT_GT(std::stoi(primary_.info("sync_partial_ok")), rounds / 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplicationRounds, ::testing::Range(1, 5));

}  // namespace
}  // namespace tandem
