#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/config.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "server/store/keyspace.h"

namespace tandem {

class ManualClock final : public Clock {
 public:
  int64_t wall_us() override { return now_us; }
  int64_t monotonic_us() override { return now_us; }

  static constexpr int64_t kStart_us = 1'700'000'000'000'000;
  int64_t now_us = kStart_us;
};

// A connection that keeps what was written to it.
class RecordedLink final : public Link {
 public:
  explicit RecordedLink(std::string peer) : peer_(std::move(peer)) {}

  OutputBuffer& output() override { return output_; }
  void schedule_flush() override {}
  void pause_input(bool paused) override { input_paused = paused; }
  void close_after_flush() override { closed_after_flush = true; }
  void close_now() override { closed_now = true; }
  std::string peer_address() const override { return peer_; }
  std::string local_address() const override { return "127.0.0.1:6379"; }
  bool peer_is_loopback() const override { return peer_.starts_with("127."); }
  bool is_unix() const override { return peer_.starts_with("/"); }
  int fd() const override { return 8; }
  size_t input_buffered() const override { return 26; }
  size_t input_capacity() const override { return 16384; }

  bool input_paused = false, closed_after_flush = false, closed_now = false;

 private:
  OutputBuffer output_;
  std::string peer_;
};

// A server without engines, sockets or files: what the commands of connections and of the server
// itself work on.
class AdminFixture : public ::testing::Test, public ServerControl {
 protected:
  AdminFixture() : config("/"), keyspace(16), executor(keyspace, config, clock, services) {
    services.config = &config;
    services.clock = &clock;
    services.keyspace = &keyspace;
    services.executor = &executor;
    services.control = this;
    for (const auto& rows : {connection_commands(), client_commands(), config_commands(),
                             transaction_commands(), introspection_commands(), debug_commands(),
                             server_commands(), slowlog_commands(), latency_commands()}) {
      executor.commands().add(rows);
    }
    client = connect("127.0.0.1:50001");
  }

  Client* connect(const std::string& peer) {
    links.push_back(std::make_unique<RecordedLink>(peer));
    return executor.adopt_link(links.back().get(), ClientKind::kNormal);
  }
  RecordedLink& link_of(Client* of) { return static_cast<RecordedLink&>(*of->link()); }

  // What the client is answered, with spaces for line ends.
  std::string run(Client* as, std::vector<std::string_view> words) {
    executor.execute(*as, words);
    OutputBuffer& output = as->link()->output();
    std::string text(output.view());
    output.consume(output.size());
    for (size_t at; (at = text.find("\r\n")) != std::string::npos;) text.replace(at, 2, " ");
    if (!text.empty()) text.pop_back();
    return text;
  }
  std::string run(std::initializer_list<std::string_view> words) { return run(client, words); }

  void set_config(std::vector<std::string_view> names_and_values) {
    const Status status = config.set(names_and_values, {});
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  std::string info(std::span<const std::string_view> sections) override {
    return "# Sections=" + std::to_string(sections.size()) + "\r\n";
  }
  Status shutdown(const ShutdownOptions& options, Client* asking) override {
    shutdown_options = options;
    if (refuse_shutdown) return make_error(ErrorKind::kIo, "disk full");
    shutdown_pending = true;
    asking->block();
    return {};
  }
  bool abort_shutdown() override { return std::exchange(shutdown_pending, false); }
  void reset_stats() override { ++stats_resets; }
  const std::string& run_id() const override { return run_id_; }
  int64_t started_ms() const override { return ManualClock::kStart_us / 1000; }
  size_t startup_memory() const override { return 0; }

  ManualClock clock;
  Config config;
  Services services;
  Keyspace keyspace;
  Executor executor;
  std::vector<std::unique_ptr<RecordedLink>> links;
  Client* client = nullptr;
  ShutdownOptions shutdown_options;
  bool refuse_shutdown = false;
  bool shutdown_pending = false;
  int stats_resets = 0;

 private:
  std::string run_id_ = std::string(40, 'a');
};

}  // namespace tandem
