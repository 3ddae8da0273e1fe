#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "server/base/random.h"
#include "server/base/result.h"
#include "server/base/settings.h"
#include "server/store/elements.h"
#include "server/store/listpack.h"
#include "server/store/score_tree.h"
#include "server/store/sorted_set_element.h"
#include "server/store/table.h"
#include "server/store/value.h"

namespace tandem {

// Up to where a sorted set stays a listpack: zset-max-listpack-entries and zset-max-listpack-value.
struct SortedSetLimits {
  size_t max_listpack_entries = 128;  // members
  size_t max_listpack_value = 64;     // bytes of a member
};

SortedSetLimits sorted_set_limits(const Settings& settings);

// The scores between two bounds, each of which may be excluded.
struct ScoreRange {
  double min = 0, max = 0;
  bool min_excluded = false, max_excluded = false;

  bool is_below(double score) const { return min_excluded ? score <= min : score < min; }
  bool is_above(double score) const { return max_excluded ? score >= max : score > max; }
};

// One end of a range of members.
struct MemberBound {
  enum class Kind : uint8_t { kLowest, kIncluded, kExcluded, kHighest };
  Kind kind = Kind::kLowest;
  std::string_view member = {};
};

// The members between two bounds by their bytes.
struct MemberRange {
  MemberBound min, max;

  bool is_below(std::string_view member) const;
  bool is_above(std::string_view member) const;
};

// Places in the order: the elements of ranks first to first + count - 1, all of which exist.
struct RankRange {
  size_t first = 0;
  size_t count = 0;
};

// An element on its way into a set.
struct DestroySortedSetElement {
  void operator()(SortedSetElement* element) const { SortedSetElement::destroy(element); }
};
using SortedSetElementOwner = std::unique_ptr<SortedSetElement, DestroySortedSetElement>;

void sort_elements(std::vector<SortedSetElementOwner>* elements);

// The value of a sorted set key: members with scores, in the order of (score, member). A small one
// is a listpack of member, score, member, score …; past the limits it becomes a tree beside a hash
// index, and stays one.
//
// Views that are passed to a visitor are valid until it returns. What is passed in must not lie in
// the set. Scores are never NaN.
class SortedSetValue final : public Value {
 public:
  // What update() may do.
  struct Conditions {
    bool only_new = false;       // NX
    bool only_existing = false;  // XX
    bool only_greater = false;   // GT: an existing score may only rise
    bool only_less = false;      // LT
    bool increment = false;      // the score is added to the one that is there
  };
  enum class Outcome : uint8_t {
    kAdded,
    kChanged,
    kSame,        // it has that score already
    kRefused,     // a condition does not hold
    kNotANumber,  // the sum would be NaN; nothing was done
  };
  struct Update {
    Outcome outcome;
    double score = 0;  // the new score, unless refused
  };
  struct Ranked {
    size_t rank;
    double score;
  };

  SortedSetValue() = default;
  // Empty, in the encoding that suits about `count` members of up to `longest` bytes.
  SortedSetValue(size_t count, size_t longest, const SortedSetLimits& limits);
  ~SortedSetValue() override;

  // The set of these elements, which are sorted and all different.
  static std::unique_ptr<SortedSetValue> from_elements(std::vector<SortedSetElementOwner> elements,
                                                       const SortedSetLimits& limits);

  // Readers for packed sorted sets from outside, with every length checked. kCorrupt when the bytes
  // are malformed, a member has no score or is there twice, a score is no number, or, in a
  // listpack, the order is not kept. An empty set is the caller's to refuse. The result obeys
  // `limits`.
  static Result<std::unique_ptr<SortedSetValue>> from_listpack(std::string_view bytes,
                                                               const SortedSetLimits& limits);
  static Result<std::unique_ptr<SortedSetValue>> from_ziplist(std::string_view bytes,
                                                              const SortedSetLimits& limits);

  ValueType type() const override { return ValueType::kSortedSet; }
  std::string_view encoding_name() const override { return large_ ? "skiplist" : "listpack"; }
  size_t size() const override { return large_ ? large_->tree.size() : listpack_.length() / 2; }
  size_t memory_usage() const override;
  std::unique_ptr<Value> clone() const override;
  size_t free_effort() const override { return large_ ? large_->tree.size() : 1; }

  // The packed form, as RDB stores it; null when the set is large.
  const Listpack* listpack() const { return large_ ? nullptr : &listpack_; }

  std::optional<double> score(std::string_view member) const;
  std::optional<Ranked> rank(std::string_view member) const;

  // To be called once before `count` members are updated: converts if that many pass the limits, as
  // Valkey does before it looks at any of them.
  void prepare(size_t count, const SortedSetLimits& limits);
  // Adds a member or changes its score. `score` is not NaN.
  Update update(std::string_view member, double score, const Conditions& conditions,
                const SortedSetLimits& limits);
  // Whether the member is new; otherwise its score is replaced.
  bool set(std::string_view member, double score, const SortedSetLimits& limits) {
    return update(member, score, {}, limits).outcome == Outcome::kAdded;
  }
  // Whether the member was there.
  bool erase(std::string_view member);
  void erase_range(RankRange range);

  RankRange range(const ScoreRange& scores) const;
  // Meant for sets whose scores are all the same; otherwise what it finds is of no use, but safe.
  RankRange range(const MemberRange& members) const;

  // Calls visit(member, score) for the elements of the range from its lower or upper end; a visitor
  // that returns false stops there. The set must not change meanwhile.
  template <typename Visit>
  void for_range(RankRange range, Visit&& visit) const {
    if (range.count == 0) return;
    if (large_) {
      for (auto at = large_->tree.at(range.first);; at.next()) {
        if (!goes_on(visit, at->member(), at->score()) || --range.count == 0) return;
      }
    }
    for (auto p = position_of(range.first); range.count-- > 0; p = next_member(p)) {
      if (!visit_at(p, visit)) return;
    }
  }
  template <typename Visit>
  void for_range_reversed(RankRange range, Visit&& visit) const {
    if (range.count == 0) return;
    const size_t last = range.first + range.count - 1;
    if (large_) {
      for (auto at = large_->tree.at(last);; at.previous()) {
        if (!goes_on(visit, at->member(), at->score()) || --range.count == 0) return;
      }
    }
    for (auto p = position_of(last);; p = listpack_.previous(listpack_.previous(p))) {
      if (!visit_at(p, visit) || --range.count == 0) return;
    }
  }
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for_range({0, size()}, visit);
  }

  // One step of ZSCAN: visits some elements and returns the next cursor; 0 starts and ends. An
  // element present all along is visited at least once. A listpack is visited whole and answers 0.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const {
    if (large_) {
      return large_->index.scan(cursor,
                                [&](const SortedSetElement* e) { visit(e->member(), e->score()); });
    }
    for_each(visit);
    return 0;
  }

  // Calls visit(member, score) for `count` random elements, the same one again if chance has it.
  // The set is not empty.
  template <typename Visit>
  void random_with_repeats(Random& random, size_t count, Visit&& visit) const {
    if (large_) {
      while (count-- > 0) {
        const SortedSetElement* e = large_->index.random(random);
        visit(e->member(), e->score());
      }
      return;
    }
    if (count == 1) {
      visit_at(position_of(random.below(size())), visit);
      return;
    }
    const std::vector<Listpack::Position> positions = element_positions(listpack_, kEntries);
    while (count-- > 0) visit_at(positions[random.below(positions.size())], visit);
  }

  // Calls visit(member, score) for `count` different random elements, or for all when there are no
  // more.
  template <typename Visit>
  void random_distinct(Random& random, size_t count, Visit&& visit) const {
    if (count >= size()) {
      for_each(visit);
    } else if (large_) {
      for (const SortedSetElement* e : sample_elements(large_->index, random, count)) {
        visit(e->member(), e->score());
      }
    } else {
      for (const auto p : sample_elements(listpack_, kEntries, random, count)) visit_at(p, visit);
    }
  }

 private:
  using Scratch = Listpack::Scratch;

  // Entries of the listpack that an element takes.
  static constexpr size_t kEntries = 2;

  struct Large {
    Table<SortedSetElement, SortedSetElementTraits> index;  // owns the elements
    ScoreTree tree;
  };

  Listpack::Position position_of(size_t rank) const {
    return listpack_.at(static_cast<int64_t>(kEntries * rank));
  }
  Listpack::Position next_member(Listpack::Position member) const {
    return listpack_.next(listpack_.next(member));
  }
  Listpack::Position find_member(std::string_view member) const {
    return listpack_.find(member, listpack_.first(), 1);
  }
  // Of the element whose member is at this position.
  double score_at(Listpack::Position member) const;
  // Whether the visitor wants more.
  template <typename Visit>
  static bool goes_on(Visit&& visit, std::string_view member, double score) {
    if constexpr (std::is_same_v<decltype(visit(member, score)), bool>) {
      return visit(member, score);
    } else {
      visit(member, score);
      return true;
    }
  }
  template <typename Visit>
  bool visit_at(Listpack::Position member, Visit&& visit) const {
    Scratch scratch;
    return goes_on(visit, listpack_.read(member, scratch), score_at(member));
  }

  bool may_pack(std::string_view member, const SortedSetLimits& limits) const;
  void insert_packed(std::string_view member, double score);
  void change_packed(Listpack::Position position, std::string_view member, double score);
  bool stays_packed_in_place(Listpack::Position position, std::string_view member,
                             double score) const;
  void insert_large(std::string_view member, double score, uint64_t hash);
  void convert_to_large();
  Status check_elements() const;

  Listpack listpack_;
  std::unique_ptr<Large> large_;  // when set, the listpack is empty
};

}  // namespace tandem
