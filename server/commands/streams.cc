#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/stream_arguments.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

using Strategy = StreamTrim::Strategy;

// The options of XADD and XTRIM, up to the id.
struct AddOptions {
  StreamTrim trim;
  size_t threshold_at = 0;  // where the argument of MAXLEN or MINID stands
  bool no_mkstream = false;
  std::optional<ParsedStreamId> id;  // none: "*"
  size_t id_at = 0;
};

// MAXLEN or MINID with what follows, from args[at] on; leaves `at` at the last argument read.
bool read_threshold(Call& call, Strategy strategy, size_t* at, AddOptions* options) {
  if (options->trim.strategy != Strategy::kNone) {
    call.reply.error(
        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
    return false;
  }
  options->trim.strategy = strategy;
  if (*at + 2 < call.args.size()) {
    const std::string_view mark = call.args[*at + 1];
    options->trim.approximate = mark == "~";
    if (mark == "~" || mark == "=") ++*at;
  }
  ++*at;
  options->threshold_at = *at;
  if (strategy == Strategy::kMinId) {
    const auto id = read_stream_id(call, call.args[*at]);
    if (id) options->trim.min_id = *id;
    return id.has_value();
  }
  const auto length = read_integer(call, call.args[*at]);
  if (!length) return false;
  if (*length < 0) {
    call.reply.error("ERR The MAXLEN argument must be >= 0.");
    return false;
  }
  options->trim.max_length = static_cast<uint64_t>(*length);
  return true;
}

bool read_limit(Call& call, std::string_view text, std::optional<int64_t>* limit) {
  const auto number = read_integer(call, text);
  if (!number) return false;
  if (*number < 0) {
    call.reply.error("ERR The LIMIT argument must be >= 0.");
    return false;
  }
  *limit = number;
  return true;
}

// How many entries an approximate trim removes at most when LIMIT does not say.
uint64_t default_limit(const Call& call) {
  constexpr int64_t kNodes = 100;
  constexpr int64_t kMost = 1'000'000;
  constexpr int64_t kUnbounded = 10'000;
  const int64_t per_node = call.executor.config().settings().stream_node_max_entries;
  if (per_node == 0) return kUnbounded;
  return static_cast<uint64_t>(per_node > kMost / kNodes ? kMost : kNodes * per_node);
}

// Whether the options fit together; completes the limit.
bool check_trim(Call& call, bool of_xadd, std::optional<int64_t> limit, StreamTrim* trim) {
  if (limit.value_or(0) != 0 && trim->strategy == Strategy::kNone) {
    call.reply.error(
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
    return false;
  }
  if (!of_xadd && trim->strategy == Strategy::kNone) {
    call.reply.error("ERR syntax error, XTRIM must be called with a trimming strategy");
    return false;
  }
  // What was decided elsewhere says by its threshold how far to go.
  if (must_obey(call)) return true;
  if (limit && !trim->approximate) {
    call.reply.error("ERR syntax error, LIMIT cannot be used without the special ~ option");
    return false;
  }
  if (limit) {
    trim->limit = static_cast<uint64_t>(*limit);
  } else if (trim->approximate) {
    trim->limit = default_limit(call);
  }
  return true;
}

bool read_add_options(Call& call, bool of_xadd, AddOptions* options) {
  std::optional<int64_t> limit;
  size_t at = 2;
  for (; at < call.args.size(); ++at) {
    const std::string_view option = call.args[at];
    const bool more = at + 1 < call.args.size();
    if (of_xadd && option == "*") break;
    if (more && equals_ignore_case(option, "maxlen")) {
      if (!read_threshold(call, Strategy::kMaxLength, &at, options)) return false;
    } else if (more && equals_ignore_case(option, "minid")) {
      if (!read_threshold(call, Strategy::kMinId, &at, options)) return false;
    } else if (more && equals_ignore_case(option, "limit")) {
      if (!read_limit(call, call.args[++at], &limit)) return false;
    } else if (of_xadd && equals_ignore_case(option, "nomkstream")) {
      options->no_mkstream = true;
    } else if (of_xadd) {
      options->id = parse_stream_id(option, 0, true);
      if (!options->id) return read_stream_id(call, option).has_value();
      break;
    } else {
      call.syntax_error();
      return false;
    }
  }
  options->id_at = at;
  return check_trim(call, of_xadd, limit, &options->trim);
}

// The id of a new entry; nothing when none is left that is higher than the last one.
std::optional<StreamId> new_id(const Call& call, const StreamId& last,
                               const std::optional<ParsedStreamId>& wanted) {
  StreamId id;
  if (!wanted) {
    id.ms = static_cast<uint64_t>(call.now_ms());
    if (id.ms <= last.ms) {
      id = last;
      if (!id.increment()) return std::nullopt;
    }
  } else if (wanted->any_seq && wanted->id.ms == last.ms) {
    if (last.seq == UINT64_MAX) return std::nullopt;
    id = {last.ms, last.seq + 1};
  } else {
    id = wanted->id;
  }
  if (id <= last) return std::nullopt;
  return id;
}

// What XTRIM MINID must be told to remove exactly what is gone.
StreamId lowest_left(const StreamValue& stream) {
  return stream.nodes().empty() ? StreamId::max() : stream.nodes().begin()->id;
}

// Emits the command with a trim that removes exactly what was removed here, and with `id` instead
// of one that was generated.
void emit_decided(Call& call, const AddOptions& options, const StreamValue& stream,
                  std::string_view id) {
  constexpr size_t kFew = 32;
  std::array<std::string_view, kFew> few;
  std::vector<std::string_view> many;
  std::span<std::string_view> words(few.data(), std::min(call.args.size(), kFew));
  if (call.args.size() > kFew) {
    many.resize(call.args.size());
    words = many;
  }
  std::copy(call.args.begin(), call.args.end(), words.begin());
  if (!id.empty()) words[options.id_at] = id;
  StreamId::Scratch scratch;
  char digits[kMaxInt64Digits];
  if (options.trim.approximate) {
    words[options.threshold_at - 1] = "=";
    words[options.threshold_at] =
        options.trim.strategy == Strategy::kMinId
            ? lowest_left(stream).text(scratch)
            : format_int64(static_cast<int64_t>(stream.size()), std::span(digits));
  }
  call.emit(words);
}

void xadd_command(Call& call) {
  AddOptions options;
  if (!read_add_options(call, true, &options)) return;
  if (call.args.size() < options.id_at + 3 || (call.args.size() - options.id_at) % 2 == 0) {
    call.wrong_arg_count();
    return;
  }
  if (options.id && !options.id->any_seq && options.id->id.is_zero()) {
    call.reply.error("ERR The ID specified in XADD must be greater than 0-0");
    return;
  }
  const std::string_view key = call.args[1];
  const auto found = find_stream_for_write(call, key);
  if (!found) return;
  StreamValue* stream = *found;
  if (stream == nullptr && options.no_mkstream) {
    call.reply.null();
    return;
  }
  const StreamId last = stream != nullptr ? stream->last_id() : StreamId();
  if (last == StreamId::max()) {
    call.reply.error("ERR The stream has exhausted the last possible ID, unable to add more items");
    return;
  }
  const auto id = new_id(call, last, options.id);
  if (!id) {
    call.reply.error(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item");
    return;
  }
  const Args pairs = call.args.subspan(options.id_at + 1);
  if (!StreamValue::fits(pairs)) {
    call.reply.error("ERR Elements are too large to be stored");
    return;
  }
  if (stream == nullptr) stream = create_stream(call, key);
  stream->append(*id, pairs, stream_limits(call.executor.config().settings()));
  call.changed();
  call.db().modified(key);
  call.notify(kEventStream, "xadd", key);
  if (options.trim.strategy != Strategy::kNone && stream->trim(options.trim) > 0) {
    call.notify(kEventStream, "xtrim", key);
  }
  const StreamIdText text(*id);
  const bool generated = !options.id || options.id->any_seq;
  if (generated || options.trim.approximate) {
    emit_decided(call, options, *stream, generated ? text : std::string_view());
  }
  call.reply.bulk(text);
}

void xtrim_command(Call& call) {
  AddOptions options;
  if (!read_add_options(call, false, &options)) return;
  const std::string_view key = call.args[1];
  const auto found = find_stream_for_write(call, key);
  if (!found) return;
  const uint64_t trimmed = *found != nullptr ? (*found)->trim(options.trim) : 0;
  if (trimmed > 0) {
    call.changed(trimmed);
    call.db().modified(key);
    call.notify(kEventStream, "xtrim", key);
    if (options.trim.approximate) emit_decided(call, options, **found, {});
  }
  call.reply.integer(static_cast<int64_t>(trimmed));
}

void xdel_command(Call& call) {
  const std::string_view key = call.args[1];
  const auto found = find_stream_for_write(call, key);
  if (!found) return;
  if (*found == nullptr) {
    call.reply.integer(0);
    return;
  }
  const auto ids = read_stream_ids(call, call.args.subspan(2));
  if (!ids) return;
  const size_t erased = (*found)->erase(*ids);
  if (erased > 0) {
    call.changed(erased);
    call.db().modified(key);
    call.notify(kEventStream, "xdel", key);
  }
  call.reply.integer(static_cast<int64_t>(erased));
}

void xlen_command(Call& call) {
  const auto stream = find_stream(call, call.args[1]);
  if (stream) {
    call.reply.integer(*stream != nullptr ? static_cast<int64_t>((*stream)->size()) : 0);
  }
}

void reply_range(Call& call, std::string_view start, std::string_view end,
                 StreamReader::Direction direction) {
  const auto first = read_interval_start(call, start);
  if (!first) return;
  const auto last = read_interval_end(call, end);
  if (!last) return;
  int64_t count = -1;
  for (size_t i = 4; i < call.args.size(); i += 2) {
    if (i + 1 == call.args.size() || !equals_ignore_case(call.args[i], "count")) {
      call.syntax_error();
      return;
    }
    const auto number = read_integer(call, call.args[i + 1]);
    if (!number) return;
    count = std::max<int64_t>(*number, 0);
  }
  const auto stream = find_stream(call, call.args[1]);
  if (!stream) return;
  if (*stream == nullptr) {
    call.reply.array(0);
  } else if (count == 0) {
    call.reply.null_array();
  } else {
    reply_stream_range(call.reply, **stream, *first, *last, static_cast<size_t>(count), direction);
  }
}

void xrange_command(Call& call) {
  reply_range(call, call.args[2], call.args[3], StreamReader::Direction::kForward);
}

void xrevrange_command(Call& call) {
  reply_range(call, call.args[3], call.args[2], StreamReader::Direction::kBackward);
}

struct SetIdOptions {
  std::optional<uint64_t> entries_added;
  StreamId max_deleted;
};

bool read_set_id_options(Call& call, const StreamId& id, SetIdOptions* options) {
  for (size_t i = 3; i < call.args.size(); i += 2) {
    const bool more = i + 1 < call.args.size();
    if (more && equals_ignore_case(call.args[i], "entriesadded")) {
      const auto added = read_integer(call, call.args[i + 1]);
      if (!added) return false;
      if (*added < 0) {
        call.reply.error("ERR entries_added must be positive");
        return false;
      }
      options->entries_added = static_cast<uint64_t>(*added);
    } else if (more && equals_ignore_case(call.args[i], "maxdeletedid")) {
      const auto deleted = read_stream_id(call, call.args[i + 1]);
      if (!deleted) return false;
      if (id < *deleted) {
        call.reply.error(
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
        return false;
      }
      options->max_deleted = *deleted;
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

// Why the ids and counts of the stream may not be these; empty when they may.
std::string_view refuse_set_id(const StreamValue& stream, const StreamId& id,
                               const SetIdOptions& options) {
  if (id < stream.max_deleted_id()) {
    return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
  }
  if (stream.size() == 0) return {};
  if (id < stream.last_entry_id()) {
    return "ERR The ID specified in XSETID is smaller than the target stream top item";
  }
  if (options.entries_added && stream.size() > *options.entries_added) {
    return "ERR The entries_added specified in XSETID is smaller than the target stream length";
  }
  return {};
}

void xsetid_command(Call& call) {
  const auto id = read_stream_id(call, call.args[2]);
  if (!id) return;
  SetIdOptions options;
  if (!read_set_id_options(call, *id, &options)) return;
  const auto found = find_stream_for_write(call, call.args[1]);
  if (!found) return;
  StreamValue* stream = *found;
  if (stream == nullptr) {
    call.reply.error("ERR no such key");
    return;
  }
  if (const auto refusal = refuse_set_id(*stream, *id, options); !refusal.empty()) {
    call.reply.error(refusal);
    return;
  }
  stream->set_last_id(*id);
  if (options.entries_added) stream->set_entries_added(*options.entries_added);
  if (!options.max_deleted.is_zero()) stream->set_max_deleted_id(options.max_deleted);
  call.changed();
  call.notify(kEventStream, "xsetid", call.args[1]);
  call.reply.ok();
}

constexpr CommandRow kRows[] = {
    {.name = "xadd",
     .handler = xadd_command,
     .arity = -5,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@stream,@write",
     .tips = "nondeterministic_output",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds an entry to the end of a stream, and may trim its front.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N), and O(M) for the M entries that are trimmed"},
    {.name = "xdel",
     .handler = xdel_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@stream,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes entries from a stream by their ids.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N) for each id"},
    {.name = "xlen",
     .handler = xlen_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@stream",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the number of entries of a stream.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xrange",
     .handler = xrange_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@stream",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the entries between two ids.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N + M), where M is the number of entries returned"},
    {.name = "xrevrange",
     .handler = xrevrange_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@stream",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the entries between two ids, the last one first.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N + M), where M is the number of entries returned"},
    {.name = "xsetid",
     .handler = xsetid_command,
     .arity = -3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@stream,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sets the last id of a stream; replication and the AOF use it.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(1)"},
    {.name = "xtrim",
     .handler = xtrim_command,
     .arity = -4,
     .flags = "write",
     .keys = "1,1,1",
     .categories = "@slow,@stream,@write",
     .tips = "nondeterministic_output",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes entries from the front of a stream.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(N), where N is the number of entries removed"},
};

}  // namespace

std::span<const CommandRow> stream_commands() { return kRows; }

}  // namespace tandem
