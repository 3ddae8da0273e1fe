#include "server/store/hash_value.h"

#include <malloc.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

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
  } else if (hash->has_duplicates()) {
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

// Sorts hashes rather than compare each field with every other one.
bool HashValue::has_duplicates() const {
  std::vector<std::pair<uint64_t, Listpack::Position>> fields;
  fields.reserve(size());
  Scratch scratch;
  for (const Listpack::Position position : field_positions()) {
    fields.emplace_back(hash_bytes(listpack_.read(position, scratch)), position);
  }
  std::sort(fields.begin(), fields.end());
  for (size_t i = 0; i < fields.size(); ++i) {
    for (size_t j = i + 1; j < fields.size() && fields[j].first == fields[i].first; ++j) {
      if (listpack_.equals(fields[i].second, listpack_.read(fields[j].second, scratch))) {
        return true;
      }
    }
  }
  return false;
}

size_t HashValue::memory_usage() const {
  size_t bytes = sizeof(*this) + listpack_.memory_usage();
  if (!table_ || table_->empty()) return bytes;
  bytes += sizeof(FieldTable) + table_->memory_usage();
  // Enough fields for a fair average.
  constexpr size_t kSample = 64;
  size_t sampled = 0;
  size_t sampled_bytes = 0;
  uint64_t cursor = 0;
  do {
    cursor = table_->scan(cursor, [&](const HashField* field) {
      ++sampled;
      sampled_bytes += field->memory_usage();
    });
  } while (cursor != 0 && sampled < kSample);
  return bytes + sampled_bytes * table_->size() / sampled;
}

std::unique_ptr<Value> HashValue::clone() const {
  auto copy = std::make_unique<HashValue>();
  if (!table_) {
    copy->listpack_ = listpack_.clone();
    return copy;
  }
  copy->table_ = std::make_unique<FieldTable>();
  table_->for_each([&copy](const HashField* field) {
    copy->table_->insert(HashField::create(field->field(), field->value()));
  });
  return copy;
}

std::optional<std::string_view> HashValue::get(std::string_view field,
                                               std::span<char> scratch) const {
  if (table_) {
    HashField** slot = table_->find(field);
    return slot != nullptr ? std::optional((*slot)->value()) : std::nullopt;
  }
  const Listpack::Position position = find_field(field);
  if (position == Listpack::kNone) return std::nullopt;
  return listpack_.read(listpack_.next(position), scratch);
}

bool HashValue::contains(std::string_view field) const {
  return table_ ? table_->find(field) != nullptr : find_field(field) != Listpack::kNone;
}

size_t HashValue::value_length(std::string_view field) const {
  if (table_) {
    HashField** slot = table_->find(field);
    return slot != nullptr ? (*slot)->value().size() : 0;
  }
  const Listpack::Position position = find_field(field);
  if (position == Listpack::kNone) return 0;
  return listpack_.get(listpack_.next(position)).text_size();
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

bool HashValue::set(std::string_view field, std::string_view value, const HashLimits& limits) {
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
  return set_in_table(field, value);
}

bool HashValue::set_in_table(std::string_view field, std::string_view value) {
  const uint64_t hash = hash_bytes(field);
  if (HashField** slot = table_->find(field, hash)) {
    *slot = HashField::set_value(*slot, value);
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
    HashField::destroy(erased);
    return true;
  }
  const Listpack::Position position = find_field(field);
  if (position == Listpack::kNone) return false;
  listpack_.erase(position, 2);
  return true;
}

std::vector<Listpack::Position> HashValue::field_positions() const {
  std::vector<Listpack::Position> positions;
  positions.reserve(size());
  for (auto p = listpack_.first(); p != Listpack::kNone; p = listpack_.next(listpack_.next(p))) {
    positions.push_back(p);
  }
  return positions;
}

// Selection sampling (Knuth, 3.4.2 S): each field is taken with the chance that what is still
// wanted has among what is left.
std::vector<Listpack::Position> HashValue::sample_listpack(Random& random, size_t count) const {
  std::vector<Listpack::Position> sample;
  sample.reserve(count);
  size_t left = size();
  for (auto p = listpack_.first(); sample.size() < count; p = listpack_.next(listpack_.next(p))) {
    if (random.below(left--) < count - sample.size()) sample.push_back(p);
  }
  return sample;
}

std::vector<const HashField*> HashValue::sample_table(Random& random, size_t count) const {
  std::vector<const HashField*> sample;
  // Picking until all are different is quick as long as most picks are new.
  constexpr size_t kFew = 3;
  if (count * kFew < table_->size()) {
    std::unordered_set<const HashField*> taken;
    while (taken.size() < count) {
      const HashField* field = table_->random(random);
      if (taken.insert(field).second) sample.push_back(field);
    }
    return sample;
  }
  sample.reserve(table_->size());
  table_->for_each([&sample](const HashField* field) { sample.push_back(field); });
  for (size_t i = 0; i < count; ++i) {
    std::swap(sample[i], sample[i + random.below(sample.size() - i)]);
  }
  sample.resize(count);
  return sample;
}

}  // namespace tandem
