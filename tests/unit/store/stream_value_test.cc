#include "server/store/stream_value.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "server/base/random.h"

namespace tandem {
namespace {

using Fields = std::vector<std::string>;
using Model = std::map<StreamId, Fields>;
using Strategy = StreamTrim::Strategy;

void append(StreamValue& stream, const StreamId& id, const Fields& fields,
            const StreamLimits& limits = {}) {
  const std::vector<std::string_view> views(fields.begin(), fields.end());
  stream.append(id, views, limits);
}

// Entries 1-0, 2-0 …, a field and a number each.
void fill(StreamValue& stream, uint64_t count, const StreamLimits& limits = {}) {
  for (uint64_t i = 1; i <= count; ++i) append(stream, {i, 0}, {"n", std::to_string(i)}, limits);
}

Model entries(const StreamValue& stream, const StreamId& first = {},
              const StreamId& last = StreamId::max(),
              StreamReader::Direction direction = StreamReader::Direction::kForward) {
  Model out;
  StreamReader reader(stream, first, last, direction);
  while (reader.next()) {
    Fields fields;
    reader.for_each_field([&fields](std::string_view field, std::string_view value) {
      fields.emplace_back(field);
      fields.emplace_back(value);
    });
    EXPECT_EQ(fields.size(), 2 * reader.field_count());
    EXPECT_TRUE(out.emplace(reader.id(), fields).second);
  }
  return out;
}

Model backwards(const StreamValue& stream, const StreamId& first, const StreamId& last) {
  return entries(stream, first, last, StreamReader::Direction::kBackward);
}

// A stream made of what this one would write to a file.
Result<std::unique_ptr<StreamValue>> reloaded(const StreamValue& stream) {
  auto copy = std::make_unique<StreamValue>();
  for (auto it = stream.nodes().begin(); !it.at_end(); ++it) {
    if (Status status = copy->add_node(it->id, it->value.bytes()); !status) return status.error();
  }
  return copy;
}

TEST(StreamValue, KeepsWhatIsAdded) {
  StreamValue stream;
  append(stream, {5, 1}, {"name", "Ada", "age", "36"});
  append(stream, {5, 2}, {"name", "Grace", "age", "-7"});
  append(stream, {9, 0}, {"other", "fields", "name", ""});
  append(stream, {9, 3}, {"name", std::string(300, 'x')});
  EXPECT_EQ(stream.size(), 4u);
  EXPECT_EQ(stream.nodes().size(), 1u);
  EXPECT_EQ(stream.first_id(), (StreamId{5, 1}));
  EXPECT_EQ(stream.last_id(), (StreamId{9, 3}));
  EXPECT_EQ(stream.entries_added(), 4u);
  const Model expected = {{{5, 1}, {"name", "Ada", "age", "36"}},
                          {{5, 2}, {"name", "Grace", "age", "-7"}},
                          {{9, 0}, {"other", "fields", "name", ""}},
                          {{9, 3}, {"name", std::string(300, 'x')}}};
  EXPECT_EQ(entries(stream), expected);
  EXPECT_EQ(backwards(stream, {}, StreamId::max()), expected);
  EXPECT_EQ(entries(stream, {5, 2}, {9, 1}).size(), 2u);
  EXPECT_TRUE(entries(stream, {9, 1}, {9, 2}).empty());
  EXPECT_TRUE(stream.contains({9, 0}));
  EXPECT_FALSE(stream.contains({9, 1}));
}

// The bytes that redis-server 7.0.15 has for XADD s 5-1 a 1 b x, XADD s 5-2 a 2 b y and
// XADD s 6-0 c 3.
TEST(StreamValue, LaysNodesOutAsFilesHaveThem) {
  StreamValue stream;
  append(stream, {5, 1}, {"a", "1", "b", "x"});
  append(stream, {5, 2}, {"a", "2", "b", "y"});
  append(stream, {6, 0}, {"c", "3"});
  const unsigned char expected[] = {0x3f, 0, 0,    0,    0x19, 0, 3, 1, 0, 1, 2,   1,    0x81,
                                    0x61, 2, 0x81, 0x62, 2,    0, 1, 2, 1, 0, 1,   0,    1,
                                    1,    1, 0x81, 0x78, 2,    5, 1, 2, 1, 0, 1,   1,    1,
                                    2,    1, 0x81, 0x79, 2,    5, 1, 0, 1, 1, 1,   0xdf, 0xff,
                                    2,    1, 1,    0x81, 0x63, 2, 3, 1, 6, 1, 0xff};
  EXPECT_EQ(stream.nodes().begin()->value.bytes(),
            std::string_view(reinterpret_cast<const char*>(expected), sizeof expected));
}

TEST(StreamValue, BeginsANewNodeAtTheLimits) {
  StreamValue by_count;
  fill(by_count, 25, {.max_node_entries = 10});
  EXPECT_EQ(by_count.nodes().size(), 3u);
  EXPECT_EQ(by_count.nodes().last()->id, (StreamId{21, 0}));
  StreamValue by_size;
  fill(by_size, 100, {.max_node_bytes = 64});
  EXPECT_GT(by_size.nodes().size(), 5u);
  for (auto it = by_size.nodes().begin(); !it.at_end(); ++it) {
    EXPECT_LT(it->value.total_bytes(), 64u + 16);
  }
  EXPECT_EQ(entries(by_size).size(), 100u);
  // Deleted entries count: their place is taken.
  StreamValue deleted;
  fill(deleted, 10, {.max_node_entries = 10});
  const StreamId two[] = {{2, 0}, {3, 0}};
  EXPECT_EQ(deleted.erase(two), 2u);
  append(deleted, {11, 0}, {"n", "11"}, {.max_node_entries = 10});
  EXPECT_EQ(deleted.nodes().size(), 2u);
}

TEST(StreamValue, RandomEditsAgreeWithAMap) {
  Random random(11);
  for (const StreamLimits limits : {StreamLimits{}, StreamLimits{200, 7}, StreamLimits{40, 1000}}) {
    StreamValue stream;
    Model model;
    uint64_t added = 0;
    StreamId id;
    for (int round = 0; round < 6000; ++round) {
      const uint64_t what = random.below(20);
      if (what < 12) {
        id = random.below(3) == 0 ? StreamId{id.ms + random.below(1000) + 1, random.below(5)}
                                  : StreamId{id.ms, id.seq + 1 + random.below(3)};
        Fields fields;
        for (uint64_t i = random.below(3) + 1; i > 0; --i) {
          fields.push_back(random.below(4) == 0 ? "f" + std::to_string(i) : "field");
          fields.push_back(std::to_string(random.below(100000)));
        }
        append(stream, id, fields, limits);
        model.emplace(id, fields);
        ++added;
      } else if (what < 18 && !model.empty()) {
        auto victim = model.lower_bound({random.below(id.ms + 1), 0});
        if (victim == model.end()) victim = model.begin();
        const StreamId ids[] = {victim->first, victim->first};
        ASSERT_EQ(stream.erase(ids), 1u);
        model.erase(victim);
      } else if (what == 18) {
        const size_t keep = random.below(300);
        const uint64_t expected = model.size() > keep ? model.size() - keep : 0;
        ASSERT_EQ(stream.trim({.strategy = Strategy::kMaxLength, .max_length = keep}), expected);
        while (model.size() > keep) model.erase(model.begin());
      } else {
        const StreamId lowest{id.ms - std::min(id.ms, random.below(20000)), random.below(3)};
        const auto kept = model.lower_bound(lowest);
        const auto expected = static_cast<uint64_t>(std::distance(model.begin(), kept));
        ASSERT_EQ(stream.trim({.strategy = Strategy::kMinId, .min_id = lowest}), expected);
        model.erase(model.begin(), kept);
      }
      ASSERT_EQ(stream.size(), model.size());
      ASSERT_EQ(stream.first_id(), model.empty() ? StreamId() : model.begin()->first);
      ASSERT_EQ(stream.last_entry_id(), model.empty() ? StreamId() : model.rbegin()->first);
      if (round % 50 != 0) continue;
      ASSERT_EQ(entries(stream), model);
      const StreamId first{random.below(id.ms + 1), 0};
      const StreamId last{first.ms + random.below(5000), random.below(4)};
      const Model part(model.lower_bound(first), model.upper_bound(last));
      ASSERT_EQ(entries(stream, first, last), part);
      ASSERT_EQ(backwards(stream, first, last), part);
      ASSERT_EQ(stream.count_range(first, last), part.size());
      ASSERT_EQ(stream.count_range(first, last, 3), std::min<size_t>(part.size(), 3));
      const auto copy = reloaded(stream);
      ASSERT_TRUE(copy.ok()) << copy.error().to_string();
      ASSERT_EQ(entries(*copy.value()), model);
      ASSERT_EQ(copy.value()->size(), model.size());
    }
    EXPECT_EQ(stream.entries_added(), added);
  }
}

TEST(StreamValue, AnApproximateTrimRemovesWholeNodes) {
  const StreamLimits limits{.max_node_entries = 10};
  StreamValue stream;
  fill(stream, 100, limits);
  EXPECT_EQ(stream.trim({Strategy::kMaxLength, 55, {}, true, 0}), 40u);
  EXPECT_EQ(stream.trim({Strategy::kMaxLength, 10, {}, true, 25}), 20u);
  EXPECT_EQ(stream.trim({Strategy::kMinId, 0, {75, 0}, true, 0}), 10u);
  EXPECT_EQ(stream.trim({Strategy::kMinId, 0, {75, 0}, true, 0}), 0u);
  EXPECT_EQ(stream.first_id(), (StreamId{71, 0}));
  EXPECT_EQ(stream.trim({Strategy::kMaxLength, 0, {}, false, 0}), 30u);
  EXPECT_TRUE(stream.nodes().empty());
  EXPECT_EQ(stream.last_id(), (StreamId{100, 0}));
}

TEST(StreamValue, GoesOnAfterItsLastIdWasSetBack) {
  StreamValue stream;
  fill(stream, 3);
  const StreamId third[] = {{3, 0}};
  stream.erase(third);
  // The node stays: its last entry is deleted but not lower than the bound.
  EXPECT_EQ(stream.trim({.strategy = Strategy::kMinId, .min_id = {3, 0}}), 2u);
  EXPECT_EQ(stream.size(), 0u);
  EXPECT_EQ(stream.nodes().size(), 1u);
  EXPECT_EQ(entries(stream), Model());
  stream.set_last_id({0, 5});
  append(stream, {0, 6}, {"n", "again"});
  EXPECT_EQ(entries(stream), (Model{{{0, 6}, {"n", "again"}}}));
  EXPECT_TRUE(reloaded(stream).ok());
}

TEST(StreamValue, ClonesShareNothing) {
  StreamValue stream;
  fill(stream, 300);
  StreamGroup* group = stream.create_group("g", {50, 0}, 50);
  StreamConsumer* consumer = group->create_consumer("c", 1000);
  group->assign({7, 0}, consumer)->deliveries = 3;
  const auto copy = stream.clone();
  auto& other = static_cast<StreamValue&>(*copy);
  const Model before = entries(stream);
  stream.trim({.strategy = Strategy::kMaxLength, .max_length = 1});
  group->acknowledge({7, 0});
  EXPECT_EQ(entries(other), before);
  EXPECT_EQ(other.last_id(), stream.last_id());
  ASSERT_NE(other.find_group("g"), nullptr);
  EXPECT_EQ(other.find_group("g")->entries_read, 50);
  const StreamPending* pending = other.find_group("g")->find_pending({7, 0});
  ASSERT_NE(pending, nullptr);
  EXPECT_EQ(pending->deliveries, 3u);
  EXPECT_EQ(pending->consumer, other.find_group("g")->find_consumer("c"));
  EXPECT_GT(other.memory_usage(), 300u);
  EXPECT_EQ(other.free_effort() > 3, true);
}

TEST(StreamGroup, PendingEntriesBelongToOneConsumer) {
  StreamGroup group({}, 0);
  StreamConsumer* ada = group.create_consumer("ada", 1);
  StreamConsumer* grace = group.create_consumer("grace", 2);
  EXPECT_EQ(group.create_consumer("ada", 3), nullptr);
  for (uint64_t i = 1; i <= 500; ++i) group.assign({i, 0}, i % 2 == 0 ? ada : grace);
  EXPECT_EQ(group.pending().size(), 500u);
  EXPECT_EQ(ada->pending().size(), 250u);
  group.assign({2, 0}, grace);
  EXPECT_EQ(ada->pending().size(), 249u);
  EXPECT_TRUE(grace->pending().contains({2, 0}));
  EXPECT_TRUE(group.acknowledge({2, 0}));
  EXPECT_FALSE(group.acknowledge({2, 0}));
  EXPECT_FALSE(grace->pending().contains({2, 0}));
  EXPECT_EQ(group.erase_consumer(ada), 249u);
  EXPECT_EQ(group.pending().size(), 250u);
  EXPECT_EQ(group.find_consumer("ada"), nullptr);
  EXPECT_EQ(group.find_pending({4, 0}), nullptr);
}

TEST(StreamGroup, CountsWhatItHasReadWhereThatCanBeKnown) {
  StreamValue stream;
  StreamGroup* group = stream.create_group("g", {}, StreamGroup::kUnknown);
  EXPECT_EQ(stream.lag(*group), 0);
  fill(stream, 5);
  EXPECT_EQ(stream.lag(*group), 5);
  stream.advance(group, {1, 0});
  EXPECT_EQ(group->entries_read, 1);
  stream.advance(group, {2, 0});
  EXPECT_EQ(group->entries_read, 2);
  EXPECT_EQ(stream.lag(*group), 3);
  const StreamId fourth[] = {{4, 0}};
  stream.erase(fourth);
  EXPECT_EQ(stream.lag(*group), std::nullopt);
  stream.advance(group, {3, 0});
  EXPECT_EQ(group->entries_read, StreamGroup::kUnknown);
  stream.advance(group, {5, 0});
  EXPECT_EQ(group->entries_read, 5);
  EXPECT_EQ(stream.lag(*group), 0);
}

// Bytes of a node with one thing wrong.
std::string broken_node(size_t at, char byte) {
  StreamValue stream;
  append(stream, {5, 1}, {"a", "1"});
  append(stream, {5, 2}, {"b", "2"});
  std::string bytes(stream.nodes().begin()->value.bytes());
  bytes[at] = byte;
  return bytes;
}

TEST(StreamValue, RefusesNodesThatAreNotWhatTheySay) {
  EXPECT_TRUE(StreamValue().add_node({5, 1}, broken_node(8, 0)).ok());
  struct Case {
    size_t at;
    char byte;
    const char* what;
  };
  const Case cases[] = {
      {6, 1, "too few live entries"},
      {6, 3, "too many live entries"},
      {8, 1, "deleted ones that are not"},
      {10, 2, "more fields than there are"},
      {15, 1, "no end of the fields"},
      {17, 3, "a deleted entry counted as live"},
      {17, 4, "an unknown flag"},
      {19, 0x7f, "out of order"},
      {25, 3, "the wrong number of pieces"},
  };
  for (const Case& c : cases) {
    StreamValue stream;
    EXPECT_FALSE(stream.add_node({5, 1}, broken_node(c.at, c.byte)).ok()) << c.what;
    EXPECT_EQ(stream.size(), 0u) << c.what;
  }
  StreamValue stream;
  const std::string good = broken_node(8, 0);
  ASSERT_TRUE(stream.add_node({5, 1}, good).ok());
  EXPECT_FALSE(stream.add_node({5, 1}, good).ok()) << "the same node again";
  EXPECT_FALSE(stream.add_node({5, 2}, good).ok()) << "begins inside the other one";
  EXPECT_TRUE(stream.add_node({5, 3}, good).ok());
  EXPECT_EQ(stream.size(), 4u);
}

}  // namespace
}  // namespace tandem
