#include "server/commands/stream_arguments.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "server/base/numbers.h"
#include "server/commands/arguments.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

constexpr size_t kMaxIdText = 127;

void reply_invalid_id(Call& call) {
  call.reply.error("ERR Invalid stream ID specified as stream command argument");
}

// One half of an id. Besides decimal numbers everything is accepted that strtoull() reads to the
// end: leading spaces, signs and zeros.
std::optional<uint64_t> parse_half(const char* text) {
  if (const auto number = parse_int64(text)) {
    if (*number < 0) return std::nullopt;
    return static_cast<uint64_t>(*number);
  }
  if (*text == '\0') return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const uint64_t number = std::strtoull(text, &end, 10);
  if (errno != 0 || *end != '\0') return std::nullopt;
  return number;
}

// A text with "(" in front; "(" alone is none.
bool is_exclusive(std::string_view text) { return text.size() > 1 && text[0] == '('; }

}  // namespace

std::optional<ParsedStreamId> parse_stream_id(std::string_view text, uint64_t missing_seq,
                                              bool allow_any_seq) {
  if (text.size() > kMaxIdText || text == "-" || text == "+") return std::nullopt;
  char buffer[kMaxIdText + 1];
  buffer[text.copy(buffer, text.size())] = '\0';
  char* dash = std::strchr(buffer, '-');
  if (dash != nullptr) *dash = '\0';
  const auto ms = parse_half(buffer);
  if (!ms) return std::nullopt;
  if (dash == nullptr) return ParsedStreamId{{*ms, missing_seq}};
  if (allow_any_seq && std::strcmp(dash + 1, "*") == 0) return ParsedStreamId{{*ms, 0}, true};
  const auto seq = parse_half(dash + 1);
  if (!seq) return std::nullopt;
  return ParsedStreamId{{*ms, *seq}};
}

std::optional<StreamId> read_stream_id(Call& call, std::string_view text) {
  const auto parsed = parse_stream_id(text);
  if (parsed) return parsed->id;
  reply_invalid_id(call);
  return std::nullopt;
}

std::optional<std::vector<StreamId>> read_stream_ids(Call& call, Args texts) {
  std::vector<StreamId> ids;
  ids.reserve(texts.size());
  for (const std::string_view text : texts) {
    const auto id = read_stream_id(call, text);
    if (!id) return std::nullopt;
    ids.push_back(*id);
  }
  return ids;
}

std::optional<StreamId> read_stream_id_or_edge(Call& call, std::string_view text,
                                               uint64_t missing_seq) {
  if (text == "-") return StreamId();
  if (text == "+") return StreamId::max();
  const auto parsed = parse_stream_id(text, missing_seq);
  if (parsed) return parsed->id;
  reply_invalid_id(call);
  return std::nullopt;
}

std::optional<StreamId> read_interval_start(Call& call, std::string_view text) {
  if (!is_exclusive(text)) return read_stream_id_or_edge(call, text);
  auto id = read_stream_id(call, text.substr(1));
  if (id && !id->increment()) {
    call.reply.error("ERR invalid start ID for the interval");
    return std::nullopt;
  }
  return id;
}

std::optional<StreamId> read_interval_end(Call& call, std::string_view text) {
  if (!is_exclusive(text)) return read_stream_id_or_edge(call, text, UINT64_MAX);
  const auto parsed = parse_stream_id(text.substr(1), UINT64_MAX);
  if (!parsed) {
    reply_invalid_id(call);
    return std::nullopt;
  }
  StreamId id = parsed->id;
  if (!id.decrement()) {
    call.reply.error("ERR invalid end ID for the interval");
    return std::nullopt;
  }
  return id;
}

std::optional<const StreamValue*> find_stream(Call& call, std::string_view key) {
  const Entry* entry = call.db().find(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kStream)) return std::nullopt;
  return static_cast<const StreamValue*>(entry->value());
}

std::optional<StreamValue*> find_stream_for_write(Call& call, std::string_view key) {
  Entry* entry = call.db().find_for_write(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kStream)) return std::nullopt;
  return static_cast<StreamValue*>(entry->value());
}

StreamValue* create_stream(Call& call, std::string_view key) {
  Entry* entry = call.db().set_value(key, std::make_unique<StreamValue>());
  return static_cast<StreamValue*>(entry->value());
}

void reply_no_group(Call& call, std::string_view key, std::string_view group) {
  call.reply.error("NOGROUP No such key '" + std::string(key) + "' or consumer group '" +
                   std::string(group) + "'");
}

void reply_no_group_of_key(Call& call, std::string_view key, std::string_view group) {
  call.reply.error("NOGROUP No such consumer group '" + std::string(group) + "' for key name '" +
                   std::string(key) + "'");
}

StreamConsumer* see_consumer(Call& call, std::string_view key, StreamGroup* group,
                             std::string_view name, bool* created) {
  StreamConsumer* consumer = group->find_consumer(name);
  *created = consumer == nullptr;
  if (*created) {
    consumer = group->create_consumer(name, call.now_ms());
    call.changed();
    call.notify(kEventStream, "xgroup-createconsumer", key);
  }
  consumer->seen_ms = call.now_ms();
  return consumer;
}

void emit_consumer_creation(Call& call, std::string_view key, std::string_view group,
                            std::string_view consumer) {
  call.emit({"XGROUP", "CREATECONSUMER", key, group, consumer});
}

void emit_group_position(Call& call, std::string_view key, std::string_view group_name,
                         const StreamGroup& group) {
  const StreamIdText last(group.last_delivered);
  char digits[kMaxInt64Digits];
  call.emit({"XGROUP", "SETID", key, group_name, last, "ENTRIESREAD",
             format_int64(group.entries_read, std::span(digits))});
}

void emit_claim(Call& call, std::string_view key, std::string_view group_name,
                const StreamGroup& group, const StreamId& id, const StreamPending& pending) {
  const StreamIdText id_text(id);
  const StreamIdText last(group.last_delivered);
  char time[kMaxInt64Digits];
  char count[kMaxInt64Digits];
  call.emit({"XCLAIM", key, group_name, pending.consumer->name(), "0", id_text, "TIME",
             format_int64(pending.delivered_ms, std::span(time)), "RETRYCOUNT",
             format_int64(static_cast<int64_t>(pending.deliveries), std::span(count)), "FORCE",
             "JUSTID", "LASTID", last});
}

void reply_stream_id(Reply& reply, const StreamId& id) { reply.bulk(StreamIdText(id)); }

void reply_stream_entry(Reply& reply, StreamReader* reader) {
  reply.array(2);
  reply_stream_id(reply, reader->id());
  reply.array(2 * reader->field_count());
  reader->for_each_field([&reply](std::string_view field, std::string_view value) {
    reply.bulk(field);
    reply.bulk(value);
  });
}

void reply_stream_range(Reply& reply, const StreamValue& stream, const StreamId& first,
                        const StreamId& last, size_t count, StreamReader::Direction direction) {
  size_t left = stream.count_range(first, last, count);
  reply.array(left);
  StreamReader reader(stream, first, last, direction);
  while (left-- > 0 && reader.next()) reply_stream_entry(reply, &reader);
}

}  // namespace tandem
