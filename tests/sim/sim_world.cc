#include "tests/sim/sim_world.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <vector>

namespace tandem {

namespace {

constexpr uint64_t kFnvPrime = 1099511628211ULL;

uint64_t mix(uint64_t hash, std::string_view bytes) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * kFnvPrime;
  return hash;
}

uint64_t mix(uint64_t hash, uint64_t number) {
  hash = (hash ^ number) * kFnvPrime;
  return hash ^ (hash >> 29);
}

}  // namespace

int64_t SimWorld::between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random_.below(static_cast<uint64_t>(high - low + 1)));
}

SimWorld::EventId SimWorld::schedule(const void* owner, int64_t delay_us,
                                     std::function<void()> run) {
  const EventId id{now_us_ + std::max<int64_t>(delay_us, 0), next_event_++};
  events_.emplace(id, Event{owner, std::move(run)});
  return id;
}

void SimWorld::drop_events(const void* owner) {
  // What an event holds may schedule others when it goes: it goes last.
  std::vector<std::map<EventId, Event>::node_type> dropped;
  for (auto event = events_.begin(); event != events_.end();) {
    const auto next = std::next(event);
    if (event->second.owner == owner) dropped.push_back(events_.extract(event));
    event = next;
  }
}

bool SimWorld::step(int64_t until_us) {
  if (events_.empty() || events_.begin()->first.first > until_us) return false;
  auto event = events_.extract(events_.begin());
  now_us_ = event.key().first;
  ++events_run_;
  event.mapped().run();
  return true;
}

void SimWorld::run_for_ms(int64_t ms) {
  const int64_t until_us = now_us_ + ms * 1000;
  while (step(until_us)) {
  }
  now_us_ = until_us;
}

bool SimWorld::run_until(const std::function<bool()>& condition, int64_t ms) {
  const int64_t until_us = now_us_ + ms * 1000;
  while (!condition()) {
    if (!step(until_us)) return false;
  }
  return true;
}

void SimWorld::trace(std::string_view who, std::string_view what, uint64_t a, uint64_t b) {
  trace_hash_ = mix(mix(mix(trace_hash_, static_cast<uint64_t>(now_us_)), who), what);
  trace_hash_ = mix(mix(trace_hash_, a), b);
  if (!verbose_) return;
  const int64_t since_us = now_us_ - kBeginUs;
  std::printf("%10.6f %-8.*s %.*s %llu %llu\n", static_cast<double>(since_us) / 1e6,
              static_cast<int>(who.size()), who.data(), static_cast<int>(what.size()), what.data(),
              static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
}

}  // namespace tandem
