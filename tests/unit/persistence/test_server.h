#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/persistence.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "tests/unit/persistence/memory_env.h"
#include "tests/unit/persistence/test_snapshot.h"

namespace tandem {

class ManualClock final : public Clock {
 public:
  int64_t wall_us() override { return now_us; }
  int64_t monotonic_us() override { return now_us - 1'600'000'000'000'000; }
  void advance_ms(int64_t ms) { now_us += ms * 1000; }
  int64_t now_us = 1'700'000'000'000'000;
};

// Function libraries, as far as persistence knows them. One a test server; found by its commands
// through this pointer.
inline std::vector<std::string>* test_libraries = nullptr;

// Just enough commands to make effects and to replay them.
namespace test_commands {

inline void set(Call& call) {
  call.db().set_string(call.args[1], call.args[2]);
  call.changed();
  call.reply.ok();
}
inline void del(Call& call) {
  if (call.db().erase(call.args[1])) call.changed();
  call.reply.integer(1);
}
inline void incr(Call& call) {
  Entry* entry = call.db().peek(call.args[1]);
  const int64_t value = entry != nullptr && entry->is_integer() ? entry->integer() : 0;
  call.db().set_integer(call.args[1], value + 1);
  call.changed();
  call.reply.integer(value + 1);
}
// Two changes that belong together.
inline void incr_twice(Call& call) {
  for (std::string_view key : {call.args[1], call.args[2]}) {
    Entry* entry = call.db().peek(key);
    call.db().set_integer(key, (entry != nullptr ? entry->integer() : 0) + 1);
    call.emit({"INCR", key});
  }
  call.reply.ok();
}
inline void hset(Call& call) {
  Entry* entry = call.db().find_for_write(call.args[1]);
  if (entry == nullptr) entry = call.db().set_value(call.args[1], std::make_unique<HashValue>());
  for (size_t i = 2; i + 1 < call.args.size(); i += 2) {
    static_cast<HashValue*>(entry->value())->set(call.args[i], call.args[i + 1], {});
  }
  call.changed();
  call.reply.ok();
}
inline void pexpireat(Call& call) {
  Entry* entry = call.db().find_for_write(call.args[1]);
  if (entry != nullptr) call.db().set_expiry(entry, *parse_int64(call.args[2]));
  call.changed();
  call.reply.integer(1);
}
inline void get(Call& call) {
  char scratch[kMaxInt64Digits];
  Entry* entry = call.db().find(call.args[1]);
  if (entry == nullptr) return call.reply.null();
  call.reply.bulk(entry->string(scratch));
}
inline void select(Call& call) {
  call.client.db = static_cast<int>(*parse_int64(call.args[1]));
  call.reply.ok();
}
inline void function_load(Call& call) {
  test_libraries->emplace_back(call.args[2]);
  call.changed();
  call.reply.ok();
}
inline void shutdown(Call& call) { call.reply.ok(); }

inline constexpr CommandRow kRows[] = {
    {.name = "set", .handler = set, .arity = 3, .flags = "write"},
    {.name = "del", .handler = del, .arity = 2, .flags = "write"},
    {.name = "incr", .handler = incr, .arity = 2, .flags = "write"},
    {.name = "incrtwice", .handler = incr_twice, .arity = 3, .flags = "write"},
    {.name = "hset", .handler = hset, .arity = -4, .flags = "write"},
    {.name = "pexpireat", .handler = pexpireat, .arity = 3, .flags = "write"},
    {.name = "get", .handler = get, .arity = 2, .flags = "readonly"},
    {.name = "select", .handler = select, .arity = 2, .flags = "loading"},
    {.name = "function", .arity = -2},
    {.name = "function|load", .handler = function_load, .arity = 3, .flags = "write"},
    {.name = "shutdown", .handler = shutdown, .arity = 1, .flags = "admin"},
};

}  // namespace test_commands

// A connection that goes nowhere.
class TestLink final : public Link {
 public:
  OutputBuffer& output() override { return output_; }
  void schedule_flush() override { ++flushes; }
  void pause_input(bool) override {}
  void close_after_flush() override { closed = true; }
  void close_now() override { closed = true; }
  std::string peer_address() const override { return "127.0.0.1:1"; }
  std::string local_address() const override { return "127.0.0.1:2"; }
  bool peer_is_loopback() const override { return true; }
  bool is_unix() const override { return false; }
  int fd() const override { return -1; }
  size_t input_buffered() const override { return 0; }
  size_t input_capacity() const override { return 0; }

  // Sends what may go out.
  void flush(LinkHandler& handler) {
    while (!closed && !output_.empty()) {
      const std::string_view pending = output_.view(handler.sendable_output());
      if (pending.empty()) return;
      sent.append(pending);
      output_.consume(pending.size());
    }
  }

  bool closed = false;
  int flushes = 0;
  std::string sent;

 private:
  OutputBuffer output_;
};

// A process with persistence over a simulated disk.
class TestServer {
 public:
  TestServer(MemoryEnv& env_in, ManualClock& clock_in,
             std::vector<std::pair<std::string, std::string>> options = {})
      : env(env_in), clock(clock_in) {
    test_libraries = &libraries;
    std::string text = "dir /data\n";
    for (const auto& [name, value] : options) text += name + " " + value + "\n";
    const Status configured = config.load_text(env, text, "test");
    EXPECT_TRUE(configured.ok()) << (configured.ok() ? "" : configured.error().message);
    executor.commands().add(test_commands::kRows);
    persistence.hooks().library_sources = [this] { return libraries; };
    persistence.hooks().load_libraries = [this](const std::vector<std::string>& sources) {
      if (!library_error.empty()) return Status(make_error(ErrorKind::kInvalid, library_error));
      libraries = sources;
      return Status();
    };
    client = executor.make_internal_client(ClientKind::kInternal);
  }

  // What load() says; empty when it is content.
  std::string load() {
    Status status = persistence.load();
    return status.ok() ? "" : status.error().to_string();
  }
  template <typename... Words>
  void run(const Words&... words) {
    run_as(*client, words...);
  }
  template <typename... Words>
  void run_as(Client& as, const Words&... words) {
    const std::vector<std::string_view> args = {std::string_view(words)...};
    executor.execute(as, args);
  }
  // The end of a turn of the loop, and what runs besides.
  void turn() {
    end_of_turn();
    env.run_jobs();
  }
  void end_of_turn() {
    persistence.end_of_turn();
    for (const auto& [id, connected] : executor.clients()) {
      if (Link* link = connected->link()) static_cast<TestLink*>(link)->flush(*connected);
    }
  }
  void cron() {
    persistence.cron();
    turn();
  }
  // Until an AOF rewrite that is under way has ended, or waits for its child.
  void settle() {
    for (int i = 0; i < 4; ++i) cron();
  }
  std::string misconf() { return executor.state().misconf; }
  Contents contents() { return contents_of(keyspace); }
  void configure(std::string_view name, std::string_view value) {
    const std::string_view pair[] = {name, value};
    Status status = config.set(pair, {});
    EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
  }

  MemoryEnv& env;
  ManualClock& clock;
  Config config{"/"};
  Services services;
  Keyspace keyspace{16};
  Executor executor{keyspace, config, clock, services};
  std::vector<std::string> libraries;
  std::string library_error;
  Persistence persistence{config, env, clock, executor};
  std::unique_ptr<Client> client;
};

// Somebody who is connected to it.
struct TestConnection {
  explicit TestConnection(TestServer& server) : client(server.executor.accept(&link)) {}
  // Whether replies still wait for the disk; sends what may go out.
  bool held() {
    link.flush(*client);
    return !link.output().empty();
  }

  TestLink link;
  Client* client;
};

}  // namespace tandem
