#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/sorted_set_commands.h"
#include "server/exec/executor.h"

namespace tandem {

SortedSetLimits sorted_set_limits(const Call& call) {
  return sorted_set_limits(call.executor.config().settings());
}

std::optional<const SortedSetValue*> find_sorted_set(Call& call, std::string_view key) {
  const Entry* entry = call.db().find(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kSortedSet)) return std::nullopt;
  return static_cast<const SortedSetValue*>(entry->value());
}

std::optional<SortedSetValue*> find_sorted_set_for_write(Call& call, std::string_view key) {
  const Entry* entry = call.db().find_for_write(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kSortedSet)) return std::nullopt;
  return static_cast<SortedSetValue*>(entry->value());
}

SortedSetValue* create_sorted_set(Call& call, std::string_view key,
                                  std::unique_ptr<SortedSetValue> value) {
  return static_cast<SortedSetValue*>(call.db().set_value(key, std::move(value))->value());
}

void removed_from_sorted_set(Call& call, std::string_view key, const SortedSetValue& set,
                             size_t count, std::string_view event) {
  call.changed(count);
  const bool is_empty = set.size() == 0;
  if (is_empty) {
    call.db().erase(key);
  } else {
    call.db().modified(key);
  }
  call.notify(kEventSortedSet, event, key);
  if (is_empty) call.notify(kEventGeneric, "del", key);
}

void store_sorted_set(Call& call, std::string_view destination,
                      std::unique_ptr<SortedSetValue> result, std::string_view event) {
  const size_t size = result->size();
  if (size > 0) {
    call.db().set_value(destination, std::move(result));
    call.changed();
    call.notify(kEventSortedSet, event, destination);
  } else if (call.db().find_for_write(destination) != nullptr) {
    call.db().erase(destination);
    call.changed();
    call.notify(kEventGeneric, "del", destination);
  }
  call.reply.integer(static_cast<int64_t>(size));
}

std::optional<double> read_score(Call& call, std::string_view text, std::string_view message) {
  const std::optional<double> score = parse_double(text);
  if (!score) call.reply.error(message);
  return score;
}

std::optional<SetEnd> read_set_end(std::string_view text) {
  if (equals_ignore_case(text, "min")) return SetEnd::kMin;
  if (equals_ignore_case(text, "max")) return SetEnd::kMax;
  return std::nullopt;
}

namespace {

// Whether they go together; otherwise replies why not.
bool check_add_options(Call& call, const AddOptions& options) {
  const size_t words = call.args.size() - options.first_pair;
  const SortedSetValue::Conditions& only = options.conditions;
  if (words == 0 || words % 2 != 0) {
    call.syntax_error();
  } else if (only.only_new && only.only_existing) {
    call.reply.error("ERR XX and NX options at the same time are not compatible");
  } else if ((only.only_greater && only.only_new) || (only.only_less && only.only_new) ||
             (only.only_greater && only.only_less)) {
    call.reply.error("ERR GT, LT, and/or NX options at the same time are not compatible");
  } else if (only.increment && words > 2) {
    call.reply.error("ERR INCR option supports a single increment-element pair");
  } else {
    return true;
  }
  return false;
}

AddOptions read_add_options(Args args) {
  AddOptions options;
  for (; options.first_pair < args.size(); ++options.first_pair) {
    const std::string_view word = args[options.first_pair];
    if (equals_ignore_case(word, "nx")) {
      options.conditions.only_new = true;
    } else if (equals_ignore_case(word, "xx")) {
      options.conditions.only_existing = true;
    } else if (equals_ignore_case(word, "gt")) {
      options.conditions.only_greater = true;
    } else if (equals_ignore_case(word, "lt")) {
      options.conditions.only_less = true;
    } else if (equals_ignore_case(word, "ch")) {
      options.count_changed = true;
    } else if (equals_ignore_case(word, "incr")) {
      options.conditions.increment = true;
    } else {
      break;
    }
  }
  return options;
}

// The scores of ZADD's pairs: on the stack unless there are many.
class Scores {
 public:
  // Whether all are numbers; otherwise the error has been replied.
  bool read(Call& call, Args pairs) {
    const size_t count = pairs.size() / 2;
    if (count > few_.size()) {
      many_.resize(count);
      scores_ = many_.data();
    }
    for (size_t i = 0; i < count; ++i) {
      const auto score = read_score(call, pairs[2 * i]);
      if (!score) return false;
      scores_[i] = *score;
    }
    return true;
  }
  double operator[](size_t index) const { return scores_[index]; }

 private:
  std::array<double, 16> few_;
  std::vector<double> many_;
  double* scores_ = few_.data();
};

// The set to add these pairs to, made if need be; null when there is none and none is wanted.
std::optional<SortedSetValue*> set_to_add_to(Call& call, Args pairs, bool may_create,
                                             const SortedSetLimits& limits) {
  const auto found = find_sorted_set_for_write(call, call.args[1]);
  if (!found) return std::nullopt;
  if (*found != nullptr) {
    (*found)->prepare(pairs.size() / 2, limits);
    return *found;
  }
  if (!may_create) return nullptr;
  size_t longest = 0;
  for (size_t i = 1; i < pairs.size(); i += 2) longest = std::max(longest, pairs[i].size());
  return create_sorted_set(call, call.args[1],
                           std::make_unique<SortedSetValue>(pairs.size() / 2, longest, limits));
}

}  // namespace

bool add_pairs(Call& call, Args pairs, const AddOptions& options) {
  using Outcome = SortedSetValue::Outcome;
  Scores scores;
  if (!scores.read(call, pairs)) return false;
  const SortedSetValue::Conditions& conditions = options.conditions;
  const SortedSetLimits limits = sorted_set_limits(call);
  const auto set = set_to_add_to(call, pairs, !conditions.only_existing, limits);
  if (!set) return false;
  size_t added = 0;
  size_t changed = 0;
  SortedSetValue::Update last{Outcome::kRefused};
  for (size_t i = 0; *set != nullptr && i < pairs.size() / 2; ++i) {
    last = (*set)->update(pairs[2 * i + 1], scores[i], conditions, limits);
    if (last.outcome == Outcome::kAdded) ++added;
    if (last.outcome == Outcome::kChanged) ++changed;
  }
  if (last.outcome == Outcome::kNotANumber) {
    call.reply.error("ERR resulting score is not a number (NaN)");
    return false;
  }
  if (added + changed > 0) {
    call.changed(added + changed);
    call.db().modified(call.args[1]);
    call.notify(kEventSortedSet, conditions.increment ? "zincr" : "zadd", call.args[1]);
  }
  if (!conditions.increment) {
    call.reply.integer(static_cast<int64_t>(options.count_changed ? added + changed : added));
  } else if (last.outcome == Outcome::kRefused) {
    call.reply.null();
  } else {
    call.reply.real(last.score);
  }
  return added + changed > 0;
}

namespace {

void zadd_command(Call& call) {
  const AddOptions options = read_add_options(call.args);
  if (!check_add_options(call, options)) return;
  add_pairs(call, call.args.subspan(options.first_pair), options);
}

void zincrby_command(Call& call) {
  AddOptions options;
  options.conditions.increment = true;
  add_pairs(call, call.args.subspan(2), options);
}

void zrem_command(Call& call) {
  const auto set = find_sorted_set_for_write(call, call.args[1]);
  if (!set) return;
  size_t removed = 0;
  if (*set != nullptr) {
    for (const std::string_view member : call.args.subspan(2)) {
      if (!(*set)->erase(member)) continue;
      ++removed;
      if ((*set)->size() == 0) break;
    }
  }
  if (removed > 0) removed_from_sorted_set(call, call.args[1], **set, removed, "zrem");
  call.reply.integer(static_cast<int64_t>(removed));
}

void zcard_command(Call& call) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (set) call.reply.integer(*set != nullptr ? static_cast<int64_t>((*set)->size()) : 0);
}

void reply_score(Reply& reply, const SortedSetValue* set, std::string_view member) {
  const auto score = set != nullptr ? set->score(member) : std::nullopt;
  if (score) {
    reply.real(*score);
  } else {
    reply.null();
  }
}

void zscore_command(Call& call) {
  if (const auto set = find_sorted_set(call, call.args[1])) {
    reply_score(call.reply, *set, call.args[2]);
  }
}

void zmscore_command(Call& call) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (!set) return;
  call.reply.array(call.args.size() - 2);
  for (const std::string_view member : call.args.subspan(2)) reply_score(call.reply, *set, member);
}

void reply_rank(Call& call, bool reversed) {
  const Args args = call.args;
  if (args.size() > 4) {
    call.wrong_arg_count();
    return;
  }
  const bool with_score = args.size() == 4;
  if (with_score && !equals_ignore_case(args[3], "withscore")) {
    call.syntax_error();
    return;
  }
  const auto set = find_sorted_set(call, args[1]);
  if (!set) return;
  const auto found = *set != nullptr ? (*set)->rank(args[2]) : std::nullopt;
  if (!found) {
    if (with_score) {
      call.reply.null_array();
    } else {
      call.reply.null();
    }
    return;
  }
  const size_t rank = reversed ? (*set)->size() - 1 - found->rank : found->rank;
  if (with_score) call.reply.array(2);
  call.reply.integer(static_cast<int64_t>(rank));
  if (with_score) call.reply.real(found->score);
}

void zrank_command(Call& call) { reply_rank(call, false); }

void zrevrank_command(Call& call) { reply_rank(call, true); }

// ZRANDMEMBER with a count: different members for a positive one, repeats allowed for a negative
// one.
void reply_random_members(Call& call, int64_t count, bool with_scores) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (!set) return;
  if (*set == nullptr || count == 0) {
    call.reply.array(0);
    return;
  }
  const bool repeats = count < 0;
  auto members = static_cast<size_t>(repeats ? -count : count);
  if (!repeats) members = std::min(members, (*set)->size());
  ScoredReply reply(call.reply, with_scores);
  reply.header(members);
  if (repeats) {
    (*set)->random_with_repeats(call.keyspace.random(), members, reply);
  } else {
    (*set)->random_distinct(call.keyspace.random(), members, reply);
  }
}

void zrandmember_command(Call& call) {
  const Args args = call.args;
  if (args.size() == 2) {
    const auto set = find_sorted_set(call, args[1]);
    if (!set) return;
    if (*set == nullptr) {
      call.reply.null();
      return;
    }
    (*set)->random_with_repeats(call.keyspace.random(), 1,
                                [&](std::string_view member, double) { call.reply.bulk(member); });
    return;
  }
  const auto count = parse_int64(args[2]);
  if (!count || *count == INT64_MIN) {
    call.reply.error(count
                         ? "ERR value is out of range, value must between -9223372036854775807 and "
                           "9223372036854775807"
                         : "ERR value is not an integer or out of range");
    return;
  }
  if (args.size() > 4 || (args.size() == 4 && !equals_ignore_case(args[3], "withscores"))) {
    call.syntax_error();
    return;
  }
  const bool with_scores = args.size() == 4;
  if (with_scores && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2)) {
    call.reply.error("ERR value is out of range");
    return;
  }
  reply_random_members(call, *count, with_scores);
}

// A score as ZSCAN shows it: what the listpack holds, and of a large set all 17 digits.
std::string scanned_score(const SortedSetValue& set, double score) {
  if (set.listpack() != nullptr) return format_double(score);
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%.17Lg", static_cast<long double>(score));
  return {text, static_cast<size_t>(length)};
}

void zscan_command(Call& call) {
  const auto cursor = read_cursor(call, call.args[2]);
  if (!cursor) return;
  const auto found = find_sorted_set(call, call.args[1]);
  if (!found) return;
  if (*found == nullptr) {
    call.reply.array(2);
    call.reply.bulk("0");
    call.reply.array(0);
    return;
  }
  ScanOptions options;
  if (!read_scan_options(call, 3, ScanOf::kMembers, &options)) return;
  const SortedSetValue& set = **found;
  // Twice over the same positions: what a listpack shows lives only until the next member, and the
  // length of the reply comes first.
  size_t looked_at = 0, matching = 0, steps = 0;
  uint64_t next = *cursor;
  do {
    next = set.scan(next, [&](std::string_view member, double) {
      ++looked_at;
      if (options.matches(member)) ++matching;
    });
    ++steps;
  } while (next != 0 && looked_at < options.count && steps < options.max_steps());
  call.reply.array(2);
  call.reply.bulk(std::to_string(next));
  call.reply.array(2 * matching);
  next = *cursor;
  while (steps-- > 0) {
    next = set.scan(next, [&](std::string_view member, double score) {
      if (!options.matches(member)) return;
      call.reply.bulk(member);
      call.reply.bulk(scanned_score(set, score));
    });
  }
}

constexpr CommandRow kRows[] = {
    {.name = "zadd",
     .handler = zadd_command,
     .arity = -4,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@sortedset,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds members with their scores, or changes the scores of members.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(log N) for each member, where N is the size of the sorted set"},
    {.name = "zcard",
     .handler = zcard_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@sortedset",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the number of members of a sorted set.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(1)"},
    {.name = "zincrby",
     .handler = zincrby_command,
     .arity = 4,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@sortedset,@write",
     .key_specs = "[ACCESS+RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds a number to the score of a member.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(log N), where N is the size of the sorted set"},
    {.name = "zmscore",
     .handler = zmscore_command,
     .arity = -3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the scores of several members.",
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(N), where N is the number of members given"},
    {.name = "zrandmember",
     .handler = zrandmember_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns random members of a sorted set.",
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(N), where N is the number of members returned"},
    {.name = "zrank",
     .handler = zrank_command,
     .arity = -3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns how many members are before a member.",
     .since = "2.0.0",
     .group = "sorted-set",
     .complexity = "O(log N), where N is the size of the sorted set"},
    {.name = "zrem",
     .handler = zrem_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@sortedset,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes members, and the sorted set with its last member.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(M log N), where N is the size of the sorted set and M the number of "
                   "members given"},
    {.name = "zrevrank",
     .handler = zrevrank_command,
     .arity = -3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns how many members are behind a member.",
     .since = "2.0.0",
     .group = "sorted-set",
     .complexity = "O(log N), where N is the size of the sorted set"},
    {.name = "zscan",
     .handler = zscan_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@slow,@sortedset",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Goes through the members of a sorted set in steps.",
     .since = "2.8.0",
     .group = "sorted-set",
     .complexity = "O(1) for a step, O(N) for all steps, where N is the size of the sorted set"},
    {.name = "zscore",
     .handler = zscore_command,
     .arity = 3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the score of a member.",
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> sorted_set_commands() { return kRows; }

}  // namespace tandem
