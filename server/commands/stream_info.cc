#include <algorithm>
#include <string>

#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/stream_arguments.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

// The stream at args[2], which must be there.
const StreamValue* find_existing_stream(Call& call) {
  const auto found = find_stream(call, call.args[2]);
  if (!found) return nullptr;
  if (*found == nullptr) call.reply.error("ERR no such key");
  return *found;
}

void field(Reply& reply, std::string_view name, int64_t value) {
  reply.bulk(name);
  reply.integer(value);
}

void field(Reply& reply, std::string_view name, size_t value) {
  field(reply, name, static_cast<int64_t>(value));
}

void field(Reply& reply, std::string_view name, std::string_view value) {
  reply.bulk(name);
  reply.bulk(value);
}

void field(Reply& reply, std::string_view name, const StreamId& value) {
  reply.bulk(name);
  reply_stream_id(reply, value);
}

void optional_field(Reply& reply, std::string_view name, std::optional<int64_t> value) {
  if (value) {
    field(reply, name, *value);
    return;
  }
  reply.bulk(name);
  reply.null();
}

std::optional<int64_t> entries_read(const StreamGroup& group) {
  if (group.entries_read == StreamGroup::kUnknown) return std::nullopt;
  return group.entries_read;
}

// An entry at one end of the stream, or null.
void edge_field(Reply& reply, std::string_view name, const StreamValue& stream,
                StreamReader::Direction direction) {
  reply.bulk(name);
  StreamReader reader(stream, {}, StreamId::max(), direction);
  if (reader.next()) {
    reply_stream_entry(reply, &reader);
  } else {
    reply.null();
  }
}

void reply_delivery(Reply& reply, const StreamPending& pending) {
  reply.integer(pending.delivered_ms);
  reply.integer(static_cast<int64_t>(pending.deliveries));
}

void reply_full_consumer(Reply& reply, const StreamGroup& group, const StreamConsumer& consumer,
                         size_t count) {
  reply.map(5);
  field(reply, "name", std::string_view(consumer.name()));
  field(reply, "seen-time", consumer.seen_ms);
  field(reply, "active-time", consumer.active_ms);
  field(reply, "pel-count", consumer.pending().size());
  reply.bulk("pending");
  size_t left = std::min(count, consumer.pending().size());
  reply.array(left);
  for (auto it = consumer.pending().begin(); left > 0; ++it, --left) {
    reply.array(3);
    reply_stream_id(reply, it->id);
    reply_delivery(reply, *group.find_pending(it->id));
  }
}

void reply_full_group(Reply& reply, const StreamValue& stream, const std::string& name,
                      const StreamGroup& group, size_t count) {
  reply.map(7);
  field(reply, "name", std::string_view(name));
  field(reply, "last-delivered-id", group.last_delivered);
  optional_field(reply, "entries-read", entries_read(group));
  optional_field(reply, "lag", stream.lag(group));
  field(reply, "pel-count", group.pending().size());
  reply.bulk("pending");
  size_t left = std::min(count, group.pending().size());
  reply.array(left);
  for (auto it = group.pending().begin(); left > 0; ++it, --left) {
    reply.array(4);
    reply_stream_id(reply, it->id);
    reply.bulk(it->value.consumer->name());
    reply_delivery(reply, it->value);
  }
  reply.bulk("consumers");
  reply.array(group.consumers().size());
  for (const auto& [consumer_name, consumer] : group.consumers()) {
    reply_full_consumer(reply, group, consumer, count);
  }
}

void reply_stream_fields(Reply& reply, const StreamValue& stream) {
  const size_t nodes = stream.nodes().size();
  field(reply, "length", stream.size());
  field(reply, "radix-tree-keys", nodes);
  // Of the tree that keeps the nodes, with those that hang in it.
  field(reply, "radix-tree-nodes", nodes + stream.nodes().nodes());
  field(reply, "last-generated-id", stream.last_id());
  field(reply, "max-deleted-entry-id", stream.max_deleted_id());
  field(reply, "entries-added", static_cast<size_t>(stream.entries_added()));
  field(reply, "recorded-first-entry-id", stream.first_id());
}

void reply_full_stream(Reply& reply, const StreamValue& stream, size_t count) {
  reply.map(9);
  reply_stream_fields(reply, stream);
  reply.bulk("entries");
  reply_stream_range(reply, stream, {}, StreamId::max(), count);
  reply.bulk("groups");
  reply.array(stream.group_count());
  stream.for_each_group([&](const std::string& name, const StreamGroup& group) {
    reply_full_group(reply, stream, name, group, count);
  });
}

// FULL [COUNT count] from args[3] on; 0 is without bound. Nothing when it was refused.
std::optional<size_t> read_full_count(Call& call) {
  constexpr int64_t kDefaultCount = 10;
  const Args options = call.args.subspan(3);
  const bool with_count = options.size() == 3;
  if ((options.size() != 1 && !with_count) || !equals_ignore_case(options[0], "full") ||
      (with_count && !equals_ignore_case(options[1], "count"))) {
    reply_unknown_subcommand(call);
    return std::nullopt;
  }
  int64_t count = kDefaultCount;
  if (with_count) {
    const auto number = read_integer(call, options[2]);
    if (!number) return std::nullopt;
    if (*number >= 0) count = *number;
  }
  return count == 0 ? SIZE_MAX : static_cast<size_t>(count);
}

void xinfo_stream_command(Call& call) {
  const StreamValue* stream = find_existing_stream(call);
  if (stream == nullptr) return;
  if (call.args.size() > 3) {
    if (const auto count = read_full_count(call)) reply_full_stream(call.reply, *stream, *count);
    return;
  }
  call.reply.map(10);
  reply_stream_fields(call.reply, *stream);
  field(call.reply, "groups", stream->group_count());
  edge_field(call.reply, "first-entry", *stream, StreamReader::Direction::kForward);
  edge_field(call.reply, "last-entry", *stream, StreamReader::Direction::kBackward);
}

void xinfo_groups_command(Call& call) {
  const StreamValue* stream = find_existing_stream(call);
  if (stream == nullptr) return;
  Reply& reply = call.reply;
  reply.array(stream->group_count());
  stream->for_each_group([&](const std::string& name, const StreamGroup& group) {
    reply.map(6);
    field(reply, "name", std::string_view(name));
    field(reply, "consumers", group.consumers().size());
    field(reply, "pending", group.pending().size());
    field(reply, "last-delivered-id", group.last_delivered);
    optional_field(reply, "entries-read", entries_read(group));
    optional_field(reply, "lag", stream->lag(group));
  });
}

void xinfo_consumers_command(Call& call) {
  const StreamValue* stream = find_existing_stream(call);
  if (stream == nullptr) return;
  const StreamGroup* group = stream->find_group(call.args[3]);
  if (group == nullptr) {
    reply_no_group_of_key(call, call.args[2], call.args[3]);
    return;
  }
  Reply& reply = call.reply;
  reply.array(group->consumers().size());
  for (const auto& [name, consumer] : group->consumers()) {
    reply.map(4);
    field(reply, "name", std::string_view(name));
    field(reply, "pending", consumer.pending().size());
    field(reply, "idle", std::max<int64_t>(elapsed_ms(call.now_ms(), consumer.seen_ms), 0));
    field(reply, "inactive",
          consumer.active_ms == StreamConsumer::kNever
              ? StreamConsumer::kNever
              : elapsed_ms(call.now_ms(), consumer.active_ms));
  }
}

void xinfo_help_command(Call& call) {
  reply_help(call, {{"CONSUMERS <key> <groupname>", "Show the consumers of a group."},
                    {"GROUPS <key>", "Show the consumer groups of a stream."},
                    {"STREAM <key> [FULL [COUNT <count>]", "Show what there is to know of it."}});
}

constexpr CommandRow kRows[] = {
    {.name = "xinfo",
     .arity = -2,
     .flags = "",
     .categories = "@slow",
     .summary = "Container of the commands that look into streams.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "Depends on the subcommand"},
    {.name = "xinfo|consumers",
     .handler = xinfo_consumers_command,
     .arity = 4,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@read,@slow,@stream",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lists the consumers of a group.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xinfo|groups",
     .handler = xinfo_groups_command,
     .arity = 3,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@read,@slow,@stream",
     .key_specs = "[ACCESS+RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Lists the consumer groups of a stream.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xinfo|help",
     .handler = xinfo_help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow,@stream",
     .summary = "Describes the subcommands.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xinfo|stream",
     .handler = xinfo_stream_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@read,@slow,@stream",
     .key_specs = "[ACCESS+RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Describes a stream.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1), and O(N) with FULL, where N is the number of entries shown"},
};

}  // namespace

std::span<const CommandRow> stream_info_commands() { return kRows; }

}  // namespace tandem
