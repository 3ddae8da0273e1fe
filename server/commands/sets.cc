#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/set_algebra.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"
#include "server/store/set_value.h"

namespace tandem {
namespace {

using Member = SetValue::Member;

SetValue* set_of(const Entry* entry) { return static_cast<SetValue*>(entry->value()); }

// As find_set(), for changing it.
std::optional<SetValue*> find_set_for_write(Call& call, std::string_view key) {
  const Entry* entry = call.db().find_for_write(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kSet)) return std::nullopt;
  return set_of(entry);
}

// To be called when members have been taken out of a set: tells of it, and removes the key with its
// last member.
void members_removed(Call& call, std::string_view key, const SetValue& set,
                     std::string_view event) {
  const bool empty = set.size() == 0;
  if (empty) {
    call.db().erase(key);
  } else {
    call.db().modified(key);
  }
  call.notify(kEventSet, event, key);
  if (empty) call.notify(kEventGeneric, "del", key);
}

void sadd_command(Call& call) {
  const std::string_view key = call.args[1];
  const auto found = find_set_for_write(call, key);
  if (!found) return;
  const Args members = call.args.subspan(2);
  const SetLimits limits = set_limits(call);
  SetValue* set = *found;
  if (set == nullptr) {
    set = set_of(
        call.db().set_value(key, std::make_unique<SetValue>(members[0], members.size(), limits)));
  } else if (members.size() > 1) {
    set->prepare(members.size(), limits);
  }
  size_t added = 0;
  for (const std::string_view member : members) {
    if (set->add(member, limits)) ++added;
  }
  if (added > 0) {
    call.db().modified(key);
    call.changed(added);
    call.notify(kEventSet, "sadd", key);
  }
  call.reply.integer(static_cast<int64_t>(added));
}

void srem_command(Call& call) {
  const std::string_view key = call.args[1];
  const auto found = find_set_for_write(call, key);
  if (!found) return;
  SetValue* set = *found;
  size_t removed = 0;
  if (set != nullptr) {
    for (const std::string_view member : call.args.subspan(2)) {
      if (!set->erase(member)) continue;
      ++removed;
      if (set->size() == 0) break;
    }
  }
  if (removed > 0) {
    call.changed(removed);
    members_removed(call, key, *set, "srem");
  }
  call.reply.integer(static_cast<int64_t>(removed));
}

void smove_command(Call& call) {
  const std::string_view from_key = call.args[1];
  const std::string_view to_key = call.args[2];
  const std::string_view member = call.args[3];
  const Entry* from_entry = call.db().find_for_write(from_key);
  if (from_entry == nullptr) {
    call.reply.integer(0);
    return;
  }
  if (!check_type(call, from_entry, ValueType::kSet)) return;
  SetValue* from = set_of(from_entry);
  const auto to = find_set_for_write(call, to_key);
  if (!to) return;
  if (*to == from) {
    call.reply.integer(from->contains(member) ? 1 : 0);
    return;
  }
  if (!from->erase(member)) {
    call.reply.integer(0);
    return;
  }
  call.changed();
  members_removed(call, from_key, *from, "srem");
  const SetLimits limits = set_limits(call);
  SetValue* target = *to;
  if (target == nullptr) {
    target = set_of(call.db().set_value(to_key, std::make_unique<SetValue>(member, 1, limits)));
  }
  if (target->add(member, limits)) {
    call.db().modified(to_key);
    call.changed();
    call.notify(kEventSet, "sadd", to_key);
  }
  call.reply.integer(1);
}

void sismember_command(Call& call) {
  const auto set = find_set(call, call.args[1]);
  if (set) call.reply.integer(*set != nullptr && (*set)->contains(call.args[2]) ? 1 : 0);
}

void smismember_command(Call& call) {
  const auto set = find_set(call, call.args[1]);
  if (!set) return;
  call.reply.array(call.args.size() - 2);
  for (const std::string_view member : call.args.subspan(2)) {
    call.reply.integer(*set != nullptr && (*set)->contains(member) ? 1 : 0);
  }
}

void scard_command(Call& call) {
  const auto set = find_set(call, call.args[1]);
  if (set) call.reply.integer(*set != nullptr ? static_cast<int64_t>((*set)->size()) : 0);
}

void smembers_command(Call& call) {
  const auto set = find_set(call, call.args[1]);
  if (!set) return;
  if (*set == nullptr) return call.reply.set(0);
  reply_members(call.reply, **set);
}

// SPOP without a count.
void pop_one(Call& call) {
  const std::string_view key = call.args[1];
  const auto found = find_set_for_write(call, key);
  if (!found) return;
  SetValue* set = *found;
  if (set == nullptr) {
    call.reply.null();
    return;
  }
  SetValue::Scratch scratch;
  const std::string member(set->random(call.keyspace.random()).text(scratch));
  set->erase(member);
  call.emit({"SREM", key, member});
  members_removed(call, key, *set, "spop");
  call.reply.bulk(member);
}

void pop_all(Call& call) {
  const std::string_view key = call.args[1];
  EntryOwner entry = call.db().detach(key);
  const SetValue& set = *set_of(entry.get());
  call.changed(set.size());
  const bool lazily = call.executor.config().settings().lazyfree_lazy_server_del;
  call.emit({lazily ? "UNLINK" : "DEL", key});
  call.notify(kEventSet, "spop", key);
  call.notify(kEventGeneric, "del", key);
  reply_members(call.reply, set);
  call.db().dispose(std::move(entry));
}

// What SPOP took travels by name, in commands of a bounded size.
void emit_removals(Call& call, const SetValue& taken) {
  constexpr size_t kMembersPerEffect = 1024;
  std::vector<std::string> members;
  const auto emit = [&] {
    std::vector<std::string_view> words = {"SREM", call.args[1]};
    words.insert(words.end(), members.begin(), members.end());
    call.emit(words);
    members.clear();
  };
  SetValue::Scratch scratch;
  taken.for_each([&](const Member& member) {
    members.emplace_back(member.text(scratch));
    if (members.size() == kMembersPerEffect) emit();
  });
  if (!members.empty()) emit();
}

void spop_command(Call& call) {
  if (call.args.size() == 2) return pop_one(call);
  if (call.args.size() > 3) return call.syntax_error();
  const auto count = parse_int64(call.args[2]);
  if (!count || *count < 0) {
    call.reply.error("ERR value is out of range, must be positive");
    return;
  }
  const std::string_view key = call.args[1];
  const auto found = find_set_for_write(call, key);
  if (!found) return;
  SetValue* set = *found;
  if (set == nullptr || *count == 0) return call.reply.set(0);
  const auto wanted = static_cast<size_t>(*count);
  if (wanted >= set->size()) return pop_all(call);
  const auto taken = set->take_random(call.keyspace.random(), wanted, set_limits(call));
  call.changed(wanted);
  emit_removals(call, *taken);
  members_removed(call, key, *set, "spop");
  reply_members(call.reply, *taken);
}

void srandmember_command(Call& call) {
  if (call.args.size() > 3) return call.syntax_error();
  Random& random = call.keyspace.random();
  if (call.args.size() == 2) {
    const auto set = find_set(call, call.args[1]);
    if (!set) return;
    if (*set == nullptr) return call.reply.null();
    reply_member(call.reply, (*set)->random(random));
    return;
  }
  const auto count = read_sample_count(call, call.args[2]);
  if (!count) return;
  const auto set = find_set(call, call.args[1]);
  if (!set) return;
  if (*set == nullptr || *count == 0) return call.reply.array(0);
  const auto visit = [&call](const Member& member) { reply_member(call.reply, member); };
  if (*count < 0) {
    const auto members = static_cast<size_t>(-*count);
    call.reply.array(members);
    (*set)->random_with_repeats(random, members, visit);
  } else {
    const size_t members = std::min(static_cast<size_t>(*count), (*set)->size());
    call.reply.array(members);
    (*set)->random_distinct(random, members, visit);
  }
}

void sscan_command(Call& call) {
  const auto cursor = read_cursor(call, call.args[2]);
  if (!cursor) return;
  const auto found = find_set(call, call.args[1]);
  if (!found) return;
  if (*found == nullptr) return reply_empty_scan(call);
  ScanOptions options;
  if (!read_scan_options(call, 3, ScanOf::kMembers, &options)) return;
  std::vector<Member> members;
  SetValue::Scratch scratch;
  size_t looked_at = 0, steps = 0;
  uint64_t next = *cursor;
  do {
    next = (*found)->scan(next, [&](const Member& member) {
      ++looked_at;
      if (options.matches(member.text(scratch))) members.push_back(member);
    });
  } while (next != 0 && looked_at < options.count && ++steps < options.max_steps());
  call.reply.array(2);
  call.reply.bulk(std::to_string(next));
  call.reply.array(members.size());
  for (const Member& member : members) reply_member(call.reply, member);
}

constexpr CommandRow kRows[] = {
    {.name = "sadd",
     .handler = sadd_command,
     .arity = -3,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@set,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds members to a set, and the set with its first member.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members given"},
    {.name = "scard",
     .handler = scard_command,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@set",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the number of members of a set.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(1)"},
    {.name = "sdiff",
     .handler = sdiff_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,-1,1",
     .categories = "@read,@set,@slow",
     .tips = "nondeterministic_output_order",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Returns the members of the first set that none of the others has.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members of all sets together"},
    {.name = "sdiffstore",
     .handler = sdiffstore_command,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,-1,1",
     .categories = "@set,@slow,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Stores the members of one set that none of the others has.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members of all sets together"},
    {.name = "sinter",
     .handler = sinter_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,-1,1",
     .categories = "@read,@set,@slow",
     .tips = "nondeterministic_output_order",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Returns the members that all sets have.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N*M), where N is the size of the smallest set and M the number of sets"},
    {.name = "sintercard",
     .handler = sintercard_command,
     .arity = -3,
     .flags = "movablekeys,readonly",
     .categories = "@read,@set,@slow",
     .key_specs = "[ACCESS+RO index:index=1 keynum:keynumidx=0,firstkey=1,keystep=1]",
     .summary = "Returns how many members all sets have in common, up to a limit.",
     .since = "7.0.0",
     .group = "set",
     .complexity = "O(N*M), where N is the size of the smallest set and M the number of sets"},
    {.name = "sinterstore",
     .handler = sinterstore_command,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,-1,1",
     .categories = "@set,@slow,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Stores the members that all sets have.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N*M), where N is the size of the smallest set and M the number of sets"},
    {.name = "sismember",
     .handler = sismember_command,
     .arity = 3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@set",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Tells whether a set has a member.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(1)"},
    {.name = "smembers",
     .handler = smembers_command,
     .arity = 2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@set,@slow",
     .tips = "nondeterministic_output_order",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns all members of a set.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the size of the set"},
    {.name = "smismember",
     .handler = smismember_command,
     .arity = -3,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@set",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Tells of each of several members whether a set has it.",
     .since = "6.2.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members given"},
    {.name = "smove",
     .handler = smove_command,
     .arity = 4,
     .flags = "fast,write",
     .keys = "1,2,1",
     .categories = "@fast,@set,@write",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0] [INSERT+RW "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Moves a member from one set to another.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(1)"},
    {.name = "spop",
     .handler = spop_command,
     .arity = -2,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@set,@write",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary =
         "Removes random members from a set and returns them; the set goes with its last member.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members asked for, 1 without a count"},
    {.name = "srandmember",
     .handler = srandmember_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@set,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns random members of a set.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members asked for, 1 without a count"},
    {.name = "srem",
     .handler = srem_command,
     .arity = -3,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@set,@write",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Removes members from a set, and the set with its last member.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members given"},
    {.name = "sscan",
     .handler = sscan_command,
     .arity = -3,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@read,@set,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Walks through the members of a set, some at each call.",
     .since = "2.8.0",
     .group = "set",
     .complexity = "O(1) a call, O(N) for a whole walk, where N is the size of the set"},
    {.name = "sunion",
     .handler = sunion_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,-1,1",
     .categories = "@read,@set,@slow",
     .tips = "nondeterministic_output_order",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Returns the members that any of the sets has.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members of all sets together"},
    {.name = "sunionstore",
     .handler = sunionstore_command,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,-1,1",
     .categories = "@set,@slow,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Stores the members that any of the sets has.",
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N), where N is the number of members of all sets together"},
};

}  // namespace

std::span<const CommandRow> set_commands() { return kRows; }

}  // namespace tandem
