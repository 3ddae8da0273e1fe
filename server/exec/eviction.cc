#include "server/exec/eviction.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "server/base/log.h"
#include "server/base/memory.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

constexpr size_t kPoolSize = 16;

bool of_volatile_keys(MaxmemoryPolicy policy) {
  return policy == MaxmemoryPolicy::kVolatileLru || policy == MaxmemoryPolicy::kVolatileLfu ||
         policy == MaxmemoryPolicy::kVolatileTtl || policy == MaxmemoryPolicy::kVolatileRandom;
}

bool by_frequency(MaxmemoryPolicy policy) {
  return policy == MaxmemoryPolicy::kAllkeysLfu || policy == MaxmemoryPolicy::kVolatileLfu;
}

bool at_random(MaxmemoryPolicy policy) {
  return policy == MaxmemoryPolicy::kAllkeysRandom || policy == MaxmemoryPolicy::kVolatileRandom;
}

}  // namespace

Eviction::Eviction(Executor& executor) : used_bytes(memory_used), executor_(executor) {
  pool_.reserve(kPoolSize + 1);
  const auto follow = [this]() -> Status {
    follow_policy();
    return {};
  };
  executor_.config().on_change({"maxmemory-policy", "lfu-log-factor", "lfu-decay-time"}, follow);
  executor_.config().on_change({"maxmemory"}, [this]() -> Status {
    if (!over_limit()) return {};
    log_warning("WARNING: the new maxmemory value set via CONFIG SET (" +
                std::to_string(executor_.config().settings().maxmemory) +
                ") is smaller than the current memory usage (" + std::to_string(used_bytes()) +
                "). This will result in key eviction and/or the inability to accept new write "
                "commands depending on the maxmemory-policy.");
    on_unfinished();
    return {};
  });
  follow_policy();
}

// What was noted of keys under another policy says nothing under this one.
void Eviction::follow_policy() {
  const Settings& settings = executor_.config().settings();
  if (std::exchange(policy_, settings.maxmemory_policy) != policy_) pool_.clear();
  AccessClock& access = executor_.keyspace().access();
  access.frequency = by_frequency(policy_);
  access.log_factor = settings.lfu_log_factor;
  access.decay_minutes = settings.lfu_decay_time;
}

bool Eviction::may_evict() const {
  const DispatchState& state = executor_.state();
  if (state.loading || executor_.call_depth() > 0 || executor_.effects().suspended()) return false;
  if (state.is_replica && executor_.config().settings().replica_ignore_maxmemory) return false;
  // While clients are paused the dataset stands still.
  return !executor_.paused();
}

bool Eviction::over_limit() const {
  const auto limit = static_cast<size_t>(executor_.config().settings().maxmemory);
  if (limit == 0) return false;
  const size_t used = used_bytes();
  if (used <= limit) return false;
  // What another thread is freeing is as good as free.
  const size_t discount =
      uncounted_bytes() + executor_.keyspace().background_counts().pending_bytes;
  return used > limit + discount;
}

bool Eviction::make_room() {
  if (!may_evict()) return executor_.call_depth() == 0 || !executor_.state().over_memory_limit;
  if (!over_limit()) {
    total_exceeded_ms_ += exceeded_ms();
    exceeded_since_ms_ = -1;
    return true;
  }
  if (exceeded_since_ms_ < 0) exceeded_since_ms_ = executor_.clock().monotonic_ms();
  if (policy_ == MaxmemoryPolicy::kNoEviction) return false;
  return evict_keys() || executor_.keyspace().background_counts().pending_objects > 0;
}

int64_t Eviction::exceeded_ms() const {
  return exceeded_since_ms_ < 0 ? 0 : executor_.clock().monotonic_ms() - exceeded_since_ms_;
}

// Half a millisecond unless the configuration prefers memory to latency.
int64_t Eviction::step_us() const {
  const int64_t tenacity = executor_.config().settings().maxmemory_eviction_tenacity;
  if (tenacity <= 10) return 50 * tenacity;
  if (tenacity < 100) {
    return static_cast<int64_t>(500 * std::pow(1.15, static_cast<double>(tenacity - 10)));
  }
  return INT64_MAX;
}

bool Eviction::evict_keys() {
  const LatencyTimer timer(executor_.watch().latency(), executor_.clock(), "eviction-cycle");
  const int64_t started_us = executor_.clock().monotonic_us(), limit_us = step_us();
  do {
    if (!evict_one()) return false;
    if (executor_.clock().monotonic_us() - started_us < limit_us) continue;
    if (over_limit()) on_unfinished();
    return true;
  } while (over_limit());
  return true;
}

bool Eviction::evict_one() {
  Candidate victim;
  if (!(at_random(policy_) ? pick_random(&victim) : pick_sampled(&victim))) return false;
  evict(victim);
  return true;
}

bool Eviction::pick_sampled(Candidate* victim) {
  while (sample_all()) {
    while (!pool_.empty()) {
      *victim = std::move(pool_.back());
      pool_.pop_back();
      // It may have gone, or lost its expiry, since it was sampled.
      const Entry* entry = executor_.keyspace().database(victim->db).peek(victim->key);
      if (entry != nullptr && (entry->has_expiry() || !of_volatile_keys(policy_))) return true;
    }
  }
  return false;
}

// Takes turns among the databases, so that each loses keys.
bool Eviction::pick_random(Candidate* victim) {
  Keyspace& keyspace = executor_.keyspace();
  for (int i = 0; i < keyspace.database_count(); ++i) {
    next_db_ = (next_db_ + 1) % keyspace.database_count();
    Database& db = keyspace.database(next_db_);
    const Entry* entry = of_volatile_keys(policy_) ? db.random_volatile(keyspace.random())
                                                   : db.random(keyspace.random());
    if (entry == nullptr) continue;
    *victim = {0, next_db_, std::string(entry->key())};
    return true;
  }
  return false;
}

// Offers some keys of each database to the pool; false when there are none.
bool Eviction::sample_all() {
  Keyspace& keyspace = executor_.keyspace();
  const auto samples = static_cast<size_t>(executor_.config().settings().maxmemory_samples);
  const bool volatile_only = of_volatile_keys(policy_);
  bool any = false;
  for (int i = 0; i < keyspace.database_count(); ++i) {
    keyspace.database(i).sample(keyspace.random(), samples, volatile_only,
                                [this, i, &any](const Entry* entry) {
                                  any = true;
                                  offer(entry, i);
                                });
  }
  return any;
}

void Eviction::offer(const Entry* entry, int db) {
  const uint64_t score = this->score(entry);
  const bool full = pool_.size() == kPoolSize;
  if (full && score <= pool_.front().score) return;
  const auto place =
      std::lower_bound(pool_.begin(), pool_.end(), score,
                       [](const Candidate& held, uint64_t value) { return held.score < value; });
  pool_.insert(place, {score, db, std::string(entry->key())});
  if (full) pool_.erase(pool_.begin());
}

uint64_t Eviction::score(const Entry* entry) const {
  const Keyspace& keyspace = executor_.keyspace();
  if (policy_ == MaxmemoryPolicy::kVolatileTtl) {
    return UINT64_MAX - static_cast<uint64_t>(entry->expires_at_ms());
  }
  if (by_frequency(policy_)) {
    return 255 - keyspace.access().frequency_of(entry->access_clock(), keyspace.now_ms());
  }
  return AccessClock::idle_seconds(entry->access_clock(), keyspace.now_ms());
}

void Eviction::evict(const Candidate& victim) {
  executor_.effects().begin_unit();
  {
    const LatencyTimer timer(executor_.watch().latency(), executor_.clock(), "eviction-del");
    executor_.keyspace().database(victim.db).erase(victim.key);
  }
  ++executor_.stats().evicted_keys;
  executor_.notify(victim.db, kEventEvicted, "evicted", victim.key);
  const std::string_view del[] = {"DEL", victim.key};
  executor_.effects().add(victim.db, del);
  executor_.set_dirty(executor_.dirty() + 1);
  executor_.effects().end_unit();
}

}  // namespace tandem
