#include <string>

#include "server/resp/reply_reader.h"
#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class KeyspaceEventsTest : public ExecFixture {
 protected:
  KeyspaceEventsTest() : subscriber_(connect()), client_(connect()) {
    run(subscriber_, "PSUBSCRIBE __key*");
  }

  // The messages since the last call, as "channel=message" words.
  std::string events() {
    ReplyReader reader;
    OutputBuffer& output = subscriber_.link.output();
    reader.feed(output.view());
    output.consume(output.size());
    std::string text;
    for (auto next = reader.next(); next.ok() && next.value().has_value(); next = reader.next()) {
      const ReplyValue& message = *next.value();
      text += (text.empty() ? "" : " ") + message.elements[2].text + "=" + message.elements[3].text;
    }
    return text;
  }
  std::string events_of(std::string_view request) {
    run(client_, request);
    return events();
  }

  Peer& subscriber_;
  Peer& client_;
};

TEST_F(KeyspaceEventsTest, AreSilentUnlessAskedFor) {
  executor_.notify(0, kEventString, "set", "k");
  EXPECT_EQ(events(), "");
  // Classes without K or E say nothing.
  configure("notify-keyspace-events", "A");
  executor_.notify(0, kEventString, "set", "k");
  EXPECT_EQ(events(), "");
  // And K or E says nothing about classes that are not named.
  configure("notify-keyspace-events", "KEl");
  executor_.notify(0, kEventString, "set", "k");
  EXPECT_EQ(events(), "");
}

TEST_F(KeyspaceEventsTest, GoToTheChannelOfTheKeyAndOfTheEvent) {
  configure("notify-keyspace-events", "KE$");
  executor_.notify(3, kEventString, "set", "k");
  EXPECT_EQ(events(), "__keyspace@3__:k=set __keyevent@3__:set=k");
  configure("notify-keyspace-events", "K$");
  executor_.notify(3, kEventString, "set", "k");
  EXPECT_EQ(events(), "__keyspace@3__:k=set");
  configure("notify-keyspace-events", "E$");
  executor_.notify(12, kEventString, "set", "k");
  EXPECT_EQ(events(), "__keyevent@12__:set=k");
}

TEST_F(KeyspaceEventsTest, Expiry) {
  configure("notify-keyspace-events", "Ex");
  run(client_, "SET k v PX 100");
  run(client_, "SET l v PX 100");
  run(client_, "SET m v PX 100");
  advance_ms(200);
  EXPECT_EQ(events_of("GET k"), "__keyevent@0__:expired=k");
  EXPECT_EQ(events_of("SET l v"), "__keyevent@0__:expired=l");
  size_t looked_at = 0;
  keyspace_.database(0).expire_some(10, &looked_at);
  EXPECT_EQ(events(), "__keyevent@0__:expired=m");
}

TEST_F(KeyspaceEventsTest, NewKeys) {
  configure("notify-keyspace-events", "En");
  EXPECT_EQ(events_of("SET k v"), "__keyevent@0__:new=k");
  EXPECT_EQ(events_of("SET k w"), "");
  EXPECT_EQ(events_of("HSET h f v"), "__keyevent@0__:new=h");
  EXPECT_EQ(events_of("HSET h g v"), "");
  EXPECT_EQ(events_of("RENAME k l"), "__keyevent@0__:new=l");
  EXPECT_EQ(events_of("MOVE l 2"), "__keyevent@2__:new=l");
  EXPECT_EQ(events_of("INCR n"), "__keyevent@0__:new=n");
  EXPECT_EQ(events_of("INCR n"), "");
  // A key that has expired is created again.
  run(client_, "PEXPIRE n 10");
  advance_ms(20);
  EXPECT_EQ(events_of("SET n 1"), "__keyevent@0__:new=n");
}

TEST_F(KeyspaceEventsTest, Misses) {
  configure("notify-keyspace-events", "Em");
  EXPECT_EQ(events_of("GET none"), "__keyevent@0__:keymiss=none");
  EXPECT_EQ(events_of("SET k v"), "");
  EXPECT_EQ(events_of("GET k"), "");
  EXPECT_EQ(events_of("DEL none"), "");
  // Neither is part of A.
  configure("notify-keyspace-events", "AE");
  EXPECT_EQ(events_of("GET none"), "");
}

}  // namespace
}  // namespace tandem
