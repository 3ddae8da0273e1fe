// repl-digest-period with real servers, and `tandem-cli pair status`, which shows what it finds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"
#include "tests/support/writer.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::Not;

int count(const ServerProcess& server, std::string_view field) {
  const std::string text = server.info(field);
  return text.empty() ? 0 : std::stoi(text);
}

bool await_slices(const ServerProcess& replica, int more) {
  const int wanted = count(replica, "digest_slices_checked") + more;
  return eventually([&] { return count(replica, "digest_slices_checked") >= wanted; });
}

// Another text each time.
std::string more_library(int round) {
  return "#!lua name=more\nserver.register_function('more', function() return " +
         std::to_string(round) + " end)";
}

Output pair_status(const ServerProcess& server, const std::string& option = "--once") {
  return run_program(
      {tandem_cli_path(), "pair", "status", "127.0.0.1:" + server.port_text(), "--once", option});
}

TEST(Digest, AReplicaThatWasWrittenToNamesTheKey) {
  Pair pair({"--repl-digest-period", "1"});
  populate(pair.primary);
  ASSERT_TRUE(eventually([&] { return caught_up(pair.primary, pair.replica); }));
  ASSERT_TRUE(await_slices(pair.replica, 1));
  EXPECT_EQ(pair.replica.info("digest_slices_mismatched"), "0");

  pair.replica.run("CONFIG", "SET", "replica-read-only", "no");
  pair.replica.run("HSET", "small", "one", "changed");
  EXPECT_TRUE(eventually([&] { return pair.replica.info("digest_first_bad_key") == "small"; }));
  EXPECT_EQ(pair.replica.info("digest_first_bad_db"), "0");
  EXPECT_GE(count(pair.replica, "digest_slices_mismatched"), 1);
  EXPECT_TRUE(pair.replica.logged("The key \"small\" in database 0 differs from the primary's."));

  pair.replica.run("SET", "only here", "1");
  EXPECT_TRUE(eventually([&] {
    return pair.replica.logged("The key \"only here\" in database 0 is not on the primary.");
  }));

  const Output status = pair_status(pair.primary);
  EXPECT_EQ(status.code, 1);
  EXPECT_THAT(status.out, HasSubstr("DIFFERENT"));
  EXPECT_THAT(status.out, HasSubstr("data differ from the primary's, first at the key small"));
}

// Keys and fields that expire, evictions, functions and a restart: none of it may look like a
// difference.
TEST(Digest, APairUnderLoadIsTheSame) {
  Pair pair({"--repl-digest-period", "1", "--maxmemory-policy", "allkeys-random"});
  populate(pair.primary);
  RespClient client = pair.primary.connect();
  Writer writer(pair.primary);
  const int before = count(pair.replica, "digest_slices_checked");
  for (int round = 0; count(pair.replica, "digest_slices_checked") < before + 4; ++round) {
    for (int i = 0; i < 50; ++i) {
      const std::string key = "brief:" + std::to_string(i);
      client.call("SET", key, std::to_string(round), "PX", std::to_string(1 + i));
      client.call("HSET", "fields", key, "x");
      client.call("HPEXPIRE", "fields", std::to_string(1 + i * 5), "FIELDS", "1", key);
      client.call("XADD", "stream", "MAXLEN", "~", "500", "*", "round", std::to_string(round));
      client.call("SPOP", "set");
      client.call("SADD", "set", key);
    }
    client.call("XGROUP", "CREATE", "stream", "readers", "0", "MKSTREAM");
    client.call("XREADGROUP", "GROUP", "readers", "ada", "COUNT", "3", "STREAMS", "stream", ">");
    client.call("CONFIG", "SET", "maxmemory", round % 5 == 4 ? "1mb" : "0");
    client.call("FUNCTION", "LOAD", "REPLACE", more_library(round));
  }
  writer.stop();
  EXPECT_EQ(pair.replica.info("digest_slices_mismatched"), "0") << pair.replica.log();
  EXPECT_EQ(pair.replica.info("digest_size_mismatches"), "");
  EXPECT_GT(count(pair.replica, "digest_keys_checked"), 100);
}

TEST(PairStatus, ShowsTheWholeChainFromEitherEnd) {
  Pair pair;
  ServerProcess third(replica_of(pair.replica));
  populate(pair.primary);
  ASSERT_TRUE(eventually([&] { return caught_up(pair.primary, third); }));
  for (const ServerProcess* server : {&pair.primary, &pair.replica, &third}) {
    const Output status = pair_status(*server);
    EXPECT_EQ(status.code, 0) << status.out << status.err;
    EXPECT_THAT(status.out, testing::StartsWith("SERVER"));
    EXPECT_THAT(status.out, HasSubstr("\n127.0.0.1:" + pair.primary.port_text() + "  "));
    EXPECT_THAT(status.out, HasSubstr("\n  127.0.0.1:" + pair.replica.port_text() + "  "));
    EXPECT_THAT(status.out, HasSubstr("\n    127.0.0.1:" + third.port_text() + "  "));
    EXPECT_THAT(status.out, HasSubstr(" 1 same"));
    EXPECT_THAT(status.out, Not(HasSubstr("!")));
  }
  const Output json = pair_status(third, "--json");
  EXPECT_THAT(json.out, HasSubstr("\"role\":\"primary\""));
  EXPECT_THAT(json.out, HasSubstr("\"depth\":2,\"role\":\"replica\""));
  EXPECT_THAT(json.out, HasSubstr("\"libraries\":[\"lib\"],\"libraries_same\":true"));
  EXPECT_THAT(json.out, HasSubstr("\"problems\":[]"));
}

TEST(PairStatus, SaysWhatIsWrong) {
  Pair pair;
  const std::string replica = "127.0.0.1:" + pair.replica.port_text();
  pair.replica.run("CONFIG", "SET", "replica-read-only", "no");
  pair.replica.run("FUNCTION", "LOAD", example_library("stray"));
  Output status = pair_status(pair.primary);
  EXPECT_EQ(status.code, 1);
  EXPECT_THAT(status.out, HasSubstr("! " + replica +
                                    ": its libraries differ from the primary's: "
                                    "'stray'\n"));

  pair.primary.kill();
  ASSERT_TRUE(eventually([&] { return pair.replica.info("master_link_status") == "down"; }));
  status = pair_status(pair.replica);
  EXPECT_EQ(status.code, 1);
  EXPECT_THAT(status.out, HasSubstr("! " + replica + ": the link to its primary is down\n"));
  EXPECT_THAT(status.out, HasSubstr("! 127.0.0.1:" + pair.primary.port_text() + ": "));
  EXPECT_EQ(pair_status(pair.primary).code, 1);

  pair.replica.run("REPLICAOF", "NO", "ONE");
  status = pair_status(pair.replica);
  EXPECT_THAT(status.out, HasSubstr("! " + replica + ": it has no replica\n"));
}

TEST(PairStatus, AsksWithTheAccountOfTheOptions) {
  ServerProcess primary({"--requirepass", "secret"}, tandem_server_path(), false);
  primary.launch();
  const auto status = [&](const std::vector<std::string>& options) {
    std::vector<std::string> command{tandem_cli_path(), "--no-auth-warning"};
    command.insert(command.end(), options.begin(), options.end());
    for (const char* word : {"pair", "status", "--once"}) command.push_back(word);
    return run_program(command);
  };
  EXPECT_TRUE(eventually([&] {
    return status({"-p", primary.port_text(), "-a", "secret"}).out.find("it has no replica") !=
           std::string::npos;
  }));
  const Output refused = status({"-p", primary.port_text()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("NOAUTH"));
}

}  // namespace
}  // namespace tandem
