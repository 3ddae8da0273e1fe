#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/persistence.h"
#include "replication/replication.h"
#include "replication/request.h"
#include "server/base/config.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "server/resp/reply_reader.h"
#include "tests/unit/persistence/memory_env.h"
#include "tests/unit/replication/fake_loop.h"

namespace tandem {

inline constexpr int kPort = 6379;

// A server as far as replication needs one, on a host of the fake world. Its disk outlives it.
class TestNode {
 public:
  TestNode(FakeWorld* world, const std::string& host, MemoryEnv* env,
           std::string_view configuration = "")
      : loop(world, host),
        clock(world),
        config("/data"),
        keyspace(16),
        executor(keyspace, configured(env, configuration), clock, services),
        persistence(config, *env, clock, executor),
        replication(
            {config, *env, loop, clock, executor, persistence, next_seed(), make_memory_pipe}) {
    services = {&config, env, &loop, &clock, &keyspace, &executor};
    services.persistence = &persistence;
    services.replication = &replication;
    for (auto rows :
         {string_commands(), string_edit_commands(), hash_commands(), expiry_commands(),
          key_commands(), transaction_commands(), connection_commands(), replication_commands()}) {
      executor.commands().add(rows);
    }
    persistence.hooks().library_sources = [this] { return libraries; };
    persistence.hooks().load_libraries = [this](const std::vector<std::string>& sources) {
      if (refuse_libraries) return Status(make_error(ErrorKind::kInvalid, "refused"));
      libraries = sources;
      return Status();
    };
    loop.end_of_turn = [this, env] {
      env->run_jobs();
      persistence.end_of_turn();
    };
    EXPECT_TRUE(persistence.load().ok());
    replication.start();
    loop.listen(kPort, [this](Link* link) { return executor.accept(link); });
    tick();
  }

  ReplicationInfo info() const { return replication.info(); }
  bool in_sync_with(const TestNode& other) const {
    return info().link_up && info().offset == other.info().offset && info().id == other.info().id;
  }

  FakeLoop loop;
  FakeClock clock;
  Config config;
  Keyspace keyspace;
  Services services;
  Executor executor;
  Persistence persistence;
  Replication replication;
  std::vector<std::string> libraries;
  bool refuse_libraries = false;

 private:
  Config& configured(MemoryEnv* env, std::string_view text) {
    const Status loaded = config.load_text(*env, text, "test");
    EXPECT_TRUE(loaded.ok()) << (loaded.ok() ? "" : loaded.error().message);
    return config;
  }
  static uint64_t next_seed() {
    static uint64_t seed = 0;
    return ++seed;
  }
  void tick() {
    executor.refresh_time();
    persistence.cron();
    loop.after(100, [this] { tick(); });
  }
};

// A connection to a node, from a host of its own.
class TestClient final : public LinkHandler {
 public:
  TestClient(FakeWorld* world, const std::string& host) : loop_(world, "client-of-" + host) {
    loop_.connect(host, kPort, [this](Result<std::unique_ptr<Link>> link) {
      if (!link.ok()) return;
      link_ = link.value().get();
      loop_.attach(std::move(link).value(), this);
    });
    EXPECT_TRUE(world->run_until([this] { return link_ != nullptr; }));
  }

  size_t on_input(std::string_view input) override {
    raw += input;
    if (!raw_mode) reader_.feed(input);
    return input.size();
  }
  void on_closed(std::string_view) override { link_ = nullptr; }
  bool closed() const { return link_ == nullptr; }

  void send(std::initializer_list<std::string_view> request) {
    link_->output().append(encode_request(request));
  }
  void send_bytes(std::string_view bytes) { link_->output().append(bytes); }
  std::optional<ReplyValue> next() {
    auto reply = reader_.next();
    return reply.ok() ? reply.value() : std::nullopt;
  }
  // A reply's text; errors and integers as they read.
  std::string ask(std::initializer_list<std::string_view> request) {
    send(request);
    std::optional<ReplyValue> reply;
    loop_.world().run_until([&] {
      reply = next();
      return reply.has_value() || closed();
    });
    if (!reply) return "(none)";
    if (reply->type == ReplyValue::Type::kInteger) return std::to_string(reply->integer);
    return reply->is_null() ? "(nil)" : reply->text;
  }

  std::string raw;        // everything received
  bool raw_mode = false;  // it is no sequence of replies

 private:
  FakeLoop loop_;
  Link* link_ = nullptr;
  ReplyReader reader_;
};

}  // namespace tandem
