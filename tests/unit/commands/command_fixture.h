#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
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
#include "server/resp/reply_reader.h"
#include "server/store/keyspace.h"
#include "tests/support/reply_text.h"

namespace tandem {

// All commands over an empty keyspace, in process: run() sends a request as a client's and returns
// the reply's text; effects() is what the AOF and the replicas would get. Time stands still until
// advance_ms().
class CommandFixture : public ::testing::Test {
 protected:
  static constexpr int64_t kStart_ms = 1'700'000'000'000;

  CommandFixture();
  ~CommandFixture() override;

  template <typename... Words>
  std::string run(const Words&... words) {
    return run_words({std::string_view(words)...});
  }
  std::string run_words(const std::vector<std::string_view>& words);

  // Each effect since the last call: its words joined by spaces, without the SELECTs in front.
  std::vector<std::string> effects();
  // Runs the request and returns its effects, joined by "; ".
  template <typename... Words>
  std::string effects_of(const Words&... words) {
    effects();
    run(words...);
    return joined_effects();
  }
  std::string joined_effects();
  // Runs the request and returns the keyspace events it causes, of event_classes_, as
  // "del k, set other" ("set k@3" in another database than 0).
  template <typename... Words>
  std::string events_of(const Words&... words) {
    watch_events();
    run(words...);
    return take_events();
  }

  void advance_ms(int64_t ms) { clock_.now_us += ms * 1000; }
  void set_protocol(int version) { client_->set_protocol(version); }
  // CONFIG SET.
  void configure(std::string_view name, std::string_view value);

  struct StandingClock final : public Clock {
    int64_t wall_us() override { return now_us; }
    int64_t monotonic_us() override { return (now_us += step_us) - kStart_ms * 1000; }
    int64_t now_us = kStart_ms * 1000;
    int64_t step_us = 0;  // how far each look at the monotonic clock moves it
  };
  // Keeps what was written to the client.
  class ReplyLink;
  class EffectRecorder;

  void watch_events();
  std::string take_events();

  StandingClock clock_;
  Config config_{"/"};
  Services services_;
  Keyspace keyspace_{16};
  Executor executor_{keyspace_, config_, clock_, services_};
  std::unique_ptr<EffectRecorder> recorder_;
  std::unique_ptr<ReplyLink> link_;
  Client* client_ = nullptr;
  std::string_view event_classes_ = "EA";
  // Subscribed to keyspace events once a test has asked for them.
  std::unique_ptr<ReplyLink> event_link_;
};

}  // namespace tandem
