#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "server/base/random.h"
#include "server/base/result.h"
#include "server/base/settings.h"
#include "server/store/elements.h"
#include "server/store/field_expiries.h"
#include "server/store/hash_field.h"
#include "server/store/listpack.h"
#include "server/store/table.h"
#include "server/store/value.h"

namespace tandem {

// Up to where a hash stays a listpack: hash-max-listpack-entries and hash-max-listpack-value.
struct HashLimits {
  size_t max_listpack_entries = 512;  // fields
  size_t max_listpack_value = 64;     // bytes of a field or a value
};

HashLimits hash_limits(const Settings& settings);

// The value of a hash key: fields with values. A small one is a listpack of field, value, field,
// value …; past the limits it becomes a table, and stays one.
//
// Views that are returned or passed to a visitor are valid until the hash changes or `scratch`,
// where integers of a listpack are formatted, is used again. What is passed in must not lie in the
// hash.
//
// Fields may expire; only those of a table do. What reads takes the time and passes over fields
// whose time has come; they stay, and count, until they are erased.
class HashValue final : public Value {
 public:
  using Scratch = Listpack::Scratch;

  // The time before all times: every field is there.
  static constexpr int64_t kAnyTime = INT64_MIN;

  HashValue() = default;
  ~HashValue() override;

  // Readers for packed hashes from outside, with every length checked. kCorrupt when the bytes are
  // malformed, have a field without a value or a field twice. An empty hash is the caller's to
  // refuse. The result obeys `limits`.
  static Result<std::unique_ptr<HashValue>> from_listpack(std::string_view bytes,
                                                          const HashLimits& limits);
  static Result<std::unique_ptr<HashValue>> from_ziplist(std::string_view bytes,
                                                         const HashLimits& limits);
  static Result<std::unique_ptr<HashValue>> from_zipmap(std::string_view bytes,
                                                        const HashLimits& limits);

  ValueType type() const override { return ValueType::kHash; }
  std::string_view encoding_name() const override { return table_ ? "hashtable" : "listpack"; }
  size_t size() const override { return table_ ? table_->size() : listpack_.length() / 2; }
  size_t memory_usage() const override;
  std::unique_ptr<Value> clone() const override;
  int64_t next_expiry_ms() const override { return expiries_ ? expiries_->earliest_ms() : kNever; }
  size_t free_effort() const override { return table_ ? table_->size() : 1; }

  // The packed form, as RDB stores it; null when the hash is a table.
  const Listpack* listpack() const { return table_ ? nullptr : &listpack_; }

  // size() without the fields whose time has come.
  size_t visible_size(int64_t now_ms) const {
    return size() - (hides_some(now_ms) ? expiries_->count_until(now_ms) : 0);
  }
  std::optional<std::string_view> get(std::string_view field, std::span<char> scratch,
                                      int64_t now_ms = kAnyTime) const;
  bool contains(std::string_view field, int64_t now_ms = kAnyTime) const;
  // Bytes of the value of a field; 0 when there is no such field.
  size_t value_length(std::string_view field, int64_t now_ms = kAnyTime) const;

  // When a field expires, in Unix milliseconds; kNever when it does not or is not there.
  int64_t expires_at_ms(std::string_view field) const;
  bool has_expiring_fields() const { return expiries_ != nullptr; }
  // Whether the field is there.
  bool set_expiry(std::string_view field, int64_t at_ms);
  // Whether the field expired.
  bool remove_expiry(std::string_view field);
  // The field that has expired for the longest time; nothing when none has.
  std::optional<std::string_view> expired_field(int64_t now_ms) const {
    return hides_some(now_ms) ? std::optional(expiries_->first()->field()) : std::nullopt;
  }

  // To be called once before several fields are set: converts if that many or that long ones pass
  // the limits, as Valkey does before it looks at any of them, and makes room. `pairs` is field,
  // value, field, value …
  void prepare(std::span<const std::string_view> pairs, const HashLimits& limits);
  // Whether the field is new; otherwise its value is replaced, and it no longer expires unless
  // `keep_expiry`.
  bool set(std::string_view field, std::string_view value, const HashLimits& limits,
           bool keep_expiry = false);
  // Whether the field was there.
  bool erase(std::string_view field);

  // Calls visit(field, value) for each field. The hash must not change meanwhile.
  template <typename Visit>
  void for_each(Visit&& visit, int64_t now_ms = kAnyTime) const {
    if (table_) {
      const bool all = !hides_some(now_ms);
      table_->for_each([&](const HashField* f) {
        if (all || is_visible(f, now_ms)) visit(f->field(), f->value());
      });
      return;
    }
    Scratch field_scratch;
    Scratch value_scratch;
    for (auto p = listpack_.first(); p != Listpack::kNone; p = listpack_.next(p)) {
      const std::string_view field = listpack_.read(p, field_scratch);
      p = listpack_.next(p);
      visit(field, listpack_.read(p, value_scratch));
    }
  }

  // Calls visit(field, at_ms) for each field that expires.
  template <typename Visit>
  void for_each_expiring(Visit&& visit) const {
    if (!expiries_) return;
    table_->for_each([&](const HashField* f) {
      if (f->has_place()) visit(f->field(), expiries_->at_ms(f));
    });
  }

  // One step of HSCAN: visits some fields and returns the next cursor; 0 starts and ends. A field
  // present all along is visited at least once. A listpack is visited whole and answers 0.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit, int64_t now_ms = kAnyTime) const {
    if (table_) {
      return table_->scan(cursor, [&](const HashField* f) {
        if (is_visible(f, now_ms)) visit(f->field(), f->value());
      });
    }
    for_each(visit);
    return 0;
  }

  // Calls visit(field, value) for `count` random fields, the same one again if chance has it. There
  // is a field to be seen.
  template <typename Visit>
  void random_with_repeats(Random& random, size_t count, Visit&& visit,
                           int64_t now_ms = kAnyTime) const {
    if (hides_some(now_ms)) {
      const auto fields = visible_fields(now_ms);
      while (count-- > 0) visit_field(fields[random.below(fields.size())], visit);
      return;
    }
    if (table_) {
      while (count-- > 0) visit_field(table_->random(random), visit);
      return;
    }
    if (count == 1) {
      visit_at(listpack_.at(static_cast<int64_t>(2 * random.below(size()))), visit);
      return;
    }
    const std::vector<Listpack::Position> fields = element_positions(listpack_, 2);
    while (count-- > 0) visit_at(fields[random.below(fields.size())], visit);
  }

  // Calls visit(field, value) for `count` different random fields, or for all when there are no
  // more.
  template <typename Visit>
  void random_distinct(Random& random, size_t count, Visit&& visit,
                       int64_t now_ms = kAnyTime) const {
    if (count >= visible_size(now_ms)) {
      for_each(visit, now_ms);
    } else if (hides_some(now_ms)) {
      auto fields = visible_fields(now_ms);
      shuffle_first(fields, random, count);
      for (size_t i = 0; i < count; ++i) visit_field(fields[i], visit);
    } else if (table_) {
      for (const HashField* f : sample_elements(*table_, random, count)) visit_field(f, visit);
    } else {
      for (const auto position : sample_elements(listpack_, 2, random, count)) {
        visit_at(position, visit);
      }
    }
  }

 private:
  using FieldTable = Table<HashField, HashFieldTraits>;

  Listpack::Position find_field(std::string_view field) const {
    return listpack_.find(field, listpack_.first(), 1);
  }
  bool hides_some(int64_t now_ms) const { return expiries_ && expiries_->earliest_ms() <= now_ms; }
  bool is_visible(const HashField* field, int64_t now_ms) const {
    return !field->has_place() || expiries_->at_ms(field) > now_ms;
  }
  // Null when there is none that can be seen.
  const HashField* find_in_table(std::string_view field, int64_t now_ms) const {
    HashField** slot = table_->find(field);
    return slot != nullptr && is_visible(*slot, now_ms) ? *slot : nullptr;
  }
  std::vector<const HashField*> visible_fields(int64_t now_ms) const;
  bool set_in_table(std::string_view field, std::string_view value, bool keep_expiry = false);
  void forget_expiry(const HashField* field);
  bool convert_to_table();
  Status load_pair(std::string_view field, std::string_view value, const HashLimits& limits);

  template <typename Visit>
  static void visit_field(const HashField* field, Visit&& visit) {
    visit(field->field(), field->value());
  }
  template <typename Visit>
  void visit_at(Listpack::Position field, Visit&& visit) const {
    Scratch field_scratch;
    Scratch value_scratch;
    visit(listpack_.read(field, field_scratch),
          listpack_.read(listpack_.next(field), value_scratch));
  }

  Listpack listpack_;
  std::unique_ptr<FieldTable> table_;        // when set, the listpack is empty
  std::unique_ptr<FieldExpiries> expiries_;  // of fields in table_; null instead of empty
};

}  // namespace tandem
