#include "replication/history.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

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
