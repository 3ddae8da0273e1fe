#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/link.h"
#include "server/base/output_buffer.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/client.h"
#include "server/exec/effects.h"
#include "server/exec/executor.h"
#include "server/store/keyspace.h"

namespace tandem {

// A connection in memory: it keeps what is written to it and how it was treated.
class MemoryLink final : public Link {
 public:
  OutputBuffer& output() override { return output_; }
  void schedule_flush() override { ++flushes; }
  void pause_input(bool value) override { paused = value; }
  void close_after_flush() override { closing_after_flush = true; }
  void close_now() override { closed = true; }
  std::string peer_address() const override { return peer; }
  std::string local_address() const override { return "127.0.0.1:6379"; }
  bool peer_is_loopback() const override { return peer.starts_with("127."); }
  bool is_unix() const override { return false; }
  int fd() const override { return 8; }
  size_t input_buffered() const override { return 0; }
  size_t input_capacity() const override { return 0; }

  std::string peer = "127.0.0.1:50000";
  int flushes = 0;
  bool paused = false, closing_after_flush = false, closed = false;

 private:
  OutputBuffer output_;
};

// Keeps the bytes of each unit.
class UnitRecorder final : public EffectSink {
 public:
  EffectTarget target() const override { return kind; }
  bool wants_effects() const override { return wanting; }
  void on_effects(std::string_view bytes) override { units.emplace_back(bytes); }

  EffectTarget kind = kEffectToAof;
  bool wanting = true;
  std::vector<std::string> units;
};

// "SET a 1" as a RESP array.
inline std::string resp(std::string_view words) {
  std::string bulks;
  size_t count = 0;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    bulks += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    ++count;
  }
  return "*" + std::to_string(count) + "\r\n" + bulks;
}

// An executor with all commands over an empty keyspace, and clients that send it bytes.
class ExecFixture : public ::testing::Test {
 protected:
  static constexpr int64_t kStart_ms = 1'700'000'000'000;

  struct StandingClock final : public Clock {
    int64_t wall_us() override { return now_us; }
    int64_t monotonic_us() override { return now_us - kStart_ms * 1000 + 5'000'000; }
    int64_t now_us = kStart_ms * 1000;
  };

  // A client and what it still has to send: input that was not consumed stays in front.
  struct Peer {
    MemoryLink link;
    Client* client = nullptr;
    std::string pending;
  };

  ExecFixture() {
    services_.config = &config_;
    services_.clock = &clock_;
    services_.keyspace = &keyspace_;
    services_.executor = &executor_;
    register_all_commands(executor_.commands());
  }

  Peer& connect() {
    peers_.push_back(std::make_unique<Peer>());
    Peer& peer = *peers_.back();
    peer.client = executor_.accept(&peer.link);
    return peer;
  }

  // Sends bytes as they are and returns the reply bytes, "|" for line ends.
  std::string send(Peer& peer, std::string_view bytes) {
    peer.pending.append(bytes);
    if (!peer.link.paused) peer.pending.erase(0, peer.client->on_input(peer.pending));
    return take_output(peer);
  }
  std::string run(Peer& peer, std::string_view words) { return send(peer, resp(words)); }
  std::string run(std::string_view words) {
    if (peers_.empty()) connect();
    return run(*peers_.front(), words);
  }
  // What a resumed link does.
  std::string redeliver(Peer& peer) { return send(peer, ""); }

  static std::string take_output(Peer& peer) {
    OutputBuffer& output = peer.link.output();
    std::string text;
    for (char c : output.view()) {
      if (c != '\r') text += c == '\n' ? '|' : c;
    }
    output.consume(output.size());
    return text;
  }

  void advance_ms(int64_t ms) { clock_.now_us += ms * 1000; }
  void configure(std::string_view name, std::string_view value) {
    const std::string_view words[] = {name, value};
    const Status status = config_.set(words, {});
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  StandingClock clock_;
  Config config_{"/"};
  Services services_;
  Keyspace keyspace_{16};
  Executor executor_{keyspace_, config_, clock_, services_};
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace tandem
