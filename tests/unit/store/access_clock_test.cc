#include "server/store/access_clock.h"

#include <gtest/gtest.h>

#include "server/store/keyspace.h"

namespace tandem {
namespace {

constexpr int64_t kMinute_ms = 60'000;
constexpr int64_t kNow_ms = 1'700'000'000'000;

TEST(AccessClockTest, LruCountsSecondsAndWrapsAround) {
  const AccessClock clock;
  Random random(1);
  EXPECT_EQ(clock.fresh(kNow_ms), (kNow_ms / 1000) & 0xffffff);
  EXPECT_EQ(clock.touched(5, kNow_ms, random), clock.fresh(kNow_ms));
  EXPECT_EQ(AccessClock::idle_seconds(clock.fresh(kNow_ms), kNow_ms + 7999), 7u);
  const int64_t before_wrap_ms = int64_t{0xffffff} * 1000;
  EXPECT_EQ(AccessClock::idle_seconds(clock.fresh(before_wrap_ms), before_wrap_ms + 3000), 3u);
  EXPECT_EQ(AccessClock::idle_seconds(AccessClock::idle_for(90, kNow_ms), kNow_ms), 90u);
}

TEST(AccessClockTest, LfuStartsAtFiveAndDecaysByTheMinute) {
  AccessClock clock{.frequency = true};
  const uint32_t fresh = clock.fresh(kNow_ms);
  EXPECT_EQ(clock.frequency_of(fresh, kNow_ms), 5u);
  EXPECT_EQ(clock.frequency_of(fresh, kNow_ms + 2 * kMinute_ms), 3u);
  EXPECT_EQ(clock.frequency_of(fresh, kNow_ms + 100 * kMinute_ms), 0u);
  clock.decay_minutes = 3;
  EXPECT_EQ(clock.frequency_of(fresh, kNow_ms + 7 * kMinute_ms), 3u);
  clock.decay_minutes = 0;
  EXPECT_EQ(clock.frequency_of(fresh, kNow_ms + 100 * kMinute_ms), 5u);
}

TEST(AccessClockTest, LfuMinutesWrapAround) {
  const AccessClock clock{.frequency = true};
  const int64_t last_ms = int64_t{0xffff} * kMinute_ms;
  const uint32_t then = AccessClock::with_frequency(100, last_ms);
  // The step over the end counts as none, as in Valkey.
  EXPECT_EQ(clock.frequency_of(then, last_ms + 3 * kMinute_ms), 98u);
}

TEST(AccessClockTest, LfuGrowsWithTheLogarithmOfTheUses) {
  AccessClock clock{.frequency = true};
  Random random(7);
  const auto after = [&](int uses) {
    uint32_t value = clock.fresh(kNow_ms);
    for (int i = 0; i < uses; ++i) value = clock.touched(value, kNow_ms, random);
    return clock.frequency_of(value, kNow_ms);
  };
  // The table in Valkey's configuration file, for its factor of 10.
  EXPECT_NEAR(after(100), 10, 3);
  EXPECT_NEAR(after(1000), 18, 5);
  EXPECT_NEAR(after(100'000), 142, 15);
  clock.log_factor = 0;
  EXPECT_EQ(after(1000), 255u);
}

TEST(AccessClockTest, OverwritingAKeyUsesItAndKeepsItsCounter) {
  Keyspace keyspace(1);
  keyspace.set_time(kNow_ms);
  keyspace.access() = {.frequency = true, .log_factor = 0};
  Database& db = keyspace.database(0);
  const auto frequency = [&] {
    return keyspace.access().frequency_of(db.peek("k")->access_clock(), kNow_ms);
  };
  db.set_string("k", "short");
  EXPECT_EQ(frequency(), 5u);
  db.set_string("k", std::string(500, 'x'));
  EXPECT_EQ(frequency(), 6u);
  db.set_integer("k", 1);
  EXPECT_EQ(frequency(), 7u);
  db.find("k");
  EXPECT_EQ(frequency(), 8u);
  keyspace.set_touching(false);
  db.find("k");
  EXPECT_EQ(frequency(), 8u);
}

}  // namespace
}  // namespace tandem
