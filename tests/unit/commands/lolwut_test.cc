#include <string>

#include "server/base/version.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

using LolwutTest = CommandFixture;

TEST_F(LolwutTest, DrawsAndTellsTheVersion) {
  const std::string first = run("LOLWUT"), second = run("LOLWUT");
  EXPECT_NE(first, second);
  EXPECT_NE(first.find("Tandem ver. " + std::string(kTandemVersion)), std::string::npos);
  EXPECT_LT(run("LOLWUT", "VERSION", "5", "3", "2").size(), 200u);
  EXPECT_LT(run("LOLWUT", "999999999999", "999999999999").size(), 4'000'000u);
  EXPECT_EQ(run("LOLWUT", "VERSION", "x"), "(error) ERR value is not an integer or out of range");
}

}  // namespace
}  // namespace tandem
