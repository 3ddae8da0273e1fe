// Sessions of the Lua debugger in real processes. What they print is compared with redis-server's
// in tests/peer; here is what they may not leave behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/await.h"
#include "tests/support/pair.h"
#include "tests/support/reply_text.h"

namespace tandem {
namespace {

using ::testing::StartsWith;

constexpr std::string_view kLibrary = R"lua(#!lua name=lib
server.register_function('fill', function(keys)
  for i = 1, 100 do server.call('RPUSH', keys[1], i) end
  server.call('UNLINK', 'other')
  return server.call('LLEN', keys[1])
end)
server.register_function('endless', function() while true do end end))lua";

class DebugSession : public ::testing::Test {
 protected:
  DebugSession()
      : server_({"--appendonly", "yes", "--appendfsync", "always"}), admin_(server_.connect()) {
    admin_.call("FUNCTION", "LOAD", kLibrary);
    admin_.call("RPUSH", "other", "x");
  }

  RespClient open(std::string_view mode, std::string_view function) {
    RespClient client = server_.connect();
    EXPECT_EQ(client.text("SCRIPT", "DEBUG", mode), "OK");
    EXPECT_THAT(client.run("FCALL", function, "1", "key"), StartsWith("[* Stopped at "));
    return client;
  }

  ServerProcess server_;
  RespClient admin_;
};

TEST_F(DebugSession, ForkedOneChangesNothing) {
  RespClient client = open("YES", "fill");
  EXPECT_EQ(client.run("c"), "[<endsession>]");
  EXPECT_EQ(reply_text(client.read()), "(integer) 100");
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_EQ(admin_.run("EXISTS", "key", "other"), "(integer) 1");
  server_.kill();
  server_.start();
  EXPECT_EQ(server_.run("EXISTS", "key", "other"), "(integer) 1");
}

TEST_F(DebugSession, SyncOneKeepsItsChanges) {
  RespClient client = open("SYNC", "fill");
  EXPECT_EQ(client.run("c"), "[<endsession>]");
  EXPECT_EQ(reply_text(client.read()), "(integer) 100");
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_EQ(admin_.run("LLEN", "key"), "(integer) 100");
  EXPECT_EQ(admin_.run("EXISTS", "other"), "(integer) 0");
}

TEST_F(DebugSession, EndsWithTheServer) {
  RespClient client = open("YES", "endless");
  server_.terminate();
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(DebugSession, ServerGoesOnWhenTheClientLeaves) {
  open("YES", "endless");
  open("SYNC", "fill");
  EXPECT_EQ(admin_.run("LLEN", "key"), "(integer) 100");
}

}  // namespace
}  // namespace tandem
