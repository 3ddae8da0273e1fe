#include "tools/cli/test_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

using testing::HasSubstr;

TEST(TestReportTest, TapDescriptionsStayOnTheirLine) {
  EXPECT_EQ(tap_result({"a_test.lua", "is #1\nof \\ many"}, 3),
            "ok 3 - a_test.lua: is \\#1 of \\\\ many\n");
}

TEST(TestReportTest, TapSaysWhatFailedAndWhere) {
  EXPECT_EQ(tap_result({"a_test.lua", "fails", false, "first\nsecond", 7}, 1),
            "not ok 1 - a_test.lua: fails\n"
            "  ---\n"
            "  message: |-\n"
            "    first\n"
            "    second\n"
            "  at: a_test.lua:7\n"
            "  ...\n");
  EXPECT_THAT(tap_result({"a_test.lua", "fails", false, "text"}, 1), Not(HasSubstr("at:")));
}

TEST(TestReportTest, JunitHasASuiteForEachFile) {
  EXPECT_EQ(junit_document({{"dir/a_test.lua", "one", true, "", 0, 0.25},
                            {"dir/a_test.lua", "two", false, "no\nmore", 3, 0.5},
                            {"b_test.lua", "three"}}),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites tests=\"3\" failures=\"1\" errors=\"0\" time=\"0.750000\">\n"
            "  <testsuite name=\"dir/a_test.lua\" tests=\"2\" failures=\"1\" errors=\"0\" "
            "time=\"0.750000\">\n"
            "    <testcase classname=\"a_test\" name=\"one\" time=\"0.250000\"/>\n"
            "    <testcase classname=\"a_test\" name=\"two\" time=\"0.500000\">\n"
            "      <failure message=\"no\">dir/a_test.lua:3: no&#10;more</failure>\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "  <testsuite name=\"b_test.lua\" tests=\"1\" failures=\"0\" errors=\"0\" "
            "time=\"0.000000\">\n"
            "    <testcase classname=\"b_test\" name=\"three\" time=\"0.000000\"/>\n"
            "  </testsuite>\n"
            "</testsuites>\n");
}

TEST(TestReportTest, JunitHoldsOnlyWhatXmlAllows) {
  const auto name = [](std::string text) {
    const std::string document = junit_document({{"f", std::move(text)}});
    const std::string before = "classname=\"f\" name=\"";
    const size_t from = document.find(before) + before.size();
    return document.substr(from, document.find("\" time", from) - from);
  };
  EXPECT_EQ(name("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
  EXPECT_EQ(name("\x01\x1b[0m\x7f"), "??[0m\x7f");
  EXPECT_EQ(name("\u00e4\u20ac\U0001F600"), "\u00e4\u20ac\U0001F600");
  EXPECT_EQ(name("\xff\xc3"), "??");            // no UTF-8, cut short
  EXPECT_EQ(name("\xc0\xaf"), "??");            // overlong
  EXPECT_EQ(name("\xe0\x80\x80"), "???");       // overlong
  EXPECT_EQ(name("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(name("\xef\xbf\xbf"), "???");       // no character
  EXPECT_EQ(name("\xf4\x90\x80\x80"), "????");  // past the last one
}

}  // namespace
}  // namespace tandem::cli
