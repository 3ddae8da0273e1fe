#include <algorithm>
#include <string>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/list_keys.h"

namespace tandem {
namespace {

constexpr std::string_view kOutOfSymmetricRange =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";

// An integer that has a magnitude.
std::optional<int64_t> read_signed(Call& call, std::string_view text) {
  const auto number = read_integer(call, text);
  if (number && *number == INT64_MIN) {
    call.reply.error(kOutOfSymmetricRange);
    return std::nullopt;
  }
  return number;
}

// The index of an element from one that may count from the end; nothing beyond either end.
std::optional<size_t> element_index(int64_t index, size_t size) {
  const auto length = static_cast<int64_t>(size);
  if (index < 0) index += length;
  if (index < 0 || index >= length) return std::nullopt;
  return static_cast<size_t>(index);
}

// What LRANGE and LTRIM mean by two indexes.
struct Range {
  size_t first = 0;
  size_t count = 0;
};

Range element_range(int64_t first, int64_t last, size_t size) {
  const auto length = static_cast<int64_t>(size);
  if (first < 0) first = std::max<int64_t>(first + length, 0);
  if (last < 0) last += length;
  last = std::min(last, length - 1);
  if (first > last) return {};
  return {static_cast<size_t>(first), static_cast<size_t>(last - first + 1)};
}

void push(Call& call, ListEnd end, bool only_existing) {
  const std::string_view key = call.args[1];
  const auto found = find_list_for_write(call, key);
  if (!found) return;
  if (*found == nullptr && only_existing) {
    call.reply.integer(0);
    return;
  }
  const Args elements = call.args.subspan(2);
  const ListValue* list = push_elements(call, key, *found, end, elements);
  call.changed(elements.size());
  call.notify(kEventList, end == ListEnd::kHead ? "lpush" : "rpush", key);
  call.reply.integer(static_cast<int64_t>(list->size()));
}

void lpush_command(Call& call) { push(call, ListEnd::kHead, false); }
void rpush_command(Call& call) { push(call, ListEnd::kTail, false); }
void lpushx_command(Call& call) { push(call, ListEnd::kHead, true); }
void rpushx_command(Call& call) { push(call, ListEnd::kTail, true); }

// LPOP and RPOP, with or without a count.
void pop(Call& call, ListEnd end) {
  const Args args = call.args;
  if (args.size() > 3) {
    call.wrong_arg_count();
    return;
  }
  const bool has_count = args.size() == 3;
  size_t count = 1;
  if (has_count) {
    const auto number = parse_int64(args[2]);
    if (!number || *number < 0) {
      call.reply.error("ERR value is out of range, must be positive");
      return;
    }
    count = static_cast<size_t>(*number);
  }
  const auto found = find_list_for_write(call, args[1]);
  if (!found) return;
  ListValue* list = *found;
  if (list == nullptr) {
    has_count ? call.reply.null_array() : call.reply.null();
    return;
  }
  if (!has_count) {
    reply_element(call, list->peek(end));
    remove_elements(call, args[1], list, end, 1);
    return;
  }
  count = std::min(count, list->size());
  reply_elements(call, *list, end, count);
  if (count > 0) remove_elements(call, args[1], list, end, count);
}

void lpop_command(Call& call) { pop(call, ListEnd::kHead); }
void rpop_command(Call& call) { pop(call, ListEnd::kTail); }

void llen_command(Call& call) {
  const auto list = find_list(call, call.args[1]);
  if (list) call.reply.integer(*list != nullptr ? static_cast<int64_t>((*list)->size()) : 0);
}

void lindex_command(Call& call) {
  const auto list = find_list(call, call.args[1]);
  if (!list) return;
  if (*list == nullptr) {
    call.reply.null();
    return;
  }
  const auto number = read_integer(call, call.args[2]);
  if (!number) return;
  if (const auto index = element_index(*number, (*list)->size())) {
    reply_element(call, (*list)->at(*index));
  } else {
    call.reply.null();
  }
}

void lrange_command(Call& call) {
  const auto first = read_integer(call, call.args[2]);
  if (!first) return;
  const auto last = read_integer(call, call.args[3]);
  if (!last) return;
  const auto found = find_list(call, call.args[1]);
  if (!found) return;
  const ListValue* list = *found;
  const Range range = list != nullptr ? element_range(*first, *last, list->size()) : Range();
  call.reply.array(range.count);
  if (range.count == 0) return;
  Listpack::Scratch scratch;
  list->visit(range.first, range.count, [&](const ListValue::Element& element) {
    call.reply.bulk(element.text(scratch));
    return true;
  });
}

void lset_command(Call& call) {
  const std::string_view key = call.args[1];
  const auto found = find_list_for_write(call, key);
  if (!found) return;
  ListValue* list = *found;
  if (list == nullptr) {
    call.reply.error("ERR no such key");
    return;
  }
  const auto number = read_integer(call, call.args[2]);
  if (!number) return;
  const auto index = element_index(*number, list->size());
  const ListLimits limits = list_limits(call);
  // Even when there is no such element: what shows in OBJECT ENCODING is Valkey's.
  list->prepare(call.args[3].size(), 1, limits);
  if (!index) {
    call.reply.error("ERR index out of range");
    return;
  }
  list->set(*index, call.args[3], limits);
  list->shrink(limits);
  call.db().modified(key);
  call.changed();
  call.notify(kEventList, "lset", key);
  call.reply.ok();
}

// The index of the first element that matches, or nothing.
std::optional<size_t> find_element(const ListValue& list, std::string_view text) {
  const ListNeedle needle(text);
  size_t index = 0;
  const bool missing = list.visit([&](const ListValue::Element& element) {
    if (needle.matches(element)) return false;
    ++index;
    return true;
  });
  return missing ? std::nullopt : std::optional(index);
}

void linsert_command(Call& call) {
  const bool behind = equals_ignore_case(call.args[2], "after");
  if (!behind && !equals_ignore_case(call.args[2], "before")) {
    call.syntax_error();
    return;
  }
  const std::string_view key = call.args[1];
  const auto found = find_list_for_write(call, key);
  if (!found) return;
  ListValue* list = *found;
  if (list == nullptr) {
    call.reply.integer(0);
    return;
  }
  const ListLimits limits = list_limits(call);
  list->prepare(call.args[4].size(), 1, limits);
  const auto index = find_element(*list, call.args[3]);
  if (!index) {
    call.reply.integer(-1);
    return;
  }
  list->insert(behind ? *index + 1 : *index, call.args[4], limits);
  call.db().modified(key);
  call.changed();
  call.notify(kEventList, "linsert", key);
  call.reply.integer(static_cast<int64_t>(list->size()));
}

void lrem_command(Call& call) {
  const auto count = read_signed(call, call.args[2]);
  if (!count) return;
  const std::string_view key = call.args[1];
  const auto found = find_list_for_write(call, key);
  if (!found) return;
  size_t removed = 0;
  if (ListValue* list = *found) {
    const auto limit = *count == 0 ? SIZE_MAX : static_cast<size_t>(std::abs(*count));
    removed = list->erase_matching(ListNeedle(call.args[3]),
                                   *count < 0 ? ListEnd::kTail : ListEnd::kHead, limit);
    if (removed > 0) {
      call.changed(removed);
      elements_removed(call, key, list, "lrem");
    }
  }
  call.reply.integer(static_cast<int64_t>(removed));
}

void ltrim_command(Call& call) {
  const auto first = read_integer(call, call.args[2]);
  if (!first) return;
  const auto last = read_integer(call, call.args[3]);
  if (!last) return;
  const std::string_view key = call.args[1];
  const auto found = find_list_for_write(call, key);
  if (!found) return;
  ListValue* list = *found;
  if (list == nullptr) {
    call.reply.ok();
    return;
  }
  const size_t size = list->size();
  const Range kept = element_range(*first, *last, size);
  call.changed(size - kept.count);
  if (kept.count == 0) {
    call.notify(kEventList, "ltrim", key);
    call.db().erase(key);
    call.notify(kEventGeneric, "del", key);
  } else {
    free_cut_off(call, list->trim(ListEnd::kTail, size - kept.first - kept.count));
    free_cut_off(call, list->trim(ListEnd::kHead, kept.first));
    elements_removed(call, key, list, "ltrim");
  }
  call.reply.ok();
}

struct PositionOptions {
  int64_t rank = 1;
  std::optional<size_t> count;  // 0: all
  size_t max_length = SIZE_MAX;
};

bool read_position_options(Call& call, PositionOptions* options) {
  const Args args = call.args;
  const auto read_size = [&](std::string_view text, std::string_view error) {
    const auto number = parse_int64(text);
    if (number && *number >= 0) return std::optional(static_cast<size_t>(*number));
    call.reply.error(error);
    return std::optional<size_t>();
  };
  for (size_t i = 3; i < args.size(); i += 2) {
    const bool has_value = i + 1 < args.size();
    if (has_value && equals_ignore_case(args[i], "rank")) {
      const auto rank = read_signed(call, args[i + 1]);
      if (!rank) return false;
      if (*rank == 0) {
        call.reply.error(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
            "or use negative to start from the end of the list");
        return false;
      }
      options->rank = *rank;
    } else if (has_value && equals_ignore_case(args[i], "count")) {
      options->count = read_size(args[i + 1], "ERR COUNT can't be negative");
      if (!options->count) return false;
    } else if (has_value && equals_ignore_case(args[i], "maxlen")) {
      const auto length = read_size(args[i + 1], "ERR MAXLEN can't be negative");
      if (!length) return false;
      options->max_length = *length == 0 ? SIZE_MAX : *length;
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

std::vector<size_t> find_positions(const ListValue& list, const ListNeedle& needle,
                                   const PositionOptions& options) {
  std::vector<size_t> positions;
  const size_t wanted = options.count.value_or(1);
  const bool backwards = options.rank < 0;
  auto to_skip = static_cast<size_t>(std::abs(options.rank) - 1);
  size_t seen = 0;
  const auto look_at = [&](const ListValue::Element& element) {
    const size_t index = backwards ? list.size() - 1 - seen : seen;
    ++seen;
    if (!needle.matches(element)) return true;
    if (to_skip > 0) {
      --to_skip;
      return true;
    }
    positions.push_back(index);
    return positions.size() != wanted;
  };
  const size_t length = std::min(options.max_length, list.size());
  if (backwards) {
    list.visit_back(list.size() - 1, length, look_at);
  } else {
    list.visit(0, length, look_at);
  }
  return positions;
}

void lpos_command(Call& call) {
  PositionOptions options;
  if (!read_position_options(call, &options)) return;
  const auto list = find_list(call, call.args[1]);
  if (!list) return;
  std::vector<size_t> positions;
  if (*list != nullptr) positions = find_positions(**list, ListNeedle(call.args[2]), options);
  if (options.count) {
    call.reply.array(positions.size());
    for (const size_t position : positions) call.reply.integer(static_cast<int64_t>(position));
  } else if (!positions.empty()) {
    call.reply.integer(static_cast<int64_t>(positions[0]));
  } else {
    call.reply.null();
  }
}

constexpr CommandRow kRows[] = {
    {.name = "lindex",
     .handler = lindex_command,
     .arity = 3,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@list,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the element at an index of a list.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(log N), where N is the length of the list"},
    {.name = "linsert",
     .handler = linsert_command,
     .arity = 5,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@list,@slow,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds an element next to another one.",
     .since = "2.2.0",
     .group = "list",
     .complexity = "O(N), where N is the number of elements in front of the other one"},
    {.name = "llen",
     .handler = llen_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@list,@read",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the length of a list.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(1)"},
    {.name = "lpop",
     .handler = lpop_command,
     .arity = -2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@list,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Takes elements from the head of a list, and the list with its last one.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N), where N is the number of elements taken"},
    {.name = "lpos",
     .handler = lpos_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@list,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns where in a list a value stands.",
     .since = "6.0.6",
     .group = "list",
     .complexity = "O(N), where N is the length of the list"},
    {.name = "lpush",
     .handler = lpush_command,
     .arity = -3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@list,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds elements at the head of a list, creating it if need be.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N), where N is the number of elements given"},
    {.name = "lpushx",
     .handler = lpushx_command,
     .arity = -3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@list,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds elements at the head of a list that exists.",
     .since = "2.2.0",
     .group = "list",
     .complexity = "O(N), where N is the number of elements given"},
    {.name = "lrange",
     .handler = lrange_command,
     .arity = 4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@list,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns a range of the elements of a list.",
     .since = "1.0.0",
     .group = "list",
     .complexity =
         "O(log N + M), where N is the length of the list and M the number of elements returned"},
    {.name = "lrem",
     .handler = lrem_command,
     .arity = 4,
     .flags = "write",
     .keys = "1,1,1",
     .categories = "@list,@slow,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes elements that equal a value, and the list with its last one.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N), where N is the length of the list"},
    {.name = "lset",
     .handler = lset_command,
     .arity = 4,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@list,@slow,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Replaces the element at an index of a list.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(log N), where N is the length of the list"},
    {.name = "ltrim",
     .handler = ltrim_command,
     .arity = 4,
     .flags = "write",
     .keys = "1,1,1",
     .categories = "@list,@slow,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes the elements outside a range, and the list with its last one.",
     .since = "1.0.0",
     .group = "list",
     .complexity =
         "O(log N + M), where N is the length of the list and M the number of elements removed"},
    {.name = "rpop",
     .handler = rpop_command,
     .arity = -2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@list,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Takes elements from the tail of a list, and the list with its last one.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N), where N is the number of elements taken"},
    {.name = "rpush",
     .handler = rpush_command,
     .arity = -3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@list,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds elements at the tail of a list, creating it if need be.",
     .since = "1.0.0",
     .group = "list",
     .complexity = "O(N), where N is the number of elements given"},
    {.name = "rpushx",
     .handler = rpushx_command,
     .arity = -3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@list,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds elements at the tail of a list that exists.",
     .since = "2.2.0",
     .group = "list",
     .complexity = "O(N), where N is the number of elements given"},
};

}  // namespace

std::span<const CommandRow> list_commands() { return kRows; }

}  // namespace tandem
