#include <gtest/gtest.h>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

class MemoryTest : public CommandFixture {
 protected:
  int64_t usage(std::string_view key) {
    const std::string reply = run("MEMORY", "USAGE", key);
    EXPECT_TRUE(reply.starts_with("(integer) ")) << reply;
    return std::stoll(reply.substr(sizeof "(integer) " - 1));
  }
};

TEST_F(MemoryTest, UsageGrowsWithTheValue) {
  EXPECT_EQ(run("MEMORY", "USAGE", "nosuch"), "(nil)");
  run("SET", "small", "x");
  run("SET", "large", std::string(10'000, 'x'));
  EXPECT_GT(usage("small"), 8);
  EXPECT_LT(usage("small"), 100);
  EXPECT_GE(usage("large"), 10'000);
  EXPECT_LT(usage("large"), 20'000);
  run("HSET", "hash", "f", "v");
  const int64_t packed = usage("hash");
  for (int i = 0; i < 1000; ++i) run("HSET", "hash", "field:" + std::to_string(i), "value");
  EXPECT_GT(usage("hash"), packed + 1000 * 16);
}

TEST_F(MemoryTest, UsageTakesSamples) {
  run("SET", "key", "x");
  EXPECT_EQ(run("MEMORY", "USAGE", "key", "SAMPLES", "0"), run("MEMORY", "USAGE", "key"));
  EXPECT_EQ(run("MEMORY", "USAGE", "nosuch", "samples", "5"), "(nil)");
  EXPECT_EQ(run("MEMORY", "USAGE", "key", "SAMPLES", "-1"), "(error) ERR syntax error");
  EXPECT_EQ(run("MEMORY", "USAGE", "key", "SAMPLES", "x"),
            "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("MEMORY", "USAGE", "key", "SAMPLES"), "(error) ERR syntax error");
  EXPECT_EQ(run("MEMORY", "USAGE", "key", "5"), "(error) ERR syntax error");
}

TEST_F(MemoryTest, UsageDoesNotTouchTheKey) {
  run("SET", "key", "x");
  const uint64_t hits = keyspace_.stats().hits;
  run("MEMORY", "USAGE", "key");
  EXPECT_EQ(keyspace_.stats().hits, hits);
}

TEST_F(MemoryTest, PurgeAndMallocStats) {
  EXPECT_EQ(run("MEMORY", "PURGE"), "OK");
  EXPECT_GT(run("MEMORY", "MALLOC-STATS").size(), 20u);
}

}  // namespace
}  // namespace tandem
