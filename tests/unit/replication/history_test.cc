#include "replication/history.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

std::string from(const Backlog& backlog, uint64_t offset) {
  OutputBuffer out;
  backlog.copy_from(offset, &out);
  return std::string(out.view());
}

std::string numbered(size_t first, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text.push_back(static_cast<char>('a' + (first + i) % 26));
  return text;
}

TEST(Backlog, GivesBackWhatWasAppended) {
  Backlog backlog(100, 1 << 20);
  EXPECT_EQ(backlog.first_offset(), 101u);
  EXPECT_TRUE(backlog.can_serve_from(101));
  EXPECT_FALSE(backlog.can_serve_from(100));
  backlog.append("hello");
  backlog.append(" world");
  EXPECT_EQ(from(backlog, 101), "hello world");
  EXPECT_EQ(from(backlog, 107), "world");
  EXPECT_EQ(from(backlog, 112), "");
  EXPECT_FALSE(backlog.can_serve_from(113));
}

TEST(Backlog, KeepsTheWantedLengthAndLittleMore) {
  constexpr uint64_t kWanted = 64 * 1024;
  Backlog backlog(0, kWanted);
  uint64_t total = 0;
  for (size_t piece : {1, 100, 5000, 70'000, 200'000, 3}) {
    backlog.append(numbered(total, piece));
    total += piece;
    EXPECT_EQ(backlog.end_offset(), total + 1);
    EXPECT_EQ(backlog.length(), backlog.end_offset() - backlog.first_offset());
    EXPECT_GE(backlog.length(), std::min(total, kWanted));
    EXPECT_LT(backlog.length(), kWanted + 8 * 1024);
    EXPECT_EQ(from(backlog, backlog.first_offset()),
              numbered(backlog.first_offset() - 1, backlog.length()));
  }
  backlog.resize(16 * 1024);
  EXPECT_LT(backlog.length(), 24u * 1024);
  EXPECT_EQ(from(backlog, backlog.end_offset() - 10), numbered(total - 10, 10));
}

class HistoryTest : public testing::Test {
 protected:
  Random random_{7};
  ReplicationHistory history_{&random_};
};

TEST_F(HistoryTest, AFreshBacklogBeginsAHistoryOfItsOwn) {
  const std::string before = history_.id();
  history_.ensure_backlog(1024, true);
  EXPECT_NE(history_.id(), before);
  EXPECT_EQ(history_.offset(), 1u);
  EXPECT_TRUE(history_.can_resume(history_.id(), 2));
  EXPECT_FALSE(history_.can_resume(history_.id(), 1));
  EXPECT_FALSE(history_.can_resume(before, 1));
}

TEST_F(HistoryTest, ABranchServesTheSharedPartUnderTheOldId) {
  history_.ensure_backlog(1 << 20, true);
  history_.append("shared");
  const std::string old_id = history_.id();
  const auto shared_end = static_cast<int64_t>(history_.offset());
  history_.branch();
  history_.append("own");
  EXPECT_EQ(history_.previous_id(), old_id);
  EXPECT_EQ(history_.second_offset(), shared_end + 1);
  EXPECT_TRUE(history_.can_resume(old_id, shared_end + 1));
  EXPECT_FALSE(history_.can_resume(old_id, shared_end + 2));
  EXPECT_TRUE(history_.can_resume(history_.id(), shared_end + 2));
  EXPECT_FALSE(history_.can_resume("?", shared_end + 1));
  EXPECT_FALSE(history_.can_resume(old_id, -1));
}

TEST_F(HistoryTest, ARestartedPrimaryServesItsEarlierLifeFromExactlyThere) {
  const std::string earlier(40, 'e');
  history_.continue_from(earlier, 500);
  history_.ensure_backlog(1024, false);
  EXPECT_TRUE(history_.can_resume(earlier, 501));
  EXPECT_FALSE(history_.can_resume(earlier, 500));
  EXPECT_FALSE(history_.can_resume(earlier, 502));
  EXPECT_NE(history_.id(), earlier);
}

TEST_F(HistoryTest, AnotherServersHistoryReplacesTheOwn) {
  history_.ensure_backlog(1024, true);
  history_.branch();
  const std::string id(40, 'f');
  history_.adopt(id, 9000);
  EXPECT_EQ(history_.id(), id);
  EXPECT_EQ(history_.second_offset(), -1);
  EXPECT_EQ(history_.previous_id(), std::string(40, '0'));
  EXPECT_EQ(history_.backlog(), nullptr);
  history_.ensure_backlog(1024, false);
  EXPECT_EQ(history_.id(), id);
  EXPECT_TRUE(history_.can_resume(id, 9001));
}

}  // namespace
}  // namespace tandem
