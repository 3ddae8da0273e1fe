#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "server/base/clock.h"
#include "server/base/result.h"

namespace tandem {

// How far a long piece of work has come: what is done of how much, how fast, and how much longer it
// will take. Times are monotonic milliseconds.
class Progress {
 public:
  // `total` may be corrected while the work goes on; 0: not known.
  void begin(int64_t now_ms, uint64_t total);
  void update(int64_t now_ms, uint64_t done);
  void set_total(uint64_t total) { total_ = total; }

  uint64_t done() const { return done_; }
  uint64_t total() const { return total_; }
  double percent() const;
  // A second, since the beginning.
  uint64_t rate() const;
  // -1 while nothing tells.
  int64_t seconds_left() const;
  // Whether the log has not heard of it for a while; if so it counts as told.
  bool due_for_log(int64_t now_ms);
  // "1200000 of 2000000 keys (60.00%), 300000 keys/s, 3 seconds left"
  std::string text(const std::string& unit) const;

 private:
  int64_t began_ms_ = 0;
  int64_t now_ms_ = 0;
  int64_t logged_ms_ = 0;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

// Hears how the loading of a dataset goes on. An error ends the loading.
class LoadWatch {
 public:
  virtual ~LoadWatch() = default;
  // So many bytes are to be read in all.
  virtual void expect(uint64_t bytes) = 0;
  // So many more have been read.
  virtual Status loaded(uint64_t bytes) = 0;
  // What the file says that its writer used of memory.
  virtual void tells_used_memory(uint64_t /*bytes*/) {}
};

// The loading of the dataset at the start: counts, logs, and lets the server serve from time to
// time those whose commands are allowed while it loads.
class LoadProgress final : public LoadWatch {
 public:
  // `serve` is called after every `interval` bytes.
  LoadProgress(Clock& clock, uint64_t interval, std::function<void()> serve);

  void expect(uint64_t bytes) override { progress_.set_total(bytes); }
  Status loaded(uint64_t bytes) override;
  void tells_used_memory(uint64_t bytes) override { used_memory_ = bytes; }

  const Progress& progress() const { return progress_; }
  uint64_t used_memory() const { return used_memory_; }
  int64_t started_s() const { return started_s_; }  // Unix time

 private:
  Clock& clock_;
  const uint64_t interval_;
  const std::function<void()> serve_;
  const int64_t started_s_;
  Progress progress_;
  uint64_t served_at_ = 0;  // bytes
  uint64_t used_memory_ = 0;
};

// What the directives rdb-key-save-delay and key-load-delay ask for, to give tests time: a pause of
// so many microseconds, or, when negative, one microsecond every -`delay_us` calls.
void pause_for_tests(int64_t delay_us);

}  // namespace tandem
