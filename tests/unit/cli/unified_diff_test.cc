#include "tools/cli/unified_diff.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <vector>

namespace tandem::cli {
namespace {

std::string diff(std::string_view before, std::string_view after) {
  return unified_diff("a", before, "b", after);
}

TEST(UnifiedDiffTest, EqualTextsHaveNone) { EXPECT_EQ(diff("one\ntwo\n", "one\ntwo\n"), ""); }

TEST(UnifiedDiffTest, AChangeStandsInItsContext) {
  EXPECT_EQ(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(UnifiedDiffTest, DistantChangesAreHunksOfTheirOwnAndCloseOnesShareOne) {
  EXPECT_EQ(diff("x\n2\n3\n4\n5\n6\n7\n8\n9\ny\n", "2\n3\n4\n5\n6\n7\n8\n9\n"),
            "--- a\n+++ b\n@@ -1,4 +1,3 @@\n-x\n 2\n 3\n 4\n@@ -7,4 +6,3 @@\n 7\n 8\n 9\n-y\n");
  EXPECT_EQ(diff("x\n2\n3\n4\n5\n6\n7\ny\n", "2\n3\n4\n5\n6\n7\n"),
            "--- a\n+++ b\n@@ -1,8 +1,6 @@\n-x\n 2\n 3\n 4\n 5\n 6\n 7\n-y\n");
}

TEST(UnifiedDiffTest, FromAndToNothing) {
  EXPECT_EQ(diff("", "1\n2\n"), "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+1\n+2\n");
  EXPECT_EQ(diff("1\n2\n", ""), "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-1\n-2\n");
  EXPECT_EQ(diff("1\n", "1"), "--- a\n+++ b\n(they differ in the line break at the end alone)\n");
}

// Applies a diff as patch(1) does; the text that comes out.
std::string patched(const std::string& before, const std::string& diff) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < before.size();) {
    size_t end = before.find('\n', at);
    lines.push_back(before.substr(at, end - at));
    at = end + 1;
  }
  std::string out;
  size_t next = 0;  // of lines
  size_t at = diff.find("@@");
  while (at < diff.size()) {
    size_t end = diff.find('\n', at);
    const std::string line = diff.substr(at, end - at);
    at = end + 1;
    unsigned first = 0;
    unsigned count = 0;
    if (std::sscanf(line.c_str(), "@@ -%u,%u", &first, &count) == 2) {
      for (size_t stop = count == 0 ? first : first - 1; next < stop; ++next) {
        out += lines.at(next) + "\n";
      }
      continue;
    }
    if (line[0] != '+') {
      EXPECT_EQ(lines.at(next++), line.substr(1));
    }
    if (line[0] != '-') out += line.substr(1) + "\n";
  }
  for (; next < lines.size(); ++next) out += lines[next] + "\n";
  return out;
}

TEST(UnifiedDiffTest, TurnsAnyTextIntoAnyOther) {
  std::mt19937 random(7);
  const auto text = [&](size_t lines) {
    std::string out;
    for (size_t i = 0; i < lines; ++i)
      out += std::string(1, static_cast<char>('a' + random() % 4)) + "\n";
    return out;
  };
  for (int round = 0; round < 300; ++round) {
    const std::string before = text(random() % 40);
    const std::string after = text(random() % 40);
    const std::string changes = diff(before, after);
    ASSERT_EQ(patched(before, changes), after) << changes;
  }
}

TEST(UnifiedDiffTest, TextsWithNothingInCommonAreReplaced) {
  std::string before;
  std::string after;
  for (int i = 0; i < 3000; ++i) {
    before += "before " + std::to_string(i) + "\n";
    after += "after " + std::to_string(i) + "\n";
  }
  EXPECT_EQ(patched(before, diff(before, after)), after);
}

}  // namespace
}  // namespace tandem::cli
