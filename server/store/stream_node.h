#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "server/base/result.h"
#include "server/store/listpack.h"
#include "server/store/stream_id.h"

namespace tandem {

// How the listpack of a stream's node is laid out, as RDB files hold it. It begins with a master
// entry, whose fields are those of the first entry added; entries with the same fields leave them
// out. Ids are stored as differences from the node's own, which is its key in the stream.
//
//   live entries | deleted entries | number of fields | field … | 0
//   flags | ms - node's ms | seq - node's seq | [number of fields | field | value …] | pieces
//   flags | ms - node's ms | seq - node's seq | value … | pieces               (the same fields)
//
// `pieces` counts the listpack entries in front of it that are this entry's, for walking backwards.
// A deleted entry keeps its place and has a flag.
namespace stream_node {

inline constexpr int64_t kDeleted = 1;
inline constexpr int64_t kSameFields = 2;
inline constexpr int64_t kFlags = kDeleted | kSameFields;

struct Header {
  int64_t live;
  int64_t deleted;
  int64_t field_count;
  Listpack::Position first_field;  // the end of the master entry when there are none

  int64_t entries() const { return live + deleted; }
};

Header read_header(const Listpack& list);
// The end of the master entry, where the 0 is.
Listpack::Position master_end(const Listpack& list, const Header& header);
void set_counts(Listpack* list, int64_t live, int64_t deleted);

// The fixed part of one entry.
struct Entry {
  Listpack::Position position;  // of the flags
  Listpack::Position data;      // of the first field, or of the first value
  StreamId id;
  int64_t flags;
  int64_t field_count;

  bool deleted() const { return (flags & kDeleted) != 0; }
  bool same_fields() const { return (flags & kSameFields) != 0; }
};

Entry read_entry(const Listpack& list, const StreamId& node_id, const Header& header,
                 Listpack::Position position);
// Where the next entry begins; Listpack::kNone behind the last one.
Listpack::Position behind(const Listpack& list, const Entry& entry);
// Where the last entry begins; Listpack::kNone when there are none.
Listpack::Position last_entry(const Listpack& list);
// The one in front of the one at `position`; Listpack::kNone for the first.
Listpack::Position entry_before(const Listpack& list, Listpack::Position position);

void mark_deleted(Listpack* list, const Entry& entry);

// A new node with its first entry. `pairs` is field, value, field, value …
Listpack create(std::span<const std::string_view> pairs, size_t max_bytes);
// Adds an entry that is not the node's first.
void append(Listpack* list, const Header& header, const StreamId& node_id, const StreamId& id,
            std::span<const std::string_view> pairs, size_t max_bytes);
// Whether a listpack of `bytes` can take `pairs` at all.
bool fits(size_t bytes, std::span<const std::string_view> pairs);

// What check() found out about a node.
struct Summary {
  int64_t live = 0;
  StreamId first_live, last_live;  // meaningful when there are live entries
};

// Walks a listpack from outside, which has passed Listpack::check(), and refuses (kCorrupt)
// whatever the functions above could stumble over: pieces missing, counts that are not true, live
// entries that are not in ascending order from `node_id` on.
Result<Summary> check(const Listpack& list, const StreamId& node_id);

}  // namespace stream_node

}  // namespace tandem
