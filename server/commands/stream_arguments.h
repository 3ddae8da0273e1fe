#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "server/exec/call.h"
#include "server/resp/reply.h"
#include "server/store/stream_value.h"

namespace tandem {

// What the families of stream commands share. Each reader that can refuse writes the error reply
// itself; its caller only returns.

// An id as it is written: "ms-seq", or "ms" alone.
struct ParsedStreamId {
  StreamId id;
  bool any_seq = false;  // "ms-*"
};

// Nothing when the text is no id. `missing_seq` stands in for a sequence number that is left out;
// "ms-*" is one only with `allow_any_seq`. "-" and "+" are none here.
std::optional<ParsedStreamId> parse_stream_id(std::string_view text, uint64_t missing_seq = 0,
                                              bool allow_any_seq = false);

// "ERR Invalid stream ID specified as stream command argument" unless `text` is one.
std::optional<StreamId> read_stream_id(Call& call, std::string_view text);
// Each of `texts`.
std::optional<std::vector<StreamId>> read_stream_ids(Call& call, Args texts);
// As read_stream_id(), but "-" and "+" are the lowest and the highest id.
std::optional<StreamId> read_stream_id_or_edge(Call& call, std::string_view text,
                                               uint64_t missing_seq = 0);
// The ends of an interval as XRANGE takes them: both may leave out the sequence number, be "-" or
// "+", and be exclusive with "(" in front.
std::optional<StreamId> read_interval_start(Call& call, std::string_view text);
std::optional<StreamId> read_interval_end(Call& call, std::string_view text);

// The stream of a key, null for a missing one. Empty when the key is of another type: WRONGTYPE has
// been replied.
std::optional<const StreamValue*> find_stream(Call& call, std::string_view key);
// As find_stream(), for changing it.
std::optional<StreamValue*> find_stream_for_write(Call& call, std::string_view key);
StreamValue* create_stream(Call& call, std::string_view key);

// "NOGROUP No such key … or consumer group …".
void reply_no_group(Call& call, std::string_view key, std::string_view group);

// "NOGROUP No such consumer group … for key name …".
void reply_no_group_of_key(Call& call, std::string_view key, std::string_view group);

// now - then, which may have been set to anything and wraps around.
inline int64_t elapsed_ms(int64_t now_ms, int64_t then_ms) {
  return static_cast<int64_t>(static_cast<uint64_t>(now_ms) - static_cast<uint64_t>(then_ms));
}

// Finds a consumer of a group or creates it, and notes that it was seen; *created says which.
StreamConsumer* see_consumer(Call& call, std::string_view key, StreamGroup* group,
                             std::string_view name, bool* created);
// The effect that creates a consumer.
void emit_consumer_creation(Call& call, std::string_view key, std::string_view group,
                            std::string_view consumer);
// The effect that sets how far a group has read.
void emit_group_position(Call& call, std::string_view key, std::string_view group_name,
                         const StreamGroup& group);
// The effect that makes an entry pending as it is pending now.
void emit_claim(Call& call, std::string_view key, std::string_view group_name,
                const StreamGroup& group, const StreamId& id, const StreamPending& pending);

void reply_stream_id(Reply& reply, const StreamId& id);
// The entry that the reader is at: [id, [field, value, …]].
void reply_stream_entry(Reply& reply, StreamReader* reader);
// The array of the entries in a range, no more than `count`.
void reply_stream_range(Reply& reply, const StreamValue& stream, const StreamId& first,
                        const StreamId& last, size_t count,
                        StreamReader::Direction direction = StreamReader::Direction::kForward);

}  // namespace tandem
