#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/clock.h"
#include "server/base/random.h"

namespace tandem {

// Something that must not happen has happened: the simulation ends, and its seed is to be reported.
struct SimViolation {
  std::string what;
};

// Simulated time and chance. Everything that happens is an event; events run one after another, by
// their times and, at one time, in the order they were scheduled. With one seed everything comes
// out the same: nothing here or around it may look at real time, addresses or thread timing.
class SimWorld {
 public:
  explicit SimWorld(uint64_t seed, bool verbose = false) : random_(seed), verbose_(verbose) {}
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  int64_t now_us() const { return now_us_; }
  int64_t now_ms() const { return now_us_ / 1000; }

  Random& random() { return random_; }
  // Uniform, both ends included.
  int64_t between(int64_t low, int64_t high);
  // True once in `n` times.
  bool one_in(uint64_t n) { return random_.below(n) == 0; }

  using EventId = std::pair<int64_t, uint64_t>;
  // `owner` is who disappears together with the event, see drop_events().
  EventId schedule(const void* owner, int64_t delay_us, std::function<void()> run);
  void cancel(EventId event) { events_.erase(event); }
  void drop_events(const void* owner);

  // When every world begins.
  static constexpr int64_t kBeginUs = 1'700'000'000'000'000;

  void run_for_ms(int64_t ms);
  // Runs until the condition holds; false when it does not within `ms`.
  bool run_until(const std::function<bool()>& condition, int64_t ms);

  // Notes what happened: into the hash by which two runs are compared, and on standard output when
  // the world is verbose.
  void trace(std::string_view who, std::string_view what, uint64_t a = 0, uint64_t b = 0);
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t events_run() const { return events_run_; }
  bool verbose() const { return verbose_; }

 private:
  struct Event {
    const void* owner;
    std::function<void()> run;
  };

  bool step(int64_t until_us);

  Random random_;
  const bool verbose_;
  int64_t now_us_ = kBeginUs;
  uint64_t next_event_ = 1;
  uint64_t events_run_ = 0;
  uint64_t trace_hash_ = 14695981039346656037ULL;
  std::map<EventId, Event> events_;
};

// A machine's clock in that world.
class SimClock final : public Clock {
 public:
  explicit SimClock(const SimWorld* world) : world_(*world) {}
  int64_t wall_us() override { return world_.now_us() + wrong_by_us_; }
  int64_t monotonic_us() override { return world_.now_us() - 1'600'000'000'000'000; }

  // How far the wall clock is ahead of the true time. The monotonic one is always right.
  void set_wrong_by_us(int64_t us) { wrong_by_us_ = us; }

 private:
  const SimWorld& world_;
  int64_t wrong_by_us_ = 0;
};

}  // namespace tandem
