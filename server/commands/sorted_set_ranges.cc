#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/sorted_set_commands.h"

namespace tandem {
namespace {

// One end of a range of scores. More is taken for a number here than elsewhere, as in Valkey:
// nothing at all is 0, and space may stand in front.
bool read_score_bound(std::string_view text, double* score, bool* excluded) {
  *excluded = !text.empty() && text[0] == '(';
  if (*excluded) text.remove_prefix(1);
  if (const auto number = parse_double(text)) {
    *score = *number;
    return true;
  }
  const std::string terminated(text);
  char* end = nullptr;
  *score = std::strtod(terminated.c_str(), &end);
  return *end == '\0' && !std::isnan(*score);
}

std::optional<ScoreRange> read_score_range(Call& call, std::string_view min, std::string_view max) {
  ScoreRange range;
  if (read_score_bound(min, &range.min, &range.min_excluded) &&
      read_score_bound(max, &range.max, &range.max_excluded)) {
    return range;
  }
  call.reply.error("ERR min or max is not a float");
  return std::nullopt;
}

bool read_member_bound(std::string_view text, MemberBound* bound) {
  using Kind = MemberBound::Kind;
  if (text == "-") {
    *bound = {Kind::kLowest};
  } else if (text == "+") {
    *bound = {Kind::kHighest};
  } else if (!text.empty() && (text[0] == '[' || text[0] == '(')) {
    *bound = {text[0] == '[' ? Kind::kIncluded : Kind::kExcluded, text.substr(1)};
  } else {
    return false;
  }
  return true;
}

std::optional<MemberRange> read_member_range(Call& call, std::string_view min,
                                             std::string_view max) {
  MemberRange range;
  if (read_member_bound(min, &range.min) && read_member_bound(max, &range.max)) return range;
  call.reply.error("ERR min or max not valid string range item");
  return std::nullopt;
}

// First and last rank as clients write them: negative ones count from the end.
struct IndexRange {
  int64_t first, last;

  // `reversed`: ranks are counted from the upper end.
  RankRange in(const SortedSetValue& set, bool reversed) const {
    const auto size = static_cast<int64_t>(set.size());
    const int64_t low = std::max<int64_t>(first < 0 ? first + size : first, 0);
    const int64_t high = std::min(last < 0 ? last + size : last, size - 1);
    if (low > high) return {};
    return {static_cast<size_t>(reversed ? size - 1 - high : low),
            static_cast<size_t>(high - low + 1)};
  }
};

std::optional<IndexRange> read_index_range(Call& call, std::string_view first,
                                           std::string_view last) {
  const auto low = read_integer(call, first);
  if (!low) return std::nullopt;
  const auto high = read_integer(call, last);
  if (!high) return std::nullopt;
  return IndexRange{*low, *high};
}

enum class RangeBy : uint8_t { kIndex, kScore, kMember };

using AnyRange = std::variant<IndexRange, ScoreRange, MemberRange>;

template <typename Range>
std::optional<AnyRange> any(const std::optional<Range>& range) {
  return range ? std::optional<AnyRange>(*range) : std::nullopt;
}

std::optional<AnyRange> read_range(Call& call, RangeBy by, std::string_view min,
                                   std::string_view max) {
  switch (by) {
    case RangeBy::kScore:
      return any(read_score_range(call, min, max));
    case RangeBy::kMember:
      return any(read_member_range(call, min, max));
    case RangeBy::kIndex:
      break;
  }
  return any(read_index_range(call, min, max));
}

RankRange ranks_in(const SortedSetValue& set, const AnyRange& range, bool reversed = false) {
  if (const auto* indices = std::get_if<IndexRange>(&range)) return indices->in(set, reversed);
  if (const auto* scores = std::get_if<ScoreRange>(&range)) return set.range(*scores);
  return set.range(std::get<MemberRange>(range));
}

// ZCOUNT and ZLEXCOUNT.
void count_range(Call& call, RangeBy by) {
  const auto range = read_range(call, by, call.args[2], call.args[3]);
  if (!range) return;
  const auto set = find_sorted_set(call, call.args[1]);
  if (!set) return;
  call.reply.integer(*set != nullptr ? static_cast<int64_t>(ranks_in(**set, *range).count) : 0);
}

void zcount_command(Call& call) { count_range(call, RangeBy::kScore); }

void zlexcount_command(Call& call) { count_range(call, RangeBy::kMember); }

void remove_range(Call& call, RangeBy by, std::string_view event) {
  const auto range = read_range(call, by, call.args[2], call.args[3]);
  if (!range) return;
  const auto set = find_sorted_set_for_write(call, call.args[1]);
  if (!set) return;
  RankRange removed;
  if (*set != nullptr) {
    removed = ranks_in(**set, *range);
    (*set)->erase_range(removed);
    if (removed.count > 0) {
      removed_from_sorted_set(call, call.args[1], **set, removed.count, event);
    }
  }
  call.reply.integer(static_cast<int64_t>(removed.count));
}

void zremrangebyrank_command(Call& call) { remove_range(call, RangeBy::kIndex, "zremrangebyrank"); }

void zremrangebyscore_command(Call& call) {
  remove_range(call, RangeBy::kScore, "zremrangebyscore");
}

void zremrangebylex_command(Call& call) { remove_range(call, RangeBy::kMember, "zremrangebylex"); }

// What ZRANGE and its kin are asked for. The older commands fix some of it by their names.
struct RangeRequest {
  std::optional<RangeBy> by;
  std::optional<bool> reversed;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;

  // What is left of the elements in a range. A negative offset skips them all.
  RankRange limited(RankRange range) const {
    if (offset < 0 || static_cast<uint64_t>(offset) >= range.count) return {};
    const auto skipped = static_cast<size_t>(offset);
    size_t count = range.count - skipped;
    if (limit >= 0) count = std::min(count, static_cast<size_t>(limit));
    return {reversed.value_or(false) ? range.first + range.count - skipped - count
                                     : range.first + skipped,
            count};
  }
};

// The options from args[first] on.
bool read_range_options(Call& call, size_t first, bool store, RangeRequest* request) {
  const Args args = call.args;
  for (size_t i = first; i < args.size(); ++i) {
    if (!store && equals_ignore_case(args[i], "withscores")) {
      request->with_scores = true;
    } else if (equals_ignore_case(args[i], "limit") && i + 2 < args.size()) {
      const auto offset = read_integer(call, args[i + 1]);
      if (!offset) return false;
      const auto limit = read_integer(call, args[i + 2]);
      if (!limit) return false;
      request->offset = *offset;
      request->limit = *limit;
      i += 2;
    } else if (!request->reversed && equals_ignore_case(args[i], "rev")) {
      request->reversed = true;
    } else if (!request->by && equals_ignore_case(args[i], "bylex")) {
      request->by = RangeBy::kMember;
    } else if (!request->by && equals_ignore_case(args[i], "byscore")) {
      request->by = RangeBy::kScore;
    } else {
      call.syntax_error();
      return false;
    }
  }
  const RangeBy by = request->by.value_or(RangeBy::kIndex);
  if (request->limit != -1 && by == RangeBy::kIndex) {
    call.reply.error(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    return false;
  }
  if (request->with_scores && by == RangeBy::kMember) {
    call.reply.error("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    return false;
  }
  return true;
}

template <typename Visit>
void visit_range(const SortedSetValue& set, RankRange range, bool reversed, Visit&& visit) {
  if (reversed) {
    set.for_range_reversed(range, visit);
  } else {
    set.for_range(range, visit);
  }
}

// ZRANGE and its kin (key at args[1]) and ZRANGESTORE (destination and key).
void reply_range(Call& call, bool store, RangeRequest request) {
  const Args args = call.args.subspan(store ? 1 : 0);
  if (!read_range_options(call, store ? 5 : 4, store, &request)) return;
  const RangeBy by = request.by.value_or(RangeBy::kIndex);
  const bool reversed = request.reversed.value_or(false);
  // Ranges of scores and members are written as they are walked.
  const bool swapped = reversed && by != RangeBy::kIndex;
  const auto range = read_range(call, by, args[swapped ? 3 : 2], args[swapped ? 2 : 3]);
  if (!range) return;
  const auto found = find_sorted_set(call, args[1]);
  if (!found) return;
  RankRange ranks;
  if (const SortedSetValue* set = *found) {
    ranks = ranks_in(*set, *range, reversed);
    if (by != RangeBy::kIndex) ranks = request.limited(ranks);
  }
  if (store) {
    std::vector<SortedSetElementOwner> elements;
    elements.reserve(ranks.count);
    if (*found != nullptr) {
      (*found)->for_range(ranks, [&](std::string_view member, double score) {
        elements.emplace_back(SortedSetElement::create(member, score));
      });
    }
    auto result = SortedSetValue::from_elements(std::move(elements), sorted_set_limits(call));
    store_sorted_set(call, call.args[1], std::move(result), "zrangestore");
    return;
  }
  ScoredReply reply(call.reply, request.with_scores);
  reply.header(ranks.count);
  if (*found != nullptr) visit_range(**found, ranks, reversed, reply);
}

void zrange_command(Call& call) { reply_range(call, false, {}); }

void zrangestore_command(Call& call) { reply_range(call, true, {}); }

void zrevrange_command(Call& call) {
  reply_range(call, false, {.by = RangeBy::kIndex, .reversed = true});
}

void zrangebyscore_command(Call& call) {
  reply_range(call, false, {.by = RangeBy::kScore, .reversed = false});
}

void zrevrangebyscore_command(Call& call) {
  reply_range(call, false, {.by = RangeBy::kScore, .reversed = true});
}

void zrangebylex_command(Call& call) {
  reply_range(call, false, {.by = RangeBy::kMember, .reversed = false});
}

void zrevrangebylex_command(Call& call) {
  reply_range(call, false, {.by = RangeBy::kMember, .reversed = true});
}

constexpr CommandRow kRows[] = {
    {.name = "zcount",
     .handler = zcount_command,
     .arity = 4,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Counts the members with scores in a range.",
     .since = "2.0.0",
     .group = "sorted-set",
     .complexity = "O(log N), where N is the size of the sorted set"},
    {.name = "zlexcount",
     .handler = zlexcount_command,
     .arity = 4,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Counts the members in a range, when all scores are the same.",
     .since = "2.8.9",
     .group = "sorted-set",
     .complexity = "O(log N), where N is the size of the sorted set"},
    {.name = "zrange",
     .handler = zrange_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members in a range of ranks, scores or members.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members returned"},
    {.name = "zrangebylex",
     .handler = zrangebylex_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members in a range, when all scores are the same.",
     .since = "2.8.9",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members returned"},
    {.name = "zrangebyscore",
     .handler = zrangebyscore_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members with scores in a range.",
     .since = "1.0.5",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members returned"},
    {.name = "zrangestore",
     .handler = zrangestore_command,
     .arity = -5,
     .flags = "denyoom,write",
     .keys = "1,2,1",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Stores the members in a range of ranks, scores or members under another key.",
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members stored"},
    {.name = "zremrangebylex",
     .handler = zremrangebylex_command,
     .arity = 4,
     .flags = "write",
     .keys = "1,1,1",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes the members in a range, when all scores are the same.",
     .since = "2.8.9",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members removed"},
    {.name = "zremrangebyrank",
     .handler = zremrangebyrank_command,
     .arity = 4,
     .flags = "write",
     .keys = "1,1,1",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes the members in a range of ranks.",
     .since = "2.0.0",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members removed"},
    {.name = "zremrangebyscore",
     .handler = zremrangebyscore_command,
     .arity = 4,
     .flags = "write",
     .keys = "1,1,1",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes the members with scores in a range.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members removed"},
    {.name = "zrevrange",
     .handler = zrevrange_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members in a range of ranks, from the highest score down.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members returned"},
    {.name = "zrevrangebylex",
     .handler = zrevrangebylex_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members in a range from the last to the first, when all scores "
                "are the same.",
     .since = "2.8.9",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members returned"},
    {.name = "zrevrangebyscore",
     .handler = zrevrangebyscore_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members with scores in a range, from the highest score down.",
     .since = "2.2.0",
     .group = "sorted-set",
     .complexity = "O(log N + M), where N is the size of the sorted set and M the number of "
                   "members returned"},
};

}  // namespace

std::span<const CommandRow> sorted_set_range_commands() { return kRows; }

}  // namespace tandem
