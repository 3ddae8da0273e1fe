#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/random.h"
#include "server/base/result.h"
#include "server/base/settings.h"
#include "server/store/elements.h"
#include "server/store/intset.h"
#include "server/store/listpack.h"
#include "server/store/set_member.h"
#include "server/store/table.h"
#include "server/store/value.h"

namespace tandem {

// Up to where a set stays packed: set-max-intset-entries, set-max-listpack-entries and
// set-max-listpack-value.
struct SetLimits {
  size_t max_intset_entries = 512;
  size_t max_listpack_entries = 128;
  size_t max_listpack_value = 64;  // bytes of a member
};

SetLimits set_limits(const Settings& settings);

// The value of a set key: strings, each once. A small one is an intset as long as all members are
// integers, else a listpack; past the limits it becomes a table. It never goes back by itself.
//
// Members that are returned or passed to a visitor are valid until the set changes. What is passed
// in must not lie in the set.
class SetValue final : public Value {
 public:
  // An integer or a string. Both forms of a number name the same member.
  using Member = Listpack::Entry;
  using Scratch = Listpack::Scratch;
  using MemberTable = Table<SetMember, SetMemberTraits>;

  // Empty, an intset.
  SetValue() = default;
  // Empty, in the encoding that suits a set which begins with `first` and is expected to have about
  // `count` members.
  SetValue(std::string_view first, size_t count, const SetLimits& limits);
  ~SetValue() override;

  // Readers for packed sets from outside, with every length checked. kCorrupt when the bytes are
  // malformed or a member is there twice. An empty set is the caller's to refuse. The result obeys
  // `limits`.
  static Result<std::unique_ptr<SetValue>> from_intset(std::string_view bytes,
                                                       const SetLimits& limits);
  static Result<std::unique_ptr<SetValue>> from_listpack(std::string_view bytes,
                                                         const SetLimits& limits);

  ValueType type() const override { return ValueType::kSet; }
  std::string_view encoding_name() const override;
  size_t size() const override;
  size_t memory_usage() const override;
  std::unique_ptr<Value> clone() const override;
  size_t free_effort() const override { return table() != nullptr ? (*table())->size() : 1; }

  // The packed forms, as RDB stores them; null when the set has another encoding.
  const Intset* intset() const { return std::get_if<Intset>(&members_); }
  const Listpack* listpack() const { return std::get_if<Listpack>(&members_); }

  bool contains(const Member& member) const;
  bool contains(std::string_view text) const { return contains(Member(text)); }

  // To be called once before about `count` members are added: converts if that many pass the
  // limits, as Valkey does before it looks at any of them.
  void prepare(size_t count, const SetLimits& limits);
  // Whether the member is new.
  bool add(const Member& member, const SetLimits& limits);
  bool add(std::string_view text, const SetLimits& limits) { return add(Member(text), limits); }
  // For loading many: as add(), but a listpack does not look whether the member is there already;
  // finish_loading() does so once for all, and tells whether they are different.
  bool load(std::string_view text, const SetLimits& limits);
  bool finish_loading();
  // Whether the member was there.
  bool erase(const Member& member);
  bool erase(std::string_view text) { return erase(Member(text)); }
  // Makes an intset of a set of integers, unless it is too large.
  void pack_integers(const SetLimits& limits);

  // Calls visit(const Member&) for each member. The set must not change meanwhile.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    if (const Intset* integers = intset()) {
      for (size_t i = 0; i < integers->size(); ++i) visit(Member(integers->at(i)));
    } else if (const Listpack* list = listpack()) {
      for (auto p = list->first(); p != Listpack::kNone; p = list->next(p)) visit(list->get(p));
    } else {
      (*table())->for_each([&](const SetMember* m) { visit(Member(m->text())); });
    }
  }

  // One step of SSCAN: visits some members and returns the next cursor; 0 starts and ends. A member
  // present all along is visited at least once. A packed set is visited whole and answers 0.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const {
    if (table() != nullptr) {
      return (*table())->scan(cursor, [&](const SetMember* m) { visit(Member(m->text())); });
    }
    for_each(visit);
    return 0;
  }

  // A random member; the set is not empty.
  Member random(Random& random) const;

  // Calls visit(const Member&) for `count` random members, the same one again if chance has it. The
  // set is not empty.
  template <typename Visit>
  void random_with_repeats(Random& random, size_t count, Visit&& visit) const {
    const Listpack* list = listpack();
    if (list == nullptr || count == 1) {
      while (count-- > 0) visit(this->random(random));
      return;
    }
    const std::vector<Listpack::Position> positions = element_positions(*list, 1);
    while (count-- > 0) visit(list->get(positions[random.below(positions.size())]));
  }

  // Calls visit(const Member&) for `count` different random members, or for all when there are no
  // more.
  template <typename Visit>
  void random_distinct(Random& random, size_t count, Visit&& visit) const {
    if (count >= size()) {
      for_each(visit);
    } else if (const Intset* integers = intset()) {
      size_t left = integers->size();
      for (size_t i = 0; count > 0; ++i) {
        if (random.below(left--) >= count) continue;
        --count;
        visit(Member(integers->at(i)));
      }
    } else if (const Listpack* list = listpack()) {
      for (const auto p : sample_elements(*list, 1, random, count)) visit(list->get(p));
    } else {
      for (const SetMember* m : sample_elements(**table(), random, count)) {
        visit(Member(m->text()));
      }
    }
  }

  // Takes `count` random members out, 0 < `count` < size(), and returns them as a set. When
  // those are most of a table, what is left may be packed again.
  std::unique_ptr<SetValue> take_random(Random& random, size_t count, const SetLimits& limits);

 private:
  using TableOwner = std::unique_ptr<MemberTable>;

  const TableOwner* table() const { return std::get_if<TableOwner>(&members_); }
  TableOwner* table() { return std::get_if<TableOwner>(&members_); }

  bool add_to_intset(const Member& member, const SetLimits& limits);
  bool add_to_listpack(const Member& member, const SetLimits& limits);
  bool add_to_table(const Member& member);
  bool fits_listpack(std::string_view text, const SetLimits& limits) const;
  void convert_to_listpack();
  void convert_to_table();
  // Adds a member that is not there, of another packed set of the same encoding.
  void add_new(const Member& member);
  // Adds a member that is not there, of a table, and takes it over.
  void adopt(SetMember* member, const SetLimits& limits);
  void move_random(Random& random, size_t count, SetValue* to, const SetLimits& limits);

  std::variant<Intset, Listpack, TableOwner> members_;
};

}  // namespace tandem
