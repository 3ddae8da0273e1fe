#include "tools/cli/in_process_server.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/reply_text.h"

namespace tandem::cli {
namespace {

class InProcessServerTest : public testing::Test {
 protected:
  template <typename... Words>
  std::string run(const Words&... words) {
    return reply_text(server_.run({std::string_view(words)...}));
  }
  void advance_ms(int64_t ms) { server_.advance_us(ms * 1000); }

  InProcessServer server_;
};

TEST_F(InProcessServerTest, AnswersAsAServer) {
  EXPECT_EQ(run("SET", "k", "v"), "OK");
  EXPECT_EQ(run("GET", "k"), "\"v\"");
  EXPECT_EQ(run("LPUSH", "k", "v"),
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value");
  EXPECT_EQ(run("FUNCTION", "LOAD",
                "#!lua name=lib\nserver.register_function('f', function() return 7 end)"),
            "lib");
  EXPECT_EQ(run("FCALL", "f", "0"), "(integer) 7");
}

TEST_F(InProcessServerTest, TimeStandsStillAndIsMoved) {
  EXPECT_EQ(run("TIME"), "[\"1700000000\", \"0\"]");
  run("SET", "k", "v", "PX", "100");
  advance_ms(99);
  EXPECT_EQ(run("PTTL", "k"), "(integer) 1");
  advance_ms(1);
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
  advance_ms(-100);
  EXPECT_EQ(run("TIME"), "[\"1700000000\", \"0\"]");
}

TEST_F(InProcessServerTest, TimersRunWhenTheClockPassesThem) {
  run("SET", "unseen", "v", "PX", "100");
  EXPECT_EQ(server_.server().keyspace().database(0).size(), 1u);
  advance_ms(1000);
  EXPECT_EQ(server_.server().keyspace().database(0).size(), 0u);
}

TEST_F(InProcessServerTest, ACommandThatWouldWaitRunsOutOfTime) {
  EXPECT_EQ(run("BLPOP", "k", "0"), "(nil array)");
  EXPECT_EQ(run("XREAD", "BLOCK", "0", "STREAMS", "s", "$"), "(nil array)");
  run("LPUSH", "k", "v");
  EXPECT_EQ(run("BLPOP", "k", "0"), "[\"k\", \"v\"]");
}

TEST_F(InProcessServerTest, AConnectionThatEndsIsReplaced) {
  EXPECT_EQ(run("SELECT", "3"), "OK");
  EXPECT_EQ(run("QUIT"), "OK");
  EXPECT_EQ(run("SET", "k", "v"), "OK");
  EXPECT_EQ(run("SELECT", "0"), "OK");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 1");
}

TEST_F(InProcessServerTest, ThereAreNoFilesAndNoNetwork) {
  EXPECT_TRUE(run("SAVE").starts_with("(error)"));
  EXPECT_TRUE(run("BGSAVE").starts_with("(error)"));
  EXPECT_TRUE(run("CONFIG", "SET", "appendonly", "yes").starts_with("(error)"));
  EXPECT_EQ(run("REPLICAOF", "127.0.0.1", "1"), "OK");
  advance_ms(60'000);
  EXPECT_EQ(run("PING"), "PONG");
}

}  // namespace
}  // namespace tandem::cli
