#include "tests/support/function_load.h"

#include <stdexcept>

#include "tests/support/await.h"

namespace tandem {
namespace {

constexpr std::string_view kLibrary = R"lua(#!lua name=load
redis.register_function('count', function(keys, args)
  local n = redis.call('INCR', keys[1])
  redis.call('HSET', 'load:hash', n % 50, args[1])
  redis.call('RPUSH', 'load:list', n)
  redis.call('LTRIM', 'load:list', -20, -1)
  if n % 5 == 0 then redis.call('SET', 'load:brief:' .. n % 20, n, 'EX', 1000) end
  if n % 7 == 0 then redis.call('DEL', 'load:brief:' .. (n + 1) % 20) end
  redis.call('INCR', keys[2])
  return n
end)
redis.register_function{
  function_name='whole',
  callback=function(keys) return redis.call('GET', keys[1]) == redis.call('GET', keys[2]) and 1 or 0 end,
  flags={'no-writes'}
}
)lua";
constexpr std::string_view kFirst = "load:first";
constexpr std::string_view kSecond = "load:second";
constexpr std::string_view kWaitMs = "50";
constexpr int kReplaceEvery = 20;

std::string versioned_library(int version) {
  return "#!lua name=version\nredis.register_function('version', function() return " +
         std::to_string(version) + " end)";
}

}  // namespace

void FunctionLoad::prepare(const ServerProcess& primary) {
  const ReplyValue reply = primary.connect().call("FUNCTION", "LOAD", "REPLACE", kLibrary);
  if (reply.is_error()) throw std::runtime_error(reply.text);
}

bool FunctionLoad::whole(const ServerProcess& server) {
  try {
    return server.run("FCALL_RO", "whole", "2", kFirst, kSecond) != "(integer) 0";
  } catch (const std::exception&) {
    return true;
  }
}

int64_t FunctionLoad::calls_in(const ServerProcess& server) {
  const std::string count = server.text("GET", kSecond);
  return count.empty() ? 0 : std::stoll(count);
}

int64_t FunctionLoad::call(RespClient& client) {
  const ReplyValue reply = client.call("FCALL", "count", "2", kFirst, kSecond, "a call");
  if (reply.is_error()) throw std::runtime_error(reply.text);
  return reply.integer;
}

FunctionLoad::FunctionLoad(const ServerProcess& primary, int wait_every, int replicas)
    : client_(primary.connect()),
      wait_every_(wait_every),
      replicas_(std::to_string(replicas)),
      thread_([this] { run(); }) {}

void FunctionLoad::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

bool FunctionLoad::await_calls(int count) {
  const int target = calls_ + count;
  return eventually([&] { return calls_ >= target || ended_; }) && calls_ >= target;
}

bool FunctionLoad::await_end() {
  return eventually([this] { return ended_.load(); });
}

void FunctionLoad::run() {
  try {
    for (int round = 0; !stopping_; ++round) write(round);
  } catch (const std::exception& failure) {
    ended_by_ = failure.what();
  }
  ended_ = true;
}

void FunctionLoad::write(int round) {
  const int64_t number = call(client_);
  answered_ = number;
  ++calls_;
  if (wait_every_ > 0 && round % wait_every_ == 0) {
    const ReplyValue reached = client_.call("WAIT", replicas_, kWaitMs);
    if (reached.is_error()) throw std::runtime_error(reached.text);
    if (reached.integer >= std::stoll(replicas_)) counted_ = number;
  }
  if (round % kReplaceEvery == kReplaceEvery - 1) {
    client_.call("FUNCTION", "LOAD", "REPLACE", versioned_library(round));
  }
}

}  // namespace tandem
