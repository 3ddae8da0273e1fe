#include "server/store/hash_value.h"

#include <string>
#include <utility>

#include "server/base/hash.h"
#include "server/store/legacy_packed.h"

namespace tandem {

namespace {

Error duplicate_field() { return make_error(ErrorKind::kCorrupt, "hash: a field appears twice"); }

Error odd_entries() { return make_error(ErrorKind::kCorrupt, "hash: the last field has no value"); }

}  // namespace

HashLimits hash_limits(const Settings& settings) {
  return {.max_listpack_entries = static_cast<size_t>(settings.hash_max_listpack_entries),
          .max_listpack_value = static_cast<size_t>(settings.hash_max_listpack_value)};
}

HashValue::~HashValue() {
  if (table_) table_->for_each([](HashField* field) { HashField::destroy(field); });
}

Result<std::unique_ptr<HashValue>> HashValue::from_listpack(std::string_view bytes,
                                                            const HashLimits& limits) {
  auto list = Listpack::validate(bytes);
  if (!list) return list.error();
  auto hash = std::make_unique<HashValue>();
  hash->listpack_ = std::move(list).value();
  const size_t entries = hash->listpack_.length();
  if (entries % 2 != 0) return odd_entries();
  if (entries / 2 > limits.max_listpack_entries) {
    if (!hash->convert_to_table()) return duplicate_field();
  } else if (has_duplicates(hash->listpack_, 2)) {
    return duplicate_field();
  }
  return hash;
}

Result<std::unique_ptr<HashValue>> HashValue::from_ziplist(std::string_view bytes,
                                                           const HashLimits& limits) {
  auto hash = std::make_unique<HashValue>();
  std::optional<Listpack::Entry> field;
  const Status status = read_ziplist(bytes, [&](const Listpack::Entry& entry) -> Status {
    if (!field) {
      field = entry;
      return {};
    }
    Scratch field_scratch;
    Scratch value_scratch;
    const std::string_view name = field->text(field_scratch);
    field.reset();
    return hash->load_pair(name, entry.text(value_scratch), limits);
  });
  if (!status) return status.error();
  if (field) return odd_entries();
  return hash;
}

Result<std::unique_ptr<HashValue>> HashValue::from_zipmap(std::string_view bytes,
                                                          const HashLimits& limits) {
  auto hash = std::make_unique<HashValue>();
  const Status status = read_zipmap(bytes, [&](std::string_view field, std::string_view value) {
    return hash->load_pair(field, value, limits);
  });
  if (!status) return status.error();
  return hash;
}

Status HashValue::load_pair(std::string_view field, std::string_view value,
                            const HashLimits& limits) {
  if (!set(field, value, limits)) return duplicate_field();
  return {};
}

size_t HashValue::memory_usage() const {
  size_t bytes = sizeof(*this) + listpack_.memory_usage();
  if (table_) bytes += sizeof(FieldTable) + table_->memory_usage() + element_memory(*table_);
  if (expiries_) bytes += sizeof(FieldExpiries) + expiries_->memory_usage();
  return bytes;
}

std::unique_ptr<Value> HashValue::clone() const {
  auto copy = std::make_unique<HashValue>();
  if (!table_) {
    copy->listpack_ = listpack_.clone();
    return copy;
  }
  copy->table_ = std::make_unique<FieldTable>();
  if (expiries_) copy->expiries_ = std::make_unique<FieldExpiries>();
  table_->for_each([&](const HashField* field) {
    HashField* twin = HashField::create(field->field(), field->value());
    if (field->has_place()) {
      twin = HashField::add_place(twin);
      copy->expiries_->add(twin, expiries_->at_ms(field));
    }
    copy->table_->insert(twin);
  });
  return copy;
}

std::optional<std::string_view> HashValue::get(std::string_view field, std::span<char> scratch,
                                               int64_t now_ms) const {
  if (table_) {
    const HashField* found = find_in_table(field, now_ms);
    return found != nullptr ? std::optional(found->value()) : std::nullopt;
  }
  const Listpack::Position position = find_field(field);
  if (position == Listpack::kNone) return std::nullopt;
  return listpack_.read(listpack_.next(position), scratch);
}

bool HashValue::contains(std::string_view field, int64_t now_ms) const {
  return table_ ? find_in_table(field, now_ms) != nullptr : find_field(field) != Listpack::kNone;
}

size_t HashValue::value_length(std::string_view field, int64_t now_ms) const {
  if (table_) {
    const HashField* found = find_in_table(field, now_ms);
    return found != nullptr ? found->value().size() : 0;
  }
  const Listpack::Position position = find_field(field);
  if (position == Listpack::kNone) return 0;
  return listpack_.get(listpack_.next(position)).text_size();
}

int64_t HashValue::expires_at_ms(std::string_view field) const {
  if (!expiries_) return kNever;
  HashField** slot = table_->find(field);
  return slot != nullptr && (*slot)->has_place() ? expiries_->at_ms(*slot) : kNever;
}

bool HashValue::set_expiry(std::string_view field, int64_t at_ms) {
  if (!table_) {
    if (find_field(field) == Listpack::kNone) return false;
    convert_to_table();
  }
  HashField** slot = table_->find(field);
  if (slot == nullptr) return false;
  if ((*slot)->has_place()) {
    expiries_->change(*slot, at_ms);
    return true;
  }
  if (!expiries_) expiries_ = std::make_unique<FieldExpiries>();
  *slot = HashField::add_place(*slot);
  expiries_->add(*slot, at_ms);
  return true;
}

bool HashValue::remove_expiry(std::string_view field) {
  if (!expiries_) return false;
  HashField** slot = table_->find(field);
  if (slot == nullptr || !(*slot)->has_place()) return false;
  forget_expiry(*slot);
  *slot = HashField::remove_place(*slot);
  return true;
}

// Takes an expiring field out of the order.
void HashValue::forget_expiry(const HashField* field) {
  expiries_->remove(field);
  if (expiries_->empty()) expiries_.reset();
}

std::vector<const HashField*> HashValue::visible_fields(int64_t now_ms) const {
  std::vector<const HashField*> fields;
  table_->for_each([&](const HashField* field) {
    if (is_visible(field, now_ms)) fields.push_back(field);
  });
  return fields;
}

void HashValue::prepare(std::span<const std::string_view> pairs, const HashLimits& limits) {
  if (table_) return;
  size_t bytes = 0;
  bool packable = pairs.size() / 2 <= limits.max_listpack_entries;
  for (const std::string_view text : pairs) {
    packable = packable && text.size() <= limits.max_listpack_value;
    bytes += text.size();
  }
  if (!packable || !listpack_.fits(bytes, pairs.size())) {
    convert_to_table();
  } else if (listpack_.empty()) {
    // A short entry takes two bytes beyond its text.
    listpack_.reserve(listpack_.total_bytes() + bytes + 2 * pairs.size());
  }
}

bool HashValue::set(std::string_view field, std::string_view value, const HashLimits& limits,
                    bool keep_expiry) {
  if (!table_) {
    if (field.size() <= limits.max_listpack_value && value.size() <= limits.max_listpack_value &&
        listpack_.fits(field.size() + value.size(), 2)) {
      const Listpack::Position position = find_field(field);
      if (position != Listpack::kNone) {
        listpack_.replace(listpack_.next(position), value);
        return false;
      }
      listpack_.append_pair(field, value);
      if (size() > limits.max_listpack_entries) convert_to_table();
      return true;
    }
    convert_to_table();
  }
  return set_in_table(field, value, keep_expiry);
}

bool HashValue::set_in_table(std::string_view field, std::string_view value, bool keep_expiry) {
  const uint64_t hash = hash_bytes(field);
  if (HashField** slot = table_->find(field, hash)) {
    if ((*slot)->has_place() && !keep_expiry) {
      forget_expiry(*slot);
      *slot = HashField::remove_place(*slot);
    }
    *slot = HashField::set_value(*slot, value);
    if ((*slot)->has_place()) expiries_->moved(*slot);
    return false;
  }
  table_->insert(HashField::create(field, value), hash);
  return true;
}

// False when a field appears twice, which only a listpack from outside can have; its last value
// stays then.
bool HashValue::convert_to_table() {
  const Listpack packed = std::exchange(listpack_, Listpack());
  table_ = std::make_unique<FieldTable>();
  bool distinct = true;
  Scratch field_scratch;
  Scratch value_scratch;
  for (auto p = packed.first(); p != Listpack::kNone; p = packed.next(p)) {
    const std::string_view field = packed.read(p, field_scratch);
    p = packed.next(p);
    distinct = set_in_table(field, packed.read(p, value_scratch)) && distinct;
  }
  return distinct;
}

bool HashValue::erase(std::string_view field) {
  if (table_) {
    HashField* erased = table_->erase(field, hash_bytes(field));
    if (erased == nullptr) return false;
    if (erased->has_place()) forget_expiry(erased);
    HashField::destroy(erased);
    return true;
  }
  const Listpack::Position position = find_field(field);
  if (position == Listpack::kNone) return false;
  listpack_.erase(position, 2);
  return true;
}

}  // namespace tandem
