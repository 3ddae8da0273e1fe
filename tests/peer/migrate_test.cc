// MIGRATE and FUNCTION COPYFROM between Tandem and Debian's redis-server, and what both say when
// MIGRATE goes wrong.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/process.h"

namespace tandem {
namespace {

constexpr const char* kRedisServer = "redis-server";
constexpr const char* kHost = "127.0.0.1";
constexpr const char* kTimeout = "60000";

struct Pairing {
  const char* name;
  bool tandem_is_source;

  friend void PrintTo(const Pairing& pairing, std::ostream* out) { *out << pairing.name; }
};

class MigratePeers : public ::testing::TestWithParam<Pairing> {
 protected:
  ServerProcess source_{{}, GetParam().tandem_is_source ? tandem_server_path() : kRedisServer};
  ServerProcess target_{{}, GetParam().tandem_is_source ? kRedisServer : tandem_server_path()};
};

TEST_P(MigratePeers, MovesKeys) {
  RespClient client = source_.connect();
  client.run("SET", "text", std::string(500, 'x'));
  client.run("SET", "volatile", "value", "PX", "500000");
  client.run("RPUSH", "list", "a", "b", "3");
  client.run("SADD", "set", "a", "b", "c");
  client.run("SADD", "numbers", "1", "2", "3");
  client.run("ZADD", "zset", "1.5", "a", "2", "b");
  client.run("HSET", "hash", "a", "1", "b", "2");
  client.run("PFADD", "hll", "a", "b");
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i);
    client.run("SADD", "large set", "member:" + number);
    client.run("ZADD", "large zset", number, "member:" + number);
    client.run("HSET", "large hash", "field:" + number, number);
    client.run("RPUSH", "large list", "element:" + number);
  }
  const std::string digest = client.run("DEBUG", "DIGEST");
  const std::string port = target_.port_text();
  client.send("MIGRATE", kHost, port, "", "0", kTimeout, "KEYS", "text", "volatile", "list", "set",
              "numbers", "zset", "hash", "hll", "large set", "large zset", "large hash",
              "large list", "none");
  EXPECT_EQ(reply_text(client.read()), "OK");
  EXPECT_EQ(client.run("DBSIZE"), "(integer) 0");
  EXPECT_EQ(target_.run("DEBUG", "DIGEST"), digest);
  EXPECT_NE(target_.run("PTTL", "volatile"), "(integer) -1");
}

INSTANTIATE_TEST_SUITE_P(BothWays, MigratePeers,
                         ::testing::Values(Pairing{"TandemToRedis", true},
                                           Pairing{"RedisToTandem", false}),
                         [](const auto& pairing) { return std::string(pairing.param.name); });

TEST(FunctionCopy, TakesTheLibrariesOfRedis) {
  ServerProcess redis({}, kRedisServer), tandem;
  redis.run("FUNCTION", "LOAD",
            "#!lua name=lib\nredis.register_function('f', function() return 'from redis' end)");
  EXPECT_EQ(tandem.run("FUNCTION", "COPYFROM", kHost, redis.port_text()), "OK");
  EXPECT_EQ(tandem.text("FCALL", "f", "0"), "from redis");
}

TEST(MigrateErrors, AreThoseOfRedis) {
  ServerProcess tandem, redis({}, kRedisServer);
  ServerProcess target({"--requirepass", "secret"}, kRedisServer);
  RespClient there = target.connect();
  there.run("AUTH", "secret");
  there.run("SET", "taken", "1");
  PortLease nobody;
  const std::string port = target.port_text(), none = std::to_string(nobody.port());
  const std::vector<std::vector<std::string_view>> requests = {
      {kHost},
      {kHost, port, "key", "0"},
      {kHost, port, "missing", "0", kTimeout},
      {kHost, port, "missing", "0", kTimeout, "nonsense"},
      {kHost, port, "key", "0", kTimeout, "AUTH"},
      {kHost, port, "key", "0", kTimeout, "AUTH2", "default"},
      {kHost, port, "key", "x", kTimeout},
      {kHost, port, "key", "0", "x"},
      {kHost, port, "key", "x", "y"},
      {kHost, port, "key", "0", "99999999999999999999"},
      {kHost, port, "key", "0", kTimeout, "KEYS", "key"},
      {kHost, port, "", "0", kTimeout, "KEYS"},
      {kHost, port, "", "0", kTimeout, "KEYS", "missing"},
      {kHost, port, "", "0", kTimeout},
      {kHost, port, "key", "0", kTimeout},
      {kHost, port, "key", "0", "-5", "AUTH", "wrong"},
      {kHost, port, "key", "0", kTimeout, "AUTH2", "default", "wrong"},
      {kHost, port, "key", "99", kTimeout, "AUTH", "secret"},
      {kHost, port, "taken", "0", kTimeout, "AUTH", "secret"},
      {kHost, port, "taken", "0", kTimeout, "COPY", "REPLACE", "AUTH", "secret"},
      {kHost, port, "", "0", kTimeout, "auth2", "default", "secret", "keys", "key", "missing"},
      {kHost, none, "taken", "0", kTimeout},
      {kHost, "x", "taken", "0", kTimeout},
      {kHost, "99999", "taken", "0", kTimeout},
      {"no such host.", port, "taken", "0", kTimeout},
  };
  RespClient ours = tandem.connect(), theirs = redis.connect();
  for (std::vector<std::string_view> request : requests) {
    std::string shown = "MIGRATE";
    for (std::string_view word : request) shown.append(" ").append(word);
    request.insert(request.begin(), "MIGRATE");
    std::string replies[2];
    RespClient* clients[] = {&theirs, &ours};
    for (int i = 0; i < 2; ++i) {
      there.run("DEL", "key");
      clients[i]->run("MSET", "key", "value", "taken", "here too");
      clients[i]->send_words(request);
      replies[i] = reply_text(clients[i]->read());
    }
    EXPECT_EQ(replies[1], replies[0]) << shown;
    EXPECT_EQ(ours.run("MGET", "key", "taken"), theirs.run("MGET", "key", "taken")) << shown;
  }
}

}  // namespace
}  // namespace tandem
