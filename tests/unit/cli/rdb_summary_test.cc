#include "tools/cli/rdb_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/cli/formatter.h"

namespace tandem::cli {
namespace {

using ::testing::HasSubstr;

Status add(RdbSummary* summary, const std::string& name, size_t bytes, int db = 0,
           int64_t expires_at_ms = kNoExpiry) {
  return summary->on_key({.db = db, .name = name, .expires_at_ms = expires_at_ms},
                         std::string(bytes, 'x'));
}

TEST(RdbSummaryTest, KeepsTheBiggestKeys) {
  RdbSummary summary(3);
  for (size_t bytes : {5, 900, 40, 1, 70, 300}) {
    ASSERT_TRUE(add(&summary, "k" + std::to_string(bytes), bytes).ok());
  }
  std::vector<std::string> names;
  for (const RdbSummary::BigKey& key : summary.biggest()) names.push_back(key.name);
  EXPECT_EQ(names, (std::vector<std::string>{"k900", "k300", "k70"}));
  RdbSummary none(0);
  ASSERT_TRUE(add(&none, "k", 10).ok());
  EXPECT_TRUE(none.biggest().empty());
}

TEST(RdbSummaryTest, ReportsWhatTheSnapshotHolds) {
  RdbSummary summary(1);
  ASSERT_TRUE(summary.on_aux("redis-ver", "7.0.15\x1b[31m").ok());
  ASSERT_TRUE(summary.on_library("#!lua name=lib\n").ok());
  ASSERT_TRUE(add(&summary, "a", 3).ok());
  ASSERT_TRUE(add(&summary, "b\n", 5, 2, 1'700'000'000'000).ok());
  const RdbFileFacts facts{"dump.rdb", 99, {.version = 10, .offset = 99}};
  EXPECT_EQ(inspection_text(facts, summary),
            "dump.rdb: 99 bytes, RDB version 10\n"
            "1 library and 2 keys\n"
            "\n"
            "AUXILIARY FIELD  VALUE\n"
            "redis-ver        7.0.15 [31m\n"
            "\n"
            "LIBRARY  BYTES\n"
            "lib      15\n"
            "\n"
            "DB  KEYS  WITH EXPIRY\n"
            "0   1     0\n"
            "2   1     1\n"
            "\n"
            "TYPE    KEYS  ELEMENTS  BYTES\n"
            "string  2     2         11\n"
            "\n"
            "DB  TYPE    ELEMENTS  BYTES  KEY\n"
            "2   string  1         7      \"b\\n\"\n");
  const std::string json =
      format_reply(inspection_json(facts, summary), {.mode = OutputMode::kJson});
  EXPECT_THAT(json, HasSubstr("\"version\":10"));
  EXPECT_THAT(json, HasSubstr("\"databases\":[{\"db\":0,\"keys\":1,\"with_expiry\":0},"
                              "{\"db\":2,\"keys\":1,\"with_expiry\":1}]"));
  EXPECT_THAT(json, HasSubstr("\"string\":{\"keys\":2,\"elements\":2,\"bytes\":11}"));
}

}  // namespace
}  // namespace tandem::cli
