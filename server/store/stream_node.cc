#include "server/store/stream_node.h"

#include <algorithm>
#include <string>

namespace tandem::stream_node {

namespace {

using Position = Listpack::Position;

// What an entry has beside its fields and values: flags, the two halves of the id, the number of
// fields and that of the pieces.
constexpr size_t kFixedPieces = 5;

int64_t integer_at(const Listpack& list, Position position) { return list.get(position).integer(); }

// The difference between two halves of ids, as the format has it: it may wrap around.
int64_t difference(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b); }

// Bytes that an entry takes at most.
size_t room_for(std::span<const std::string_view> pairs, bool same_fields) {
  size_t room = kFixedPieces * Listpack::kMaxEntryOverhead;
  for (size_t i = same_fields ? 1 : 0; i < pairs.size(); i += same_fields ? 2 : 1) {
    room += Listpack::Item::span_bound(pairs[i]);
  }
  return room;
}

// Grows by doubling up to what a node may take, then as needed.
void make_room(Listpack* list, size_t room, size_t max_bytes) {
  const size_t needed = list->total_bytes() + room;
  if (needed <= list->memory_usage()) return;
  list->reserve(std::max(needed, std::min(2 * list->memory_usage(), max_bytes)));
}

void add_entry(Listpack::Appender* out, int64_t flags, int64_t ms, int64_t seq,
               std::span<const std::string_view> pairs) {
  const auto fields = static_cast<int64_t>(pairs.size() / 2);
  int64_t pieces = 3 + fields;
  out->add(flags);
  out->add(ms);
  out->add(seq);
  if ((flags & kSameFields) != 0) {
    for (size_t i = 1; i < pairs.size(); i += 2) out->add(pairs[i]);
  } else {
    pieces += fields + 1;
    out->add(fields);
    for (const std::string_view text : pairs) out->add(text);
  }
  out->add(pieces);
}

bool has_fields(const Listpack& list, const Header& header,
                std::span<const std::string_view> pairs) {
  if (static_cast<size_t>(header.field_count) != pairs.size() / 2) return false;
  Position at = header.first_field;
  for (size_t i = 0; i < pairs.size(); i += 2, at = list.next(at)) {
    if (!list.equals(at, pairs[i])) return false;
  }
  return true;
}

Error corrupt(std::string message) {
  return make_error(ErrorKind::kCorrupt, "stream node: " + std::move(message));
}

// Steps through a listpack that may end anywhere.
class Walk {
 public:
  explicit Walk(const Listpack& list) : list_(list), at_(list.first()) {}

  bool at_end() const { return at_ == Listpack::kNone; }
  // Whether there was one more piece.
  bool skip() {
    if (at_end()) return false;
    at_ = list_.next(at_);
    return true;
  }
  bool skip(int64_t count) {
    while (count-- > 0) {
      if (!skip()) return false;
    }
    return true;
  }
  // Whether the next piece is stored as an integer.
  bool integer(int64_t* out) {
    if (at_end()) return false;
    const Listpack::Entry entry = list_.get(at_);
    if (!entry.is_integer()) return false;
    *out = entry.integer();
    return skip();
  }

 private:
  const Listpack& list_;
  Position at_;
};

struct CheckedEntry {
  StreamId id;
  bool deleted = false;
};

// Whether a whole entry is there.
bool check_entry(Walk* walk, const StreamId& node_id, int64_t master_fields, CheckedEntry* entry) {
  int64_t flags = 0, ms = 0, seq = 0;
  if (!walk->integer(&flags) || (flags & ~kFlags) != 0) return false;
  if (!walk->integer(&ms) || !walk->integer(&seq)) return false;
  entry->id = {node_id.ms + static_cast<uint64_t>(ms), node_id.seq + static_cast<uint64_t>(seq)};
  entry->deleted = (flags & kDeleted) != 0;
  int64_t fields = master_fields;
  int64_t pieces_expected = 3 + fields;
  if ((flags & kSameFields) != 0) {
    if (!walk->skip(fields)) return false;
  } else {
    if (!walk->integer(&fields) || fields < 0 || fields > INT32_MAX) return false;
    if (!walk->skip(2 * fields)) return false;
    pieces_expected = 4 + 2 * fields;
  }
  int64_t pieces = 0;
  return walk->integer(&pieces) && pieces == pieces_expected;
}

}  // namespace

Header read_header(const Listpack& list) {
  Header header;
  Position at = list.first();
  header.live = integer_at(list, at);
  at = list.next(at);
  header.deleted = integer_at(list, at);
  at = list.next(at);
  header.field_count = integer_at(list, at);
  header.first_field = list.next(at);
  return header;
}

Position master_end(const Listpack& list, const Header& header) {
  Position at = header.first_field;
  for (int64_t i = 0; i < header.field_count; ++i) at = list.next(at);
  return at;
}

void set_counts(Listpack* list, int64_t live, int64_t deleted) {
  const Position at = list->replace(list->first(), live);
  list->replace(list->next(at), deleted);
}

Entry read_entry(const Listpack& list, const StreamId& node_id, const Header& header,
                 Position position) {
  Entry entry;
  entry.position = position;
  entry.flags = integer_at(list, position);
  Position at = list.next(position);
  entry.id.ms = node_id.ms + static_cast<uint64_t>(integer_at(list, at));
  at = list.next(at);
  entry.id.seq = node_id.seq + static_cast<uint64_t>(integer_at(list, at));
  at = list.next(at);
  entry.field_count = header.field_count;
  if (!entry.same_fields()) {
    entry.field_count = integer_at(list, at);
    at = list.next(at);
  }
  entry.data = at;
  return entry;
}

Position behind(const Listpack& list, const Entry& entry) {
  Position at = entry.data;
  int64_t pieces = entry.same_fields() ? entry.field_count : 2 * entry.field_count;
  while (pieces-- > 0) at = list.next(at);
  return list.next(at);
}

namespace {

// The entry whose number of pieces is at `pieces_at`; that of the master entry is 0.
Position entry_ending_at(const Listpack& list, Position pieces_at) {
  int64_t pieces = integer_at(list, pieces_at);
  if (pieces == 0) return Listpack::kNone;
  while (pieces-- > 0) pieces_at = list.previous(pieces_at);
  return pieces_at;
}

}  // namespace

Position last_entry(const Listpack& list) { return entry_ending_at(list, list.last()); }

Position entry_before(const Listpack& list, Position position) {
  return entry_ending_at(list, list.previous(position));
}

void mark_deleted(Listpack* list, const Entry& entry) {
  list->replace(entry.position, entry.flags | kDeleted);
}

Listpack create(std::span<const std::string_view> pairs, size_t max_bytes) {
  const size_t room = room_for(pairs, false) + kFixedPieces * Listpack::kMaxEntryOverhead;
  Listpack list;
  make_room(&list, room, max_bytes);
  Listpack::Appender out(&list, room);
  out.add(int64_t{1});
  out.add(int64_t{0});
  out.add(static_cast<int64_t>(pairs.size() / 2));
  for (size_t i = 0; i < pairs.size(); i += 2) out.add(pairs[i]);
  out.add(int64_t{0});
  add_entry(&out, kSameFields, 0, 0, pairs);
  out.finish();
  return list;
}

void append(Listpack* list, const Header& header, const StreamId& node_id, const StreamId& id,
            std::span<const std::string_view> pairs, size_t max_bytes) {
  const bool same_fields = has_fields(*list, header, pairs);
  list->replace(list->first(), header.live + 1);
  const size_t room = room_for(pairs, same_fields);
  make_room(list, room, max_bytes);
  Listpack::Appender out(list, room);
  add_entry(&out, same_fields ? kSameFields : 0, difference(id.ms, node_id.ms),
            difference(id.seq, node_id.seq), pairs);
  out.finish();
}

bool fits(size_t bytes, std::span<const std::string_view> pairs) {
  return bytes + room_for(pairs, false) + kFixedPieces * Listpack::kMaxEntryOverhead <=
         Listpack::kMaxBytes;
}

Result<Summary> check(const Listpack& list, const StreamId& node_id) {
  Walk walk(list);
  Header header{};
  int64_t end = 0;
  if (!walk.integer(&header.live) || !walk.integer(&header.deleted) ||
      !walk.integer(&header.field_count) || header.live < 0 || header.deleted < 0 ||
      header.field_count < 0 || header.field_count > INT32_MAX || !walk.skip(header.field_count) ||
      !walk.integer(&end) || end != 0) {
    return corrupt("malformed master entry");
  }
  if (walk.at_end()) return corrupt("no entries");
  Summary summary;
  int64_t deleted = 0;
  while (!walk.at_end()) {
    CheckedEntry entry;
    if (!check_entry(&walk, node_id, header.field_count, &entry)) {
      return corrupt("malformed entry " + std::to_string(summary.live + deleted));
    }
    if (entry.deleted) {
      ++deleted;
      continue;
    }
    if (entry.id < node_id || (summary.live > 0 && entry.id <= summary.last_live)) {
      return corrupt("entry " + std::to_string(summary.live + deleted) + " is out of order");
    }
    if (summary.live++ == 0) summary.first_live = entry.id;
    summary.last_live = entry.id;
  }
  if (summary.live != header.live || deleted != header.deleted) {
    return corrupt("the master entry counts " + std::to_string(header.live) + " entries and " +
                   std::to_string(header.deleted) + " deleted ones, there are " +
                   std::to_string(summary.live) + " and " + std::to_string(deleted));
  }
  return summary;
}

}  // namespace tandem::stream_node
