#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "server/base/hash.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/sorted_set_commands.h"
#include "server/store/set_value.h"

namespace tandem {
namespace {

using Elements = std::vector<SortedSetElementOwner>;

enum class Operation : uint8_t { kUnion, kIntersection, kDifference };

enum class Aggregate : uint8_t { kSum, kMin, kMax };

double aggregate(Aggregate how, double a, double b) {
  if (how == Aggregate::kMin) return std::min(a, b);
  if (how == Aggregate::kMax) return std::max(a, b);
  // Infinities of both signs: what is neither is nothing.
  const double sum = a + b;
  return std::isnan(sum) ? 0 : sum;
}

// One of the keys an operation is over: a sorted set, a set, whose members all have score 1, or
// nothing.
struct Source {
  const SortedSetValue* sorted = nullptr;
  const SetValue* plain = nullptr;
  double weight = 1;

  static constexpr double kPlainScore = 1;

  size_t size() const {
    if (plain != nullptr) return plain->size();
    return sorted != nullptr ? sorted->size() : 0;
  }
  bool same_as(const Source& other) const { return sorted == other.sorted && plain == other.plain; }
  double weighted(double score) const {
    const double product = weight * score;
    return std::isnan(product) ? 0 : product;  // infinity times zero
  }
  std::optional<double> score(std::string_view member) const {
    if (sorted != nullptr) return sorted->score(member);
    if (plain == nullptr || !plain->contains(member)) return std::nullopt;
    return kPlainScore;
  }
  // Calls visit(member, score) for each element until it returns false.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    if (sorted != nullptr) sorted->for_each(visit);
    if (plain == nullptr) return;
    bool wanted = true;
    uint64_t cursor = 0;
    do {
      cursor = plain->scan(cursor, [&](const SetValue::Member& member) {
        SetValue::Scratch scratch;
        if (wanted) wanted = visit(member.text(scratch), kPlainScore);
      });
    } while (cursor != 0 && wanted);
  }
};

struct Request {
  std::vector<Source> sources;
  Aggregate aggregate = Aggregate::kSum;
  bool with_scores = false;
  size_t limit = 0;  // ZINTERCARD's; 0: none
};

// numkeys key [key …] from args[first] on; returns the index behind them.
std::optional<size_t> read_sources(Call& call, size_t first, std::vector<Source>* sources) {
  const auto count = read_integer(call, call.args[first]);
  if (!count) return std::nullopt;
  if (*count < 1) {
    call.reply.error("ERR at least 1 input key is needed for '" + call.command.name + "' command");
    return std::nullopt;
  }
  const Args keys = call.args.subspan(first + 1);
  if (static_cast<uint64_t>(*count) > keys.size()) {
    call.syntax_error();
    return std::nullopt;
  }
  for (const std::string_view key : keys.first(static_cast<size_t>(*count))) {
    const Entry* entry = call.db().find(key);
    Source source;
    if (entry != nullptr && entry->type() == ValueType::kSet) {
      source.plain = static_cast<const SetValue*>(entry->value());
    } else if (entry != nullptr) {
      if (!check_type(call, entry, ValueType::kSortedSet)) return std::nullopt;
      source.sorted = static_cast<const SortedSetValue*>(entry->value());
    }
    sources->push_back(source);
  }
  return first + 1 + sources->size();
}

bool read_weights(Call& call, Args weights, std::vector<Source>* sources) {
  for (size_t i = 0; i < sources->size(); ++i) {
    const auto weight = read_score(call, weights[i], "ERR weight value is not a float");
    if (!weight) return false;
    (*sources)[i].weight = *weight;
  }
  return true;
}

std::optional<Aggregate> read_aggregate(std::string_view text) {
  if (equals_ignore_case(text, "sum")) return Aggregate::kSum;
  if (equals_ignore_case(text, "min")) return Aggregate::kMin;
  if (equals_ignore_case(text, "max")) return Aggregate::kMax;
  return std::nullopt;
}

// Which options a command has.
struct Accepted {
  bool weights = false;  // and AGGREGATE
  bool scores = false;
  bool limit = false;
};

// Reads everything from numkeys, at args[first], on.
bool read_request(Call& call, size_t first, const Accepted& accepted, Request* request) {
  const auto behind_keys = read_sources(call, first, &request->sources);
  if (!behind_keys) return false;
  const Args args = call.args;
  const size_t count = request->sources.size();
  for (size_t i = *behind_keys; i < args.size(); ++i) {
    const size_t following = args.size() - i - 1;
    if (accepted.weights && following >= count && equals_ignore_case(args[i], "weights")) {
      if (!read_weights(call, args.subspan(i + 1, count), &request->sources)) return false;
      i += count;
    } else if (accepted.weights && following >= 1 && equals_ignore_case(args[i], "aggregate")) {
      const auto how = read_aggregate(args[++i]);
      if (!how) {
        call.syntax_error();
        return false;
      }
      request->aggregate = *how;
    } else if (accepted.scores && equals_ignore_case(args[i], "withscores")) {
      request->with_scores = true;
    } else if (accepted.limit && following >= 1 && equals_ignore_case(args[i], "limit")) {
      const auto limit = parse_int64(args[++i]);
      if (!limit || *limit < 0) {
        call.reply.error("ERR LIMIT can't be negative");
        return false;
      }
      request->limit = static_cast<size_t>(*limit);
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

// The smallest first: the order decides how much work it is, and how sums are rounded.
void sort_by_size(std::vector<Source>* sources) {
  std::stable_sort(sources->begin(), sources->end(),
                   [](const Source& a, const Source& b) { return a.size() < b.size(); });
}

// Calls visit(member, score) for each member that is in all sources, sorted by size, until it
// returns false.
template <typename Visit>
void intersect(const Request& request, Visit&& visit) {
  const Source& smallest = request.sources.front();
  smallest.for_each([&](std::string_view member, double first_score) {
    double score = smallest.weighted(first_score);
    for (size_t i = 1; i < request.sources.size(); ++i) {
      const Source& other = request.sources[i];
      const auto found = other.same_as(smallest) ? std::optional(first_score) : other.score(member);
      if (!found) return true;
      // Infinity times zero, which is no number, makes the sum 0 and is no minimum and no maximum:
      // only the first score counts as 0 by itself.
      score = aggregate(request.aggregate, score, other.weight * *found);
    }
    return visit(member, score);
  });
}

// The elements of a union while they are gathered.
class Union {
 public:
  Union() = default;
  Union(const Union&) = delete;
  Union& operator=(const Union&) = delete;
  ~Union() { take(); }

  void add(std::string_view member, double score, Aggregate how) {
    const uint64_t hash = hash_bytes(member);
    if (SortedSetElement** slot = table_.find(member, hash)) {
      (*slot)->set_score(aggregate(how, (*slot)->score(), score));
    } else {
      table_.insert(SortedSetElement::create(member, score), hash);
    }
  }
  Elements take() {
    Elements elements;
    elements.reserve(table_.size());
    table_.for_each([&](SortedSetElement* element) { elements.emplace_back(element); });
    table_.clear();
    return elements;
  }

 private:
  Table<SortedSetElement, SortedSetElementTraits> table_;
};

Elements unite(const Request& request) {
  Union all;
  for (const Source& source : request.sources) {
    source.for_each([&](std::string_view member, double score) {
      all.add(member, source.weighted(score), request.aggregate);
      return true;
    });
  }
  return all.take();
}

Elements subtract(const Request& request) {
  Elements elements;
  const Source& first = request.sources.front();
  first.for_each([&](std::string_view member, double score) {
    for (size_t i = 1; i < request.sources.size(); ++i) {
      const Source& other = request.sources[i];
      if (other.same_as(first) || other.score(member)) return true;
    }
    elements.emplace_back(SortedSetElement::create(member, score));
    return true;
  });
  return elements;
}

// The result in order.
Elements evaluate(Operation operation, Request* request) {
  Elements elements;
  switch (operation) {
    case Operation::kUnion:
      sort_by_size(&request->sources);
      elements = unite(*request);
      break;
    case Operation::kIntersection:
      sort_by_size(&request->sources);
      intersect(*request, [&](std::string_view member, double score) {
        elements.emplace_back(SortedSetElement::create(member, score));
        return true;
      });
      break;
    case Operation::kDifference:
      elements = subtract(*request);
      break;
  }
  sort_elements(&elements);
  return elements;
}

void reply_result(Call& call, Operation operation) {
  Request request;
  const Accepted accepted = {.weights = operation != Operation::kDifference, .scores = true};
  if (!read_request(call, 1, accepted, &request)) return;
  const Elements elements = evaluate(operation, &request);
  ScoredReply reply(call.reply, request.with_scores);
  reply.header(elements.size());
  for (const auto& element : elements) reply(element->member(), element->score());
}

void store_result(Call& call, Operation operation, std::string_view event) {
  Request request;
  const Accepted accepted = {.weights = operation != Operation::kDifference};
  if (!read_request(call, 2, accepted, &request)) return;
  auto result =
      SortedSetValue::from_elements(evaluate(operation, &request), sorted_set_limits(call));
  store_sorted_set(call, call.args[1], std::move(result), event);
}

void zunion_command(Call& call) { reply_result(call, Operation::kUnion); }

void zinter_command(Call& call) { reply_result(call, Operation::kIntersection); }

void zdiff_command(Call& call) { reply_result(call, Operation::kDifference); }

void zunionstore_command(Call& call) { store_result(call, Operation::kUnion, "zunionstore"); }

void zinterstore_command(Call& call) {
  store_result(call, Operation::kIntersection, "zinterstore");
}

void zdiffstore_command(Call& call) { store_result(call, Operation::kDifference, "zdiffstore"); }

void zintercard_command(Call& call) {
  Request request;
  if (!read_request(call, 1, {.limit = true}, &request)) return;
  sort_by_size(&request.sources);
  size_t count = 0;
  intersect(request, [&](std::string_view, double) { return ++count != request.limit; });
  call.reply.integer(static_cast<int64_t>(count));
}

constexpr CommandRow kRows[] = {
    {.name = "zdiff",
     .handler = zdiff_command,
     .arity = -3,
     .flags = "movablekeys,readonly",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Returns the members of the first sorted set that are in none of the others.",
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(L K + M log M), where L is the size of the first sorted set, K the "
                   "number of keys and M the size of the result"},
    {.name = "zdiffstore",
     .handler = zdiffstore_command,
     .arity = -4,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Stores the members of the first sorted set that are in none of the others.",
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(L K + M log M), where L is the size of the first sorted set, K the "
                   "number of keys and M the size of the result"},
    {.name = "zinter",
     .handler = zinter_command,
     .arity = -3,
     .flags = "movablekeys,readonly",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Returns the members that are in all sorted sets.",
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(N K + M log M), where N is the size of the smallest sorted set, K the "
                   "number of keys and M the size of the result"},
    {.name = "zintercard",
     .handler = zintercard_command,
     .arity = -3,
     .flags = "movablekeys,readonly",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Counts the members that are in all sorted sets.",
     .since = "7.0.0",
     .group = "sorted-set",
     .complexity = "O(N K), where N is the size of the smallest sorted set and K the number of "
                   "keys"},
    {.name = "zinterstore",
     .handler = zinterstore_command,
     .arity = -4,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Stores the members that are in all sorted sets.",
     .since = "2.0.0",
     .group = "sorted-set",
     .complexity = "O(N K + M log M), where N is the size of the smallest sorted set, K the "
                   "number of keys and M the size of the result"},
    {.name = "zunion",
     .handler = zunion_command,
     .arity = -3,
     .flags = "movablekeys,readonly",
     .categories = "@read,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Returns the members that are in any of the sorted sets.",
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(N + M log M), where N is the sum of the sizes of the sorted sets and M "
                   "the size of the result"},
    {.name = "zunionstore",
     .handler = zunionstore_command,
     .arity = -4,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@slow,@sortedset,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Stores the members that are in any of the sorted sets.",
     .since = "2.0.0",
     .group = "sorted-set",
     .complexity = "O(N + M log M), where N is the sum of the sizes of the sorted sets and M "
                   "the size of the result"},
};

}  // namespace

std::span<const CommandRow> sorted_set_algebra_commands() { return kRows; }

}  // namespace tandem
