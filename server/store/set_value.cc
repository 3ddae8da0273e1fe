#include "server/store/set_value.h"

#include <algorithm>

#include "server/base/hash.h"
#include "server/base/numbers.h"

namespace tandem {

namespace {

using MemberTable = SetValue::MemberTable;

Error duplicate_member() { return make_error(ErrorKind::kCorrupt, "set: a member appears twice"); }

// An intset larger than this is never made, whatever the configuration says.
size_t max_intset_entries(const SetLimits& limits) {
  return std::min(limits.max_intset_entries, size_t{1} << 30);
}

bool has_room(const Listpack& list, std::string_view member, const SetLimits& limits) {
  return list.length() < limits.max_listpack_entries &&
         member.size() <= limits.max_listpack_value && list.fits(member.size());
}

}  // namespace

SetLimits set_limits(const Settings& settings) {
  return {.max_intset_entries = static_cast<size_t>(settings.set_max_intset_entries),
          .max_listpack_entries = static_cast<size_t>(settings.set_max_listpack_entries),
          .max_listpack_value = static_cast<size_t>(settings.set_max_listpack_value)};
}

SetValue::SetValue(std::string_view first, size_t count, const SetLimits& limits) {
  if (count <= max_intset_entries(limits) && parse_int64(first)) return;
  if (count <= limits.max_listpack_entries) {
    members_ = Listpack();
  } else {
    members_ = std::make_unique<MemberTable>();
  }
}

SetValue::~SetValue() {
  if (TableOwner* members = table()) {
    (*members)->for_each([](SetMember* member) { SetMember::destroy(member); });
  }
}

Result<std::unique_ptr<SetValue>> SetValue::from_intset(std::string_view bytes,
                                                        const SetLimits& limits) {
  auto integers = Intset::validate(bytes);
  if (!integers) return integers.error();
  auto set = std::make_unique<SetValue>();
  set->members_ = std::move(integers).value();
  if (set->size() > max_intset_entries(limits)) set->convert_to_table();
  return set;
}

Result<std::unique_ptr<SetValue>> SetValue::from_listpack(std::string_view bytes,
                                                          const SetLimits& limits) {
  auto list = Listpack::validate(bytes);
  if (!list) return list.error();
  if (has_duplicates(list.value(), 1)) return duplicate_member();
  auto set = std::make_unique<SetValue>();
  set->members_ = std::move(list).value();
  if (set->size() > limits.max_listpack_entries) set->convert_to_table();
  return set;
}

std::string_view SetValue::encoding_name() const {
  if (intset() != nullptr) return "intset";
  return listpack() != nullptr ? "listpack" : "hashtable";
}

size_t SetValue::size() const {
  if (const Intset* integers = intset()) return integers->size();
  if (const Listpack* list = listpack()) return list->length();
  return (*table())->size();
}

size_t SetValue::memory_usage() const {
  if (const Intset* integers = intset()) return sizeof(*this) + integers->memory_usage();
  if (const Listpack* list = listpack()) return sizeof(*this) + list->memory_usage();
  const MemberTable& members = **table();
  return sizeof(*this) + sizeof(members) + members.memory_usage() + element_memory(members);
}

std::unique_ptr<Value> SetValue::clone() const {
  auto copy = std::make_unique<SetValue>();
  if (const Intset* integers = intset()) {
    copy->members_ = integers->clone();
  } else if (const Listpack* list = listpack()) {
    copy->members_ = list->clone();
  } else {
    auto members = std::make_unique<MemberTable>();
    (*table())->for_each(
        [&members](const SetMember* m) { members->insert(SetMember::create(m->text())); });
    copy->members_ = std::move(members);
  }
  return copy;
}

bool SetValue::contains(const Member& member) const {
  if (const Intset* integers = intset()) {
    const auto number = member.as_integer();
    return number && integers->contains(*number);
  }
  Scratch scratch;
  const std::string_view text = member.text(scratch);
  if (const Listpack* list = listpack()) return list->find(text, list->first()) != Listpack::kNone;
  return (*table())->find(text) != nullptr;
}

void SetValue::prepare(size_t count, const SetLimits& limits) {
  if ((intset() != nullptr && count > max_intset_entries(limits)) ||
      (listpack() != nullptr && count > limits.max_listpack_entries)) {
    convert_to_table();
  }
}

bool SetValue::add(const Member& member, const SetLimits& limits) {
  if (table() != nullptr) return add_to_table(member);
  return intset() != nullptr ? add_to_intset(member, limits) : add_to_listpack(member, limits);
}

bool SetValue::add_to_table(const Member& member) {
  MemberTable& members = **table();
  Scratch scratch;
  const std::string_view text = member.text(scratch);
  const uint64_t hash = hash_bytes(text);
  if (members.find(text, hash) != nullptr) return false;
  members.insert(SetMember::create(text), hash);
  return true;
}

bool SetValue::add_to_intset(const Member& member, const SetLimits& limits) {
  Intset& integers = std::get<Intset>(members_);
  if (const auto number = member.as_integer()) {
    if (!integers.add(*number)) return false;
    if (integers.size() > max_intset_entries(limits)) convert_to_table();
    return true;
  }
  if (fits_listpack(member.string(), limits)) {
    convert_to_listpack();
    std::get<Listpack>(members_).append(member.string());
    return true;
  }
  convert_to_table();
  return add_to_table(member);
}

// Whether the members of an intset and one that is no integer fit a listpack.
bool SetValue::fits_listpack(std::string_view text, const SetLimits& limits) const {
  const Intset& integers = std::get<Intset>(members_);
  const size_t count = integers.size();
  if (count >= limits.max_listpack_entries || text.size() > limits.max_listpack_value) return false;
  if (count == 0) return true;
  const size_t widest =
      std::max(Member(integers.at(0)).text_size(), Member(integers.at(count - 1)).text_size());
  return widest <= limits.max_listpack_value &&
         count * (widest + Listpack::kMaxEntryOverhead) + text.size() < Listpack::kMaxBytes;
}

bool SetValue::load(std::string_view text, const SetLimits& limits) {
  auto* list = std::get_if<Listpack>(&members_);
  if (list == nullptr) return add(text, limits);
  if (has_room(*list, text, limits)) {
    const size_t needed = list->total_bytes() + Listpack::Item::span_bound(text);
    if (needed > list->memory_usage()) list->reserve(2 * needed);
    list->append(text);
    return true;
  }
  if (has_duplicates(*list, 1)) return false;
  convert_to_table();
  return add_to_table(Member(text));
}

bool SetValue::finish_loading() {
  auto* list = std::get_if<Listpack>(&members_);
  if (list == nullptr) return true;
  list->shrink_to_fit();
  return !has_duplicates(*list, 1);
}

bool SetValue::add_to_listpack(const Member& member, const SetLimits& limits) {
  Listpack& list = std::get<Listpack>(members_);
  Scratch scratch;
  const std::string_view text = member.text(scratch);
  if (list.find(text, list.first()) != Listpack::kNone) return false;
  if (has_room(list, text, limits)) {
    list.append(member.is_integer() ? Listpack::Item(member.integer()) : Listpack::Item(text));
    return true;
  }
  convert_to_table();
  return add_to_table(member);
}

bool SetValue::erase(const Member& member) {
  if (Intset* integers = std::get_if<Intset>(&members_)) {
    const auto number = member.as_integer();
    return number && integers->erase(*number);
  }
  Scratch scratch;
  const std::string_view text = member.text(scratch);
  if (Listpack* list = std::get_if<Listpack>(&members_)) {
    const Listpack::Position position = list->find(text, list->first());
    if (position == Listpack::kNone) return false;
    list->erase(position);
    return true;
  }
  SetMember* erased = (*table())->erase(text);
  if (erased == nullptr) return false;
  SetMember::destroy(erased);
  return true;
}

void SetValue::pack_integers(const SetLimits& limits) {
  if (intset() != nullptr || size() > max_intset_entries(limits)) return;
  SetValue packed;
  Intset& integers = std::get<Intset>(packed.members_);
  for_each([&integers](const Member& member) { integers.add(*member.as_integer()); });
  members_.swap(packed.members_);
}

void SetValue::convert_to_listpack() {
  const Intset integers = std::move(std::get<Intset>(members_));
  // Most integers take less, and one more member is to come.
  Listpack list(integers.bytes().size() + integers.size());
  for (size_t i = 0; i < integers.size(); ++i) list.append(integers.at(i));
  members_ = std::move(list);
}

void SetValue::convert_to_table() {
  SetValue converted;
  converted.members_ = std::make_unique<MemberTable>();
  for_each([&converted](const Member& member) { converted.add_to_table(member); });
  members_.swap(converted.members_);
}

SetValue::Member SetValue::random(Random& random) const {
  if (const Intset* integers = intset()) return Member(integers->at(random.below(size())));
  if (const Listpack* list = listpack()) {
    return list->get(list->at(static_cast<int64_t>(random.below(list->length()))));
  }
  return Member((*table())->random(random)->text());
}

std::unique_ptr<SetValue> SetValue::take_random(Random& random, size_t count,
                                                const SetLimits& limits) {
  auto taken = std::make_unique<SetValue>();
  if (table() == nullptr) {
    SetValue left;
    if (listpack() != nullptr) {
      taken->members_ = Listpack();
      left.members_ = Listpack();
    }
    size_t unseen = size();
    for_each([&](const Member& member) {
      if (random.below(unseen--) >= count) {
        left.add_new(member);
      } else {
        taken->add_new(member);
        --count;
      }
    });
    members_.swap(left.members_);
    return taken;
  }
  taken->members_ = Listpack();
  // Valkey's bound, which also decides the encoding of what is left.
  constexpr size_t kMost = 5;
  const size_t left = size() - count;
  if (count < left * kMost) {
    move_random(random, count, taken.get(), limits);
  } else {
    move_random(random, left, taken.get(), limits);
    members_.swap(taken->members_);
  }
  return taken;
}

// Out of a table.
void SetValue::move_random(Random& random, size_t count, SetValue* to, const SetLimits& limits) {
  MemberTable& members = **table();
  while (count-- > 0) to->adopt(members.erase(members.random(random)->text()), limits);
}

void SetValue::adopt(SetMember* member, const SetLimits& limits) {
  const std::string_view text = member->text();
  if (Listpack* list = std::get_if<Listpack>(&members_)) {
    if (list->length() < limits.max_listpack_entries && text.size() <= limits.max_listpack_value &&
        list->fits(text.size())) {
      list->append(text);
      SetMember::destroy(member);
      return;
    }
    convert_to_table();
  }
  (*table())->insert(member);
}

// To a packed set.
void SetValue::add_new(const Member& member) {
  if (Intset* integers = std::get_if<Intset>(&members_)) {
    integers->add(member.integer());
  } else if (member.is_integer()) {
    std::get<Listpack>(members_).append(member.integer());
  } else {
    std::get<Listpack>(members_).append(member.string());
  }
}

}  // namespace tandem
