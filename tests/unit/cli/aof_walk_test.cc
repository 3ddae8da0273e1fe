#include "tools/cli/aof_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/temp_dir.h"
#include "tools/cli/connection.h"
#include "tools/cli/function_extraction.h"

namespace tandem::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string command(const std::vector<std::string>& words) { return encode_request(words); }

// Remembers the commands it is told of.
class Recorder final : public AofVisitor {
 public:
  Status on_library(std::string) override { return {}; }
  Status on_key(const RdbKey&, RdbValue) override { return {}; }
  Status on_command(std::span<const std::string_view> args, uint64_t) override {
    commands.emplace_back(args[0]);
    if (args[0] == "REFUSED") return make_error(ErrorKind::kCorrupt, "refused");
    return {};
  }

  std::vector<std::string> commands;
};

class AofWalkTest : public testing::Test {
 protected:
  AofWalk walk(const std::string& bytes, std::optional<int64_t> until_s = std::nullopt) {
    write_whole(dir_.file("aof"), bytes);
    recorder_ = {};
    Result<AofWalk> walk = walk_data_file(*env_, dir_.file("aof"), &recorder_, until_s);
    EXPECT_TRUE(walk.ok());
    return walk.value();
  }

  TempDir dir_;
  std::unique_ptr<Env> env_ = make_tool_env();
  Recorder recorder_;
};

TEST_F(AofWalkTest, ACutFileIsSoundUpToItsLastWholeUnit) {
  const std::vector<std::string> units{
      command({"SELECT", "0"}), "#TS:1700000000\r\n" + command({"SET", "k", "v"}),
      command({"MULTI"}) + command({"INCR", "a"}) + command({"INCR", "b"}) + command({"EXEC"}),
      command({"DEL", "k"})};
  std::string whole;
  std::vector<size_t> ends{0};
  for (const std::string& unit : units) ends.push_back((whole += unit).size());
  for (size_t size = 0; size < whole.size(); ++size) {
    const AofWalk walked = walk(whole.substr(0, size));
    const size_t sound = *std::prev(std::upper_bound(ends.begin(), ends.end(), size));
    // An annotation may be the end of a file.
    const bool annotated = size == ends[1] + std::string("#TS:1700000000\r\n").size();
    EXPECT_EQ(walked.sound_bytes, annotated ? size : sound) << size;
    EXPECT_EQ(walked.damage.has_value(), size != walked.sound_bytes) << size;
    EXPECT_EQ(walked.size, size);
  }
  EXPECT_FALSE(walk(whole).damage);
  EXPECT_THAT(recorder_.commands, ElementsAre("SELECT", "SET", "INCR", "INCR", "DEL"));
}

TEST_F(AofWalkTest, DamageIsNamedWithItsPlace) {
  const std::string good = command({"SET", "k", "v"});
  const AofWalk walked = walk(good + "*1\r\n+4\r\nPING\r\n");
  EXPECT_EQ(walked.damage->to_string(), "bad file format: expected an argument ('$') at offset " +
                                            std::to_string(good.size() + 4));
  EXPECT_EQ(walked.sound_bytes, good.size());
  EXPECT_EQ(walk(good + command({"REFUSED"})).damage->offset, good.size());
  const AofWalk inside =
      walk(good + command({"MULTI"}) + command({"REFUSED"}) + command({"EXEC"}) + good);
  EXPECT_EQ(inside.damage->offset, good.size() + command({"MULTI"}).size());
  EXPECT_EQ(inside.sound_bytes, good.size());
  EXPECT_THAT(walk(command({"MULTI"}) + command({"MULTI"})).damage->message,
              HasSubstr("a MULTI inside a MULTI"));
}

TEST_F(AofWalkTest, EndsWhereATimestampIsLaterThanWanted) {
  const std::string first = "#TS:100\r\n" + command({"SET", "k", "1"});
  const std::string second = "#TS:200\r\n" + command({"MULTI"}) + command({"INCR", "k"}) +
                             "#TS:300\r\n" + command({"INCR", "k"}) + command({"EXEC"});
  EXPECT_FALSE(walk(first + second, 300).later);
  const AofWalk at_first = walk(first + second, 199);
  EXPECT_TRUE(at_first.later);
  EXPECT_FALSE(at_first.damage);
  EXPECT_EQ(at_first.sound_bytes, first.size());
  EXPECT_THAT(recorder_.commands, ElementsAre("SET"));
  EXPECT_EQ(walk(first + second, 250).sound_bytes, first.size());
  EXPECT_EQ(walk(first + second, 99).sound_bytes, 0U);
}

TEST_F(AofWalkTest, ASnapshotInFrontIsAUnit) {
  ASSERT_TRUE(write_functions_file(dir_.file("f.rdb"), {{"a", "#!lua name=a\n"}}, 0).ok());
  const std::string snapshot = read_whole(dir_.file("f.rdb"));
  const AofWalk walked = walk(snapshot + "*");
  EXPECT_TRUE(walked.has_snapshot);
  EXPECT_EQ(walked.sound_bytes, snapshot.size());
  EXPECT_EQ(walk(snapshot.substr(0, 40)).sound_bytes, 0U);
}

}  // namespace
}  // namespace tandem::cli
