#include "server/exec/effects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EffectStreamTest : public ::testing::Test {
 protected:
  EffectStreamTest() { stream.add_sink(&sink); }

  void add(int db, std::initializer_list<std::string_view> words) {
    stream.add(db, std::span<const std::string_view>(words.begin(), words.size()));
  }
  std::vector<std::string> take() { return std::exchange(sink.units, {}); }

  UnitRecorder sink;
  EffectStream stream;
};

const std::string kSelect0 = resp("SELECT 0"), kSelect1 = resp("SELECT 1");
const std::string kMulti = resp("MULTI"), kExec = resp("EXEC");

TEST_F(EffectStreamTest, SelectsWhereTheDatabaseChanges) {
  add(0, {"SET", "a", "1"});
  add(0, {"SET", "b", "2"});
  add(1, {"DEL", "a"});
  add(0, {"DEL", "b"});
  EXPECT_THAT(take(), ElementsAre(kSelect0 + resp("SET a 1"), resp("SET b 2"),
                                  kSelect1 + resp("DEL a"), kSelect0 + resp("DEL b")));
}

TEST_F(EffectStreamTest, SelectsAgainForWhoBeginsToRead) {
  add(0, {"DEL", "a"});
  stream.forget_selected_db();
  add(0, {"DEL", "b"});
  EXPECT_THAT(take(), ElementsAre(kSelect0 + resp("DEL a"), kSelect0 + resp("DEL b")));
}

TEST_F(EffectStreamTest, KeepsBinaryArguments) {
  add(0, {"SET", std::string_view("a\0\r\n", 4), ""});
  EXPECT_EQ(take()[0],
            kSelect0 + "*3\r\n$3\r\nSET\r\n" + std::string("$4\r\na\0\r\n\r\n", 10) + "$0\r\n\r\n");
}

TEST_F(EffectStreamTest, WhatIsForReplicasOnlyDoesNotReachTheAof) {
  UnitRecorder replicas;
  replicas.kind = kEffectToReplicas;
  stream.add_sink(&replicas);
  add(0, {"SET", "a", "1"});
  EXPECT_EQ(std::exchange(replicas.units, {}), take());
  stream.set_targets(kEffectToReplicas);
  add(0, {"PUBLISH", "c", "m"});
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_THAT(std::exchange(replicas.units, {}), ElementsAre(resp("PUBLISH c m")));
  stream.set_targets(kEffectToAll);

  stream.begin_unit();
  add(0, {"SET", "a", "2"});
  stream.set_targets(kEffectToReplicas);
  add(1, {"PUBLISH", "c", "n"});
  stream.set_targets(kEffectToAll);
  add(1, {"SET", "b", "3"});
  stream.end_unit();
  EXPECT_THAT(take(), ElementsAre(kMulti + resp("SET a 2") + kSelect1 + resp("SET b 3") + kExec));
  EXPECT_THAT(replicas.units, ElementsAre(kMulti + resp("SET a 2") + kSelect1 +
                                          resp("PUBLISH c n") + resp("SET b 3") + kExec));
}

TEST_F(EffectStreamTest, WhatIsForNobodyIsDropped) {
  stream.set_targets(0);
  add(0, {"SET", "a", "1"});
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(EffectStreamTest, AUnitOfOneNeedsNoTransaction) {
  stream.begin_unit();
  add(0, {"SET", "a", "1"});
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(stream.unit_effects(), 1u);
  stream.end_unit();
  EXPECT_THAT(take(), ElementsAre(kSelect0 + resp("SET a 1")));
  EXPECT_EQ(stream.unit_effects(), 0u);
}

TEST_F(EffectStreamTest, AUnitOfMoreIsATransaction) {
  stream.begin_unit();
  add(0, {"SET", "a", "1"});
  add(0, {"DEL", "b"});
  add(1, {"DEL", "c"});
  stream.end_unit();
  EXPECT_THAT(take(), ElementsAre(kSelect0 + kMulti + resp("SET a 1") + resp("DEL b") + kSelect1 +
                                  resp("DEL c") + kExec));
  // The next unit starts afresh, in the database that was selected last.
  stream.begin_unit();
  add(1, {"DEL", "d"});
  add(1, {"DEL", "e"});
  stream.end_unit();
  EXPECT_THAT(take(), ElementsAre(kMulti + resp("DEL d") + resp("DEL e") + kExec));
}

TEST_F(EffectStreamTest, UnitsNest) {
  stream.begin_unit();
  stream.begin_unit();
  add(0, {"DEL", "a"});
  stream.end_unit();
  EXPECT_TRUE(stream.in_unit());
  stream.begin_unit();
  stream.end_unit();
  add(0, {"DEL", "b"});
  EXPECT_THAT(take(), IsEmpty());
  stream.end_unit();
  EXPECT_FALSE(stream.in_unit());
  EXPECT_THAT(take(), ElementsAre(kSelect0 + kMulti + resp("DEL a") + resp("DEL b") + kExec));
}

TEST_F(EffectStreamTest, AnEmptyUnitIsNothing) {
  stream.begin_unit();
  stream.end_unit();
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(EffectStreamTest, EncodesOnceForAllSinks) {
  UnitRecorder second, idle;
  idle.wanting = false;
  stream.add_sink(&second);
  stream.add_sink(&idle);
  add(0, {"SET", "a", "1"});
  add(0, {"SET", "b", "1"});
  EXPECT_EQ(stream.encoded_count(), 2u);
  EXPECT_EQ(sink.units, second.units);
  EXPECT_THAT(idle.units, IsEmpty());
  stream.remove_sink(&sink);
  add(0, {"SET", "c", "1"});
  EXPECT_EQ(sink.units.size(), 2u);
  EXPECT_EQ(second.units.size(), 3u);
}

TEST_F(EffectStreamTest, EncodesNothingThatNobodyWants) {
  sink.wanting = false;
  add(0, {"SET", "a", "1"});
  stream.begin_unit();
  add(0, {"SET", "a", "1"});
  stream.end_unit();
  EXPECT_EQ(stream.encoded_count(), 0u);
  sink.wanting = true;
  add(0, {"SET", "a", "1"});
  EXPECT_THAT(take(), ElementsAre(kSelect0 + resp("SET a 1")));
}

TEST_F(EffectStreamTest, SuspensionNests) {
  stream.suspend();
  stream.suspend();
  add(0, {"DEL", "a"});
  stream.resume();
  EXPECT_TRUE(stream.suspended());
  add(0, {"DEL", "b"});
  stream.resume();
  add(0, {"DEL", "c"});
  EXPECT_EQ(stream.encoded_count(), 1u);
  EXPECT_THAT(take(), ElementsAre(kSelect0 + resp("DEL c")));
}

TEST_F(EffectStreamTest, LeavesOutWhatWasAddedInAUnitWhileSuspended) {
  stream.begin_unit();
  add(0, {"DEL", "a"});
  stream.suspend();
  add(1, {"DEL", "b"});
  stream.resume();
  stream.end_unit();
  EXPECT_THAT(take(), ElementsAre(kSelect0 + resp("DEL a")));
}

TEST_F(EffectStreamTest, ALongUnitIsWhole) {
  const std::string value(100'000, 'v');
  stream.begin_unit();
  std::string expected = kSelect0 + kMulti;
  for (int i = 0; i < 20; ++i) {
    add(0, {"SET", "a", value});
    expected += resp("SET a " + value);
  }
  stream.end_unit();
  EXPECT_EQ(take()[0], expected + kExec);
  add(0, {"DEL", "a"});
  EXPECT_THAT(take(), ElementsAre(resp("DEL a")));
}

}  // namespace
}  // namespace tandem
