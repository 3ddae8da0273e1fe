#include "server/base/log.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace tandem {
namespace {

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "tandem-log-" + std::to_string(getpid());
    std::remove(path_.c_str());
    ASSERT_TRUE(open_log(path_).ok());
    set_log_level(LogLevel::kNotice);
  }
  void TearDown() override {
    ASSERT_TRUE(open_log("").ok());
    set_log_role('M');
    set_log_level(LogLevel::kNotice);
    std::remove(path_.c_str());
  }
  static std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::vector<std::string> lines() const { return lines_of(path_); }

  std::string path_;
};

TEST_F(LogTest, LineHasValkeysFormat) {
  log_notice("Ready to accept connections");
  ASSERT_EQ(lines().size(), 1u);
  const std::regex format(
      "([0-9]+):M [0-9]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
      "[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} \\* Ready to accept connections");
  std::smatch match;
  const std::string line = lines()[0];
  ASSERT_TRUE(std::regex_match(line, match, format)) << line;
  EXPECT_EQ(match[1], std::to_string(getpid()));
}

TEST_F(LogTest, EveryLevelHasItsMark) {
  set_log_level(LogLevel::kDebug);
  log_debug("d");
  log_verbose("v");
  log_notice("n");
  log_warning("w");
  std::string marks;
  for (const std::string& line : lines()) marks += line[line.size() - 3];
  EXPECT_EQ(marks, ".-*#");
}

TEST_F(LogTest, LevelsBelowTheThresholdAreLeftOut) {
  set_log_level(LogLevel::kWarning);
  log_notice("no");
  log_warning("yes");
  EXPECT_EQ(lines().size(), 1u);
  set_log_level(LogLevel::kNothing);
  log_warning("no");
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(LogTest, ControlCharactersAreEscapedAndTextIsNotAFormat) {
  log_notice("a\nb\rc\td\x1b[31m{} %s\x7f h\xc3\xa9");
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_TRUE(lines()[0].ends_with("* a\\nb\\rc\\td\\x1b[31m{} %s\\x7f h\xc3\xa9")) << lines()[0];
}

TEST_F(LogTest, RotatedFileIsCreatedAnew) {
  log_notice("one");
  const std::string moved = path_ + ".1";
  ASSERT_EQ(std::rename(path_.c_str(), moved.c_str()), 0);
  log_notice("two");
  EXPECT_EQ(lines_of(moved).size(), 1u);
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_TRUE(lines()[0].ends_with("two"));
  std::remove(moved.c_str());
}

TEST_F(LogTest, ForkedChildLogsItsOwnPid) {
  const pid_t child = fork();
  if (child == 0) {
    set_log_role('C');
    log_notice("from the child");
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_TRUE(lines()[0].starts_with(std::to_string(child) + ":C ")) << lines()[0];
}

TEST_F(LogTest, FileThatCannotBeOpenedLeavesTheOldLog) {
  EXPECT_FALSE(open_log("/nonexistent/directory/file").ok());
  log_notice("still here");
  EXPECT_EQ(lines().size(), 1u);
}

}  // namespace
}  // namespace tandem
