#include <string>

#include "server/exec/blocked_clients.h"
#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class StreamBlockingTest : public ExecFixture {
 protected:
  Peer& reader_ = connect();
  Peer& other_ = connect();
  Peer& writer_ = connect();
};

constexpr const char* kEntry2 = "*1|*2|$1|s|*1|*2|$3|2-0|*2|$1|f|$1|v|";

TEST_F(StreamBlockingTest, TheEndIsWhereItWasWhenTheReadBegan) {
  run(writer_, "XADD s 1 f v");
  EXPECT_EQ(run(reader_, "XREAD BLOCK 0 STREAMS s $"), "");
  EXPECT_EQ(run(other_, "XREAD BLOCK 0 STREAMS s 1"), "");
  // Deleted before anybody is served: both wait on.
  run(writer_, "MULTI");
  run(writer_, "XADD s 1-5 f v");
  run(writer_, "XDEL s 1-5");
  run(writer_, "EXEC");
  EXPECT_EQ(take_output(reader_), "");
  run(writer_, "XADD s 2 f v");
  EXPECT_EQ(take_output(reader_), kEntry2);
  EXPECT_EQ(take_output(other_), kEntry2);
}

TEST_F(StreamBlockingTest, AStreamToCome) {
  EXPECT_EQ(run(reader_, "XREAD BLOCK 0 STREAMS none s $ $"), "");
  run(writer_, "SET none x");
  run(writer_, "XADD s 2 f v");
  // Running again finds the string: the whole command fails, as it would have at first.
  EXPECT_EQ(take_output(reader_),
            "-WRONGTYPE Operation against a key holding the wrong kind of value|");
  run(writer_, "DEL none s");
  EXPECT_EQ(run(reader_, "XREAD BLOCK 0 STREAMS none s $ +"), "");
  run(writer_, "XADD s 2 f v");
  EXPECT_EQ(take_output(reader_), kEntry2);
}

TEST_F(StreamBlockingTest, AGroupServesItsReadersInTurn) {
  run(writer_, "XGROUP CREATE s g $ MKSTREAM");
  EXPECT_EQ(run(reader_, "XREADGROUP GROUP g ada COUNT 1 BLOCK 0 STREAMS s >"), "");
  EXPECT_EQ(run(other_, "XREADGROUP GROUP g grace COUNT 1 BLOCK 0 STREAMS s >"), "");
  run(writer_, "XADD s 2 f v");
  EXPECT_EQ(take_output(reader_), kEntry2);
  EXPECT_EQ(take_output(other_), "");
  run(writer_, "XADD s 3 f v");
  EXPECT_EQ(take_output(other_), "*1|*2|$1|s|*1|*2|$3|3-0|*2|$1|f|$1|v|");
  EXPECT_EQ(run(writer_, "XPENDING s g"),
            "*4|:2|$3|2-0|$3|3-0|*2|*2|$3|ada|$1|1|*2|$5|grace|$1|1|");
  // The history is there at once.
  EXPECT_EQ(run(other_, "XREADGROUP GROUP g edsger BLOCK 0 STREAMS s 0"), "*1|*2|$1|s|*0|");
}

TEST_F(StreamBlockingTest, AReaderLearnsThatItsGroupIsGone) {
  const std::string no_group =
      "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option|";
  const std::string command = "XREADGROUP GROUP g ada BLOCK 0 STREAMS s >";
  run(writer_, "XGROUP CREATE s g $ MKSTREAM");
  EXPECT_EQ(run(reader_, command), "");
  EXPECT_EQ(run(other_, "XREAD BLOCK 0 STREAMS s $"), "");
  run(writer_, "XGROUP DESTROY s g");
  EXPECT_EQ(take_output(reader_), no_group);
  run(writer_, "XGROUP CREATE s g $");
  EXPECT_EQ(run(reader_, command), "");
  run(writer_, "DEL s");
  EXPECT_EQ(take_output(reader_), no_group);
  run(writer_, "XGROUP CREATE s g $ MKSTREAM");
  EXPECT_EQ(run(reader_, command), "");
  run(writer_, "SET s x");
  EXPECT_EQ(take_output(reader_),
            "-WRONGTYPE Operation against a key holding the wrong kind of value|");
  EXPECT_EQ(take_output(other_), "");
}

TEST_F(StreamBlockingTest, TimesOutWithANullArray) {
  EXPECT_EQ(run(reader_, "XREAD BLOCK 100 STREAMS s $"), "");
  advance_ms(100);
  executor_.blocked().time_out();
  EXPECT_EQ(take_output(reader_), "*-1|");
}

TEST_F(StreamBlockingTest, NotInsideATransaction) {
  run(reader_, "MULTI");
  run(reader_, "XREAD BLOCK 0 STREAMS s $");
  EXPECT_EQ(run(reader_, "EXEC"), "*1|*-1|");
}

// A reader that blocks has created its consumer all the same.
TEST_F(StreamBlockingTest, BlockingCreatesTheConsumer) {
  UnitRecorder recorder;
  run(writer_, "XGROUP CREATE s g $ MKSTREAM");
  executor_.effects().add_sink(&recorder);
  EXPECT_EQ(run(reader_, "XREADGROUP GROUP g ada BLOCK 0 STREAMS s >"), "");
  executor_.effects().remove_sink(&recorder);
  ASSERT_EQ(recorder.units.size(), 1u);
  EXPECT_TRUE(recorder.units[0].ends_with(resp("XGROUP CREATECONSUMER s g ada")));
  EXPECT_EQ(run(writer_, "XGROUP CREATECONSUMER s g ada"), ":0|");
}

// WATCH sees entries come, but not groups go.
TEST_F(StreamBlockingTest, WatchSeesTheStreamNotItsGroups) {
  run(writer_, "XGROUP CREATE s g $ MKSTREAM");
  run(reader_, "WATCH s");
  run(writer_, "XGROUP DESTROY s g");
  run(reader_, "MULTI");
  EXPECT_EQ(run(reader_, "EXEC"), "*0|");
  run(reader_, "WATCH s");
  run(writer_, "XADD s 1 f v");
  run(reader_, "MULTI");
  EXPECT_EQ(run(reader_, "EXEC"), "*-1|");
}

// What subscribers of keyspace events hear of each command.
TEST_F(StreamBlockingTest, Events) {
  configure("notify-keyspace-events", "Et");
  run(other_, "PSUBSCRIBE __keyevent@0__:*");
  const auto events_of = [this](std::string_view words) {
    run(writer_, words);
    std::string events;
    const std::string heard = take_output(other_);
    const std::string_view mark = "__keyevent@0__:";
    for (size_t at = heard.find(mark); at != std::string::npos; at = heard.find(mark, at + 1)) {
      const std::string name =
          heard.substr(at + mark.size(), heard.find('|', at) - at - mark.size());
      if (name != "*") events += (events.empty() ? "" : " ") + name;
    }
    return events;
  };
  EXPECT_EQ(events_of("XADD s 1 f v"), "xadd");
  EXPECT_EQ(events_of("XADD s MAXLEN 1 2 f v"), "xadd xtrim");
  EXPECT_EQ(events_of("XADD s MAXLEN 5 3 f v"), "xadd");
  EXPECT_EQ(events_of("XTRIM s MAXLEN 1"), "xtrim");
  EXPECT_EQ(events_of("XTRIM s MAXLEN 1"), "");
  EXPECT_EQ(events_of("XSETID s 9"), "xsetid");
  EXPECT_EQ(events_of("XGROUP CREATE s g 0"), "xgroup-create");
  EXPECT_EQ(events_of("XREADGROUP GROUP g ada STREAMS s >"), "xgroup-createconsumer");
  EXPECT_EQ(events_of("XGROUP CREATECONSUMER s g grace"), "xgroup-createconsumer");
  EXPECT_EQ(events_of("XCLAIM s g edsger 0 3"), "xgroup-createconsumer");
  EXPECT_EQ(events_of("XACK s g 3"), "");
  EXPECT_EQ(events_of("XGROUP DELCONSUMER s g grace"), "xgroup-delconsumer");
  EXPECT_EQ(events_of("XGROUP SETID s g 0"), "xgroup-setid");
  EXPECT_EQ(events_of("XDEL s 3"), "xdel");
  EXPECT_EQ(events_of("XGROUP DESTROY s g"), "xgroup-destroy");
}

}  // namespace
}  // namespace tandem
