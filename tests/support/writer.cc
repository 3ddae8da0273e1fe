#include "tests/support/writer.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "tests/support/await.h"

namespace tandem {
namespace {

std::string versioned_library(int version) {
  return "#!lua name=flow\nredis.register_function('version', function() return " +
         std::to_string(version) + " end)";
}

}  // namespace

Writer::Writer(const ServerProcess& server, bool may_lose_server)
    : client_(server.connect()), may_lose_server_(may_lose_server), thread_([this] { run(); }) {}

void Writer::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

bool Writer::await_rounds(int count) {
  const int target = rounds_ + count;
  return eventually([&] { return rounds_ >= target; });
}

void Writer::run() {
  try {
    for (int round = 0; !stopping_; ++round) {
      write_round(round);
      ++rounds_;
    }
  } catch (const std::exception& failure) {
    if (!may_lose_server_) ADD_FAILURE() << failure.what();
  }
}

void Writer::write_round(int round) {
  const std::string key = "flow:" + std::to_string(round % 500);
  const std::string value = std::to_string(round);
  client_.call("FCALL", "put", "1", key, value);
  client_.call("HSET", "flow", key, value);
  if (round % 7 == 0) client_.call("DEL", key);
  if (round % 11 == 0) client_.call("PEXPIRE", key, "3600000");
  if (round % 50 == 0) client_.call("FUNCTION", "LOAD", "REPLACE", versioned_library(round));
  client_.call("INCR", "flow:count");
}

}  // namespace tandem
