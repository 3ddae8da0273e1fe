// Servers that follow one another while links break and processes die, as a seed decides: once all
// is quiet they hold the same.

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "server/base/log.h"
#include "server/base/random.h"
#include "server/commands/dataset_digest.h"
#include "tests/unit/replication/fake_loop.h"
#include "tests/unit/replication/test_node.h"

namespace tandem {
namespace {

constexpr int kSeeds = 200;
constexpr int kSteps = 120;
constexpr size_t kNodes = 3;
constexpr std::array<const char*, kNodes> kHosts = {"a", "b", "c"};

class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random_(seed) {
    for (size_t i = 0; i < kNodes; ++i) start(i, i == 0 ? "" : follows("a"));
  }

  void step() {
    const size_t node = random_.below(kNodes);
    switch (random_.below(16)) {
      case 0:
        world_.cut(host(node), host(random_.below(kNodes)));
        break;
      case 1:
        world_.part(host(node), host(random_.below(kNodes)), random_.below(2) == 0);
        break;
      case 2:
        world_.set_latency_ms(static_cast<int64_t>(random_.below(30)));
        world_.set_window(random_.below(3) == 0 ? 100 : 64 * 1024);
        break;
      case 3:
        if (random_.below(3) == 0) restart(node);
        break;
      case 4:
        if (random_.below(4) == 0) reshape();
        break;
      default:
        for (uint64_t i = random_.below(20); i > 0; --i) write();
    }
    world_.run_for(static_cast<int64_t>(random_.below(400)));
  }

  // Heals everything and waits for quiet.
  testing::AssertionResult settle() {
    for (const char* a : kHosts) {
      for (const char* b : kHosts) world_.part(a, b, false);
    }
    world_.set_latency_ms(1);
    world_.set_window(64 * 1024);
    const TestNode& primary = *nodes_[primary_];
    for (size_t i = 0; i < kNodes; ++i) {
      const TestNode& node = *nodes_[i];
      if (i == primary_) continue;
      const bool synced = world_.run_until([&] { return node.in_sync_with(primary); }, 200'000);
      if (!synced) return testing::AssertionFailure() << host(i) << " does not catch up";
    }
    const std::string expected = digest(primary_);
    for (size_t i = 0; i < kNodes; ++i) {
      if (digest(i) != expected) return testing::AssertionFailure() << host(i) << " differs";
    }
    return testing::AssertionSuccess();
  }

 private:
  static std::string host(size_t node) { return kHosts[node]; }
  static std::string follows(const std::string& primary) {
    return "replicaof " + primary + " 6379\n";
  }
  std::string digest(size_t node) { return dataset_digest(nodes_[node]->keyspace); }

  void start(size_t node, const std::string& replicaof) {
    nodes_[node] = std::make_unique<TestNode>(
        &world_, host(node), &disks_[node],
        "repl-diskless-sync-delay 0\nsave \"\"\nrepl-backlog-size 16kb\nrepl-timeout 20\n" +
            std::string(node == 2 ? "repl-diskless-sync no\n" : "") + replicaof);
  }

  void write() {
    TestNode& node = *nodes_[primary_];
    const auto client = node.executor.make_internal_client(ClientKind::kNormal);
    const auto run = [&](std::initializer_list<std::string_view> args) {
      node.executor.execute(*client, Args(args.begin(), args.size()));
    };
    const std::string key = "key" + std::to_string(random_.below(30));
    const std::string value(random_.below(2000), static_cast<char>('a' + random_.below(26)));
    client->db = static_cast<int>(random_.below(3));
    switch (random_.below(5)) {
      case 0:
        return run({"INCR", "counter"});
      case 1:
        return run({"DEL", key});
      case 2:
        return run({"SET", key, value, "PX", std::to_string(1 + random_.below(5000))});
      case 3:
        run({"MULTI"});
        run({"INCR", "one"});
        run({"INCR", "other"});
        return run({"EXEC"});
      default:
        return run({"SET", key, value});
    }
  }

  void restart(size_t node) {
    const bool saved = random_.below(2) == 0;
    if (saved) {
      EXPECT_TRUE(nodes_[node]->persistence.save().ok());
    }
    const Settings settings = nodes_[node]->config.settings();
    nodes_[node].reset();
    world_.run_for(static_cast<int64_t>(random_.below(300)));
    start(node, settings.replicaof_host.empty() ? "" : follows(settings.replicaof_host));
  }

  // Another primary, or another order of the chain.
  void reshape() {
    primary_ = random_.below(kNodes);
    nodes_[primary_]->replication.promote();
    const size_t second = (primary_ + 1) % kNodes, third = (primary_ + 2) % kNodes;
    nodes_[second]->replication.follow(host(primary_), kPort);
    nodes_[third]->replication.follow(host(random_.below(2) == 0 ? primary_ : second), kPort);
  }

  Random random_;
  FakeWorld world_;
  std::array<MemoryEnv, kNodes> disks_;
  std::array<std::unique_ptr<TestNode>, kNodes> nodes_;
  size_t primary_ = 0;
};

TEST(Chaos, AllHoldTheSameOnceItIsQuiet) {
  set_log_level(LogLevel::kNothing);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Chaos chaos(seed);
    for (int i = 0; i < kSteps; ++i) chaos.step();
    ASSERT_TRUE(chaos.settle()) << "seed " << seed;
  }
  set_log_level(LogLevel::kNotice);
}

}  // namespace
}  // namespace tandem
