#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

using ServerCommandTest = AdminFixture;

TEST_F(ServerCommandTest, Time) {
  clock.now_us = 1'700'000'123'000'045;
  EXPECT_EQ(run({"time"}), "*2 $10 1700000123 $2 45");
}

TEST_F(ServerCommandTest, Info) {
  client->set_protocol(3);
  EXPECT_EQ(run({"info", "server", "memory"}), "=18 txt:# Sections=2 ");
}

TEST_F(ServerCommandTest, Shutdown) {
  EXPECT_EQ(run({"shutdown", "nosave", "NOW", "force"}), "");
  EXPECT_TRUE(shutdown_options.no_save && shutdown_options.now && shutdown_options.force);
  EXPECT_FALSE(shutdown_options.save);
  EXPECT_TRUE(client->blocked());
  Client* const other = connect("127.0.0.1:50002");
  EXPECT_EQ(run(other, {"shutdown", "abort"}), "+OK");
  EXPECT_EQ(run(other, {"shutdown", "abort"}), "-ERR No shutdown in progress.");
}

TEST_F(ServerCommandTest, ShutdownThatCannotBe) {
  refuse_shutdown = true;
  EXPECT_EQ(run({"shutdown"}), "-ERR Errors trying to SHUTDOWN. Check logs.");
  EXPECT_FALSE(client->closing());
  EXPECT_EQ(run({"shutdown", "abort"}), "-ERR No shutdown in progress.");
  EXPECT_EQ(run({"shutdown", "foo"}), "-ERR syntax error");
  EXPECT_EQ(run({"shutdown", "save", "nosave"}), "-ERR syntax error");
  EXPECT_EQ(run({"shutdown", "abort", "now"}), "-ERR syntax error");
}

using ConfigCommandTest = AdminFixture;

TEST_F(ConfigCommandTest, Get) {
  client->set_protocol(3);
  EXPECT_EQ(run({"config", "get", "maxmemory", "databases"}).substr(0, 3), "%2 ");
  EXPECT_EQ(run({"config", "get", "hz"}), "%1 $2 hz $2 10");
  EXPECT_EQ(run({"config", "get", "nosuch*"}), "%0");
}

TEST_F(ConfigCommandTest, Set) {
  EXPECT_EQ(run({"config", "set", "hz", "20", "maxmemory-samples", "7"}), "+OK");
  EXPECT_EQ(config.settings().hz, 20);
  EXPECT_EQ(run({"config", "set", "hz", "20", "x"}), "-ERR syntax error");
  EXPECT_EQ(run({"config", "set", "nosuch", "1"}),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
  EXPECT_EQ(
      run({"config", "set", "maxmemory", "x"}),
      "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a "
      "memory value");
  EXPECT_EQ(run({"config", "set", "databases", "3"}),
            "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set "
            "immutable config");
}

TEST_F(ConfigCommandTest, ResetStat) {
  EXPECT_EQ(run({"config", "resetstat"}), "+OK");
  EXPECT_EQ(stats_resets, 1);
}

TEST_F(ConfigCommandTest, Help) {
  EXPECT_TRUE(run({"config", "help"}).find("+SET <directive> <value> +    Set the") !=
              std::string::npos);
  EXPECT_EQ(run({"config", "foo"}), "-ERR unknown subcommand 'foo'. Try CONFIG HELP.");
}

}  // namespace
}  // namespace tandem
