#include <algorithm>
#include <string>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/sorted_set_commands.h"

namespace tandem {
namespace {

std::string_view event_of(SetEnd end) { return end == SetEnd::kMin ? "zpopmin" : "zpopmax"; }

// Takes up to `count` elements from one end of a set that is not empty. The handler has written
// what comes before the elements in the reply.
template <typename Visit>
size_t pop(Call& call, std::string_view key, SortedSetValue* set, SetEnd end, size_t count,
           Visit&& visit) {
  count = std::min(count, set->size());
  RankRange range{0, count};
  if (end == SetEnd::kMin) {
    set->for_range(range, visit);
  } else {
    range.first = set->size() - count;
    set->for_range_reversed(range, visit);
  }
  set->erase_range(range);
  removed_from_sorted_set(call, key, *set, count, event_of(end));
  return count;
}

// A count that is positive; otherwise replies `message`.
std::optional<size_t> read_positive(Call& call, std::string_view text, std::string_view message) {
  const auto count = parse_int64(text);
  if (!count || *count < 1) {
    call.reply.error(message);
    return std::nullopt;
  }
  return static_cast<size_t>(*count);
}

// ZPOPMIN and ZPOPMAX.
void pop_command(Call& call, SetEnd end) {
  const Args args = call.args;
  if (args.size() > 3) {
    call.syntax_error();
    return;
  }
  size_t count = 1;
  if (args.size() == 3) {
    const auto given = parse_int64(args[2]);
    if (!given || *given < 0) {
      call.reply.error("ERR value is out of range, must be positive");
      return;
    }
    count = static_cast<size_t>(*given);
  }
  const auto set = find_sorted_set_for_write(call, args[1]);
  if (!set) return;
  if (*set == nullptr || count == 0) {
    call.reply.array(0);
    return;
  }
  count = std::min(count, (*set)->size());
  // Pairs only for a client that said how many it wants.
  const bool in_pairs = args.size() == 3 && call.reply.protocol() >= 3;
  call.reply.array(in_pairs ? count : 2 * count);
  pop(call, args[1], *set, end, count, [&](std::string_view member, double score) {
    if (in_pairs) call.reply.array(2);
    call.reply.bulk(member);
    call.reply.real(score);
  });
}

void zpopmin_command(Call& call) { pop_command(call, SetEnd::kMin); }

void zpopmax_command(Call& call) { pop_command(call, SetEnd::kMax); }

struct MultiPop {
  Args keys;
  SetEnd end = SetEnd::kMin;
  size_t count = 1;
};

// numkeys key [key …] MIN|MAX [COUNT count], from args[first] on.
std::optional<MultiPop> read_multi_pop(Call& call, size_t first) {
  const Args args = call.args;
  const auto keys = read_positive(call, args[first], "ERR numkeys should be greater than 0");
  if (!keys) return std::nullopt;
  if (*keys >= args.size() - first - 1) {
    call.syntax_error();
    return std::nullopt;
  }
  MultiPop request;
  request.keys = args.subspan(first + 1, *keys);
  const size_t end_index = first + 1 + *keys;
  const auto end = read_set_end(args[end_index]);
  if (!end) {
    call.syntax_error();
    return std::nullopt;
  }
  request.end = *end;
  const Args options = args.subspan(end_index + 1);
  if (options.empty()) return request;
  if (options.size() < 2 || !equals_ignore_case(options[0], "count")) {
    call.syntax_error();
    return std::nullopt;
  }
  const auto count = read_positive(call, options[1], "ERR count should be greater than 0");
  if (!count) return std::nullopt;
  if (options.size() > 2) {
    call.syntax_error();
    return std::nullopt;
  }
  request.count = *count;
  return request;
}

// Whether a reply has been written: elements of the first set that is not empty, or an error.
bool pop_first(Call& call, const MultiPop& request) {
  for (const std::string_view key : request.keys) {
    const auto set = find_sorted_set_for_write(call, key);
    if (!set) return true;
    if (*set == nullptr) continue;
    const size_t count = std::min(request.count, (*set)->size());
    call.reply.array(2);
    call.reply.bulk(key);
    call.reply.array(count);
    pop(call, key, *set, request.end, count, [&](std::string_view member, double score) {
      call.reply.array(2);
      call.reply.bulk(member);
      call.reply.real(score);
    });
    call.emit({request.end == SetEnd::kMin ? "ZPOPMIN" : "ZPOPMAX", key, std::to_string(count)});
    return true;
  }
  return false;
}

void zmpop_command(Call& call) {
  const auto request = read_multi_pop(call, 1);
  if (request && !pop_first(call, *request)) call.reply.null_array();
}

// When there was nothing to take.
void wait_or_reply_nothing(Call& call, Args keys, int64_t deadline_ms) {
  if (call.can_block()) {
    call.block_on_keys(keys, ValueType::kSortedSet, deadline_ms);
  } else {
    call.reply.null_array();
  }
}

// BZPOPMIN and BZPOPMAX: key [key …] timeout.
void blocking_pop_command(Call& call, SetEnd end) {
  const Args keys = call.args.subspan(1, call.args.size() - 2);
  const auto deadline = read_timeout(call, call.args.back(), TimeUnit::kSeconds);
  if (!deadline) return;
  for (const std::string_view key : keys) {
    const auto set = find_sorted_set_for_write(call, key);
    if (!set) return;
    if (*set == nullptr) continue;
    call.reply.array(3);
    call.reply.bulk(key);
    pop(call, key, *set, end, 1, [&](std::string_view member, double score) {
      call.reply.bulk(member);
      call.reply.real(score);
    });
    call.emit({end == SetEnd::kMin ? "ZPOPMIN" : "ZPOPMAX", key});
    return;
  }
  wait_or_reply_nothing(call, keys, *deadline);
}

void bzpopmin_command(Call& call) { blocking_pop_command(call, SetEnd::kMin); }

void bzpopmax_command(Call& call) { blocking_pop_command(call, SetEnd::kMax); }

// timeout numkeys key [key …] MIN|MAX [COUNT count]
void bzmpop_command(Call& call) {
  const auto request = read_multi_pop(call, 2);
  if (!request) return;
  const auto deadline = read_timeout(call, call.args[1], TimeUnit::kSeconds);
  if (!deadline || pop_first(call, *request)) return;
  wait_or_reply_nothing(call, request->keys, *deadline);
}

constexpr CommandRow kRows[] = {
    {.name = "bzmpop",
     .handler = bzmpop_command,
     .arity = -5,
     .flags = "blocking,movablekeys,write",
     .categories = "@blocking,@slow,@sortedset,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "As ZMPOP, but waits for a sorted set that is not empty.",
     .since = "7.0.0",
     .group = "sorted-set",
     .complexity = "O(K) + O(M log N), where K is the number of keys, N the size of the sorted "
                   "set and M the number of members taken"},
    {.name = "bzpopmax",
     .handler = bzpopmax_command,
     .arity = -3,
     .flags = "blocking,fast,write",
     .keys = "1,-2,1",
     .categories = "@blocking,@fast,@sortedset,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=-2,keystep=1,limit=0]",
     .summary = "As ZPOPMAX of the first sorted set that is not empty, but waits for one.",
     .since = "5.0.0",
     .group = "sorted-set",
     .complexity = "O(log N), where N is the size of the sorted set"},
    {.name = "bzpopmin",
     .handler = bzpopmin_command,
     .arity = -3,
     .flags = "blocking,fast,write",
     .keys = "1,-2,1",
     .categories = "@blocking,@fast,@sortedset,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=-2,keystep=1,limit=0]",
     .summary = "As ZPOPMIN of the first sorted set that is not empty, but waits for one.",
     .since = "5.0.0",
     .group = "sorted-set",
     .complexity = "O(log N), where N is the size of the sorted set"},
    {.name = "zmpop",
     .handler = zmpop_command,
     .arity = -4,
     .flags = "movablekeys,write",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Takes the first or last members out of the first sorted set that is not empty.",
     .since = "7.0.0",
     .group = "sorted-set",
     .complexity = "O(K) + O(M log N), where K is the number of keys, N the size of the sorted "
                   "set and M the number of members taken"},
    {.name = "zpopmax",
     .handler = zpopmax_command,
     .arity = -2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@sortedset,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Takes the members with the highest scores out of a sorted set.",
     .since = "5.0.0",
     .group = "sorted-set",
     .complexity = "O(M log N), where N is the size of the sorted set and M the number of "
                   "members taken"},
    {.name = "zpopmin",
     .handler = zpopmin_command,
     .arity = -2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@sortedset,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Takes the members with the lowest scores out of a sorted set.",
     .since = "5.0.0",
     .group = "sorted-set",
     .complexity = "O(M log N), where N is the size of the sorted set and M the number of "
                   "members taken"},
};

}  // namespace

std::span<const CommandRow> sorted_set_pop_commands() { return kRows; }

}  // namespace tandem
