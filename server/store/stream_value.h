#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/base/result.h"
#include "server/base/settings.h"
#include "server/store/listpack.h"
#include "server/store/stream_groups.h"
#include "server/store/stream_id.h"
#include "server/store/stream_node.h"
#include "server/store/stream_tree.h"
#include "server/store/value.h"

namespace tandem {

// Up to where one node takes further entries: stream-node-max-bytes and stream-node-max-entries; 0
// is without limit.
struct StreamLimits {
  size_t max_node_bytes = 4096;
  size_t max_node_entries = 100;
};

StreamLimits stream_limits(const Settings& settings);

// What XTRIM removes from the front.
struct StreamTrim {
  enum class Strategy : uint8_t { kNone, kMaxLength, kMinId };
  Strategy strategy = Strategy::kNone;
  uint64_t max_length = 0;   // kMaxLength: so many entries stay
  StreamId min_id = {};      // kMinId: what is lower goes
  bool approximate = false;  // only whole nodes
  uint64_t limit = 0;        // no more than this many entries; 0: any number
};

// The value of a stream key: entries of fields and values in the order of their ids, and the groups
// that consume them. The entries lie in nodes, listpacks laid out as stream_node.h says, which a
// tree finds by the id of their first entry.
class StreamValue final : public Value {
 public:
  using Nodes = StreamTree<Listpack>;
  using Groups = std::map<std::string, StreamGroup, std::less<>>;
  using Pairs = std::span<const std::string_view>;  // field, value, field, value …

  StreamValue() = default;

  ValueType type() const override { return ValueType::kStream; }
  std::string_view encoding_name() const override { return "stream"; }
  size_t size() const override { return length_; }
  size_t memory_usage() const override;
  std::unique_ptr<Value> clone() const override;
  size_t free_effort() const override;

  const StreamId& last_id() const { return last_id_; }  // the highest ever added, or set by XSETID
  const StreamId& first_id() const { return first_id_; }  // of the first entry; zero when empty
  const StreamId& max_deleted_id() const { return max_deleted_id_; }  // the highest XDEL removed
  // Ever; it stops at the limit.
  static constexpr uint64_t kMostEntriesAdded = INT64_MAX;
  uint64_t entries_added() const { return entries_added_; }
  // The id of the last entry; zero when empty.
  StreamId last_entry_id() const;
  bool contains(const StreamId& id) const;
  // Entries from `first` to `last`, or `limit` if there are more.
  size_t count_range(const StreamId& first, const StreamId& last, size_t limit = SIZE_MAX) const;
  const Nodes& nodes() const { return nodes_; }

  // Whether entries of this size can be stored.
  static bool fits(Pairs pairs) { return stream_node::fits(0, pairs); }
  // Adds an entry that fits(), whose id is higher than last_id().
  void append(const StreamId& id, Pairs pairs, const StreamLimits& limits);
  // Returns how many of these there were.
  size_t erase(std::span<const StreamId> ids);
  // Returns how many entries went.
  uint64_t trim(const StreamTrim& trim);
  // For XSETID and for loading.
  void set_last_id(const StreamId& id) { last_id_ = id; }
  void set_max_deleted_id(const StreamId& id) { max_deleted_id_ = id; }
  void set_entries_added(uint64_t count) { entries_added_ = count; }

  // Adds a node from a file behind those that are there; kCorrupt when anything in it is not as it
  // should be. Sets last_id() to its last entry's; the rest of what is set above is the caller's.
  Status add_node(const StreamId& id, std::string_view bytes);

  // In the order of their names.
  size_t group_count() const { return groups_ != nullptr ? groups_->size() : 0; }
  template <typename Visit>
  void for_each_group(Visit&& visit) const {
    if (groups_ == nullptr) return;
    for (const auto& [name, group] : *groups_) visit(name, group);
  }
  StreamGroup* find_group(std::string_view name);
  const StreamGroup* find_group(std::string_view name) const;
  // Null when there is one of this name.
  StreamGroup* create_group(std::string_view name, const StreamId& last_delivered,
                            int64_t entries_read);
  bool erase_group(std::string_view name);

  // How many entries the group has yet to read; nothing when deletions have made that unknowable.
  std::optional<int64_t> lag(const StreamGroup& group) const;
  // How many entries were added up to `id`; nothing when that cannot be known.
  std::optional<int64_t> added_up_to(const StreamId& id) const;
  // The group is given the entry `id`, which is beyond what it has read: counts it.
  void advance(StreamGroup* group, const StreamId& id) const;

 private:
  // Whether an entry that XDEL removed may lie at `id` or behind it.
  bool has_gap_from(const StreamId& id) const;
  bool erase_entry(const StreamId& id);
  void update_first_id();

  Nodes nodes_;
  uint64_t length_ = 0;
  uint64_t entries_added_ = 0;
  StreamId last_id_;
  StreamId first_id_;
  StreamId max_deleted_id_;
  std::unique_ptr<Groups> groups_;  // null until there is one
};

// Goes through the entries of a range, both ends included, in either direction. The stream must not
// change meanwhile.
class StreamReader {
 public:
  enum class Direction : uint8_t { kForward, kBackward };

  explicit StreamReader(const StreamValue& stream, const StreamId& first = {},
                        const StreamId& last = StreamId::max(),
                        Direction direction = Direction::kForward);

  // To the first entry, then to the next; false behind the last one.
  bool next() { return backward_ ? step_backward() : step_forward(); }
  // Of the entry that next() has found.
  const StreamId& id() const { return entry_.id; }
  size_t field_count() const { return static_cast<size_t>(entry_.field_count); }
  // Calls visit(field, value) for each field, with views that are valid until it returns. Once for
  // an entry.
  template <typename Visit>
  void for_each_field(Visit&& visit) {
    const Listpack& list = node_->value;
    Listpack::Scratch field_scratch;
    Listpack::Scratch value_scratch;
    // The master entry's fields stand in for those that the entry leaves out.
    Listpack::Position master_field = header_.first_field;
    Listpack::Position at = entry_.data;
    for (int64_t left = entry_.field_count; left > 0; --left) {
      Listpack::Position& field = entry_.same_fields() ? master_field : at;
      const std::string_view name = list.read(field, field_scratch);
      field = list.next(field);
      visit(name, list.read(at, value_scratch));
      at = list.next(at);
    }
    read_to_ = at;
  }

 private:
  bool step_forward();
  bool step_backward();

  StreamValue::Nodes::Iterator node_;
  StreamId first_, last_;
  bool backward_;
  bool opened_ = false;  // header_ and entry_ are of node_
  stream_node::Header header_{};
  stream_node::Entry entry_{};
  // Where the entry's number of pieces is, once its fields have been read.
  Listpack::Position read_to_ = Listpack::kNone;
};

}  // namespace tandem
