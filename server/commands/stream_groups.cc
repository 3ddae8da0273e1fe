#include <algorithm>
#include <string>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/stream_arguments.h"
#include "server/exec/blocked_clients.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

// XGROUP

struct GroupOptions {
  bool mkstream = false;
  int64_t entries_read = StreamGroup::kUnknown;
};

// The options of CREATE and SETID, from args[5] on.
bool read_group_options(Call& call, bool of_create, GroupOptions* options) {
  for (size_t i = 5; i < call.args.size(); ++i) {
    if (of_create && equals_ignore_case(call.args[i], "mkstream")) {
      options->mkstream = true;
    } else if (equals_ignore_case(call.args[i], "entriesread") && i + 1 < call.args.size()) {
      const auto read = read_integer(call, call.args[++i]);
      if (!read) return false;
      if (*read < StreamGroup::kUnknown) {
        call.reply.error("ERR value for ENTRIESREAD must be positive or -1");
        return false;
      }
      options->entries_read = *read;
    } else {
      reply_unknown_subcommand(call);
      return false;
    }
  }
  return true;
}

// The stream at args[2], which must be there.
StreamValue* find_stream_of_group(Call& call) {
  const auto found = find_stream_for_write(call, call.args[2]);
  if (!found) return nullptr;
  if (*found == nullptr) {
    call.reply.error(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
        "use the MKSTREAM option to create an empty stream automatically.");
  }
  return *found;
}

// Its group args[3], which must be there.
StreamGroup* find_existing_group(Call& call, StreamValue* stream) {
  StreamGroup* group = stream->find_group(call.args[3]);
  if (group == nullptr) reply_no_group_of_key(call, call.args[2], call.args[3]);
  return group;
}

void xgroup_create_command(Call& call) {
  GroupOptions options;
  if (!read_group_options(call, true, &options)) return;
  const std::string_view key = call.args[2];
  StreamValue* stream = nullptr;
  if (options.mkstream) {
    const auto found = find_stream_for_write(call, key);
    if (!found) return;
    stream = *found;
  } else {
    stream = find_stream_of_group(call);
    if (stream == nullptr) return;
  }
  constexpr size_t kMostArgs = 8;
  if (call.args.size() > kMostArgs) {
    reply_unknown_subcommand(call);
    return;
  }
  StreamId id;
  if (call.args[4] == "$") {
    if (stream != nullptr) id = stream->last_id();
  } else {
    const auto parsed = read_stream_id(call, call.args[4]);
    if (!parsed) return;
    id = *parsed;
  }
  if (stream == nullptr) stream = create_stream(call, key);
  if (stream->create_group(call.args[3], id, options.entries_read) == nullptr) {
    call.reply.error("BUSYGROUP Consumer Group name already exists");
    return;
  }
  call.changed();
  call.notify(kEventStream, "xgroup-create", key);
  call.reply.ok();
}

void xgroup_setid_command(Call& call) {
  GroupOptions options;
  if (!read_group_options(call, false, &options)) return;
  StreamValue* stream = find_stream_of_group(call);
  if (stream == nullptr) return;
  StreamGroup* group = find_existing_group(call, stream);
  if (group == nullptr) return;
  if (call.args.size() != 5 && call.args.size() != 7) {
    reply_unknown_subcommand(call);
    return;
  }
  StreamId id = stream->last_id();
  if (call.args[4] != "$") {
    const auto parsed = read_stream_id_or_edge(call, call.args[4]);
    if (!parsed) return;
    id = *parsed;
  }
  group->last_delivered = id;
  group->entries_read = options.entries_read;
  call.changed();
  call.notify(kEventStream, "xgroup-setid", call.args[2]);
  call.reply.ok();
}

void xgroup_destroy_command(Call& call) {
  StreamValue* stream = find_stream_of_group(call);
  if (stream == nullptr) return;
  const bool erased = stream->erase_group(call.args[3]);
  if (erased) {
    call.changed();
    // Readers that wait for the group are to learn that it is gone. The stream itself is as it was,
    // for WATCH.
    call.executor.blocked().key_modified(call.client.db, call.args[2]);
    call.notify(kEventStream, "xgroup-destroy", call.args[2]);
  }
  call.reply.integer(erased ? 1 : 0);
}

void xgroup_createconsumer_command(Call& call) {
  StreamValue* stream = find_stream_of_group(call);
  if (stream == nullptr) return;
  StreamGroup* group = find_existing_group(call, stream);
  if (group == nullptr) return;
  const bool created = group->create_consumer(call.args[4], call.now_ms()) != nullptr;
  if (created) {
    call.changed();
    call.notify(kEventStream, "xgroup-createconsumer", call.args[2]);
  }
  call.reply.integer(created ? 1 : 0);
}

void xgroup_delconsumer_command(Call& call) {
  StreamValue* stream = find_stream_of_group(call);
  if (stream == nullptr) return;
  StreamGroup* group = find_existing_group(call, stream);
  if (group == nullptr) return;
  size_t pending = 0;
  if (StreamConsumer* consumer = group->find_consumer(call.args[4])) {
    pending = group->erase_consumer(consumer);
    call.changed();
    call.notify(kEventStream, "xgroup-delconsumer", call.args[2]);
  }
  call.reply.integer(static_cast<int64_t>(pending));
}

void xgroup_help_command(Call& call) {
  reply_help(call, {{"CREATE <key> <groupname> <id|$> [option]",
                     "Make a group that has read up to the id, $ being the end. Options are:\n"
                     "* MKSTREAM\n  Make an empty stream if there is none.\n"
                     "* ENTRIESREAD entries_read\n  How many entries it has read (internal use)."},
                    {"CREATECONSUMER <key> <groupname> <consumer>", "Add a consumer to a group."},
                    {"DELCONSUMER <key> <groupname> <consumer>",
                     "Remove a consumer with all it has pending."},
                    {"DESTROY <key> <groupname>", "Remove a group."},
                    {"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
                     "Set how far a group has read."}});
}

// XACK and XPENDING

void xack_command(Call& call) {
  const auto stream = find_stream_for_write(call, call.args[1]);
  if (!stream) return;
  StreamGroup* group = *stream != nullptr ? (*stream)->find_group(call.args[2]) : nullptr;
  if (group == nullptr) {
    call.reply.integer(0);
    return;
  }
  const auto ids = read_stream_ids(call, call.args.subspan(3));
  if (!ids) return;
  const auto acknowledged = std::count_if(ids->begin(), ids->end(),
                                          [&](const auto& id) { return group->acknowledge(id); });
  if (acknowledged > 0) call.changed(static_cast<uint64_t>(acknowledged));
  call.reply.integer(acknowledged);
}

void reply_pending_summary(Reply& reply, const StreamGroup& group) {
  reply.array(4);
  reply.integer(static_cast<int64_t>(group.pending().size()));
  if (group.pending().empty()) {
    reply.null();
    reply.null();
    reply.null_array();
    return;
  }
  reply_stream_id(reply, group.pending().begin()->id);
  reply_stream_id(reply, group.pending().last()->id);
  const auto has_pending = [](const auto& entry) { return !entry.second.pending().empty(); };
  const auto& consumers = group.consumers();
  reply.array(static_cast<size_t>(std::count_if(consumers.begin(), consumers.end(), has_pending)));
  for (const auto& entry : consumers) {
    if (!has_pending(entry)) continue;
    reply.array(2);
    reply.bulk(entry.first);
    reply.bulk(std::to_string(entry.second.pending().size()));
  }
}

// The arguments of XPENDING behind the group.
struct PendingQuery {
  int64_t min_idle_ms = 0;
  StreamId first, last;
  size_t count = 0;
  std::optional<std::string_view> consumer;
};

bool read_pending_query(Call& call, PendingQuery* query) {
  const Args args = call.args;
  if (args.size() < 6 || args.size() > 9) {
    call.syntax_error();
    return false;
  }
  size_t at = 3;
  if (equals_ignore_case(args[at], "idle")) {
    const auto idle = read_integer(call, args[at + 1]);
    if (!idle) return false;
    if (args.size() < 8) {
      call.syntax_error();
      return false;
    }
    query->min_idle_ms = *idle;
    at += 2;
  }
  const auto count = read_integer(call, args[at + 2]);
  if (!count) return false;
  const auto first = read_interval_start(call, args[at]);
  if (!first) return false;
  const auto last = read_interval_end(call, args[at + 1]);
  if (!last) return false;
  query->first = *first;
  query->last = *last;
  query->count = static_cast<size_t>(std::max<int64_t>(*count, 0));
  if (at + 3 < args.size()) query->consumer = args[at + 3];
  return true;
}

struct PendingRow {
  StreamId id;
  const StreamPending* pending;
};

// Goes through the pending entries of a group, or of one consumer of it.
std::vector<PendingRow> select_pending(const StreamGroup& group, const StreamConsumer* consumer,
                                       const PendingQuery& query, int64_t now_ms) {
  std::vector<PendingRow> rows;
  const auto add = [&](const StreamId& id, const StreamPending& pending) {
    if (query.min_idle_ms != 0 && elapsed_ms(now_ms, pending.delivered_ms) < query.min_idle_ms)
      return;
    rows.push_back({id, &pending});
  };
  const auto walk = [&](const auto& tree, const auto& visit) {
    for (auto it = tree.lower_bound(query.first);
         !it.at_end() && it->id <= query.last && rows.size() < query.count; ++it) {
      visit(*it);
    }
  };
  if (consumer != nullptr) {
    walk(consumer->pending(),
         [&](const auto& item) { add(item.id, *group.find_pending(item.id)); });
  } else {
    walk(group.pending(), [&](const auto& item) { add(item.id, item.value); });
  }
  return rows;
}

void xpending_command(Call& call) {
  PendingQuery query;
  const bool summary = call.args.size() == 3;
  if (!summary && !read_pending_query(call, &query)) return;
  const auto stream = find_stream(call, call.args[1]);
  if (!stream) return;
  const StreamGroup* group = *stream != nullptr ? (*stream)->find_group(call.args[2]) : nullptr;
  if (group == nullptr) {
    reply_no_group(call, call.args[1], call.args[2]);
    return;
  }
  if (summary) {
    reply_pending_summary(call.reply, *group);
    return;
  }
  const StreamConsumer* consumer = nullptr;
  if (query.consumer) {
    consumer = group->find_consumer(*query.consumer);
    if (consumer == nullptr) {
      call.reply.array(0);
      return;
    }
  }
  const auto rows = select_pending(*group, consumer, query, call.now_ms());
  call.reply.array(rows.size());
  for (const auto& [id, pending] : rows) {
    call.reply.array(4);
    reply_stream_id(call.reply, id);
    call.reply.bulk(pending->consumer->name());
    call.reply.integer(std::max<int64_t>(elapsed_ms(call.now_ms(), pending->delivered_ms), 0));
    call.reply.integer(static_cast<int64_t>(pending->deliveries));
  }
}

constexpr CommandRow kRows[] = {
    {.name = "xack",
     .handler = xack_command,
     .arity = -4,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@stream,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Acknowledges entries that a consumer group was given.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N) for each id"},
    {.name = "xgroup",
     .arity = -2,
     .flags = "",
     .categories = "@slow",
     .summary = "Container of the commands that manage consumer groups.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "Depends on the subcommand"},
    {.name = "xgroup|create",
     .handler = xgroup_create_command,
     .arity = -5,
     .flags = "denyoom,write",
     .keys = "2,2,1",
     .categories = "@slow,@stream,@write",
     .key_specs = "[INSERT+RW index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Creates a consumer group.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xgroup|createconsumer",
     .handler = xgroup_createconsumer_command,
     .arity = 5,
     .flags = "denyoom,write",
     .keys = "2,2,1",
     .categories = "@slow,@stream,@write",
     .key_specs = "[INSERT+RW index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Creates a consumer in a group.",
     .since = "6.2.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xgroup|delconsumer",
     .handler = xgroup_delconsumer_command,
     .arity = 5,
     .flags = "write",
     .keys = "2,2,1",
     .categories = "@slow,@stream,@write",
     .key_specs = "[DELETE+RW index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Deletes a consumer with all it has pending.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(N), where N is the number of its pending entries"},
    {.name = "xgroup|destroy",
     .handler = xgroup_destroy_command,
     .arity = 4,
     .flags = "write",
     .keys = "2,2,1",
     .categories = "@slow,@stream,@write",
     .key_specs = "[DELETE+RW index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Deletes a consumer group.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(N), where N is the number of its pending entries"},
    {.name = "xgroup|help",
     .handler = xgroup_help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow,@stream",
     .summary = "Describes the subcommands.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xgroup|setid",
     .handler = xgroup_setid_command,
     .arity = -5,
     .flags = "write",
     .keys = "2,2,1",
     .categories = "@slow,@stream,@write",
     .key_specs = "[RW+UPDATE index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets how far a consumer group has read.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xpending",
     .handler = xpending_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@stream",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Shows which entries of a group are not acknowledged.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N + M), where M is the number of pending entries looked at"},
};

}  // namespace

std::span<const CommandRow> stream_group_commands() { return kRows; }

}  // namespace tandem
