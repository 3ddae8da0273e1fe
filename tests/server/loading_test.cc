// A server that is loading, one that is saving, and two that want the same directory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/process.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

constexpr int kKeys = 20'000;

void add_keys(const ServerProcess& server) {
  EXPECT_EQ(server.text("EVAL",
                        "for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, "
                        "string.rep(i, 200)) end return 'OK'",
                        "0", std::to_string(kKeys)),
            "OK");
}

// A server that takes its time to load its dataset.
class SlowlyLoading : public ::testing::TestWithParam<const char*> {
 protected:
  SlowlyLoading()
      : server_({"--appendonly", GetParam(), "--rdbcompression", "no", "--key-load-delay", "1000",
                 "--loading-process-events-interval-bytes", "1024"}) {
    add_keys(server_);
    if (GetParam() == std::string("no")) {
      EXPECT_EQ(server_.run("SAVE"), "OK");
    }
    server_.terminate();
  }

  // Returns as soon as it answers.
  void start_slowly() {
    server_.launch();
    ASSERT_TRUE(eventually([this] {
      try {
        return server_.text("PING").starts_with("LOADING");
      } catch (const std::exception&) {
        return false;  // the port is not open yet
      }
    }));
  }
  uint64_t number(const char* field) const { return std::stoull(server_.info(field)); }

  ServerProcess server_;
};

TEST_P(SlowlyLoading, AnswersWhatIsAllowedAndTellsHowFarItIs) {
  start_slowly();
  EXPECT_THAT(server_.run("GET", "key:1"), HasSubstr("LOADING"));
  EXPECT_THAT(server_.run("FCALL", "f", "0"), HasSubstr("LOADING"));
  EXPECT_THAT(server_.run("BGSAVE"), HasSubstr("LOADING"));
  EXPECT_THAT(server_.run("CONFIG", "GET", "appendonly"), HasSubstr(GetParam()));
  EXPECT_EQ(server_.info("loading"), "1");
  EXPECT_NE(server_.info("loading_start_time"), "");
  ASSERT_TRUE(eventually([&] { return number("loading_loaded_bytes") > 0; }));
  EXPECT_GT(number("loading_total_bytes"), kKeys * 200u);
  EXPECT_LT(number("loading_loaded_bytes"), number("loading_total_bytes"));
  EXPECT_GT(number("loading_bytes_per_sec"), 0);
  EXPECT_GT(number("loading_eta_seconds"), 0);
  EXPECT_NE(server_.info("loading_loaded_perc"), "");
}

TEST_P(SlowlyLoading, EndsOnShutdownAndLeavesItsFiles) {
  start_slowly();
  server_.connect().send("SHUTDOWN", "SAVE");
  EXPECT_EQ(server_.wait().code, 0);
  start_slowly();
  EXPECT_EQ(server_.terminate().code, 0);
  server_.start({"--key-load-delay", "0"});
  ASSERT_TRUE(eventually([&] { return server_.info("loading") == "0"; }));
  EXPECT_EQ(server_.run("DBSIZE"), "(integer) " + std::to_string(kKeys));
  EXPECT_EQ(server_.info("loading_total_bytes"), "");
}

INSTANTIATE_TEST_SUITE_P(From, SlowlyLoading, ::testing::Values("no", "yes"), [](const auto& from) {
  return from.param == std::string("yes") ? "Aof" : "Rdb";
});

TEST(Saving, TellsHowFarItIs) {
  ServerProcess server({"--rdb-key-save-delay", "1000"});
  add_keys(server);
  ASSERT_EQ(server.text("BGSAVE"), "Background saving started");
  ASSERT_TRUE(eventually([&] { return server.info("current_save_keys_processed") > "1"; }));
  EXPECT_EQ(server.info("current_save_keys_total"), std::to_string(kKeys));
  EXPECT_NE(server.info("current_save_keys_per_sec"), "0");
  EXPECT_GT(std::stoi(server.info("current_save_eta_seconds")), 0);
  EXPECT_GT(std::stod(server.info("current_fork_perc")), 0);
  // The log hears of it too, every few seconds.
  EXPECT_TRUE(eventually([&] { return server.logged("Background saving: "); }));
  EXPECT_EQ(server.text("BGSAVE", "CANCEL"), "Background saving cancelled");
}

// Starts another server in the directory of the first one.
Output start_beside(const ServerProcess& first, const ServerProcess::Options& options) {
  const PortLease lease;
  std::vector<std::string> command = {tandem_server_path(), "--port", std::to_string(lease.port()),
                                      "--dir", first.dir()};
  command.insert(command.end(), options.begin(), options.end());
  return run_program(command);
}

TEST(Directory, IsOfOneServerAtATime) {
  for (const ServerProcess::Options& options :
       {ServerProcess::Options{"--save", "100 1"}, ServerProcess::Options{"--appendonly", "yes"}}) {
    ServerProcess first(options);
    EXPECT_EQ(first.run("SET", "key", "value"), "OK");
    for (const ServerProcess::Options& others :
         {ServerProcess::Options{"--save", "100 1"},
          ServerProcess::Options{"--save", "", "--appendonly", "yes"}}) {
      const Output second = start_beside(first, others);
      EXPECT_EQ(second.code, 1);
      EXPECT_THAT(second.err, HasSubstr("is in use by another server"));
      EXPECT_THAT(second.err, HasSubstr(first.dir()));
    }
    EXPECT_EQ(first.run("GET", "key"), "\"value\"");
  }
}

TEST(Directory, OfAKilledServerIsFree) {
  ServerProcess server({"--appendonly", "yes", "--appendfsync", "always"});
  EXPECT_EQ(server.run("SET", "key", "value"), "OK");
  // Its child must not keep the lock either.
  ASSERT_EQ(server.text("CONFIG", "SET", "rdb-key-save-delay", "1000000"), "OK");
  ASSERT_EQ(server.text("BGSAVE"), "Background saving started");
  server.kill();
  server.start();
  EXPECT_EQ(server.run("GET", "key"), "\"value\"");
}

TEST(Directory, IsTakenWhenAServerBeginsToSave) {
  ServerProcess first({"--save", "100 1"});
  ServerProcess second({"--enable-protected-configs", "yes"});
  EXPECT_THAT(second.run("CONFIG", "SET", "save", "100 1", "dir", first.dir()),
              HasSubstr("in use by another server"));
  EXPECT_EQ(second.run("CONFIG", "GET", "save"), "[\"save\", \"\"]");
}

TEST(Directory, IsSharedByServersThatWriteNothing) {
  ServerProcess first({"--save", "100 1"});
  EXPECT_EQ(first.run("SET", "key", "value"), "OK");
  EXPECT_EQ(first.run("SAVE"), "OK");
  ServerProcess reader({"--dir", first.dir()});
  EXPECT_EQ(reader.run("GET", "key"), "\"value\"");
}

}  // namespace
}  // namespace tandem
