#include "server/store/bulk_insert.h"

#include <array>
#include <bit>
#include <utility>

#include "server/base/hash.h"
#include "server/base/prefetch.h"

namespace tandem {

namespace {

// How many parts of a table the keys are sorted into; within a part their order does not matter.
constexpr size_t kParts = 512;
// How long before a key is inserted its bucket is asked for.
constexpr size_t kAhead = 8;

}  // namespace

BulkInsert::~BulkInsert() {
  for (const Waiting& waiting : waiting_) EntryDeleter()(waiting.entry);
}

void BulkInsert::add(EntryOwner entry, uint64_t tag) {
  if (waiting_.empty()) waiting_.reserve(kMost);
  const uint64_t hash = hash_bytes(entry->key());
  // Asked now that the value has just been made; later it would have to be fetched again.
  if (entry->type() == ValueType::kHash && entry->value()->next_expiry_ms() != Value::kNever) {
    with_expiring_fields_.push_back(entry.get());
  }
  waiting_.push_back({hash, entry.release(), tag});
}

// A counting sort, which leaves the keys of a part in their order.
void BulkInsert::sort_by_bucket(const Database& db) {
  const auto shift = std::bit_width(db.bucket_count() / kParts);
  const auto part_of = [&](const Waiting& waiting) {
    return db.bucket_index(waiting.hash) >> shift;
  };
  std::array<size_t, kParts + 1> ends{};
  for (const Waiting& waiting : waiting_) ++ends[part_of(waiting) + 1];
  for (size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
  sorted_.resize(waiting_.size());
  for (const Waiting& waiting : waiting_) sorted_[ends[part_of(waiting)]++] = waiting;
  std::swap(waiting_, sorted_);
}

std::optional<BulkInsert::Arrival> BulkInsert::insert_into(Database* db) {
  if (db->bucket_count() > 0) sort_by_bucket(*db);
  const size_t count = waiting_.size();
  for (size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) {
      db->prefetch_bucket(waiting_[i + kAhead].hash);
      prefetch(waiting_[i + kAhead].entry);
    }
    if (db->insert_new(waiting_[i].entry, waiting_[i].hash)) continue;
    with_expiring_fields_.clear();
    Arrival twice{EntryOwner(waiting_[i].entry), waiting_[i].tag};
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(i) + 1);
    return twice;
  }
  waiting_.clear();
  for (const Entry* entry : with_expiring_fields_) db->fields_expire(entry);
  with_expiring_fields_.clear();
  return std::nullopt;
}

}  // namespace tandem
