#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/stream_arguments.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

// The arguments of XREAD and XREADGROUP.
struct ReadOptions {
  bool of_group = false;  // XREADGROUP
  bool no_ack = false;
  std::string_view group, consumer;
  size_t count = SIZE_MAX;
  std::optional<int64_t> deadline_ms;  // with BLOCK
  Args keys, ids;
};

// One of the streams asked for.
struct Source {
  std::string_view key;
  StreamValue* stream = nullptr;
  StreamGroup* group = nullptr;
  StreamConsumer* consumer = nullptr;
  StreamId after;            // what is behind this is wanted
  bool new_entries = false;  // ">": what the group has not given to anybody
  bool served = false;
};

bool read_block_option(Call& call, std::string_view text, ReadOptions* options) {
  const bool in_script = call.client.kind == ClientKind::kInternal && !must_obey(call);
  if (in_script) {
    call.reply.error("ERR " + std::string(call.args[0]) +
                     " command is not allowed with BLOCK option from scripts");
    return false;
  }
  options->deadline_ms = read_timeout(call, text, TimeUnit::kMilliseconds);
  return options->deadline_ms.has_value();
}

bool read_streams_option(Call& call, size_t at, ReadOptions* options) {
  const Args rest = call.args.subspan(at);
  if (rest.size() % 2 != 0) {
    call.reply.error("ERR Unbalanced '" + call.command.name +
                     "' list of streams: for each stream key an ID or '" +
                     (options->of_group ? ">" : "$") + "' must be specified.");
    return false;
  }
  options->keys = rest.first(rest.size() / 2);
  options->ids = rest.subspan(rest.size() / 2);
  return true;
}

bool refuse_outside_group(Call& call, std::string_view option) {
  call.reply.error("ERR The " + std::string(option) +
                   " option is only supported by XREADGROUP. You called XREAD instead.");
  return false;
}

bool read_options(Call& call, ReadOptions* options) {
  const Args args = call.args;
  for (size_t i = 1; i < args.size() && options->keys.empty(); ++i) {
    const size_t more = args.size() - i - 1;
    if (more >= 1 && equals_ignore_case(args[i], "block")) {
      if (!read_block_option(call, args[++i], options)) return false;
    } else if (more >= 1 && equals_ignore_case(args[i], "count")) {
      const auto count = read_integer(call, args[++i]);
      if (!count) return false;
      options->count = *count > 0 ? static_cast<size_t>(*count) : SIZE_MAX;
    } else if (more >= 1 && equals_ignore_case(args[i], "streams")) {
      if (!read_streams_option(call, i + 1, options)) return false;
    } else if (more >= 2 && equals_ignore_case(args[i], "group")) {
      if (!options->of_group) return refuse_outside_group(call, "GROUP");
      options->group = args[i + 1];
      options->consumer = args[i + 2];
      i += 2;
    } else if (equals_ignore_case(args[i], "noack")) {
      if (!options->of_group) return refuse_outside_group(call, "NOACK");
      options->no_ack = true;
    } else {
      call.syntax_error();
      return false;
    }
  }
  if (options->keys.empty()) {
    call.syntax_error();
    return false;
  }
  if (options->of_group && options->group.data() == nullptr) {
    call.reply.error("ERR Missing GROUP option for XREADGROUP");
    return false;
  }
  return true;
}

bool refuse_end_in_group(Call& call, std::string_view id) {
  call.reply.error("ERR The " + std::string(id) +
                   " ID is meaningless in the context of XREADGROUP: you want to read the history "
                   "of this consumer by specifying a proper ID, or use the > ID to get new "
                   "messages. The " +
                   std::string(id) + " ID would just return an empty result set.");
  return false;
}

// What the id that was asked for means for this stream.
bool resolve_id(Call& call, std::string_view id, Source* source) {
  const bool of_group = source->group != nullptr;
  if (id == "$" || id == "+") {
    if (of_group) return refuse_end_in_group(call, id);
    if (source->stream == nullptr) return true;
    source->after = source->stream->last_id();
    if (id == "+" && !source->after.decrement()) {
      call.reply.error("ERR the stream last element ID is 0-0");
      return false;
    }
    return true;
  }
  if (id == ">") {
    if (!of_group) {
      call.reply.error(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
          "<consumer> option.");
      return false;
    }
    source->new_entries = true;
    return true;
  }
  const auto parsed = read_stream_id(call, id);
  if (!parsed) return false;
  source->after = *parsed;
  // The highest id cannot have a successor; it stands for ">" too.
  source->new_entries = of_group && *parsed == StreamId::max();
  return true;
}

std::optional<StreamValue*> find_source(Call& call, const ReadOptions& options,
                                        std::string_view key) {
  if (options.of_group) return find_stream_for_write(call, key);
  const auto found = find_stream(call, key);
  if (!found) return std::nullopt;
  // Reading without a group changes nothing.
  return const_cast<StreamValue*>(*found);
}

std::optional<std::vector<Source>> find_sources(Call& call, const ReadOptions& options) {
  std::vector<Source> sources(options.keys.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    Source& source = sources[i];
    source.key = options.keys[i];
    const auto stream = find_source(call, options, source.key);
    if (!stream) return std::nullopt;
    source.stream = *stream;
    if (options.of_group) {
      source.group = source.stream != nullptr ? source.stream->find_group(options.group) : nullptr;
      if (source.group == nullptr) {
        call.reply.error("NOGROUP No such key '" + std::string(source.key) +
                         "' or consumer group '" + std::string(options.group) +
                         "' in XREADGROUP with GROUP option");
        return std::nullopt;
      }
    }
    if (!resolve_id(call, options.ids[i], &source)) return std::nullopt;
  }
  return sources;
}

// The last entry that the source will have been given.
StreamId end_of(const Source& source, size_t count) {
  StreamId first = source.after;
  first.increment();
  StreamId end = source.after;
  StreamReader reader(*source.stream, first);
  while (count-- > 0 && reader.next()) end = reader.id();
  return end;
}

// Where new entries begin for a group. A stream that is named twice gives to the second what it has
// left from the first.
StreamId start_of_new(const ReadOptions& options, std::span<const Source> before,
                      const StreamGroup& group) {
  for (size_t i = before.size(); i-- > 0;) {
    const Source& other = before[i];
    if (other.group == &group && other.new_entries && other.served) {
      return end_of(other, options.count);
    }
  }
  return group.last_delivered;
}

// Finds out whether the source has something to give, and lets its consumer be seen.
void prepare(Call& call, const ReadOptions& options, std::span<const Source> before,
             Source* source) {
  if (source->stream == nullptr) return;
  const StreamValue& stream = *source->stream;
  if (source->new_entries) source->after = start_of_new(options, before, *source->group);
  const bool has_more = stream.size() > 0 && stream.last_entry_id() > source->after;
  // The history of a consumer is always given, even when it is empty.
  source->served = has_more || (source->group != nullptr && !source->new_entries);
  if (source->group == nullptr) return;
  bool created = false;
  source->consumer = see_consumer(call, source->key, source->group, options.consumer, &created);
  // Entries that become pending create it where the effects run; nothing else does.
  if (created && (options.no_ack || !source->new_entries || !source->served)) {
    emit_consumer_creation(call, source->key, options.group, options.consumer);
  }
}

// What the consumer was given before and has not acknowledged; an entry that is no longer in the
// stream has null for its fields.
void reply_history(Call& call, const Source& source, StreamId first, size_t limit) {
  const auto& pending = source.consumer->pending();
  const auto begin = pending.lower_bound(first);
  size_t count = 0;
  for (auto it = begin; !it.at_end() && count < limit; ++it) ++count;
  call.reply.array(count);
  for (auto it = begin; count > 0; ++it, --count) {
    StreamReader reader(*source.stream, it->id, it->id);
    if (!reader.next()) {
      call.reply.array(2);
      reply_stream_id(call.reply, it->id);
      call.reply.null_array();
      continue;
    }
    reply_stream_entry(call.reply, &reader);
    StreamPending* delivery = source.group->find_pending(it->id);
    delivery->delivered_ms = call.now_ms();
    ++delivery->deliveries;
  }
}

// Entries that the group has given to nobody yet.
void reply_new_entries(Call& call, const ReadOptions& options, const Source& source,
                       StreamId first) {
  size_t left = source.stream->count_range(first, StreamId::max(), options.count);
  call.reply.array(left);
  StreamReader reader(*source.stream, first);
  while (left-- > 0 && reader.next()) {
    const StreamId id = reader.id();
    if (id > source.group->last_delivered) source.stream->advance(source.group, id);
    reply_stream_entry(call.reply, &reader);
    if (options.no_ack) continue;
    // XGROUP SETID may have gone back to entries that are pending already.
    StreamPending* delivery = source.group->assign(id, source.consumer);
    delivery->delivered_ms = call.now_ms();
    delivery->deliveries = 1;
    source.consumer->active_ms = call.now_ms();
    emit_claim(call, source.key, options.group, *source.group, id, *delivery);
  }
  if (options.no_ack) emit_group_position(call, source.key, options.group, *source.group);
}

void reply_source(Call& call, const ReadOptions& options, const Source& source) {
  if (call.reply.protocol() == 2) call.reply.array(2);
  call.reply.bulk(source.key);
  StreamId first = source.after;
  first.increment();
  if (source.group == nullptr) {
    reply_stream_range(call.reply, *source.stream, first, StreamId::max(), options.count);
    return;
  }
  if (source.new_entries) {
    reply_new_entries(call, options, source, first);
  } else {
    reply_history(call, source, first, options.count);
  }
  call.changed();
}

void block_or_reply_nothing(Call& call, const ReadOptions& options,
                            std::span<const Source> sources) {
  if (!options.deadline_ms || !call.can_block()) {
    call.reply.null_array();
    return;
  }
  // "$" is the end of the stream as it is now.
  std::vector<std::string> ends(sources.size());
  std::vector<std::pair<size_t, std::string_view>> replace;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (options.ids[i] != "$") continue;
    ends[i] = StreamIdText(sources[i].after);
    replace.emplace_back(call.args.size() - sources.size() + i, ends[i]);
  }
  call.block_on_keys(options.keys, ValueType::kStream, *options.deadline_ms,
                     {.wake_when_gone = options.of_group, .replace = replace});
}

void read_from_streams(Call& call, bool of_group) {
  ReadOptions options;
  options.of_group = of_group;
  if (!read_options(call, &options)) return;
  auto sources = find_sources(call, options);
  if (!sources) return;
  if (of_group) call.emit_nothing();
  for (size_t i = 0; i < sources->size(); ++i) {
    prepare(call, options, std::span(*sources).first(i), &(*sources)[i]);
  }
  const auto served = static_cast<size_t>(std::count_if(
      sources->begin(), sources->end(), [](const Source& source) { return source.served; }));
  if (served == 0) {
    block_or_reply_nothing(call, options, *sources);
    return;
  }
  if (call.reply.protocol() == 2) {
    call.reply.array(served);
  } else {
    call.reply.map(served);
  }
  for (const Source& source : *sources) {
    if (source.served) reply_source(call, options, source);
  }
}

void xread_command(Call& call) { read_from_streams(call, false); }

void xreadgroup_command(Call& call) { read_from_streams(call, true); }

constexpr CommandRow kRows[] = {
    {.name = "xread",
     .handler = xread_command,
     .arity = -4,
     .flags = "blocking,movablekeys,readonly",
     .categories = "@blocking,@read,@slow,@stream",
     .key_specs = "[ACCESS+RO keyword:keyword=STREAMS,startfrom=1 "
                  "range:lastkey=-1,keystep=1,limit=2]",
     .summary = "Returns the entries of streams behind given ids, and may wait for some.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N + M) for each stream, where M is the number of entries returned"},
    {.name = "xreadgroup",
     .handler = xreadgroup_command,
     .arity = -7,
     .flags = "blocking,movablekeys,write",
     .categories = "@blocking,@slow,@stream,@write",
     .key_specs = "[ACCESS+RO keyword:keyword=STREAMS,startfrom=4 "
                  "range:lastkey=-1,keystep=1,limit=2]",
     .summary = "Returns new entries for a consumer of a group, or those it has pending.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N + M) for each stream, where M is the number of entries returned"},
};

}  // namespace

std::span<const CommandRow> stream_read_commands() { return kRows; }

}  // namespace tandem
