// What a real process tells of what it did: slow commands, latencies and memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/base/memory.h"
#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/process.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Observation, ASlowCommandIsLoggedAndASpike) {
  const ServerProcess server(
      {"--slowlog-log-slower-than", "400000", "--latency-monitor-threshold", "400"});
  RespClient client = server.connect();
  client.call("CLIENT", "SETNAME", "sleeper");
  client.call("DEBUG", "SLEEP", "0.5");
  client.call("PING");
  EXPECT_EQ(client.run("SLOWLOG", "LEN"), "(integer) 1");
  EXPECT_THAT(client.run("SLOWLOG", "GET"),
              MatchesRegex(R"(\[\[\(integer\) 0, \(integer\) [0-9]+, \(integer\) [0-9]+, )"
                           R"(\["DEBUG", "SLEEP", "0.5"\], "127.0.0.1:[0-9]+", "sleeper"\]\])"));
  EXPECT_THAT(client.run("LATENCY", "LATEST"), StartsWith("[[\"command\", "));
  EXPECT_THAT(client.text("LATENCY", "DOCTOR"), HasSubstr("1. command: 1 spikes"));
}

TEST(Observation, WhatAFunctionCallsIsLoggedForItsCaller) {
  const ServerProcess server({"--slowlog-log-slower-than", "0"});
  RespClient client = server.connect();
  client.call("CLIENT", "SETNAME", "caller");
  client.call("FUNCTION", "LOAD", example_library());
  client.call("SLOWLOG", "RESET");
  client.call("FCALL", "put", "1", "key", "value");
  const std::string log = client.run("SLOWLOG", "GET", "-1");
  EXPECT_THAT(log, HasSubstr("[\"FCALL\", \"put\", \"1\", \"key\", \"value\"]"));
  EXPECT_THAT(log, HasSubstr("[\"SET\", \"key\", \"value\"]"));
  EXPECT_THAT(log, Not(HasSubstr("\"\", \"\"")));
}

TEST(Observation, PercentilesOfCommands) {
  const ServerProcess server;
  RespClient client = server.connect();
  for (int i = 0; i < 100; ++i) client.call("SET", "key", "value");
  EXPECT_THAT(client.text("INFO", "latencystats"), HasSubstr("latency_percentiles_usec_set:p50="));
  EXPECT_THAT(client.text("INFO", "latencystats"), HasSubstr(",p99.9="));
  EXPECT_THAT(client.run("LATENCY", "HISTOGRAM", "set"), HasSubstr("\"calls\", (integer) 100"));
  client.call("CONFIG", "RESETSTAT");
  EXPECT_EQ(client.run("LATENCY", "HISTOGRAM", "set"), "[]");
  client.call("CONFIG", "SET", "latency-tracking", "no");
  client.call("SET", "key", "value");
  EXPECT_EQ(client.text("INFO", "latencystats"), "# Latencystats\r\n");
}

TEST(Observation, CountersOfWhatTheLoopDoes) {
  const ServerProcess server;
  RespClient client = server.connect();
  client.call("RPUSH", "list", "a", "b");
  const std::string payload = client.text("DUMP", "list");
  client.call("CONFIG", "RESETSTAT");
  for (int i = 0; i < 10; ++i) client.call("PING");
  client.call("RESTORE", "restored", "0", payload);
  // As large a reply as makes the buffer for it grow, which it gives back.
  client.call("SETRANGE", "long", "200000", "x");
  client.call("GET", "long");
  for (int i = 0; i < 3; ++i) client.call("SET", "key" + std::to_string(i), "value", "PX", "1");
  const auto field = [&](const std::string& name) {
    const std::string text = client.text("INFO", "stats");
    const size_t at = text.find("\r\n" + name + ":");
    return at == std::string::npos ? -1.0 : std::stod(text.substr(at + name.size() + 3));
  };
  EXPECT_GE(field("total_reads_processed"), 17);
  EXPECT_LT(field("total_reads_processed"), 100);
  EXPECT_GE(field("total_writes_processed"), 17);
  EXPECT_GE(field("reply_buffer_expands"), 1);
  EXPECT_GE(field("reply_buffer_shrinks"), 1);
  EXPECT_EQ(field("dump_payload_sanitizations"), 1);
  EXPECT_TRUE(eventually([&] { return field("expired_keys") == 3; }));
  EXPECT_GT(field("expired_stale_perc"), 0);
  client.call("CONFIG", "RESETSTAT");
  EXPECT_LT(field("total_reads_processed"), 17);
  EXPECT_EQ(field("dump_payload_sanitizations"), 0);
}

TEST(Observation, CountersOfFunctions) {
  const ServerProcess server;
  RespClient client = server.connect();
  client.call("FUNCTION", "LOAD", example_library());
  EXPECT_EQ(client.text("INFO", "functionstats"), "# Functionstats\r\n");
  client.call("FCALL", "put", "1", "key", "value");
  EXPECT_THAT(client.text("INFO", "functionstats"),
              HasSubstr("\r\nfunctionstat_put:library=lib,calls=1,usec="));
  EXPECT_THAT(client.text("INFO", "everything"), HasSubstr("functionstat_put:"));
  EXPECT_THAT(client.text("INFO"), Not(HasSubstr("functionstat_put:")));
  client.call("CONFIG", "RESETSTAT");
  EXPECT_EQ(client.text("INFO", "functionstats"), "# Functionstats\r\n");
}

TEST(Observation, AForkIsASpike) {
  const ServerProcess server({"--latency-monitor-threshold", "1"});
  RespClient client = server.connect();
  // Enough pages that copying their tables takes a millisecond.
  client.call("DEBUG", "POPULATE", "300000", "key", "500");
  EXPECT_TRUE(eventually([&] {
    client.call("BGSAVE");
    return client.run("LATENCY", "HISTORY", "fork") != "[]";
  }));
}

TEST(Observation, MemoryIsAccountedFor) {
  if (memory_used() == 0) GTEST_SKIP() << "this build's allocator does not count";
  const ServerProcess server;
  RespClient client = server.connect();
  client.call("HELLO", "3");
  EXPECT_THAT(client.text("MEMORY", "DOCTOR"), HasSubstr("hardly any data"));
  client.call("DEBUG", "POPULATE", "50000", "key", "200");
  client.call("PEXPIRE", "key:1", "100000000");
  const std::string stats = client.run("MEMORY", "STATS");
  EXPECT_THAT(stats, HasSubstr("\"keys.count\": (integer) 50000"));
  EXPECT_THAT(stats, HasSubstr("\"db.0\": {\"overhead.hashtable.main\": (integer) "));
  EXPECT_THAT(stats, Not(HasSubstr("\"dataset.bytes\": (integer) 0")));
  EXPECT_THAT(client.text("MEMORY", "DOCTOR"), Not(HasSubstr("hardly any data")));
  EXPECT_THAT(client.text("MEMORY", "MALLOC-STATS"), Not(HasSubstr("not supported")));
  EXPECT_EQ(client.run("MEMORY", "PURGE"), "OK");
  const std::string usage = client.run("MEMORY", "USAGE", "key:2");
  EXPECT_THAT(usage, MatchesRegex(R"(\(integer\) 2[0-9][0-9])"));
}

}  // namespace
}  // namespace tandem
