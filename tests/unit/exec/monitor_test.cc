#include "server/exec/monitors.h"

#include <regex>
#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class MonitorTest : public ExecFixture {
 protected:
  MonitorTest() : monitor_(connect()), other_(connect()) {
    other_.link.peer = "127.0.0.1:50001";
    EXPECT_EQ(run(monitor_, "MONITOR"), "+OK|");
  }

  // The lines since the last call, without their time.
  std::string lines() {
    return std::regex_replace(take_output(monitor_), std::regex("\\+1700000000\\.\\d{6} "), "");
  }

  Peer& monitor_;
  Peer& other_;
};

TEST_F(MonitorTest, ShowsWhatRuns) {
  clock_.now_us += 107;
  run(other_, "SET k v");
  EXPECT_EQ(take_output(monitor_), "+1700000000.000107 [0 127.0.0.1:50001] \"SET\" \"k\" \"v\"|");
  send(other_, std::string("*2\r\n$3\r\nGET\r\n$6\r\n\x01\"\\\r\n\xff\r\n"));
  EXPECT_EQ(lines(), "[0 127.0.0.1:50001] \"GET\" \"\\x01\\\"\\\\\\r\\n\\xff\"|");
  run(other_, "SELECT 3");
  EXPECT_EQ(lines(), "[3 127.0.0.1:50001] \"SELECT\" \"3\"|");
  run(other_, "INCR k");  // an error, and shown
  EXPECT_NE(lines().find("\"INCR\" \"k\"|"), std::string::npos);
}

TEST_F(MonitorTest, ShowsATransactionWhenItRuns) {
  run(other_, "MULTI");
  EXPECT_EQ(lines(), "[0 127.0.0.1:50001] \"MULTI\"|");
  run(other_, "SET a 1");
  run(other_, "INCR a");
  EXPECT_EQ(lines(), "");
  run(other_, "EXEC");
  EXPECT_EQ(lines(),
            "[0 127.0.0.1:50001] \"SET\" \"a\" \"1\"|[0 127.0.0.1:50001] \"INCR\" \"a\"|"
            "[0 127.0.0.1:50001] \"EXEC\"|");
}

TEST_F(MonitorTest, DoesNotShowWhatIsSecretOrRefused) {
  run(other_, "CONFIG GET port");
  run(other_, "NOSUCH");
  run(other_, "GET");
  EXPECT_EQ(lines(), "");
  run(other_, "AUTH default secret");
  EXPECT_EQ(lines(), "[0 127.0.0.1:50001] \"AUTH\" \"(redacted)\" \"(redacted)\"|");
  run(other_, "HELLO 3 SETNAME me AUTH default secret");
  EXPECT_EQ(lines(),
            "[0 127.0.0.1:50001] \"HELLO\" \"3\" \"SETNAME\" \"me\" \"AUTH\" \"(redacted)\" "
            "\"(redacted)\"|");
  // However far back it stands.
  std::string request = "HELLO 3";
  for (int i = 0; i < 40; ++i) request += " SETNAME me";
  run(other_, request + " AUTH default secret");
  EXPECT_EQ(lines().find("secret"), std::string::npos);
}

TEST_F(MonitorTest, TheMonitorKeepsOffKeys) {
  constexpr const char* kRefused = "-ERR Replica can't interact with the keyspace|";
  EXPECT_EQ(run(monitor_, "GET k"), kRefused);
  EXPECT_EQ(run(monitor_, "SET k v"), kRefused);
  EXPECT_EQ(run(monitor_, "PUBLISH a b"), kRefused);
  EXPECT_EQ(run(monitor_, "PING").substr(0, 13), "+PONG|+170000");
  EXPECT_EQ(run(monitor_, "MONITOR"), "");
  EXPECT_NE(run(monitor_, "CLIENT LIST").find(" flags=O "), std::string::npos);
}

TEST_F(MonitorTest, EndsWithResetAndWithTheConnection) {
  EXPECT_EQ(run(monitor_, "RESET"), "+RESET|");
  EXPECT_TRUE(executor_.monitors().empty());
  run(other_, "PING");
  EXPECT_EQ(lines(), "");
  EXPECT_EQ(run(monitor_, "GET k"), "$-1|");
  run(monitor_, "MONITOR");
  monitor_.client->on_closed("test");
  EXPECT_TRUE(executor_.monitors().empty());
  EXPECT_EQ(run(other_, "PING"), "+PONG|");
}

TEST_F(MonitorTest, NotInATransaction) {
  run(other_, "MULTI");
  run(other_, "MONITOR");
  EXPECT_EQ(run(other_, "EXEC"), "*1|-ERR MONITOR isn't allowed for DENY BLOCKING client|");
}

TEST_F(MonitorTest, SlowMonitorsAreClosed) {
  configure("client-output-buffer-limit", "normal 4kb 0 0");
  const std::string value(1500, 'x');
  for (int i = 0; i < 4 && !monitor_.link.closed; ++i) run(other_, "SET k " + value);
  EXPECT_TRUE(monitor_.link.closed);
  EXPECT_EQ(run(other_, "PING"), "+PONG|");
}

}  // namespace
}  // namespace tandem
