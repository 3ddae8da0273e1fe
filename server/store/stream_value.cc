#include "server/store/stream_value.h"

#include <algorithm>
#include <utility>

namespace tandem {

namespace {

using stream_node::Header;
using Position = Listpack::Position;

size_t or_unlimited(int64_t setting, size_t unlimited) {
  return setting == 0 ? unlimited : static_cast<size_t>(setting);
}

// The id of the last entry of a node, deleted or not.
StreamId last_id_of(const Listpack& list, const StreamId& node_id, const Header& header) {
  return read_entry(list, node_id, header, stream_node::last_entry(list)).id;
}

// Marks entries from the front of a node as deleted while `take` has them; returns how many.
template <typename Take>
int64_t delete_front(Listpack* list, const StreamId& node_id, const Header& header, Take&& take) {
  int64_t count = 0;
  Position at = list->next(stream_node::master_end(*list, header));
  while (at != Listpack::kNone) {
    const stream_node::Entry entry = read_entry(*list, node_id, header, at);
    if (!take(entry)) break;
    if (!entry.deleted()) {
      stream_node::mark_deleted(list, entry);
      ++count;
    }
    at = behind(*list, entry);
  }
  stream_node::set_counts(list, header.live - count, header.deleted + count);
  return count;
}

}  // namespace

StreamLimits stream_limits(const Settings& settings) {
  return {.max_node_bytes = or_unlimited(settings.stream_node_max_bytes, Listpack::kMaxBytes),
          .max_node_entries = or_unlimited(settings.stream_node_max_entries, SIZE_MAX)};
}

size_t StreamValue::memory_usage() const {
  size_t bytes = sizeof(*this) + nodes_.memory_usage();
  // All nodes but the last have the same bounds: a few of them are a fair sample.
  constexpr size_t kSample = 16;
  size_t sampled = 0;
  size_t sampled_bytes = 0;
  for (auto it = nodes_.begin(); !it.at_end() && sampled < kSample; ++it, ++sampled) {
    sampled_bytes += it->value.memory_usage();
  }
  if (sampled > 0) bytes += sampled_bytes * nodes_.size() / sampled;
  for_each_group([&bytes](const std::string& name, const StreamGroup& group) {
    bytes += sizeof(Groups::value_type) + name.size() + group.memory_usage() - sizeof(group);
  });
  return bytes;
}

std::unique_ptr<Value> StreamValue::clone() const {
  auto copy = std::make_unique<StreamValue>();
  for (auto it = nodes_.begin(); !it.at_end(); ++it) {
    copy->nodes_.insert(it->id, it->value.clone());
  }
  copy->length_ = length_;
  copy->entries_added_ = entries_added_;
  copy->last_id_ = last_id_;
  copy->first_id_ = first_id_;
  copy->max_deleted_id_ = max_deleted_id_;
  for_each_group([&copy](const std::string& name, const StreamGroup& group) {
    copy->create_group(name, group.last_delivered, group.entries_read)->copy_members_of(group);
  });
  return copy;
}

size_t StreamValue::free_effort() const {
  size_t effort = nodes_.size() + nodes_.nodes();
  for_each_group(
      [&effort](const std::string&, const StreamGroup& group) { effort += group.free_effort(); });
  return effort;
}

StreamId StreamValue::last_entry_id() const {
  StreamReader reader(*this, {}, StreamId::max(), StreamReader::Direction::kBackward);
  return reader.next() ? reader.id() : StreamId();
}

bool StreamValue::contains(const StreamId& id) const {
  return length_ > 0 && StreamReader(*this, id, id).next();
}

size_t StreamValue::count_range(const StreamId& first, const StreamId& last, size_t limit) const {
  size_t count = 0;
  auto node = nodes_.floor(first);
  if (node.at_end()) node = nodes_.begin();
  while (!node.at_end() && node->id <= last && count < limit) {
    const Listpack& list = node->value;
    const Header header = stream_node::read_header(list);
    const bool starts_inside = node->id >= first;
    const StreamId node_id = node->id;
    ++node;
    // A node that lies in the range as a whole says itself how many entries it has.
    if (starts_inside && (node.at_end() ? last_id_ <= last : node->id <= last)) {
      count += static_cast<size_t>(header.live);
      continue;
    }
    Position at = list.next(stream_node::master_end(list, header));
    while (at != Listpack::kNone && count < limit) {
      const stream_node::Entry entry = read_entry(list, node_id, header, at);
      if (!entry.deleted() && entry.id > last) break;
      if (!entry.deleted() && entry.id >= first) ++count;
      at = behind(list, entry);
    }
  }
  return std::min(count, limit);
}

void StreamValue::append(const StreamId& id, Pairs pairs, const StreamLimits& limits) {
  assert(id > last_id_ && fits(pairs));
  auto tail = nodes_.last();
  if (!tail.at_end() && id <= tail->id) {
    // Only deleted entries are left, and XSETID has gone back behind them.
    assert(length_ == 0);
    nodes_.clear();
    tail = nodes_.end();
  }
  if (!tail.at_end()) {
    Listpack& list = tail->value;
    size_t bytes = 0;
    for (const std::string_view text : pairs) bytes += text.size();
    const Header header = stream_node::read_header(list);
    const bool full =
        list.total_bytes() + bytes >= std::min(limits.max_node_bytes, Listpack::kMaxBytes) ||
        static_cast<size_t>(header.entries()) >= limits.max_node_entries ||
        !stream_node::fits(list.total_bytes(), pairs);
    if (full) {
      list.shrink_to_fit();
      tail = nodes_.end();
    } else {
      stream_node::append(&list, header, tail->id, id, pairs, limits.max_node_bytes);
    }
  }
  if (tail.at_end()) nodes_.insert(id, stream_node::create(pairs, limits.max_node_bytes));
  if (++length_ == 1) first_id_ = id;
  if (entries_added_ < kMostEntriesAdded) ++entries_added_;
  last_id_ = id;
}

size_t StreamValue::erase(std::span<const StreamId> ids) {
  size_t erased = 0;
  bool first_erased = false;
  for (const StreamId& id : ids) {
    if (!erase_entry(id)) continue;
    ++erased;
    first_erased = first_erased || id == first_id_;
    max_deleted_id_ = std::max(max_deleted_id_, id);
  }
  if (first_erased) update_first_id();
  return erased;
}

bool StreamValue::erase_entry(const StreamId& id) {
  const auto node = nodes_.floor(id);
  if (node.at_end()) return false;
  Listpack& list = node->value;
  const Header header = stream_node::read_header(list);
  Position at = list.next(stream_node::master_end(list, header));
  while (at != Listpack::kNone) {
    const stream_node::Entry entry = read_entry(list, node->id, header, at);
    if (!entry.deleted() && entry.id >= id) {
      if (entry.id > id) return false;
      --length_;
      if (header.live == 1) {
        nodes_.erase(node);
      } else {
        stream_node::mark_deleted(&list, entry);
        stream_node::set_counts(&list, header.live - 1, header.deleted + 1);
      }
      return true;
    }
    at = behind(list, entry);
  }
  return false;
}

uint64_t StreamValue::trim(const StreamTrim& trim) {
  const bool by_length = trim.strategy == StreamTrim::Strategy::kMaxLength;
  uint64_t trimmed = 0;
  auto node = nodes_.begin();
  while (!node.at_end() && !(by_length && length_ <= trim.max_length)) {
    Listpack& list = node->value;
    const Header header = stream_node::read_header(list);
    const auto live = static_cast<uint64_t>(header.live);
    if (trim.limit != 0 && trimmed + live > trim.limit) break;
    const bool whole = by_length ? length_ - live >= trim.max_length
                                 : last_id_of(list, node->id, header) < trim.min_id;
    if (whole) {
      node = nodes_.erase(node);
      length_ -= live;
      trimmed += live;
      continue;
    }
    if (trim.approximate) break;
    uint64_t left = length_;
    const int64_t count =
        delete_front(&list, node->id, header, [&](const stream_node::Entry& entry) {
          if (by_length ? left <= trim.max_length : entry.id >= trim.min_id) return false;
          if (!entry.deleted()) --left;
          return true;
        });
    length_ = left;
    trimmed += static_cast<uint64_t>(count);
    break;
  }
  if (trimmed > 0) update_first_id();
  return trimmed;
}

void StreamValue::update_first_id() {
  StreamReader reader(*this);
  first_id_ = length_ > 0 && reader.next() ? reader.id() : StreamId();
}

Status StreamValue::add_node(const StreamId& id, std::string_view bytes) {
  auto list = Listpack::validate(bytes);
  if (!list) return list.error();
  const auto summary = stream_node::check(list.value(), id);
  if (!summary) return summary.error();
  const auto [live, first_live, last_live] = summary.value();
  if (!nodes_.empty()) {
    // XTRIM leaves a node without entries only where it stops, at the front.
    if (live == 0) return make_error(ErrorKind::kCorrupt, "stream: a node without entries");
    if (nodes_.last()->id >= id || (length_ > 0 && last_id_ >= id)) {
      return make_error(ErrorKind::kCorrupt, "stream: the nodes are out of order");
    }
  }
  if (live > 0) {
    if (length_ == 0) first_id_ = first_live;
    last_id_ = last_live;
    length_ += static_cast<uint64_t>(live);
  }
  nodes_.insert(id, std::move(list).value());
  return {};
}

StreamGroup* StreamValue::find_group(std::string_view name) {
  if (groups_ == nullptr) return nullptr;
  const auto found = groups_->find(name);
  return found != groups_->end() ? &found->second : nullptr;
}

const StreamGroup* StreamValue::find_group(std::string_view name) const {
  return const_cast<StreamValue*>(this)->find_group(name);
}

StreamGroup* StreamValue::create_group(std::string_view name, const StreamId& last_delivered,
                                       int64_t entries_read) {
  if (groups_ == nullptr) groups_ = std::make_unique<Groups>();
  const auto [at, created] = groups_->try_emplace(std::string(name), last_delivered, entries_read);
  return created ? &at->second : nullptr;
}

bool StreamValue::erase_group(std::string_view name) {
  if (groups_ == nullptr) return false;
  const auto found = groups_->find(name);
  if (found == groups_->end()) return false;
  groups_->erase(found);
  return true;
}

bool StreamValue::has_gap_from(const StreamId& id) const {
  return length_ > 0 && !max_deleted_id_.is_zero() && id <= max_deleted_id_;
}

std::optional<int64_t> StreamValue::added_up_to(const StreamId& id) const {
  const auto added = static_cast<int64_t>(entries_added_);
  if (entries_added_ == 0) return 0;
  if (length_ == 0 && id <= last_id_) return added;
  if (!id.is_zero() && id < max_deleted_id_) return std::nullopt;
  if (id == last_id_) return added;
  if (id > last_id_) return std::nullopt;
  if (max_deleted_id_.is_zero() || max_deleted_id_ < first_id_) {
    const auto before_first = static_cast<int64_t>(entries_added_ - length_);
    if (id < first_id_) return before_first;
    if (id == first_id_) return before_first + 1;
  }
  return std::nullopt;
}

std::optional<int64_t> StreamValue::lag(const StreamGroup& group) const {
  if (entries_added_ == 0) return 0;
  std::optional<int64_t> read;
  if (group.entries_read != StreamGroup::kUnknown && !has_gap_from(group.last_delivered)) {
    read = group.entries_read;
  } else {
    read = added_up_to(group.last_delivered);
  }
  if (!read) return std::nullopt;
  return static_cast<int64_t>(entries_added_) - *read;
}

void StreamValue::advance(StreamGroup* group, const StreamId& id) const {
  if (group->entries_read != StreamGroup::kUnknown && group->last_delivered >= first_id_ &&
      !has_gap_from(group->last_delivered)) {
    // Without a gap there is nothing between what was read and this entry.
    if (group->entries_read < INT64_MAX) ++group->entries_read;
  } else if (entries_added_ != 0) {
    group->entries_read = added_up_to(id).value_or(StreamGroup::kUnknown);
  }
  group->last_delivered = id;
}

StreamReader::StreamReader(const StreamValue& stream, const StreamId& first, const StreamId& last,
                           Direction direction)
    : first_(first), last_(last), backward_(direction == Direction::kBackward) {
  if (backward_) {
    node_ = stream.nodes().floor(last);
  } else {
    node_ = stream.nodes().floor(first);
    if (node_.at_end()) node_ = stream.nodes().begin();
  }
}

bool StreamReader::step_forward() {
  while (!node_.at_end()) {
    const Listpack& list = node_->value;
    Position at;
    if (!opened_) {
      header_ = stream_node::read_header(list);
      opened_ = true;
      at = list.next(stream_node::master_end(list, header_));
    } else {
      at = read_to_ != Listpack::kNone ? list.next(read_to_) : behind(list, entry_);
    }
    read_to_ = Listpack::kNone;
    for (; at != Listpack::kNone; at = behind(list, entry_)) {
      entry_ = read_entry(list, node_->id, header_, at);
      if (entry_.deleted() || entry_.id < first_) continue;
      if (entry_.id > last_) {
        node_ = {};
        return false;
      }
      return true;
    }
    ++node_;
    opened_ = false;
  }
  return false;
}

bool StreamReader::step_backward() {
  while (!node_.at_end()) {
    const Listpack& list = node_->value;
    Position at;
    if (!opened_) {
      header_ = stream_node::read_header(list);
      opened_ = true;
      at = stream_node::last_entry(list);
    } else {
      at = stream_node::entry_before(list, entry_.position);
    }
    for (; at != Listpack::kNone; at = stream_node::entry_before(list, at)) {
      entry_ = read_entry(list, node_->id, header_, at);
      if (entry_.deleted() || entry_.id > last_) continue;
      if (entry_.id < first_) {
        node_ = {};
        return false;
      }
      return true;
    }
    --node_;
    opened_ = false;
  }
  return false;
}

}  // namespace tandem
