#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/command_writer.h"
#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/resp/reply_reader.h"
#include "server/store/stream_value.h"

namespace tandem {
namespace {

// Entries 1-1 … of two fields, one deleted, and two groups.
std::unique_ptr<StreamValue> sample(uint64_t entries) {
  auto stream = std::make_unique<StreamValue>();
  for (uint64_t i = 1; i <= entries; ++i) {
    const std::string number = std::to_string(i);
    const std::string_view pairs[] = {"name", "Ada", "number", number};
    stream->append({i, i}, pairs, {.max_node_entries = 10});
  }
  const StreamId second[] = {{2, 2}};
  stream->erase(second);
  StreamGroup* group = stream->create_group("readers", {5, 5}, 5);
  StreamConsumer* consumer = group->create_consumer("ada", 1000);
  consumer->active_ms = 900;
  group->create_consumer("idle", 2000);
  for (uint64_t i = 1; i <= 5; ++i) {
    StreamPending* pending = group->assign({i, i}, consumer);
    pending->delivered_ms = static_cast<int64_t>(100 * i);
    pending->deliveries = i;
  }
  stream->create_group("unknown", {3, 0}, StreamGroup::kUnknown);
  return stream;
}

std::string describe(const StreamValue& stream) {
  std::string text;
  const auto id = [](const StreamId& from) { return std::string(StreamIdText(from)); };
  StreamReader reader(stream);
  while (reader.next()) {
    text += id(reader.id()) + ":";
    reader.for_each_field([&text](std::string_view field, std::string_view value) {
      text.append(field).append("=").append(value).append(",");
    });
  }
  text += " last " + id(stream.last_id()) + " first " + id(stream.first_id()) + " deleted " +
          id(stream.max_deleted_id()) + " added " + std::to_string(stream.entries_added());
  stream.for_each_group([&](const std::string& name, const StreamGroup& group) {
    text += " group " + name + " " + id(group.last_delivered) + " " +
            std::to_string(group.entries_read);
    for (const auto& [consumer_name, consumer] : group.consumers()) {
      text += " " + consumer_name + " seen " + std::to_string(consumer.seen_ms) + " active " +
              std::to_string(consumer.active_ms);
      for (auto it = consumer.pending().begin(); !it.at_end(); ++it) {
        const StreamPending* pending = group.find_pending(it->id);
        text += " " + id(it->id) + "/" + std::to_string(pending->delivered_ms) + "/" +
                std::to_string(pending->deliveries);
      }
    }
  });
  return text;
}

std::string written(const StreamValue& stream, int version) {
  std::string bytes;
  StringSink sink(&bytes);
  RdbEncoder encoder(&sink, false);
  kStreamCodec.write(encoder, stream, version);
  EXPECT_TRUE(encoder.flush().ok());
  return bytes;
}

Result<std::unique_ptr<StreamValue>> read(std::string_view bytes, uint8_t type) {
  StringSource source(bytes);
  RdbDecoder decoder(&source);
  auto value = read_rdb_value(decoder, type, "s", {});
  if (!value.ok()) return value.error();
  auto* stream = static_cast<StreamValue*>(
      std::get<std::unique_ptr<Value>>(std::move(value).value()).release());
  return std::unique_ptr<StreamValue>(stream);
}

std::string command_text(const ReplyValue& command) {
  std::string text;
  for (const ReplyValue& word : command.elements) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

std::vector<std::string> rebuilding_commands(const StreamValue& stream) {
  std::string bytes;
  StringSink sink(&bytes);
  CommandWriter writer(&sink);
  kStreamCodec.write_commands(writer, "s", stream);
  EXPECT_TRUE(writer.flush().ok());
  ReplyReader reader;
  reader.feed(bytes);
  std::vector<std::string> commands;
  for (auto next = reader.next(); next.ok() && next.value().has_value(); next = reader.next()) {
    commands.push_back(command_text(*next.value()));
  }
  return commands;
}

TEST(StreamCodec, ComesBackAsItWas) {
  for (const uint64_t entries : {2, 5, 300}) {
    const auto stream = sample(entries);
    EXPECT_EQ(kStreamCodec.rdb_type(*stream, 11), rdb::kStreamListpacks3);
    const auto copy = read(written(*stream, 11), rdb::kStreamListpacks3);
    ASSERT_TRUE(copy.ok()) << copy.error().to_string();
    EXPECT_EQ(describe(*copy.value()), describe(*stream));
  }
  const StreamValue empty;
  const auto copy = read(written(empty, 11), rdb::kStreamListpacks3);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(describe(*copy.value()), describe(empty));
}

TEST(StreamCodec, OlderVersionsDoNotKnowWhenAConsumerWasActive) {
  const auto stream = sample(20);
  EXPECT_EQ(kStreamCodec.rdb_type(*stream, 10), rdb::kStreamListpacks2);
  const auto copy = read(written(*stream, 10), rdb::kStreamListpacks2);
  ASSERT_TRUE(copy.ok()) << copy.error().to_string();
  StreamGroup* group = copy.value()->find_group("readers");
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(group->find_consumer("ada")->active_ms, 1000);
  group->find_consumer("ada")->active_ms = 900;
  group->find_consumer("idle")->active_ms = StreamConsumer::kNever;
  EXPECT_EQ(describe(*copy.value()), describe(*stream));
}

// Counters that commands have set to their limits stay there; those of a file are brought back to
// them. Otherwise this server could not read what it writes.
TEST(StreamCodec, CountersAtTheirLimits) {
  StreamValue stream;
  stream.set_entries_added(INT64_MAX);
  StreamGroup* group = stream.create_group("g", {1, 0}, INT64_MAX);
  const std::string_view pairs[] = {"f", "v"};
  stream.append({1, 0}, pairs, {});
  stream.append({1, 2}, pairs, {});
  stream.advance(group, {1, 2});
  EXPECT_EQ(rebuilding_commands(stream)[2],
            "XSETID s 1-2 ENTRIESADDED 9223372036854775807 MAXDELETEDID 0-0");
  EXPECT_EQ(rebuilding_commands(stream)[3],
            "XGROUP CREATE s g 1-2 ENTRIESREAD 9223372036854775807");
  std::string bytes = written(stream, 11);
  const std::string limit = "\x81\x7f" + std::string(7, '\xff');
  for (size_t at = bytes.find(limit); at != std::string::npos; at = bytes.find(limit)) {
    bytes[at + 1] = '\x90';
  }
  const auto copy = read(bytes, rdb::kStreamListpacks3);
  ASSERT_TRUE(copy.ok()) << copy.error().to_string();
  EXPECT_EQ(copy.value()->entries_added(), StreamValue::kMostEntriesAdded);
  EXPECT_EQ(copy.value()->find_group("g")->entries_read, StreamGroup::kUnknown);
}

// What redis-server 7.0.15 dumps after XADD s 5-1 a 1 b x, XADD s 5-2 a 2 b y, XADD s 6-0 c 3.
TEST(StreamCodec, WritesTheBytesThatRedisWrites) {
  constexpr unsigned char kDumped[] = {
      0x01, 0x10, 0,    0,    0, 0,    0,    0,    0, 5, 0,    0,    0,    0,    0, 0,
      0,    1,    0x3f, 0x3f, 0, 0,    0,    0x19, 0, 3, 1,    0,    1,    2,    1, 0x81,
      0x61, 2,    0x81, 0x62, 2, 0,    1,    2,    1, 0, 1,    0,    1,    1,    1, 0x81,
      0x78, 2,    5,    1,    2, 1,    0,    1,    1, 1, 2,    1,    0x81, 0x79, 2, 5,
      1,    0,    1,    1,    1, 0xdf, 0xff, 2,    1, 1, 0x81, 0x63, 2,    3,    1, 6,
      1,    0xff, 3,    6,    0, 5,    1,    0,    0, 3, 0};
  StreamValue stream;
  const std::string_view first[] = {"a", "1", "b", "x"};
  const std::string_view second[] = {"a", "2", "b", "y"};
  const std::string_view third[] = {"c", "3"};
  stream.append({5, 1}, first, {});
  stream.append({5, 2}, second, {});
  stream.append({6, 0}, third, {});
  EXPECT_EQ(written(stream, 10),
            std::string_view(reinterpret_cast<const char*>(kDumped), sizeof kDumped));
}

TEST(StreamCodec, TheFirstFormatLeavesCountersToBeFoundOut) {
  // One node with entry 5-1 {a: 1}; length 1, last id 7-0; a group at 5-1 with one consumer.
  const std::string node("\x19\0\0\0\x0a\0\1\1\0\1\1\1\x81\x61\2\0\1\2\1\0\1\0\1\1\1\4\1\xff", 28);
  std::string bytes = std::string("\1\x10\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\1", 18);
  bytes += static_cast<char>(node.size());
  std::string fixed = node;
  fixed[0] = static_cast<char>(node.size());
  bytes += fixed;
  bytes += std::string("\1\7\0\1\1g\5\1\0\1\1c", 12) + std::string(8, '\1') + '\0';
  const auto stream = read(bytes, rdb::kStreamListpacks);
  ASSERT_TRUE(stream.ok()) << stream.error().to_string();
  EXPECT_EQ(describe(*stream.value()).substr(0, 56),
            "5-1:a=1, last 7-0 first 5-1 deleted 0-0 added 1 group g ");
  EXPECT_EQ(stream.value()->find_group("g")->entries_read, 1);
}

// Each byte of a payload replaced by others, and each length of it: refused, or a stream that is
// whole.
TEST(StreamCodec, DamagedPayloadsAreRefusedOrWhole) {
  const std::string good = written(*sample(12), 11);
  size_t accepted = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int byte :
         {0, 1, 0x7f, 0x80, 0x81, 0xc3, 0xf0, 0xfe, 0xff, good[at] ^ 1, good[at] + 1}) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(byte);
      const auto stream = read(damaged, rdb::kStreamListpacks3);
      if (!stream.ok()) continue;
      ++accepted;
      size_t entries = 0;
      StreamReader forward(*stream.value());
      while (forward.next()) ++entries;
      StreamReader backward(*stream.value(), {}, StreamId::max(),
                            StreamReader::Direction::kBackward);
      while (backward.next()) --entries;
      ASSERT_EQ(entries, 0u);
      (void)describe(*stream.value());
    }
    ASSERT_FALSE(read(good.substr(0, at), rdb::kStreamListpacks3).ok());
  }
  EXPECT_GT(accepted, 0u);
}

TEST(StreamCodec, RewritesAsCommands) {
  EXPECT_EQ(rebuilding_commands(*sample(3)),
            (std::vector<std::string>{
                "XADD s 1-1 name Ada number 1", "XADD s 3-3 name Ada number 3",
                "XSETID s 3-3 ENTRIESADDED 3 MAXDELETEDID 2-2",
                "XGROUP CREATE s readers 5-5 ENTRIESREAD 5", "XGROUP CREATECONSUMER s readers idle",
                "XCLAIM s readers ada 0 1-1 TIME 100 RETRYCOUNT 1 JUSTID FORCE",
                "XCLAIM s readers ada 0 2-2 TIME 200 RETRYCOUNT 2 JUSTID FORCE",
                "XCLAIM s readers ada 0 3-3 TIME 300 RETRYCOUNT 3 JUSTID FORCE",
                "XCLAIM s readers ada 0 4-4 TIME 400 RETRYCOUNT 4 JUSTID FORCE",
                "XCLAIM s readers ada 0 5-5 TIME 500 RETRYCOUNT 5 JUSTID FORCE",
                "XGROUP CREATE s unknown 3-0 ENTRIESREAD -1"}));
  EXPECT_EQ(rebuilding_commands(StreamValue()),
            (std::vector<std::string>{"XADD s MAXLEN 0 0-1 x y",
                                      "XSETID s 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0"}));
}

}  // namespace
}  // namespace tandem
