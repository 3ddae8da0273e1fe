// Libraries that do not all live in one Lua state: nobody who uses them may notice, but for the
// speed.

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "functions/lua_host.h"
#include "persistence/dump_payload.h"
#include "tests/unit/functions/function_fixture.h"
#include "tests/unit/functions/recording_reply.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

class ManyLibrariesTest : public FunctionFixture {
 protected:
  // Loads a library whose function of the same name has this body.
  std::string load_as(const std::string& name, const std::string& body,
                      const std::string& top_level = "") {
    return run("FUNCTION", "LOAD", "REPLACE",
               "#!lua name=" + name + "\n" + top_level + "\nserver.register_function('" + name +
                   "', function(KEYS, ARGV)\n" + body + "\nend)");
  }
  // Loads a library that leaves no other one room beside it.
  std::string load_large(const std::string& name) {
    return load_as(name, "return #kept", "local kept = ('x'):rep(1000):rep(1000)");
  }
  void load_many(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      load_as("f" + number, "calls = calls + 1 return " + number + " * 1000 + calls",
              "local calls = 0");
    }
  }
  const LuaHost* host_of(std::string_view library) const {
    return engine_.functions().libraries().find(library)->second->host.get();
  }
  size_t host_count() const {
    std::set<const LuaHost*> hosts;
    for (const auto& [name, library] : engine_.functions().libraries()) {
      hosts.insert(library->host.get());
    }
    return hosts.size();
  }
  // Has FUNCTION KILL sent while a function is busy.
  void kill_what_is_busy() {
    configure("busy-reply-threshold", "100");
    clock_.step_us = 60'000;
    other_ = executor_.make_internal_client(ClientKind::kNormal);
    executor_.serve_while_busy = [this] {
      RecordingReply reply;
      const std::vector<std::string_view> stats = {"FUNCTION", "STATS"};
      executor_.call(*other_, *executor_.commands().resolve(stats), stats, reply);
      shown_ = reply.text;
      const std::vector<std::string_view> kill = {"FUNCTION", "KILL"};
      executor_.call(*other_, *executor_.commands().resolve(kill), kill, reply);
    };
  }

  std::unique_ptr<Client> other_;
  std::string shown_;
};

TEST_F(ManyLibrariesTest, EachIsItsOwn) {
  constexpr int kCount = 2000;
  load_many(kCount);
  EXPECT_GT(host_count(), 1u);
  EXPECT_LT(host_count(), 50u);
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < kCount; ++i) {
      ASSERT_EQ(run("FCALL", "f" + std::to_string(i), "0"),
                "(integer) " + std::to_string(i * 1000 + round));
    }
  }
}

TEST_F(ManyLibrariesTest, DeletingThemGivesTheirMemoryBack) {
  load_as("stays", "return 'here'");
  const size_t before = engine_.memory_bytes();
  load_many(2000);
  const size_t full = engine_.memory_bytes();
  EXPECT_GT(full, before + 500'000);
  for (int i = 0; i < 2000; ++i) run("FUNCTION", "DELETE", "f" + std::to_string(i));
  EXPECT_LT(engine_.memory_bytes(), before + (1 << 20));
  EXPECT_EQ(run("FCALL", "stays", "0"), "\"here\"");
  run("FUNCTION", "DELETE", "stays");
  EXPECT_EQ(engine_.memory_bytes(), 0u);
  EXPECT_EQ(load_as("again", "return 1"), "again");
}

TEST_F(ManyLibrariesTest, WhatIsReplacedLeavesRoom) {
  load_many(1000);
  const size_t hosts = host_count();
  const size_t before = engine_.memory_bytes();
  for (int round = 0; round < 5; ++round) load_many(1000);
  EXPECT_LE(host_count(), hosts + 1);
  EXPECT_LT(engine_.memory_bytes(), before + (hosts + 1) * (1 << 20));
  // All but the first and the last go; what comes instead finds the room they leave.
  for (int i = 1; i < 999; ++i) run("FUNCTION", "DELETE", "f" + std::to_string(i));
  load_many(1000);
  EXPECT_LE(host_count(), hosts + 1);
}

TEST_F(ManyLibrariesTest, OneIsReplacedForever) {
  load_as("stays", "return 'here'");
  size_t most = 0;
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(load_as("f", "return 1", "local kept = ('x'):rep(100):rep(100)"), "f");
    most = std::max(most, engine_.memory_bytes());
  }
  EXPECT_EQ(host_count(), 1u);
  EXPECT_LT(most, 4u << 20);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(load_large("f"), "f");
    most = std::max(most, engine_.memory_bytes());
  }
  EXPECT_LE(host_count(), 2u);
  EXPECT_LT(most, 10u << 20);
}

TEST_F(ManyLibrariesTest, GarbageOfLoadingTakesNoRoom) {
  for (int i = 0; i < 50; ++i) {
    load_as("f" + std::to_string(i), "return 1",
            "for i = 1, 4 do local made = ('x'):rep(100):rep(300) .. i .. 'of" + std::to_string(i) +
                "' end");
  }
  EXPECT_EQ(host_count(), 1u);
}

TEST_F(ManyLibrariesTest, WhatDoesNotLoadLeavesNothing) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_THAT(load_as("bad", "", "local kept = ('x'):rep(1000):rep(100) error('no')"),
                HasSubstr("no"));
  }
  EXPECT_EQ(engine_.memory_bytes(), 0u);
  load_as("good", "return 1");
  const size_t before = engine_.memory_bytes();
  for (int i = 0; i < 1000; ++i)
    load_as("bad", "", "local kept = ('x'):rep(1000):rep(100) error('no')");
  EXPECT_LT(engine_.memory_bytes(), before + (2 << 20));
}

TEST_F(ManyLibrariesTest, AnyIsKilled) {
  load_large("large");
  load_as("endless", "while true do end");
  ASSERT_NE(host_of("large"), host_of("endless"));
  kill_what_is_busy();
  EXPECT_EQ(run("FCALL", "endless", "0"),
            "(error) ERR Script killed by user with SCRIPT KILL... script: endless, on "
            "@user_function:4.");
  EXPECT_THAT(shown_, HasSubstr("endless"));
  executor_.serve_while_busy = {};
  EXPECT_FALSE(engine_.running());
  EXPECT_EQ(run("FCALL", "large", "0"), "(integer) 1000000");
}

TEST_F(ManyLibrariesTest, EachHasItsMemoryLimit) {
  configure("function-memory-limit", "4mb");
  load_large("large");
  load_as("hoard", "for i = 1, 1000 do kept[#kept + 1] = {#kept} end return #kept",
          "local kept = {}");
  ASSERT_NE(host_of("large"), host_of("hoard"));
  std::string answer;
  for (int i = 0; i < 1000 && !answer.starts_with("(error)"); ++i) {
    answer = run("FCALL", "hoard", "0");
  }
  EXPECT_THAT(answer, HasSubstr("function-memory-limit"));
  EXPECT_EQ(run("FCALL", "large", "0"), "(integer) 1000000");
}

TEST_F(ManyLibrariesTest, DumpRestoreAndFlush) {
  load_large("large");
  load_many(500);
  ASSERT_GT(host_count(), 1u);
  std::vector<std::string> sources;
  engine_.for_each_library(
      [&](std::string_view, std::string_view source) { sources.emplace_back(source); });
  const std::string payload = dump_libraries(sources);
  EXPECT_EQ(run("FUNCTION", "DUMP"), quote(payload));
  run("FCALL", "f7", "0");

  // One that does not fit in ends the restore, and nothing has changed.
  load_as("other", "return 1");
  const std::string taken = "#!lua name=extra\nserver.register_function('other', function() end)";
  sources.push_back(taken);
  const size_t before = engine_.memory_bytes();
  EXPECT_THAT(run("FUNCTION", "RESTORE", dump_libraries(sources), "REPLACE"),
              HasSubstr("already exists"));
  EXPECT_LT(engine_.memory_bytes(), before + (1 << 20));
  EXPECT_EQ(run("FCALL", "f7", "0"), "(integer) 7002");

  EXPECT_EQ(run("FUNCTION", "RESTORE", payload, "FLUSH"), "OK");
  EXPECT_EQ(run("FCALL", "f7", "0"), "(integer) 7001");
  EXPECT_EQ(run("FCALL", "large", "0"), "(integer) 1000000");
  EXPECT_EQ(run("FCALL", "other", "0"), "(error) ERR Function not found");
  EXPECT_EQ(run("FUNCTION", "FLUSH"), "OK");
  EXPECT_EQ(engine_.memory_bytes(), 0u);
}

TEST_F(ManyLibrariesTest, AreFreedElsewhere) {
  std::vector<std::function<void()>> works;
  keyspace_.set_background([&](std::function<void()> work) { works.push_back(std::move(work)); });
  load_large("large");
  load_many(200);
  const size_t hosts = host_count();
  const size_t bytes = engine_.memory_bytes();
  run("FUNCTION", "FLUSH", "ASYNC");
  EXPECT_EQ(works.size(), hosts);
  EXPECT_GT(keyspace_.background_counts().pending_bytes, bytes - (64 << 10));
  load_many(1);
  for (const auto& work : works) work();
  EXPECT_EQ(keyspace_.background_counts().pending_bytes, 0u);
  EXPECT_EQ(run("FCALL", "f0", "0"), "(integer) 1");
  keyspace_.set_background({});
}

TEST_F(ManyLibrariesTest, DrawFromOneGenerator) {
  load_as("first", "return tostring(math.random())");
  const std::string before = run("FCALL", "first", "0");
  load_large("large");
  load_as("second", "if ARGV[1] then math.randomseed(ARGV[1]) end return tostring(math.random())");
  ASSERT_NE(host_of("first"), host_of("second"));
  EXPECT_NE(run("FCALL", "second", "0"), before);
  const std::string seeded = run("FCALL", "second", "0", "7");
  const std::string next = run("FCALL", "first", "0");
  EXPECT_EQ(run("FCALL", "second", "0", "7"), seeded);
  EXPECT_EQ(run("FCALL", "second", "0"), next);
}

TEST_F(ManyLibrariesTest, AnObserverSeesAll) {
  struct Observer final : LineObserver {
    void on_line(LuaHost& host, lua_State*, lua_Debug*) override {
      if (host.run() != nullptr) seen.insert(host.run()->function->name);
    }
    std::set<std::string> seen;
  } observer;
  load_large("large");
  engine_.observe_lines(&observer);
  load_as("later", "return 1");
  ASSERT_NE(host_of("large"), host_of("later"));
  run("FCALL", "large", "0");
  run("FCALL", "later", "0");
  EXPECT_THAT(observer.seen, ::testing::ElementsAre("large", "later"));
  engine_.observe_lines(nullptr);
  observer.seen.clear();
  run("FCALL", "large", "0");
  EXPECT_TRUE(observer.seen.empty());
}

}  // namespace
}  // namespace tandem
