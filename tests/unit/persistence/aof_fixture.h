#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/persistence/test_server.h"

namespace tandem {

inline const std::string kDir = "/data/appendonlydir/";
inline const std::string kLibrary = "#!lua name=lib\n-- text";

// A server with an AOF on a disk in memory.
class AofTest : public ::testing::Test {
 protected:
  TestServer& start(std::vector<std::pair<std::string, std::string>> options = {}) {
    if (server_) {
      server_.reset();
      env_.kill();
    }
    options.emplace_back("appendonly", "yes");
    server_.emplace(env_, clock_, std::move(options));
    return *server_;
  }
  TestServer& restart() {
    TestServer& server = start();
    EXPECT_EQ(server.load(), "");
    return server;
  }

  MemoryEnv env_;
  ManualClock clock_;
  std::optional<TestServer> server_;
};

}  // namespace tandem
