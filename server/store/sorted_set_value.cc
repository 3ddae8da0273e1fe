#include "server/store/sorted_set_value.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "server/base/hash.h"
#include "server/base/numbers.h"
#include "server/store/legacy_packed.h"

namespace tandem {

namespace {

Error corrupt(std::string_view what) {
  return make_error(ErrorKind::kCorrupt, "sorted set: " + std::string(what));
}

// A score in the form a packed set stores it; an integer when it is one.
class PackedScore {
 public:
  explicit PackedScore(double score)
      : integer_(exact_integer(score)), text_(integer_ ? std::string() : format_double(score)) {}
  // Valid as long as this.
  Listpack::Item item() const {
    return integer_ ? Listpack::Item(*integer_) : Listpack::Item(text_);
  }

 private:
  std::optional<int64_t> integer_;
  std::string text_;
};

// The score an entry stands for; nothing when it is no number.
std::optional<double> read_score(const Listpack::Entry& entry) {
  if (entry.is_integer()) return static_cast<double>(entry.integer());
  return parse_double(entry.string());
}

}  // namespace

SortedSetLimits sorted_set_limits(const Settings& settings) {
  return {.max_listpack_entries = static_cast<size_t>(settings.zset_max_listpack_entries),
          .max_listpack_value = static_cast<size_t>(settings.zset_max_listpack_value)};
}

bool MemberRange::is_below(std::string_view member) const {
  switch (min.kind) {
    case MemberBound::Kind::kLowest:
      return false;
    case MemberBound::Kind::kIncluded:
      return member < min.member;
    case MemberBound::Kind::kExcluded:
      return member <= min.member;
    case MemberBound::Kind::kHighest:
      break;
  }
  return true;
}

bool MemberRange::is_above(std::string_view member) const {
  switch (max.kind) {
    case MemberBound::Kind::kHighest:
      return false;
    case MemberBound::Kind::kIncluded:
      return member > max.member;
    case MemberBound::Kind::kExcluded:
      return member >= max.member;
    case MemberBound::Kind::kLowest:
      break;
  }
  return true;
}

void sort_elements(std::vector<SortedSetElementOwner>* elements) {
  std::sort(elements->begin(), elements->end(),
            [](const SortedSetElementOwner& a, const SortedSetElementOwner& b) {
              return in_order(*a, b->score(), b->member());
            });
}

SortedSetValue::SortedSetValue(size_t count, size_t longest, const SortedSetLimits& limits) {
  if (count > limits.max_listpack_entries || longest > limits.max_listpack_value) {
    large_ = std::make_unique<Large>();
  }
}

SortedSetValue::~SortedSetValue() {
  if (large_) {
    large_->index.for_each([](SortedSetElement* element) { SortedSetElement::destroy(element); });
  }
}

std::unique_ptr<SortedSetValue> SortedSetValue::from_elements(
    std::vector<SortedSetElementOwner> elements, const SortedSetLimits& limits) {
  size_t longest = 0;
  for (const SortedSetElementOwner& element : elements) {
    longest = std::max(longest, element->member().size());
  }
  auto set = std::make_unique<SortedSetValue>(elements.size(), longest, limits);
  for (SortedSetElementOwner& element : elements) {
    if (!set->large_ && !set->listpack_.fits(longest, kEntries)) set->convert_to_large();
    if (set->large_) {
      set->large_->index.insert(element.get());
      set->large_->tree.insert(element.release());
    } else {
      set->listpack_.append_pair(element->member(), PackedScore(element->score()).item());
    }
  }
  return set;
}

Result<std::unique_ptr<SortedSetValue>> SortedSetValue::from_listpack(
    std::string_view bytes, const SortedSetLimits& limits) {
  auto list = Listpack::validate(bytes);
  if (!list) return list.error();
  auto set = std::make_unique<SortedSetValue>();
  set->listpack_ = std::move(list).value();
  if (Status status = set->check_elements(); !status) return status.error();
  if (set->size() > limits.max_listpack_entries) set->convert_to_large();
  return set;
}

// Of a listpack from outside.
Status SortedSetValue::check_elements() const {
  if (listpack_.length() % kEntries != 0) return corrupt("the last member has no score");
  Scratch scratch, last_scratch;
  const uint8_t* last = nullptr;  // the member before
  double last_score = 0;
  const auto* const begin = reinterpret_cast<const uint8_t*>(listpack_.bytes().data());
  const uint8_t* const end = begin + listpack_.total_bytes() - 1;
  for (const uint8_t* member = begin + Listpack::kHeaderBytes; member != end;) {
    const uint8_t* const at_score = member + Listpack::span_at(member);
    const auto score = read_score(Listpack::entry_at(at_score));
    if (!score) return corrupt("a score is not a number");
    // The members' names are only asked for when their scores are the same.
    if (last != nullptr && !(last_score < *score) &&
        !in_order(last_score, Listpack::entry_at(last).text(last_scratch), *score,
                  Listpack::entry_at(member).text(scratch))) {
      return corrupt("the members are not in order");
    }
    last = member;
    last_score = *score;
    member = at_score + Listpack::span_at(at_score);
  }
  if (has_duplicates(listpack_, kEntries)) return corrupt("a member appears twice");
  return {};
}

Result<std::unique_ptr<SortedSetValue>> SortedSetValue::from_ziplist(
    std::string_view bytes, const SortedSetLimits& limits) {
  auto set = std::make_unique<SortedSetValue>();
  std::optional<Listpack::Entry> member;
  const Status status = read_ziplist(bytes, [&](const Listpack::Entry& entry) -> Status {
    if (!member) {
      member = entry;
      return {};
    }
    const auto score = read_score(entry);
    if (!score) return corrupt("a score is not a number");
    Scratch scratch;
    const bool is_new = set->set(member->text(scratch), *score, limits);
    member.reset();
    return is_new ? Status() : corrupt("a member appears twice");
  });
  if (!status) return status.error();
  if (member) return corrupt("the last member has no score");
  return set;
}

size_t SortedSetValue::memory_usage() const {
  size_t bytes = sizeof(*this) + listpack_.memory_usage();
  if (large_) {
    bytes += sizeof(Large) + large_->index.memory_usage() + large_->tree.memory_usage() +
             element_memory(large_->index);
  }
  return bytes;
}

std::unique_ptr<Value> SortedSetValue::clone() const {
  auto copy = std::make_unique<SortedSetValue>();
  if (!large_) {
    copy->listpack_ = listpack_.clone();
    return copy;
  }
  copy->large_ = std::make_unique<Large>();
  for_each([&copy](std::string_view member, double score) {
    copy->insert_large(member, score, hash_bytes(member));
  });
  return copy;
}

double SortedSetValue::score_at(Listpack::Position member) const {
  // What is in the listpack was checked, or written by insert_packed().
  return read_score(listpack_.get(listpack_.next(member))).value_or(0);
}

std::optional<double> SortedSetValue::score(std::string_view member) const {
  if (large_) {
    SortedSetElement** slot = large_->index.find(member);
    return slot != nullptr ? std::optional((*slot)->score()) : std::nullopt;
  }
  const Listpack::Position position = find_member(member);
  return position != Listpack::kNone ? std::optional(score_at(position)) : std::nullopt;
}

std::optional<SortedSetValue::Ranked> SortedSetValue::rank(std::string_view member) const {
  if (large_) {
    SortedSetElement** slot = large_->index.find(member);
    if (slot == nullptr) return std::nullopt;
    return Ranked{large_->tree.rank_of(**slot), (*slot)->score()};
  }
  size_t rank = 0;
  for (auto p = listpack_.first(); p != Listpack::kNone; p = next_member(p), ++rank) {
    if (listpack_.equals(p, member)) return Ranked{rank, score_at(p)};
  }
  return std::nullopt;
}

void SortedSetValue::prepare(size_t count, const SortedSetLimits& limits) {
  if (!large_ && count > limits.max_listpack_entries) convert_to_large();
}

SortedSetValue::Update SortedSetValue::update(std::string_view member, double score,
                                              const Conditions& conditions,
                                              const SortedSetLimits& limits) {
  const uint64_t hash = large_ ? hash_bytes(member) : 0;
  SortedSetElement** slot = large_ ? large_->index.find(member, hash) : nullptr;
  const auto position = large_ ? Listpack::kNone : find_member(member);
  if (slot == nullptr && position == Listpack::kNone) {
    if (conditions.only_existing) return {Outcome::kRefused};
    if (!large_ && may_pack(member, limits)) {
      insert_packed(member, score);
    } else {
      if (!large_) convert_to_large();
      insert_large(member, score, hash_bytes(member));
    }
    return {Outcome::kAdded, score};
  }
  if (conditions.only_new) return {Outcome::kRefused};
  const double current = slot != nullptr ? (*slot)->score() : score_at(position);
  if (conditions.increment) {
    score += current;
    if (std::isnan(score)) return {Outcome::kNotANumber};
  }
  if ((conditions.only_less && score >= current) || (conditions.only_greater && score <= current)) {
    return {Outcome::kRefused};
  }
  if (score == current) return {Outcome::kSame, score};
  if (slot != nullptr) {
    large_->tree.set_score(*slot, score);
  } else {
    change_packed(position, member, score);
  }
  return {Outcome::kChanged, score};
}

// Whether one more member can go into the listpack.
bool SortedSetValue::may_pack(std::string_view member, const SortedSetLimits& limits) const {
  return size() < limits.max_listpack_entries && member.size() <= limits.max_listpack_value &&
         listpack_.fits(member.size() + kMaxInt64Digits + 5, kEntries);
}

void SortedSetValue::insert_packed(std::string_view member, double score) {
  const PackedScore packed(score);
  Scratch scratch;
  const auto follows = [&](Listpack::Position p) {
    const double other = score_at(p);
    return score < other || (score == other && member < listpack_.read(p, scratch));
  };
  Listpack::Position p = listpack_.first();
  // Most often scores grow.
  if (p != Listpack::kNone && !follows(listpack_.previous(listpack_.last()))) p = Listpack::kNone;
  while (p != Listpack::kNone && !follows(p)) p = next_member(p);
  if (p == Listpack::kNone) {
    listpack_.append_pair(member, packed.item());
  } else {
    listpack_.insert_after(listpack_.insert_before(p, member), packed.item());
  }
}

void SortedSetValue::change_packed(Listpack::Position position, std::string_view member,
                                   double score) {
  if (stays_packed_in_place(position, member, score)) {
    listpack_.replace(listpack_.next(position), PackedScore(score).item());
  } else {
    listpack_.erase(position, kEntries);
    insert_packed(member, score);
  }
}

bool SortedSetValue::stays_packed_in_place(Listpack::Position position, std::string_view member,
                                           double score) const {
  Scratch scratch;
  if (position != listpack_.first()) {
    const auto before = listpack_.previous(listpack_.previous(position));
    if (!in_order(score_at(before), listpack_.read(before, scratch), score, member)) return false;
  }
  const auto after = next_member(position);
  return after == Listpack::kNone ||
         in_order(score, member, score_at(after), listpack_.read(after, scratch));
}

void SortedSetValue::insert_large(std::string_view member, double score, uint64_t hash) {
  SortedSetElement* element = SortedSetElement::create(member, score);
  large_->index.insert(element, hash);
  large_->tree.insert(element);
}

void SortedSetValue::convert_to_large() {
  const Listpack packed = std::exchange(listpack_, Listpack());
  large_ = std::make_unique<Large>();
  Scratch scratch;
  for (auto p = packed.first(); p != Listpack::kNone; p = packed.next(packed.next(p))) {
    const std::string_view member = packed.read(p, scratch);
    const double score = read_score(packed.get(packed.next(p))).value_or(0);
    insert_large(member, score, hash_bytes(member));
  }
}

bool SortedSetValue::erase(std::string_view member) {
  if (large_) {
    SortedSetElement* erased = large_->index.erase(member, hash_bytes(member));
    if (erased == nullptr) return false;
    large_->tree.erase(erased);
    SortedSetElement::destroy(erased);
    return true;
  }
  const Listpack::Position position = find_member(member);
  if (position == Listpack::kNone) return false;
  listpack_.erase(position, kEntries);
  return true;
}

void SortedSetValue::erase_range(RankRange range) {
  if (range.count == 0) return;
  if (large_) {
    large_->tree.erase_range(range.first, range.count, [this](SortedSetElement* element) {
      large_->index.erase(element->member());
      SortedSetElement::destroy(element);
    });
  } else {
    listpack_.erase(position_of(range.first), kEntries * range.count);
  }
}

namespace {

RankRange between(size_t begin, size_t end) {
  return end > begin ? RankRange{begin, end - begin} : RankRange{};
}

}  // namespace

RankRange SortedSetValue::range(const ScoreRange& scores) const {
  if (large_) {
    const size_t begin = large_->tree.count_before(
        [&](double score, const SortedSetElement&) { return scores.is_below(score); });
    const size_t end = large_->tree.count_before(
        [&](double score, const SortedSetElement&) { return !scores.is_above(score); });
    return between(begin, end);
  }
  size_t below = 0;
  size_t not_above = 0;
  for (auto p = listpack_.first(); p != Listpack::kNone; p = next_member(p)) {
    const double score = score_at(p);
    if (scores.is_above(score)) break;
    ++not_above;
    if (scores.is_below(score)) ++below;
  }
  return between(below, not_above);
}

RankRange SortedSetValue::range(const MemberRange& members) const {
  if (large_) {
    const size_t begin = large_->tree.count_before(
        [&](double, const SortedSetElement& e) { return members.is_below(e.member()); });
    const size_t end = large_->tree.count_before(
        [&](double, const SortedSetElement& e) { return !members.is_above(e.member()); });
    return between(begin, end);
  }
  size_t begin = 0;
  Scratch scratch;
  auto p = listpack_.first();
  for (; p != Listpack::kNone && members.is_below(listpack_.read(p, scratch)); p = next_member(p)) {
    ++begin;
  }
  size_t end = begin;
  for (; p != Listpack::kNone && !members.is_above(listpack_.read(p, scratch));
       p = next_member(p)) {
    ++end;
  }
  return between(begin, end);
}

}  // namespace tandem
