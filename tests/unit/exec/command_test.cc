#include "server/exec/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void nothing(Call&) {}

constexpr CommandRow kRows[] = {
    {.name = "get",
     .handler = nothing,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@string",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]"},
    {.name = "mset",
     .handler = nothing,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,-1,2",
     .categories = "@slow,@string,@write",
     .tips = "request_policy:multi_shard;response_policy:all_succeeded",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=-1,keystep=2,limit=0]"},
    {.name = "config", .arity = -2, .categories = "@slow"},
    {.name = "config|get",
     .handler = nothing,
     .arity = -3,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow"},
    {.name = "fcall",
     .handler = nothing,
     .arity = -3,
     .flags = "movablekeys,no_mandatory_keys,noscript",
     .categories = "@scripting,@slow",
     .key_specs = "[ACCESS+RW+UPDATE index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .extra_flags = kMayReplicate},
    {.name = "xread",
     .handler = nothing,
     .arity = -4,
     .flags = "blocking,movablekeys,readonly",
     .categories = "@read",
     .key_specs =
         "[ACCESS+RO keyword:keyword=STREAMS,startfrom=1 range:lastkey=-1,keystep=1,limit=2]"},
    {.name = "migrate",
     .handler = nothing,
     .arity = -6,
     .flags = "movablekeys,write",
     .keys = "3,3,1",
     .categories = "@dangerous",
     .key_specs = "[ACCESS+DELETE+RW index:index=3 range:lastkey=0,keystep=1,limit=0] "
                  "[ACCESS+DELETE+INCOMPLETE+RW keyword:keyword=KEYS,startfrom=-2 "
                  "range:lastkey=-1,keystep=1,limit=0]"},
    {.name = "sort",
     .handler = nothing,
     .arity = -2,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@write",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0] "
                  "[ACCESS+RO unknown: unknown:]"},
    {.name = "zinterstore",
     .handler = nothing,
     .arity = -4,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]"},
    {.name = "publish",
     .handler = nothing,
     .arity = 3,
     .flags = "fast,pubsub",
     .categories = "@pubsub",
     .key_specs = "[NOT_KEY index:index=1 range:lastkey=0,keystep=1,limit=0]"},
};

class CommandTableTest : public ::testing::Test {
 protected:
  CommandTableTest() { table.add(kRows); }

  std::string resolved(std::vector<std::string_view> words) {
    const Command* command = table.resolve(words);
    return command == nullptr ? "(none)" : command->name;
  }
  // The positions of the keys of a request, or {-1} when its arguments do not fit.
  std::vector<int> keys(std::vector<std::string_view> words) {
    const auto found = find_keys(*table.resolve(words), words);
    if (!found.ok()) return {-1};
    std::vector<int> positions;
    for (const KeyPosition& key : found.value()) positions.push_back(static_cast<int>(key.index));
    return positions;
  }

  CommandTable table;
};

TEST_F(CommandTableTest, FindsNamesInAnyCase) {
  ASSERT_NE(table.find("get"), nullptr);
  EXPECT_EQ(table.find("GeT"), table.find("get"));
  EXPECT_EQ(table.find("gets"), nullptr);
  EXPECT_EQ(table.find("ge"), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
  EXPECT_EQ(table.find(std::string("get\0", 4)), nullptr);
  EXPECT_EQ(table.find(std::string(100, 'g')), nullptr);
  EXPECT_EQ(table.find("config|get"), nullptr);
}

TEST_F(CommandTableTest, ResolvesSubcommands) {
  EXPECT_EQ(resolved({"CONFIG", "Get", "x"}), "config|get");
  EXPECT_EQ(resolved({"config"}), "config");
  EXPECT_EQ(resolved({"config", "nosuch"}), "config");
  EXPECT_EQ(resolved({"get", "get"}), "get");
  EXPECT_EQ(resolved({"nosuch"}), "(none)");
  EXPECT_EQ(table.resolve({}), nullptr);
  EXPECT_EQ(table.find("config")->find_subcommand("GET")->container, table.find("config"));
}

TEST_F(CommandTableTest, ReadsTheRow) {
  const Command& mset = *table.find("mset");
  EXPECT_EQ(mset.flags, kWrite | kDenyOom);
  EXPECT_TRUE(mset.is(kWrite));
  EXPECT_FALSE(mset.is(kReadonly));
  EXPECT_THAT(mset.flag_names, ElementsAre("write", "denyoom"));
  EXPECT_EQ(mset.first_key, 1);
  EXPECT_EQ(mset.last_key, -1);
  EXPECT_EQ(mset.key_step, 2);
  EXPECT_THAT(mset.categories, ElementsAre("@write", "@string", "@slow"));
  EXPECT_THAT(mset.tips,
              ElementsAre("request_policy:multi_shard", "response_policy:all_succeeded"));
  ASSERT_EQ(mset.key_specs.size(), 1u);
  EXPECT_THAT(mset.key_specs[0].flags, ElementsAre("OW", "UPDATE"));
  EXPECT_EQ(mset.key_specs[0].key_step, 2);
  EXPECT_EQ(mset.last_name, "mset");
  EXPECT_EQ(table.resolve(std::vector<std::string_view>{"config", "get"})->last_name, "get");
}

TEST_F(CommandTableTest, ActsOnFlagsThatAreNotPrinted) {
  const Command& fcall = *table.find("fcall");
  EXPECT_TRUE(fcall.is(kMayReplicate));
  EXPECT_THAT(fcall.flag_names, ElementsAre("noscript", "no_mandatory_keys", "movablekeys"));
}

TEST_F(CommandTableTest, ChecksArity) {
  EXPECT_TRUE(table.find("get")->accepts_arg_count(2));
  EXPECT_FALSE(table.find("get")->accepts_arg_count(3));
  EXPECT_FALSE(table.find("mset")->accepts_arg_count(2));
  EXPECT_TRUE(table.find("mset")->accepts_arg_count(9));
}

TEST_F(CommandTableTest, RenamesAndRemoves) {
  Command* get = table.find("get");
  const std::string long_name(40, 'Q');
  ASSERT_TRUE(table.rename("GET", long_name).ok());
  EXPECT_EQ(table.find("get"), nullptr);
  EXPECT_EQ(table.find(std::string(40, 'q')), get);
  ASSERT_TRUE(table.rename("config", "").ok());
  EXPECT_EQ(table.find("config"), nullptr);
  EXPECT_EQ(table.rename("config", "x").error().message, "No such command in rename-command");
  EXPECT_EQ(table.rename("mset", "Publish").error().message, "Target command name already exists");
  EXPECT_NE(table.find("mset"), nullptr);
}

TEST_F(CommandTableTest, FindsAmongHundreds) {
  std::vector<std::string> names;
  std::vector<CommandRow> rows;
  for (int i = 0; i < 500; ++i) names.push_back("c" + std::to_string(i));
  for (const std::string& name : names) {
    rows.push_back({.name = name, .handler = nothing, .arity = 1});
  }
  table.add(rows);
  for (const std::string& name : names) {
    ASSERT_NE(table.find(name), nullptr);
    EXPECT_EQ(table.find(name)->name, name);
  }
  EXPECT_EQ(table.find("c500"), nullptr);
}

TEST_F(CommandTableTest, FindsKeysByRange) {
  EXPECT_THAT(keys({"get", "a"}), ElementsAre(1));
  EXPECT_THAT(keys({"mset", "a", "1", "b", "2"}), ElementsAre(1, 3));
  EXPECT_THAT(keys({"xread", "count", "1", "streams", "a", "b", "0", "0"}), ElementsAre(4, 5));
  EXPECT_THAT(keys({"xread", "count", "1", "a"}), IsEmpty());
  EXPECT_THAT(keys({"get"}), ElementsAre(-1));
}

TEST_F(CommandTableTest, FindsKeysByTheirNumber) {
  EXPECT_THAT(keys({"fcall", "f", "2", "a", "b", "x"}), ElementsAre(3, 4));
  EXPECT_THAT(keys({"fcall", "f", "0", "x"}), IsEmpty());
  EXPECT_THAT(keys({"fcall", "f", "3", "a", "b"}), ElementsAre(-1));
  EXPECT_THAT(keys({"fcall", "f", "-1", "a", "b"}), ElementsAre(-1));
  EXPECT_THAT(keys({"fcall", "f", "9223372036854775807", "a"}), ElementsAre(-1));
  EXPECT_THAT(keys({"fcall", "f", "two", "a"}), ElementsAre(-1));
  EXPECT_THAT(keys({"zinterstore", "d", "2", "a", "b", "weights", "1", "2"}), ElementsAre(1, 3, 4));
}

TEST_F(CommandTableTest, LooksForKeywordsFromTheEnd) {
  EXPECT_THAT(keys({"migrate", "h", "1", "", "0", "10", "KEYS", "a", "b"}), ElementsAre(3, 7, 8));
}

TEST_F(CommandTableTest, SkipsChannelsAndWhatCannotBeKnown) {
  EXPECT_THAT(keys({"publish", "c", "m"}), IsEmpty());
  EXPECT_THAT(keys({"sort", "a", "by", "b*"}), ElementsAre(1));
}

TEST_F(CommandTableTest, ForgetsStatistics) {
  table.find("get")->stats.calls = 3;
  table.resolve(std::vector<std::string_view>{"config", "get"})->stats.failed = 4;
  table.reset_stats();
  EXPECT_EQ(table.find("get")->stats.calls, 0u);
  EXPECT_EQ(table.resolve(std::vector<std::string_view>{"config", "get"})->stats.failed, 0u);
}

using CommandTableDeathTest = CommandTableTest;

TEST_F(CommandTableDeathTest, RefusesMalformedRows) {
  const auto add = [this](CommandRow row) { table.add(std::span<const CommandRow>(&row, 1)); };
  EXPECT_DEATH(add({.name = "x", .handler = nothing}), "arity");
  EXPECT_DEATH(add({.name = "x", .handler = nothing, .arity = 1, .flags = "fst"}), "flags");
  EXPECT_DEATH(add({.name = "x", .handler = nothing, .arity = 1, .keys = "1,1"}), "positions");
  EXPECT_DEATH(add({.name = "x", .handler = nothing, .arity = 1, .categories = "read"}),
               "categories");
  EXPECT_DEATH(add({.name = "x",
                    .handler = nothing,
                    .arity = 1,
                    .key_specs = "[RO index:index=1 range:lastkey=0,limit=0,keystep=1]"}),
               "key specs");
  EXPECT_DEATH(add({.name = "GET", .handler = nothing, .arity = 1}), "name");
  EXPECT_DEATH(add({.name = "get", .handler = nothing, .arity = 1}), "taken");
  EXPECT_DEATH(add({.name = "no|container", .handler = nothing, .arity = 1}), "container");
}

}  // namespace
}  // namespace tandem
