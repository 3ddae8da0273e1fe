// A server that is killed again and again, at any moment, under writes. The directory goes from
// life to life, so what each round finds is all that the rounds before it have left.
//
// A kill leaves what was written to the system, synced or not; it shows replies that were sent
// before their write, and files that are not whole between two steps. Every other time the machine
// is lost too, and with it what was not synced. (That names are lost is for the simulation.)

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/await.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/load_client.h"
#include "tests/support/process.h"

namespace tandem {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

#ifdef __SANITIZE_ADDRESS__
constexpr int kShare = 5;  // Every start is slow there: this part of the rounds will do.
#else
constexpr int kShare = 1;
#endif

constexpr int kClients = 3;

class KillRounds : public ::testing::Test {
 protected:
  // Everything that chance decides, but for the system's.
  static uint64_t seed() {
    if (const char* given = std::getenv("TANDEM_KILL_SEED"))
      return std::strtoull(given, nullptr, 10);
    return std::random_device{}();
  }

  void start(ServerProcess::Options options) {
    // Long enough for a kill to come before, in and after what a child does.
    options.insert(options.end(), {"--rdb-key-save-delay", "30"});
    server_.emplace(std::move(options), disk_.program());
    LoadClient::prepare(*server_);
    RespClient client = server_->connect();
    for (int i = 0; i < 300; ++i) {
      client.call("HSET", "still:" + std::to_string(i), "field", std::string(40, 'v'));
    }
    for (int i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<LoadClient>(i, random_()));
    }
    // An error when there is no AOF.
    (void)client.call("WAITAOF", "1", "0", "30000");
  }

  // A life: the clients write, `meanwhile` runs once each of them has been answered, and some time
  // later the server is killed.
  void live_and_die(
      milliseconds at_most, const std::function<void()>& meanwhile = [] {}) {
    for (auto& client : clients_) client->begin(*server_, pause_);
    const bool all_write = eventually([&] {
      return std::all_of(clients_.begin(), clients_.end(),
                         [](const auto& client) { return client->acknowledged() > 0; });
    });
    meanwhile();
    pass_some_time(at_most);
    server_->kill();
    for (auto& client : clients_) client->end();
    if (!all_write) throw std::runtime_error("a client is not answered");
  }

  void pass_some_time(milliseconds at_most) {
    const auto most = static_cast<uint64_t>(microseconds(at_most).count());
    std::this_thread::sleep_for(microseconds(random_() % (most + 1)));
  }

  // Or not: on a disk as quick as this one they hardly do.
  void let_syncs_overlap() { disk_.delay_syncs(static_cast<int>(random_() % 4)); }

  void maybe_lose_power() {
    if (random_() % 2 == 0) disk_.lose_power(server_->dir(), random_);
  }

  // The next life begins, and finds what it has to.
  void expect_acknowledged() {
    maybe_lose_power();
    server_->start();
    for (auto& client : clients_) (void)client->find(*server_, client->acknowledged());
    expect_the_still_keys();
  }

  void expect_the_still_keys() {
    RespClient client = server_->connect();
    std::vector<std::string> names;
    for (int i = 0; i < 300; ++i) names.push_back("still:" + std::to_string(i));
    std::vector<std::string_view> exists = {"EXISTS"};
    exists.insert(exists.end(), names.begin(), names.end());
    client.send_words(exists);
    EXPECT_EQ(client.read().integer, 300);
  }

  // Whatever goes wrong is told with what is needed to try it again.
  void rounds(int count, const std::function<void()>& round) {
    for (int i = 0; i < std::max(count / kShare, 1); ++i) {
      try {
        round();
      } catch (const std::exception& failure) {
        ADD_FAILURE() << failure.what();
      }
      if (HasFailure()) {
        FAIL() << "in round " << i << "; TANDEM_KILL_SEED=" << seed_ << " tries it again";
      }
    }
  }

  const uint64_t seed_ = seed();
  std::mt19937_64 random_{seed_};
  FaultyDisk disk_;
  std::optional<ServerProcess> server_;
  milliseconds pause_{0};  // of the clients, between two pipelines
  std::vector<std::unique_ptr<LoadClient>> clients_;
};

TEST_F(KillRounds, WithFsyncAlwaysNothingAcknowledgedIsLost) {
  start({"--appendonly", "yes", "--appendfsync", "always"});
  rounds(80, [&] {
    let_syncs_overlap();
    live_and_die(40ms);
    expect_acknowledged();
  });
}

// The rewrite's child takes about 30 ms.
TEST_F(KillRounds, NorAcrossARewrite) {
  start({"--appendonly", "yes", "--appendfsync", "always"});
  rounds(50, [&] {
    let_syncs_overlap();
    live_and_die(80ms, [&] { server_->text("BGREWRITEAOF"); });
    expect_acknowledged();
  });
}

// No round takes two seconds; but what a round finds is safe from then on.
TEST_F(KillRounds, WithFsyncEverySecondNothingOldIsLost) {
  start({"--appendonly", "yes", "--appendfsync", "everysec"});
  rounds(30, [&] {
    live_and_die(60ms);
    maybe_lose_power();
    server_->start();
    for (auto& client : clients_) (void)client->find(*server_, 0);
    expect_the_still_keys();
  });
}

// The disk hangs, so that writes wait in the server: they are given to the system before they are
// two seconds old.
TEST_F(KillRounds, WithFsyncEverySecondAndADiskThatHangsAKillLosesTwoSeconds) {
  start({"--appendonly", "yes", "--appendfsync", "everysec"});
  pause_ = 5ms;
  disk_.delay_syncs(60'000);
  live_and_die(2500ms, [&] {
    EXPECT_TRUE(eventually([&] { return server_->info("aof_delayed_fsync") != "0"; }));
    const size_t answered = clients_[0]->acknowledged();
    EXPECT_TRUE(eventually([&] { return clients_[0]->acknowledged() > answered + 100; }));
  });
  disk_.heal();
  server_->start();
  for (auto& client : clients_) {
    const size_t required = client->acknowledged_before_the_end(2s);
    EXPECT_GT(required, 0u);
    try {
      (void)client->find(*server_, required);
    } catch (const std::exception& failure) {
      ADD_FAILURE() << failure.what();
    }
  }
}

// Without an AOF a restart finds a snapshot: all clients' units up to one moment, and none after
// it.
TEST_F(KillRounds, AcrossASaveTheDatasetIsACompleteSnapshot) {
  start({});
  ASSERT_EQ(server_->run("SAVE"), "OK");
  int of_this_life = 0;
  rounds(40, [&] {
    std::vector<size_t> before_save(clients_.size());
    bool saved = false;
    live_and_die(10ms, [&] {
      for (size_t i = 0; i < clients_.size(); ++i) before_save[i] = clients_[i]->acknowledged();
      server_->text("BGSAVE");
      pass_some_time(100ms);
      saved = server_->info("rdb_bgsave_in_progress") == "0";
      if (saved) {
        EXPECT_EQ(server_->info("rdb_last_bgsave_status"), "ok");
      }
    });
    maybe_lose_power();
    server_->start();
    std::vector<size_t> found(clients_.size());
    for (size_t i = 0; i < clients_.size(); ++i) {
      found[i] = clients_[i]->find(*server_, saved ? before_save[i] : 0);
    }
    if (std::any_of(found.begin(), found.end(), [](size_t units) { return units > 0; })) {
      ++of_this_life;
    }
    // What one client has in it was sent before what another one lacks was answered.
    for (size_t i = 0; i < clients_.size(); ++i) {
      if (found[i] == 0) continue;
      for (size_t k = 0; k < clients_.size(); ++k) {
        EXPECT_LE(clients_[i]->sent_at(found[i] - 1), clients_[k]->acknowledged_at(found[k]));
      }
    }
    expect_the_still_keys();
  });
  EXPECT_GT(of_this_life, 0) << "no save was ever in time";
}

}  // namespace
}  // namespace tandem
