#include <algorithm>
#include <optional>
#include <string>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/list_keys.h"

// The commands that take elements from several lists or move them from one to another, with those
// that wait for an element.

namespace tandem {
namespace {

std::string_view pop_name(ListEnd end) { return end == ListEnd::kHead ? "LPOP" : "RPOP"; }

// Moves one element from the list at args[1] to the one at args[2]. False when there is nothing to
// move, and nothing has been replied.
bool move_element(Call& call, ListEnd from, ListEnd to) {
  const std::string_view source_key = call.args[1];
  const std::string_view target_key = call.args[2];
  const auto found = find_list_for_write(call, source_key);
  if (!found) return true;
  ListValue* source = *found;
  if (source == nullptr) return false;
  const auto target = find_list_for_write(call, target_key);
  if (!target) return true;
  Listpack::Scratch scratch;
  std::string_view element = source->peek(from).text(scratch);
  std::string copy;
  const bool rotates = source == *target;
  if (rotates) {
    copy = element;
    element = copy;
    source->pop(from);
  }
  push_elements(call, target_key, *target, to, Args(&element, 1));
  call.changed();
  call.notify(kEventList, to == ListEnd::kHead ? "lpush" : "rpush", target_key);
  call.reply.bulk(element);
  if (!rotates) source->pop(from);
  elements_removed(call, source_key, source, from == ListEnd::kHead ? "lpop" : "rpop");
  return true;
}

// Nothing was there: the client waits for the keys, or, where it cannot, is told so.
void wait_for(Call& call, Args keys, int64_t deadline_ms, void (Reply::*reply_nothing)()) {
  if (call.can_block()) {
    call.block_on_keys(keys, ValueType::kList, deadline_ms);
  } else {
    (call.reply.*reply_nothing)();
  }
}

void lmove_command(Call& call) {
  const auto from = read_list_end(call, call.args[3]);
  if (!from) return;
  const auto to = read_list_end(call, call.args[4]);
  if (!to) return;
  if (!move_element(call, *from, *to)) call.reply.null();
}

void rpoplpush_command(Call& call) {
  if (!move_element(call, ListEnd::kTail, ListEnd::kHead)) call.reply.null();
}

void blmove_command(Call& call) {
  const Args args = call.args;
  const auto from = read_list_end(call, args[3]);
  if (!from) return;
  const auto to = read_list_end(call, args[4]);
  if (!to) return;
  const auto deadline_ms = read_timeout(call, args[5], TimeUnit::kSeconds);
  if (!deadline_ms) return;
  if (!move_element(call, *from, *to)) {
    wait_for(call, args.subspan(1, 1), *deadline_ms, &Reply::null);
  } else if (call.changes() > 0) {
    call.emit({"LMOVE", args[1], args[2], args[3], args[4]});
  }
}

void brpoplpush_command(Call& call) {
  const Args args = call.args;
  const auto deadline_ms = read_timeout(call, args[3], TimeUnit::kSeconds);
  if (!deadline_ms) return;
  if (!move_element(call, ListEnd::kTail, ListEnd::kHead)) {
    wait_for(call, args.subspan(1, 1), *deadline_ms, &Reply::null);
  } else if (call.changes() > 0) {
    call.emit({"RPOPLPUSH", args[1], args[2]});
  }
}

// BLPOP and BRPOP: from the first list that is there.
void blocking_pop(Call& call, ListEnd end) {
  const Args args = call.args;
  const auto deadline_ms = read_timeout(call, args.back(), TimeUnit::kSeconds);
  if (!deadline_ms) return;
  const Args keys = args.subspan(1, args.size() - 2);
  for (const std::string_view key : keys) {
    const auto list = find_list_for_write(call, key);
    if (!list) return;
    if (*list == nullptr) continue;
    call.reply.array(2);
    call.reply.bulk(key);
    reply_element(call, (*list)->peek(end));
    remove_elements(call, key, *list, end, 1);
    call.emit({pop_name(end), key});
    return;
  }
  wait_for(call, keys, *deadline_ms, &Reply::null_array);
}

void blpop_command(Call& call) { blocking_pop(call, ListEnd::kHead); }
void brpop_command(Call& call) { blocking_pop(call, ListEnd::kTail); }

// What LMPOP and BLMPOP ask for: numkeys key … LEFT|RIGHT [COUNT count], from args[first] on.
struct MultiPop {
  Args keys;
  ListEnd end = ListEnd::kHead;
  size_t count = 1;
};

std::optional<MultiPop> read_multi_pop(Call& call, size_t first) {
  const Args args = call.args;
  const auto positive = [&call](std::string_view text, std::string_view error) {
    const auto number = parse_int64(text);
    if (number && *number > 0) return std::optional(static_cast<size_t>(*number));
    call.reply.error(error);
    return std::optional<size_t>();
  };
  const auto keys = positive(args[first], "ERR numkeys should be greater than 0");
  if (!keys) return std::nullopt;
  MultiPop request;
  if (*keys >= args.size() - first - 1) {
    call.syntax_error();
    return std::nullopt;
  }
  request.keys = args.subspan(first + 1, *keys);
  size_t next = first + 1 + *keys;
  const auto end = read_list_end(call, args[next++]);
  if (!end) return std::nullopt;
  request.end = *end;
  for (bool has_count = false; next < args.size(); next += 2, has_count = true) {
    if (has_count || next + 1 == args.size() || !equals_ignore_case(args[next], "count")) {
      call.syntax_error();
      return std::nullopt;
    }
    const auto count = positive(args[next + 1], "ERR count should be greater than 0");
    if (!count) return std::nullopt;
    request.count = *count;
  }
  return request;
}

// False when all lists are missing, and nothing has been replied.
bool pop_first(Call& call, const MultiPop& request) {
  for (const std::string_view key : request.keys) {
    const auto list = find_list_for_write(call, key);
    if (!list) return true;
    if (*list == nullptr) continue;
    const size_t count = std::min(request.count, (*list)->size());
    call.reply.array(2);
    call.reply.bulk(key);
    reply_elements(call, **list, request.end, count);
    remove_elements(call, key, *list, request.end, count);
    call.emit({pop_name(request.end), key, std::to_string(count)});
    return true;
  }
  return false;
}

void lmpop_command(Call& call) {
  const auto request = read_multi_pop(call, 1);
  if (request && !pop_first(call, *request)) call.reply.null_array();
}

void blmpop_command(Call& call) {
  const auto request = read_multi_pop(call, 2);
  if (!request) return;
  const auto deadline_ms = read_timeout(call, call.args[1], TimeUnit::kSeconds);
  if (deadline_ms && !pop_first(call, *request)) {
    wait_for(call, request->keys, *deadline_ms, &Reply::null_array);
  }
}

constexpr CommandRow kRows[] = {
    {.name = "blmove",
     .handler = blmove_command,
     .arity = 6,
     .flags = "blocking,denyoom,write",
     .keys = "1,2,1",
     .categories = "@blocking,@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0] [INSERT+RW "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Moves an element from one list to another and returns it; waits for one if there "
                "is none.",
     .since = "6.2.0",
     .group = "list",
     .complexity = "O(1)"},
    {.name = "blmpop",
     .handler = blmpop_command,
     .arity = -5,
     .flags = "blocking,movablekeys,write",
     .categories = "@blocking,@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Takes elements from the first list that exists; waits for one if there is none.",
     .since = "7.0.0",
     .group = "list",
     .complexity =
         "O(N + M), where N is the number of keys given and M the number of elements taken"},
    {.name = "blpop",
     .handler = blpop_command,
     .arity = -3,
     .flags = "blocking,write",
     .keys = "1,-2,1",
     .categories = "@blocking,@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=-2,keystep=1,limit=0]",
     .summary =
         "Takes the first element of the first list that exists; waits for one if there is none.",
     .since = "2.0.0",
     .group = "list",
     .complexity = "O(N), where N is the number of keys given"},
    {.name = "brpop",
     .handler = brpop_command,
     .arity = -3,
     .flags = "blocking,write",
     .keys = "1,-2,1",
     .categories = "@blocking,@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=-2,keystep=1,limit=0]",
     .summary =
         "Takes the last element of the first list that exists; waits for one if there is none.",
     .since = "2.0.0",
     .group = "list",
     .complexity = "O(N), where N is the number of keys given"},
    {.name = "brpoplpush",
     .handler = brpoplpush_command,
     .arity = 4,
     .flags = "blocking,denyoom,write",
     .keys = "1,2,1",
     .categories = "@blocking,@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0] [INSERT+RW "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Moves the last element of a list to the head of another one; waits for one if "
                "there is none.",
     .since = "2.2.0",
     .group = "list",
     .complexity = "O(1)"},
    {.name = "lmove",
     .handler = lmove_command,
     .arity = 5,
     .flags = "denyoom,write",
     .keys = "1,2,1",
     .categories = "@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0] [INSERT+RW "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Moves an element from one end of a list to an end of another one, and returns it.",
     .since = "6.2.0",
     .group = "list",
     .complexity = "O(1)"},
    {.name = "lmpop",
     .handler = lmpop_command,
     .arity = -4,
     .flags = "movablekeys,write",
     .categories = "@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Takes elements from the first list that exists.",
     .since = "7.0.0",
     .group = "list",
     .complexity =
         "O(N + M), where N is the number of keys given and M the number of elements taken"},
    {.name = "rpoplpush",
     .handler = rpoplpush_command,
     .arity = 3,
     .flags = "denyoom,write",
     .keys = "1,2,1",
     .categories = "@list,@slow,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0] [INSERT+RW "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Moves the last element of a list to the head of another one, and returns it.",
     .since = "1.2.0",
     .group = "list",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> list_move_commands() { return kRows; }

}  // namespace tandem
