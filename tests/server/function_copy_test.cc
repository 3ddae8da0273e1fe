// FUNCTION COPYFROM between real servers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kHost = "127.0.0.1";

std::string library(const std::string& name, const std::string& result) {
  return "#!lua name=" + name + "\nserver.register_function('" + name + "', function() return '" +
         result + "' end)\n";
}

bool await_blocked(const ServerProcess& server, int clients) {
  return eventually([&] { return server.info("blocked_clients") == std::to_string(clients); });
}

TEST(FunctionCopy, FollowsThePolicies) {
  ServerProcess source, server;
  source.run("FUNCTION", "LOAD", library("both", "theirs"));
  source.run("FUNCTION", "LOAD", library("theirs", "theirs"));
  RespClient client = server.connect();
  client.run("FUNCTION", "LOAD", library("both", "ours"));
  client.run("FUNCTION", "LOAD", library("ours", "ours"));
  const std::string port = source.port_text();
  EXPECT_EQ(client.run("FUNCTION", "COPYFROM", kHost, port),
            "(error) ERR Library both already exists");
  EXPECT_THAT(client.run("FCALL", "theirs", "0"), HasSubstr("Function not found"));
  EXPECT_EQ(client.run("FUNCTION", "COPYFROM", kHost, port, "replace"), "OK");
  EXPECT_EQ(client.text("FCALL", "both", "0"), "theirs");
  EXPECT_EQ(client.text("FCALL", "theirs", "0"), "theirs");
  EXPECT_EQ(client.text("FCALL", "ours", "0"), "ours");
  EXPECT_EQ(client.run("FUNCTION", "COPYFROM", kHost, port, "FLUSH"), "OK");
  EXPECT_THAT(client.run("FCALL", "ours", "0"), HasSubstr("Function not found"));
  EXPECT_EQ(client.text("FCALL", "both", "0"), "theirs");
  EXPECT_THAT(server.info("cmdstat_function|copyfrom"), StartsWith("calls=3,"));
}

TEST(FunctionCopy, AuthenticatesAndSaysWhoRefused) {
  ServerProcess source({"--requirepass", "secret"}), server;
  RespClient there = source.connect();
  there.run("AUTH", "secret");
  there.run("FUNCTION", "LOAD", library("lib", "1"));
  RespClient client = server.connect();
  const std::string port = source.port_text();
  const std::string failed = "(error) ERR Copying the functions of 127.0.0.1:" + port + " failed: ";
  EXPECT_THAT(client.run("FUNCTION", "COPYFROM", kHost, port),
              StartsWith(failed + "FUNCTION DUMP: NOAUTH"));
  EXPECT_THAT(client.run("FUNCTION", "COPYFROM", kHost, port, "AUTH", "wrong"),
              StartsWith(failed + "AUTH: WRONGPASS"));
  EXPECT_EQ(
      client.run("FUNCTION", "COPYFROM", kHost, port, "FLUSH", "USER", "default", "AUTH", "secret"),
      "OK");
  EXPECT_EQ(client.text("FCALL", "lib", "0"), "1");
}

TEST(FunctionCopy, BadArgumentsAreRefusedAtOnce) {
  ServerProcess server;
  RespClient client = server.connect();
  for (const std::vector<std::string_view>& options :
       {std::vector<std::string_view>{"AUTH"}, {"USER", "name"}, {"FLUSH", "REPLACE"}, {"other"}}) {
    std::vector<std::string_view> request = {"FUNCTION", "COPYFROM", kHost, "1"};
    request.insert(request.end(), options.begin(), options.end());
    client.send_words(request);
    EXPECT_EQ(reply_text(client.read()), "(error) ERR syntax error");
  }
  for (const char* port : {"x", "0", "65536"}) {
    EXPECT_THAT(client.run("FUNCTION", "COPYFROM", kHost, port),
                StartsWith("(error) ERR value is"));
  }
  PortLease nobody;
  EXPECT_THAT(client.run("FUNCTION", "COPYFROM", kHost, std::to_string(nobody.port())),
              HasSubstr("Connection refused"));
}

TEST(FunctionCopy, WaitsLikeABlockedClient) {
  ServerProcess server;
  Listener listener;
  const std::string port = std::to_string(listener.port());
  RespClient client = server.connect(), other = server.connect();
  const std::string id = client.run("CLIENT", "ID").substr(std::string("(integer) ").size());
  client.send("FUNCTION", "COPYFROM", kHost, port);
  RespClient peer = listener.accept();
  EXPECT_EQ(peer.read().elements.at(1).text, "DUMP");
  ASSERT_TRUE(await_blocked(server, 1));
  EXPECT_EQ(other.run("SET", "key", "value"), "OK");
  EXPECT_EQ(other.run("CLIENT", "UNBLOCK", id), "(integer) 1");
  EXPECT_THAT(reply_text(client.read()), HasSubstr("ended by CLIENT UNBLOCK"));
  EXPECT_TRUE(peer.closed_by_server());
  client.send("FUNCTION", "COPYFROM", kHost, port);
  RespClient again = listener.accept();
  ASSERT_TRUE(await_blocked(server, 1));
  EXPECT_EQ(other.run("CLIENT", "UNBLOCK", id, "ERROR"), "(integer) 1");
  EXPECT_THAT(reply_text(client.read()), StartsWith("(error) UNBLOCKED"));
  EXPECT_EQ(client.run("PING"), "PONG");
}

TEST(FunctionCopy, NothingIsBelievedOfTheAnswer) {
  ServerProcess server({"--proto-max-bulk-len", "1mb", "--repl-timeout", "60"});
  server.run("FUNCTION", "LOAD", library("lib", "1"));
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"+OK\r\n", "no payload"},
      {"$-1\r\n", "no payload"},
      {":5\r\n", "no payload"},
      {"*1\r\n$1\r\na\r\n", "no valid reply"},
      {"$2000000\r\n", "no valid reply"},
      {"nonsense\r\n", "no valid reply"},
      {"-ERR unknown command 'FUNCTION'\r\n", "FUNCTION DUMP: ERR unknown command"},
      {"$4\r\nabcd\r\n", "DUMP payload version or checksum are wrong"},
      {"", "closed"},
  };
  for (const auto& [answer, complaint] : answers) {
    SCOPED_TRACE(answer);
    Listener listener;
    RespClient client = server.connect();
    client.send("FUNCTION", "COPYFROM", kHost, std::to_string(listener.port()), "FLUSH");
    RespClient peer = listener.accept();
    peer.read();
    if (answer.empty()) {
      peer.close();
    } else {
      peer.send_raw(answer);
    }
    EXPECT_THAT(reply_text(client.read()), HasSubstr(complaint));
    EXPECT_EQ(client.text("FCALL", "lib", "0"), "1");
  }
}

TEST(FunctionCopy, WhoHasLeftGetsNoLibraries) {
  ServerProcess source, server;
  source.run("FUNCTION", "LOAD", library("lib", "1"));
  const ReplyValue payload = source.connect().call("FUNCTION", "DUMP");
  Listener listener;
  RespClient client = server.connect();
  client.send("FUNCTION", "COPYFROM", kHost, std::to_string(listener.port()));
  RespClient peer = listener.accept();
  peer.read();
  client.close();
  ASSERT_TRUE(await_blocked(server, 0));
  peer.send_raw("$" + std::to_string(payload.text.size()) + "\r\n" + payload.text + "\r\n");
  // The answer has been taken once the connection is kept for another question.
  ASSERT_TRUE(eventually([&] { return server.info("migrate_cached_sockets") == "1"; }));
  EXPECT_EQ(server.run("FUNCTION", "LIST"), "[]");
}

TEST(FunctionCopy, ReachesTheReplicaAndTheAof) {
  ServerProcess source;
  source.run("FUNCTION", "LOAD", library("lib", "1"));
  Pair pair({"--appendonly", "yes", "--appendfsync", "always"});
  EXPECT_EQ(pair.primary.run("FUNCTION", "COPYFROM", kHost, source.port_text()), "OK");
  expect_same_dataset(pair.primary, pair.replica);
  EXPECT_THAT(pair.replica.run("FUNCTION", "LIST"), HasSubstr("lib"));
  EXPECT_THAT(pair.replica.run("FUNCTION", "COPYFROM", kHost, source.port_text()),
              StartsWith("(error) READONLY"));
  pair.primary.kill();
  pair.primary.start();
  EXPECT_EQ(pair.primary.text("FCALL", "lib", "0"), "1");
}

TEST(FunctionCopy, WhoBecomesAReplicaMeanwhileTakesNothing) {
  ServerProcess source, server;
  source.run("FUNCTION", "LOAD", library("lib", "1"));
  const ReplyValue payload = source.connect().call("FUNCTION", "DUMP");
  Listener listener;
  RespClient client = server.connect();
  client.send("FUNCTION", "COPYFROM", kHost, std::to_string(listener.port()));
  RespClient peer = listener.accept();
  peer.read();
  PortLease nobody;
  server.run("REPLICAOF", kHost, std::to_string(nobody.port()));
  peer.send_raw("$" + std::to_string(payload.text.size()) + "\r\n" + payload.text + "\r\n");
  EXPECT_THAT(reply_text(client.read()), StartsWith("(error) READONLY"));
  EXPECT_EQ(client.run("FUNCTION", "LIST"), "[]");
}

TEST(FunctionCopy, NotInTransactionsAndScripts) {
  ServerProcess server;
  RespClient client = server.connect();
  client.run("MULTI");
  EXPECT_EQ(client.run("FUNCTION", "COPYFROM", kHost, "1"),
            "(error) ERR Command not allowed inside a transaction");
  client.run("DISCARD");
  EXPECT_THAT(
      client.run("EVAL", "return redis.call('FUNCTION', 'COPYFROM', '127.0.0.1', '1')", "0"),
      HasSubstr("not allowed from script"));
}

}  // namespace
}  // namespace tandem
