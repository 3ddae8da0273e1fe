#include "persistence/progress.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "server/base/log.h"

namespace tandem {

namespace {

constexpr int64_t kLogEveryMs = 5000;

}  // namespace

void Progress::begin(int64_t now_ms, uint64_t total) {
  began_ms_ = now_ms_ = logged_ms_ = now_ms;
  done_ = 0;
  total_ = total;
}

void Progress::update(int64_t now_ms, uint64_t done) {
  now_ms_ = now_ms;
  done_ = done;
}

double Progress::percent() const {
  return total_ == 0 ? 0 : 100.0 * static_cast<double>(done_) / static_cast<double>(total_);
}

uint64_t Progress::rate() const {
  const int64_t took_ms = std::max<int64_t>(1, now_ms_ - began_ms_);
  return static_cast<uint64_t>(static_cast<double>(done_) * 1000 / static_cast<double>(took_ms));
}

int64_t Progress::seconds_left() const {
  if (total_ == 0 || done_ == 0) return -1;
  const uint64_t left = total_ - std::min(total_, done_);
  const double took_ms = static_cast<double>(now_ms_ - began_ms_);
  return static_cast<int64_t>(took_ms * static_cast<double>(left) / static_cast<double>(done_) /
                              1000);
}

bool Progress::due_for_log(int64_t now_ms) {
  if (now_ms - logged_ms_ < kLogEveryMs) return false;
  logged_ms_ = now_ms;
  return true;
}

std::string Progress::text(const std::string& unit) const {
  char percent_text[16];
  std::snprintf(percent_text, sizeof percent_text, "%.2f%%", percent());
  std::string text = std::to_string(done_) + " of " + std::to_string(total_) + " " + unit + " (" +
                     percent_text + "), " + std::to_string(rate()) + " " + unit + "/s";
  if (const int64_t left = seconds_left(); left >= 0) {
    text += ", " + std::to_string(left) + " seconds left";
  }
  return text;
}

LoadProgress::LoadProgress(Clock& clock, uint64_t interval, std::function<void()> serve)
    : clock_(clock),
      interval_(interval),
      serve_(std::move(serve)),
      started_s_(clock.wall_ms() / 1000) {
  progress_.begin(clock.monotonic_ms(), 0);
}

Status LoadProgress::loaded(uint64_t bytes) {
  const uint64_t done = progress_.done() + bytes;
  const bool due = done - served_at_ >= interval_;
  const int64_t now_ms = clock_.monotonic_ms();
  progress_.update(now_ms, done);
  if (progress_.due_for_log(now_ms)) log_notice("Loading: " + progress_.text("bytes"));
  if (!due) return {};
  served_at_ = done;
  serve_();
  return {};
}

void pause_for_tests(int64_t delay_us) {
  if (delay_us == 0) return;
  thread_local int64_t calls = 0;
  if (delay_us < 0 && ++calls % -delay_us != 0) return;
  const int64_t pause_us = std::max<int64_t>(1, delay_us);
  const timespec pause{pause_us / 1'000'000, pause_us % 1'000'000 * 1000};
  ::nanosleep(&pause, nullptr);
}

}  // namespace tandem
