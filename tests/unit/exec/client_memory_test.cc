#include "server/exec/client_memory.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class ClientMemoryTest : public ExecFixture {
 protected:
  // A client with about this many bytes in its output.
  Peer& holding(size_t bytes) {
    Peer& peer = connect();
    peer.client->on_input(resp("echo " + std::string(bytes, 'x')));
    return peer;
  }
  uint64_t evicted() { return executor_.stats().evicted_clients; }
};

TEST_F(ClientMemoryTest, TheLargestGoFirst) {
  configure("maxmemory-clients", "1mb");
  Peer& small = holding(10'000);
  Peer& large = holding(500'000);
  Peer& larger = holding(600'000);
  executor_.client_memory().evict();
  EXPECT_EQ(evicted(), 1u);
  EXPECT_FALSE(small.link.closed);
  // Of the same power of two either may go.
  EXPECT_TRUE(large.link.closed != larger.link.closed);
  executor_.client_memory().evict();
  EXPECT_EQ(evicted(), 1u);
}

TEST_F(ClientMemoryTest, WithoutALimitNothingIsCounted) {
  holding(5'000'000);
  EXPECT_FALSE(executor_.client_memory().tracking());
  executor_.client_memory().evict();
  EXPECT_EQ(evicted(), 0u);
}

TEST_F(ClientMemoryTest, ALimitCountsThoseWhoAreThere) {
  Peer& peer = holding(500'000);
  configure("maxmemory-clients", "200000");
  executor_.client_memory().evict();
  EXPECT_TRUE(peer.link.closed);
}

TEST_F(ClientMemoryTest, SparesNoEvictClientsAndReplicas) {
  configure("maxmemory-clients", "128kb");
  Peer& spared = connect();
  run(spared, "client no-evict on");
  spared.client->on_input(resp("echo " + std::string(300'000, 'x')));
  Peer& replica = holding(300'000);
  replica.client->set_kind(ClientKind::kReplica);
  executor_.client_memory().update(*replica.client);
  executor_.client_memory().evict();
  EXPECT_EQ(evicted(), 0u);
  run(spared, "client no-evict off");
  spared.client->on_input(resp("echo " + std::string(300'000, 'x')));
  executor_.client_memory().evict();
  EXPECT_TRUE(spared.link.closed);
  EXPECT_FALSE(replica.link.closed);
}

TEST_F(ClientMemoryTest, APercentageOfMaxmemoryAndAFloor) {
  configure("maxmemory-clients", "1%");
  EXPECT_FALSE(executor_.state().over_memory_limit);
  holding(5'000'000);
  executor_.client_memory().evict();
  EXPECT_EQ(evicted(), 0u) << "a share of no limit is no limit";
  configure("maxmemory", "4gb");
  executor_.client_memory().evict();
  EXPECT_EQ(evicted(), 0u);
  configure("maxmemory", "100mb");
  executor_.client_memory().evict();
  EXPECT_EQ(evicted(), 1u);
  configure("maxmemory-clients", "1");
  Peer& tiny = holding(100);
  executor_.client_memory().evict();
  EXPECT_FALSE(tiny.link.closed) << "128 KiB are everybody's";
}

TEST_F(ClientMemoryTest, WhoHasGoneDoesNotCount) {
  configure("maxmemory-clients", "1mb");
  holding(600'000).client->on_closed("gone");
  Peer& peer = holding(600'000);
  executor_.client_memory().evict();
  EXPECT_FALSE(peer.link.closed);
}

}  // namespace
}  // namespace tandem
