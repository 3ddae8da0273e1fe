#include "server/commands/set_algebra.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"

namespace tandem {
namespace {

using Member = SetValue::Member;
// Null for a key that is not there.
using Sets = std::vector<const SetValue*>;

// The sets at all `keys`; nothing when one holds another type: WRONGTYPE has been replied.
std::optional<Sets> find_sets(Call& call, Args keys) {
  Sets sets;
  sets.reserve(keys.size());
  for (const std::string_view key : keys) {
    const auto set = find_set(call, key);
    if (!set) return std::nullopt;
    sets.push_back(*set);
  }
  return sets;
}

// Calls visit(const Member&) for each member that is in all `sets`, from the smallest on, until it
// returns false.
template <typename Visit>
void intersect(Sets sets, Visit&& visit) {
  if (std::find(sets.begin(), sets.end(), nullptr) != sets.end()) return;
  std::stable_sort(sets.begin(), sets.end(),
                   [](const SetValue* a, const SetValue* b) { return a->size() < b->size(); });
  bool wanted = true;
  uint64_t cursor = 0;
  do {
    cursor = sets[0]->scan(cursor, [&](const Member& member) {
      for (size_t i = 1; wanted && i < sets.size(); ++i) {
        if (sets[i] != sets[0] && !sets[i]->contains(member)) return;
      }
      if (wanted) wanted = visit(member);
    });
  } while (cursor != 0 && wanted);
}

// Puts the result of a command into the key at args[1], or removes the key when it is empty.
void store_result(Call& call, std::unique_ptr<SetValue> result, std::string_view event) {
  const std::string_view key = call.args[1];
  const size_t size = result->size();
  if (size > 0) {
    call.db().set_value(key, std::move(result));
    call.changed();
    call.notify(kEventSet, event, key);
  } else if (call.db().find_for_write(key) != nullptr) {
    call.db().erase(key);
    call.changed();
    call.notify(kEventGeneric, "del", key);
  }
  call.reply.integer(static_cast<int64_t>(size));
}

void unite(const Sets& sets, const SetLimits& limits, SetValue* result) {
  for (const SetValue* set : sets) {
    if (set == nullptr) continue;
    set->for_each([&](const Member& member) { result->add(member, limits); });
  }
}

// Whether looking up each member of the first set in the others is less work than removing the
// members of all others from a copy of the first, with some credit for needing no copy.
bool lookups_are_cheaper(const Sets& sets) {
  size_t lookups = 0;
  size_t removals = 0;
  for (const SetValue* set : sets) {
    if (set == nullptr) continue;
    lookups += sets[0]->size();
    removals += set->size();
  }
  return lookups / 2 <= removals;
}

// Calls visit(const Member&) for each member of the first set that is in none of the others.
template <typename Visit>
void subtract_by_lookups(Sets sets, Visit&& visit) {
  // The largest is the likeliest to have a member.
  const auto size = [](const SetValue* set) { return set == nullptr ? 0 : set->size(); };
  std::stable_sort(sets.begin() + 1, sets.end(),
                   [&](const SetValue* a, const SetValue* b) { return size(a) > size(b); });
  sets[0]->for_each([&](const Member& member) {
    const bool found = std::any_of(sets.begin() + 1, sets.end(), [&](const SetValue* set) {
      return set != nullptr && set->contains(member);
    });
    if (!found) visit(member);
  });
}

void subtract_by_removals(const Sets& sets, const SetLimits& limits, SetValue* result) {
  sets[0]->for_each([&](const Member& member) { result->add(member, limits); });
  for (size_t i = 1; i < sets.size() && result->size() > 0; ++i) {
    if (sets[i] == nullptr) continue;
    sets[i]->for_each([&](const Member& member) { result->erase(member); });
  }
}

// Whether nothing can be left of the first set.
bool difference_is_empty(const Sets& sets) {
  return sets[0] == nullptr || std::find(sets.begin() + 1, sets.end(), sets[0]) != sets.end();
}

// For a result that is not stored: no look at a member should be a walk through a listpack.
SetLimits unpacked_unless_integers(const SetLimits& limits) {
  return {.max_intset_entries = limits.max_intset_entries,
          .max_listpack_entries = 0,
          .max_listpack_value = 0};
}

}  // namespace

std::optional<const SetValue*> find_set(Call& call, std::string_view key) {
  const Entry* entry = call.db().find(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kSet)) return std::nullopt;
  return static_cast<const SetValue*>(entry->value());
}

void reply_member(Reply& reply, const Member& member) {
  SetValue::Scratch scratch;
  reply.bulk(member.text(scratch));
}

void reply_members(Reply& reply, const SetValue& set) {
  reply.set(set.size());
  set.for_each([&reply](const Member& member) { reply_member(reply, member); });
}

void sinter_command(Call& call) {
  auto sets = find_sets(call, call.args.subspan(1));
  if (!sets) return;
  std::vector<Member> members;
  intersect(std::move(*sets), [&members](const Member& member) {
    members.push_back(member);
    return true;
  });
  call.reply.set(members.size());
  for (const Member& member : members) reply_member(call.reply, member);
}

void sintercard_command(Call& call) {
  const Args args = call.args;
  const auto count = parse_int64(args[1]);
  if (!count || *count <= 0) {
    call.reply.error("ERR numkeys should be greater than 0");
    return;
  }
  if (*count > static_cast<int64_t>(args.size()) - 2) {
    call.reply.error("ERR Number of keys can't be greater than number of args");
    return;
  }
  const auto key_count = static_cast<size_t>(*count);
  int64_t limit = 0;  // none
  for (size_t i = 2 + key_count; i < args.size(); ++i) {
    if (i + 1 == args.size() || !equals_ignore_case(args[i], "limit")) {
      call.syntax_error();
      return;
    }
    const auto number = parse_int64(args[++i]);
    if (!number || *number < 0) {
      call.reply.error("ERR LIMIT can't be negative");
      return;
    }
    limit = *number;
  }
  auto sets = find_sets(call, args.subspan(2, key_count));
  if (!sets) return;
  int64_t found = 0;
  intersect(std::move(*sets), [&](const Member&) { return ++found != limit; });
  call.reply.integer(found);
}

void sinterstore_command(Call& call) {
  auto sets = find_sets(call, call.args.subspan(2));
  if (!sets) return;
  const SetLimits limits = set_limits(call);
  std::unique_ptr<SetValue> result;
  bool only_integers = true;
  intersect(std::move(*sets), [&](const Member& member) {
    // A result that begins like a small set of strings costs little to convert.
    if (result == nullptr) {
      result = std::make_unique<SetValue>(member.is_integer() ? "0" : "", 1, limits);
    }
    only_integers = only_integers && member.as_integer();
    result->add(member, limits);
    return true;
  });
  if (result == nullptr) result = std::make_unique<SetValue>();
  if (only_integers) result->pack_integers(limits);
  store_result(call, std::move(result), "sinterstore");
}

void sunion_command(Call& call) {
  const auto sets = find_sets(call, call.args.subspan(1));
  if (!sets) return;
  if (sets->size() == 1 && (*sets)[0] != nullptr) return reply_members(call.reply, *(*sets)[0]);
  SetValue result;
  unite(*sets, unpacked_unless_integers(set_limits(call)), &result);
  reply_members(call.reply, result);
}

void sunionstore_command(Call& call) {
  const auto sets = find_sets(call, call.args.subspan(2));
  if (!sets) return;
  auto result = std::make_unique<SetValue>();
  unite(*sets, set_limits(call), result.get());
  store_result(call, std::move(result), "sunionstore");
}

void sdiff_command(Call& call) {
  auto sets = find_sets(call, call.args.subspan(1));
  if (!sets) return;
  if (difference_is_empty(*sets)) return call.reply.set(0);
  if (lookups_are_cheaper(*sets)) {
    std::vector<Member> members;
    subtract_by_lookups(std::move(*sets),
                        [&members](const Member& member) { members.push_back(member); });
    call.reply.set(members.size());
    for (const Member& member : members) reply_member(call.reply, member);
    return;
  }
  SetValue result;
  subtract_by_removals(*sets, unpacked_unless_integers(set_limits(call)), &result);
  reply_members(call.reply, result);
}

void sdiffstore_command(Call& call) {
  auto sets = find_sets(call, call.args.subspan(2));
  if (!sets) return;
  auto result = std::make_unique<SetValue>();
  const SetLimits limits = set_limits(call);
  if (!difference_is_empty(*sets)) {
    if (lookups_are_cheaper(*sets)) {
      subtract_by_lookups(std::move(*sets),
                          [&](const Member& member) { result->add(member, limits); });
    } else {
      subtract_by_removals(*sets, limits, result.get());
    }
  }
  store_result(call, std::move(result), "sdiffstore");
}

}  // namespace tandem
