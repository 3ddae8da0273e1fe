#include <algorithm>
#include <utility>
#include <vector>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/strings.h"
#include "server/store/stream_value.h"

namespace tandem {

namespace {

const StreamValue& stream_of(const Value& value) { return static_cast<const StreamValue&>(value); }

// The first version whose readers know of the time when a consumer was last active.
constexpr int kVersionWithActiveTime = 11;

uint8_t rdb_type(const Value&, int version) {
  return version >= kVersionWithActiveTime ? rdb::kStreamListpacks3 : rdb::kStreamListpacks2;
}

// What the three types of streams differ in.
bool has_counters(uint8_t type) { return type != rdb::kStreamListpacks; }
bool has_active_time(uint8_t type) { return type == rdb::kStreamListpacks3; }

void write_id(RdbEncoder& out, const StreamId& id) {
  out.length(id.ms);
  out.length(id.seq);
}

void write_raw_id(RdbEncoder& out, const StreamId& id) {
  char bytes[StreamId::kBytes];
  id.to_bytes(bytes);
  out.raw({bytes, sizeof bytes});
}

void write_time(RdbEncoder& out, int64_t ms) { out.little_endian(static_cast<uint64_t>(ms), 8); }

void write_group(RdbEncoder& out, const std::string& name, const StreamGroup& group,
                 bool active_time) {
  out.string(name);
  write_id(out, group.last_delivered);
  out.length(static_cast<uint64_t>(group.entries_read));
  out.length(group.pending().size());
  for (auto it = group.pending().begin(); !it.at_end(); ++it) {
    write_raw_id(out, it->id);
    write_time(out, it->value.delivered_ms);
    out.length(it->value.deliveries);
  }
  out.length(group.consumers().size());
  for (const auto& [consumer_name, consumer] : group.consumers()) {
    out.string(consumer_name);
    write_time(out, consumer.seen_ms);
    if (active_time) write_time(out, consumer.active_ms);
    out.length(consumer.pending().size());
    for (auto it = consumer.pending().begin(); !it.at_end(); ++it) write_raw_id(out, it->id);
  }
}

void write(RdbEncoder& out, const Value& value, int version) {
  const StreamValue& stream = stream_of(value);
  out.length(stream.nodes().size());
  for (auto it = stream.nodes().begin(); !it.at_end(); ++it) {
    char key[StreamId::kBytes];
    it->id.to_bytes(key);
    out.string({key, sizeof key});
    out.string(it->value.bytes());
  }
  out.length(stream.size());
  write_id(out, stream.last_id());
  write_id(out, stream.first_id());
  write_id(out, stream.max_deleted_id());
  out.length(stream.entries_added());
  out.length(stream.group_count());
  stream.for_each_group([&](const std::string& name, const StreamGroup& group) {
    write_group(out, name, group, version >= kVersionWithActiveTime);
  });
}

void write_group_commands(CommandWriter& out, std::string_view key, const std::string& name,
                          const StreamGroup& group) {
  out.command({"XGROUP", "CREATE", key, name, StreamIdText(group.last_delivered), "ENTRIESREAD",
               std::to_string(group.entries_read)});
  for (const auto& [consumer_name, consumer] : group.consumers()) {
    if (consumer.pending().empty()) {
      out.command({"XGROUP", "CREATECONSUMER", key, name, consumer_name});
    }
  }
  for (auto it = group.pending().begin(); !it.at_end(); ++it) {
    const StreamPending& pending = it->value;
    out.command({"XCLAIM", key, name, pending.consumer->name(), "0", StreamIdText(it->id), "TIME",
                 std::to_string(pending.delivered_ms), "RETRYCOUNT",
                 std::to_string(static_cast<int64_t>(pending.deliveries)), "JUSTID", "FORCE"});
  }
}

void write_commands(CommandWriter& out, std::string_view key, const Value& value) {
  const StreamValue& stream = stream_of(value);
  if (stream.size() == 0) {
    // An empty stream: one whose only entry is trimmed at once.
    out.command({"XADD", key, "MAXLEN", "0", "0-1", "x", "y"});
  }
  StreamReader reader(stream);
  std::vector<std::string> words;
  while (reader.next()) {
    words.clear();
    reader.for_each_field([&words](std::string_view field, std::string_view text) {
      words.emplace_back(field);
      words.emplace_back(text);
    });
    const StreamIdText id(reader.id());
    std::vector<std::string_view> command = {"XADD", key, id};
    command.insert(command.end(), words.begin(), words.end());
    out.command(command);
  }
  out.command({"XSETID", key, StreamIdText(stream.last_id()), "ENTRIESADDED",
               std::to_string(stream.entries_added()), "MAXDELETEDID",
               StreamIdText(stream.max_deleted_id())});
  stream.for_each_group([&](const std::string& name, const StreamGroup& group) {
    write_group_commands(out, key, name, group);
  });
}

// Reads one stream; the first error ends it.
class StreamDecoder {
 public:
  StreamDecoder(RdbDecoder& in, uint8_t type, std::string_view key)
      : in_(in), type_(type), key_(key), began_(in.offset()) {}

  Result<RdbValue> read() {
    if (Status status = read_nodes(); !status) return status.error();
    if (Status status = read_counters(); !status) return status.error();
    const auto groups = in_.count(kMinGroupBytes, "the number of a stream's groups");
    if (!groups) return groups.error();
    for (uint64_t i = 0; i < groups.value(); ++i) {
      if (Status status = read_group(); !status) return status.error();
    }
    return RdbValue(std::unique_ptr<Value>(std::move(stream_)));
  }

 private:
  // What each takes at least: lengths of one byte, an empty name, a listpack with its master entry.
  static constexpr size_t kMinNodeBytes = 1 + StreamId::kBytes + 1;
  static constexpr size_t kMinGroupBytes = 5;
  static constexpr size_t kMinPendingBytes = StreamId::kBytes + 8 + 1;
  static constexpr size_t kMinConsumerBytes = 1 + 8 + 1;

  Error corrupt(std::string_view what) const {
    return in_.corrupt("the stream at key " + quote(key_) + ": " + std::string(what), began_);
  }

  Status read_id(StreamId* id) {
    const auto ms = in_.length("a stream id");
    if (!ms) return ms.error();
    const auto seq = in_.length("a stream id");
    if (!seq) return seq.error();
    *id = {ms.value(), seq.value()};
    return {};
  }

  Status read_raw_id(StreamId* id) {
    char bytes[StreamId::kBytes];
    if (Status status = in_.raw(bytes, sizeof bytes, "a stream id"); !status) return status;
    *id = StreamId::from_bytes(bytes);
    return {};
  }

  Status read_time(int64_t* ms, std::string_view expected) {
    const auto value = in_.little_endian(8, expected);
    if (!value) return value.error();
    *ms = static_cast<int64_t>(value.value());
    return {};
  }

  Status read_nodes() {
    const auto nodes = in_.count(kMinNodeBytes, "the number of a stream's nodes");
    if (!nodes) return nodes.error();
    for (uint64_t i = 0; i < nodes.value(); ++i) {
      const Result<std::string_view> name = in_.text("the id of a stream's node");
      if (!name) return name.error();
      if (name.value().size() != StreamId::kBytes) {
        return corrupt("the id of a node is not 16 bytes long");
      }
      const StreamId id = StreamId::from_bytes(name.value().data());
      const Result<std::string_view> entries = in_.text("a stream's node");
      if (!entries) return entries.error();
      if (Status status = stream_->add_node(id, entries.value()); !status) {
        return corrupt(status.error().to_string());
      }
    }
    return {};
  }

  Status read_counters() {
    const auto length = in_.length("the length of a stream");
    if (!length) return length.error();
    if (length.value() != stream_->size()) return corrupt("its length is not that of its nodes");
    StreamId last, first, max_deleted;
    if (Status status = read_id(&last); !status) return status;
    if (last < stream_->last_id()) return corrupt("its last id is lower than its last entry's");
    stream_->set_last_id(last);
    stream_->set_entries_added(length.value());
    if (!has_counters(type_)) return {};
    // The rest is held to what XSETID accepts, with which a rewritten AOF sets it. The first id is
    // known from the nodes.
    if (Status status = read_id(&first); !status) return status;
    if (Status status = read_id(&max_deleted); !status) return status;
    const auto added = in_.length("the number of entries added");
    if (!added) return added.error();
    if (max_deleted > last) return corrupt("an entry beyond its last id was deleted");
    if (added.value() < length.value()) return corrupt("it has had fewer entries than it has");
    stream_->set_max_deleted_id(max_deleted);
    // Here counters stop at the limit of XSETID.
    stream_->set_entries_added(std::min(added.value(), StreamValue::kMostEntriesAdded));
    return {};
  }

  Status read_group() {
    std::string name;
    if (Status status = in_.string(&name, "the name of a group"); !status) return status;
    StreamId last;
    if (Status status = read_id(&last); !status) return status;
    // Files without this counter leave it to be found out.
    int64_t entries_read = StreamGroup::kUnknown;
    if (has_counters(type_)) {
      const auto read = in_.length("the number of entries read");
      if (!read) return read.error();
      // Elsewhere a counter at its limit goes on to a negative number.
      entries_read = std::max(static_cast<int64_t>(read.value()), StreamGroup::kUnknown);
    } else if (const auto found = stream_->added_up_to(last)) {
      entries_read = *found;
    }
    StreamGroup* group = stream_->create_group(name, last, entries_read);
    if (group == nullptr) return corrupt("the group " + quote(name) + " is there twice");
    std::vector<Delivery> deliveries;
    if (Status status = read_deliveries(&deliveries); !status) return status;
    const auto consumers = in_.count(kMinConsumerBytes, "the number of consumers");
    if (!consumers) return consumers.error();
    for (uint64_t i = 0; i < consumers.value(); ++i) {
      if (Status status = read_consumer(group); !status) return status;
    }
    if (group->pending().size() != deliveries.size()) {
      return corrupt("the consumers do not have what the group " + quote(name) + " has pending");
    }
    for (const Delivery& delivery : deliveries) {
      StreamPending* pending = group->find_pending(delivery.id);
      if (pending == nullptr) return corrupt("a pending entry has no consumer");
      pending->delivered_ms = delivery.ms;
      pending->deliveries = delivery.count;
    }
    return {};
  }

  struct Delivery {
    StreamId id;
    int64_t ms;
    uint64_t count;
  };

  Status read_deliveries(std::vector<Delivery>* deliveries) {
    const auto count = in_.count(kMinPendingBytes, "the number of pending entries");
    if (!count) return count.error();
    for (uint64_t i = 0; i < count.value(); ++i) {
      Delivery delivery;
      if (Status status = read_raw_id(&delivery.id); !status) return status;
      if (Status status = read_time(&delivery.ms, "a delivery time"); !status) return status;
      const auto times = in_.length("the number of deliveries");
      if (!times) return times.error();
      delivery.count = times.value();
      if (!deliveries->empty() && delivery.id <= deliveries->back().id) {
        return corrupt("pending entries are out of order");
      }
      deliveries->push_back(delivery);
    }
    return {};
  }

  Status read_consumer(StreamGroup* group) {
    std::string name;
    if (Status status = in_.string(&name, "the name of a consumer"); !status) return status;
    int64_t seen = 0;
    if (Status status = read_time(&seen, "the time a consumer was seen"); !status) return status;
    int64_t active = seen;
    if (has_active_time(type_)) {
      if (Status status = read_time(&active, "the time a consumer was active"); !status) {
        return status;
      }
    }
    StreamConsumer* consumer = group->create_consumer(name, seen);
    if (consumer == nullptr) return corrupt("the consumer " + quote(name) + " is there twice");
    consumer->active_ms = active;
    const auto pending = in_.count(StreamId::kBytes, "the number of a consumer's pending entries");
    if (!pending) return pending.error();
    for (uint64_t i = 0; i < pending.value(); ++i) {
      StreamId id;
      if (Status status = read_raw_id(&id); !status) return status;
      if (group->find_pending(id) != nullptr) return corrupt("an entry is pending twice");
      group->assign(id, consumer);
    }
    return {};
  }

  RdbDecoder& in_;
  const uint8_t type_;
  const std::string_view key_;
  const uint64_t began_;
  std::unique_ptr<StreamValue> stream_ = std::make_unique<StreamValue>();
};

// A stream may be empty: it remembers its last id and its groups.
Result<RdbValue> read(RdbDecoder& in, uint8_t type, std::string_view key, const EncodingLimits&) {
  return StreamDecoder(in, type, key).read();
}

}  // namespace

const ValueCodec kStreamCodec = {rdb_type, write, write_commands, read};

}  // namespace tandem
