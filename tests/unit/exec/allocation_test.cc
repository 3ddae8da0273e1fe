// What a pipelined request may cost in allocations, as the allocator counts them: nothing for GET,
// one for a SET.

#include <gtest/gtest.h>

#include <string>

#include "server/base/memory.h"
#include "tests/unit/exec/exec_fixture.h"

#if defined(TANDEM_JEMALLOC)
#include <jemalloc/jemalloc.h>

namespace tandem {
namespace {

// Bytes the thread has been given so far; counts every malloc, whoever calls it.
uint64_t allocated_bytes() {
  uint64_t bytes = 0;
  size_t size = sizeof bytes;
  EXPECT_EQ(mallctl("thread.allocated", &bytes, &size, nullptr, 0), 0);
  return bytes;
}

class AllocationTest : public ExecFixture {
 protected:
  static constexpr int kRequests = 64;

  AllocationTest() { peer_ = &connect(); }

  // What the client's requests allocate once its buffers have the size they need.
  uint64_t allocated_by(const std::string& words) {
    std::string pipeline;
    for (int i = 0; i < kRequests; ++i) pipeline += resp(words);
    uint64_t allocated = 0;
    for (int round = 0; round < 3; ++round) {
      const uint64_t before = allocated_bytes();
      EXPECT_EQ(peer_->client->on_input(pipeline), pipeline.size());
      allocated = allocated_bytes() - before;
      EXPECT_FALSE(peer_->link.output().view().starts_with('-'));
      peer_->link.output().consume(peer_->link.output().size());
    }
    return allocated;
  }

  // The one block that holds the key, what is known of it, and a short value.
  size_t entry_bytes(std::string_view key) {
    return allocation_size(keyspace_.database(0).peek(key));
  }

  Peer* peer_;
};

const std::string kKey = "key:000000012345";

TEST_F(AllocationTest, ReadingAllocatesNothing) {
  run("SET " + kKey + " " + std::string(64, 'v'));
  run("HSET hash field value");
  for (const std::string& words :
       {"GET " + kKey, std::string("GET none"), std::string("PING"), "EXISTS " + kKey,
        "STRLEN " + kKey, "TTL " + kKey, std::string("HGET hash field")}) {
    EXPECT_EQ(allocated_by(words), 0u) << words;
  }
}

TEST_F(AllocationTest, SettingAnExistingKeyAllocatesItsEntry) {
  const uint64_t allocated = allocated_by("SET " + kKey + " " + std::string(64, 'v'));
  EXPECT_LE(allocated, kRequests * entry_bytes(kKey));
}

TEST_F(AllocationTest, CountingAllocatesAtMostAnEntry) {
  run("SET counter 1000");
  const uint64_t allocated = allocated_by("INCR counter");
  EXPECT_LE(allocated, kRequests * entry_bytes("counter"));
}

}  // namespace
}  // namespace tandem
#endif
