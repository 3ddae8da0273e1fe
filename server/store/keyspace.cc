#include "server/store/keyspace.h"

#include <malloc.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <new>
#include <utility>

#include "server/base/numbers.h"
#include "server/store/hash_value.h"

namespace tandem {

namespace {
// A value of more allocations, or a string of more bytes, is freed in the background.
constexpr size_t kCheapToFree = 64;
constexpr size_t kCheapStringBytes = 1024 * 1024;
}  // namespace

// Lays out entries; the only code that knows where each part stands when writing.
class EntryBuilder {
 public:
  using Kind = Entry::Kind;

  // `word` is the integer or pointer of the kinds that have one; `bytes` the value of the embedded
  // kind.
  static Entry* build(std::string_view key, ValueType type, Kind kind, uint64_t word,
                      std::string_view bytes, int64_t expires_at_ms, uint32_t clock) {
    const bool volatile_key = expires_at_ms != kNoExpiry;
    const bool long_key = key.size() > 0xff;
    const bool embedded = kind == Kind::kEmbedded;
    const size_t size = Entry::kHeaderBytes + (volatile_key ? 8 : 0) + (embedded ? 0 : 8) +
                        (long_key ? 4 : 1) + key.size() + (embedded ? 1 + bytes.size() : 0);
    void* memory = std::malloc(size < sizeof(Entry) ? sizeof(Entry) : size);
    if (memory == nullptr) throw std::bad_alloc();
    auto* entry = new (memory) Entry;
    entry->access_clock_ = clock & 0xffffff;
    entry->type_ = static_cast<uint8_t>(type);
    entry->flags_ = static_cast<uint8_t>((volatile_key ? Entry::kHasExpiry : 0) |
                                         (long_key ? Entry::kLongKey : 0) |
                                         (static_cast<int>(kind) << Entry::kKindShift));
    char* at = entry->body();
    if (volatile_key) at = store(at, expires_at_ms);
    if (!embedded) at = store(at, word);
    if (long_key) {
      at = store(at, static_cast<uint32_t>(key.size()));
    } else {
      at = store(at, static_cast<uint8_t>(key.size()));
    }
    at = copy(at, key);
    if (embedded) copy(store(at, static_cast<uint8_t>(bytes.size())), bytes);
    return entry;
  }

  static Entry* build_string(std::string_view key, std::string_view bytes, int64_t expires_at_ms,
                             uint32_t clock) {
    if (bytes.size() <= kMaxInt64Digits) {
      if (const auto number = parse_int64(bytes)) {
        return build(key, ValueType::kString, Kind::kInteger, static_cast<uint64_t>(*number), {},
                     expires_at_ms, clock);
      }
    }
    if (bytes.size() <= Entry::kMaxEmbedded) {
      return build(key, ValueType::kString, Kind::kEmbedded, 0, bytes, expires_at_ms, clock);
    }
    return build(key, ValueType::kString, Kind::kRaw,
                 reinterpret_cast<uint64_t>(RawString::create(bytes)), {}, expires_at_ms, clock);
  }

  // The same value under another key or with another expiry; takes the value away from `old`, which
  // is freed.
  static Entry* rebuild(Entry* old, std::string_view key, int64_t expires_at_ms) {
    const Kind kind = old->kind();
    char scratch[kMaxInt64Digits];
    const std::string_view bytes =
        kind == Kind::kEmbedded ? old->string(scratch) : std::string_view();
    const uint64_t word = kind == Kind::kEmbedded ? 0 : Entry::load<uint64_t>(old->slot());
    Entry* fresh = build(key, old->type(), kind, word, bytes, expires_at_ms, old->access_clock());
    fresh->flags_ = static_cast<uint8_t>(fresh->flags_ | (old->flags_ & Entry::kRawEncoding));
    std::free(old);
    return fresh;
  }

  // Overwrites an embedded string by one that fits where it stands; false when it does not.
  static bool overwrite(Entry* entry, std::string_view bytes) {
    if (entry->kind() != Kind::kEmbedded || bytes.size() > Entry::kMaxEmbedded) return false;
    char* at = entry->embedded();
    const size_t old_size = static_cast<unsigned char>(*at);
    if (bytes.size() > old_size || bytes.size() < old_size / 2) return false;
    if (bytes.size() <= kMaxInt64Digits && parse_int64(bytes)) return false;
    copy(store(at, static_cast<uint8_t>(bytes.size())), bytes);
    entry->flags_ = static_cast<uint8_t>(entry->flags_ & ~Entry::kRawEncoding);
    return true;
  }

  template <typename T>
  static char* store(char* at, T value) {
    std::memcpy(at, &value, sizeof value);
    return at + sizeof value;
  }

 private:
  static char* copy(char* at, std::string_view bytes) {
    // Bytes may come from the entry itself (SET k of a view into k's own value).
    if (!bytes.empty()) std::memmove(at, bytes.data(), bytes.size());
    return at + bytes.size();
  }
};

Database::~Database() {
  keys_.for_each([](Entry* entry) { EntryDeleter()(entry); });
}

bool Database::expired(const Entry* entry) const {
  return entry->has_expiry() && owner_->expiry_policy_ != ExpiryPolicy::kIgnore &&
         entry->expires_at_ms() <= owner_->now_ms_;
}

Entry* Database::lookup(std::string_view key, bool touch) {
  Entry** slot = keys_.find(key);
  if (slot == nullptr) return nullptr;
  Entry* entry = *slot;
  if (entry->has_expiry() && expired(entry)) {
    if (owner_->expiry_policy_ == ExpiryPolicy::kDelete) expire(entry);
    return nullptr;
  }
  if (touch && owner_->touching_) this->touch(entry);
  return entry;
}

void Database::touch(Entry* entry) {
  entry->set_access_clock(
      owner_->access_.touched(entry->access_clock(), owner_->now_ms_, owner_->random_));
}

// The clock of an entry that takes the place of another one, or of none. To overwrite a key is to
// use it.
uint32_t Database::clock_for(const Entry* replaced) const {
  if (replaced == nullptr) return owner_->access_.fresh(owner_->now_ms_);
  return owner_->access_.touched(replaced->access_clock(), owner_->now_ms_, owner_->random_);
}

Entry* Database::find(std::string_view key) { return count_lookup(key, lookup(key, true)); }

Entry* Database::find_untouched(std::string_view key) {
  return count_lookup(key, lookup(key, false));
}

Entry* Database::count_lookup(std::string_view key, Entry* found) {
  if (found != nullptr) {
    ++owner_->stats_.hits;
    return found;
  }
  ++owner_->stats_.misses;
  if (owner_->observer_ != nullptr) owner_->observer_->key_missed(index_, key);
  return nullptr;
}

Entry* Database::peek(std::string_view key) { return lookup(key, false); }

Entry* Database::find_for_write(std::string_view key) { return lookup(key, true); }

void Database::modified(std::string_view key) {
  if (owner_->observer_ != nullptr) owner_->observer_->key_modified(index_, key);
}

void Database::expire(Entry* entry) {
  const std::string key(entry->key());
  ++owner_->stats_.expired;
  dispose(remove(key, hash_bytes(key)));
  modified(key);
  if (owner_->observer_ != nullptr) owner_->observer_->key_expired(index_, key);
}

// Where the key's entry is, for a value that takes its place. A key whose time has come leaves
// first: the new value does not replace it but creates the key.
Entry** Database::live_slot(std::string_view key, uint64_t hash) {
  Entry** slot = keys_.find(key, hash);
  if (slot == nullptr || !(*slot)->has_expiry() || !expired(*slot)) return slot;
  if (owner_->expiry_policy_ != ExpiryPolicy::kDelete) return slot;
  expire(*slot);
  return nullptr;
}

// Puts `fresh` where `slot` holds the key's old entry, or into a new place when `slot` is null.
Entry* Database::place(Entry** slot, EntryOwner fresh, uint64_t hash) {
  Entry* entry = fresh.get();
  if (slot == nullptr) {
    if (entry->has_expiry()) volatile_.insert(entry, hash);
    keys_.insert(fresh.release(), hash);
    fields_expire(entry);
    if (owner_->observer_ != nullptr) owner_->observer_->key_created(index_, entry->key());
    return entry;
  }
  EntryOwner old(*slot);
  if (entry->has_expiry() && old->has_expiry()) {
    *volatile_.find(old->key(), hash) = entry;
  } else if (old->has_expiry()) {
    volatile_.erase(old->key(), hash);
  } else if (entry->has_expiry()) {
    volatile_.insert(entry, hash);
  }
  *slot = fresh.release();
  if (!expiring_fields_.empty()) expiring_fields_.erase(old->key());
  fields_expire(entry);
  dispose(std::move(old));
  return entry;
}

Entry* Database::set_string(std::string_view key, std::string_view bytes, bool keep_expiry) {
  return put_string(key, bytes, keep_expiry ? kKeepExpiry : kNoExpiry);
}

Entry* Database::set_string_until(std::string_view key, std::string_view bytes,
                                  int64_t expires_at_ms) {
  return put_string(key, bytes, expires_at_ms);
}

Entry* Database::put_string(std::string_view key, std::string_view bytes, int64_t expires_at_ms) {
  const uint64_t hash = hash_bytes(key);
  Entry** slot = live_slot(key, hash);
  Entry* entry = slot != nullptr ? *slot : nullptr;
  if (expires_at_ms == kKeepExpiry) {
    expires_at_ms = entry != nullptr ? entry->expires_at_ms() : kNoExpiry;
  }
  const bool same_layout = entry != nullptr && entry->has_expiry() == (expires_at_ms != kNoExpiry);
  if (same_layout && EntryBuilder::overwrite(entry, bytes)) {
    if (expires_at_ms != kNoExpiry) EntryBuilder::store(entry->body(), expires_at_ms);
    touch(entry);
  } else {
    const uint32_t clock = clock_for(entry);
    entry =
        place(slot, EntryOwner(EntryBuilder::build_string(key, bytes, expires_at_ms, clock)), hash);
  }
  modified(key);
  return entry;
}

Entry* Database::set_integer(std::string_view key, int64_t number, bool keep_expiry) {
  const uint64_t hash = hash_bytes(key);
  Entry** slot = live_slot(key, hash);
  const int64_t expiry = slot != nullptr && keep_expiry ? (*slot)->expires_at_ms() : kNoExpiry;
  Entry* entry =
      place(slot,
            EntryOwner(EntryBuilder::build(key, ValueType::kString, Entry::Kind::kInteger,
                                           static_cast<uint64_t>(number), {}, expiry,
                                           clock_for(slot != nullptr ? *slot : nullptr))),
            hash);
  modified(key);
  return entry;
}

Entry* Database::set_value(std::string_view key, std::unique_ptr<Value> value, bool keep_expiry) {
  const uint64_t hash = hash_bytes(key);
  Entry** slot = live_slot(key, hash);
  const int64_t expiry = slot != nullptr && keep_expiry ? (*slot)->expires_at_ms() : kNoExpiry;
  const ValueType type = value->type();
  Entry* entry =
      place(slot,
            EntryOwner(EntryBuilder::build(key, type, Entry::Kind::kValue,
                                           reinterpret_cast<uint64_t>(value.release()), {}, expiry,
                                           clock_for(slot != nullptr ? *slot : nullptr))),
            hash);
  modified(key);
  return entry;
}

void Database::update_integer(Entry* entry, int64_t number) {
  EntryBuilder::store(entry->slot(), number);
  modified(entry->key());
}

Entry* Database::make_raw(Entry* entry) {
  if (entry->kind() != Entry::Kind::kRaw) {
    const std::string key(entry->key());
    const uint64_t hash = hash_bytes(key);
    char scratch[kMaxInt64Digits];
    // Of the present length: when the block then grows, it grows once, with room to spare.
    RawString* raw = RawString::create(entry->string(scratch));
    entry = place(keys_.find(key, hash),
                  EntryOwner(EntryBuilder::build(key, ValueType::kString, Entry::Kind::kRaw,
                                                 reinterpret_cast<uint64_t>(raw), {},
                                                 entry->expires_at_ms(), entry->access_clock())),
                  hash);
  }
  entry->flags_ |= Entry::kRawEncoding;
  return entry;
}

char* Database::edit_string(Entry* entry, size_t length) {
  entry = make_raw(entry);
  RawString* raw = RawString::resize(entry->raw(), length);
  EntryBuilder::store(entry->slot(), raw);
  modified(entry->key());
  return raw->data();
}

EntryOwner Database::make_string(std::string_view key, std::string_view bytes,
                                 int64_t expires_at_ms, uint32_t access_clock) {
  return EntryOwner(EntryBuilder::build_string(key, bytes, expires_at_ms, access_clock));
}

EntryOwner Database::make_integer(std::string_view key, int64_t number, int64_t expires_at_ms,
                                  uint32_t access_clock) {
  return EntryOwner(EntryBuilder::build(key, ValueType::kString, Entry::Kind::kInteger,
                                        static_cast<uint64_t>(number), {}, expires_at_ms,
                                        access_clock));
}

EntryOwner Database::make_value(std::string_view key, std::unique_ptr<Value> value,
                                int64_t expires_at_ms, uint32_t access_clock) {
  const ValueType type = value->type();
  return EntryOwner(EntryBuilder::build(key, type, Entry::Kind::kValue,
                                        reinterpret_cast<uint64_t>(value.release()), {},
                                        expires_at_ms, access_clock));
}

bool Database::insert_new(Entry* entry, uint64_t hash) {
  if (keys_.find(entry->key(), hash) != nullptr) return false;
  keys_.insert(entry, hash);
  if (entry->has_expiry()) volatile_.insert(entry, hash);
  return true;
}

EntryOwner Database::remove(std::string_view key, uint64_t hash) {
  Entry** slot = keys_.find(key, hash);
  if (slot == nullptr) return nullptr;
  if ((*slot)->has_expiry()) volatile_.erase(key, hash);
  if (!expiring_fields_.empty()) expiring_fields_.erase(key);
  return EntryOwner(keys_.erase(key, hash));
}

bool Database::erase(std::string_view key) {
  EntryOwner entry = detach(key);
  if (entry == nullptr) return false;
  dispose(std::move(entry));
  return true;
}

EntryOwner Database::detach(std::string_view key) {
  EntryOwner entry = remove(key, hash_bytes(key));
  // `key` may be a view into the entry, which is still alive.
  if (entry != nullptr) modified(key);
  return entry;
}

void Database::adopt(EntryOwner entry, std::string_view new_key) {
  const uint64_t hash = hash_bytes(new_key);
  if (entry->key() != new_key) {
    Entry* old = entry.release();
    entry.reset(EntryBuilder::rebuild(old, new_key, old->expires_at_ms()));
  }
  // An expired key that only hides may still have the name.
  const std::string_view key = place(keys_.find(new_key, hash), std::move(entry), hash)->key();
  modified(key);
}

Entry* Database::set_expiry(Entry* entry, int64_t at_ms) {
  if (entry->has_expiry() == (at_ms != kNoExpiry)) {
    if (at_ms != kNoExpiry) EntryBuilder::store(entry->body(), at_ms);
  } else {
    const uint64_t hash = hash_bytes(entry->key());
    Entry** slot = keys_.find(entry->key(), hash);
    if (entry->has_expiry()) volatile_.erase(entry->key(), hash);
    const std::string key(entry->key());
    entry = *slot = EntryBuilder::rebuild(entry, key, at_ms);
    if (at_ms != kNoExpiry) volatile_.insert(entry, hash);
  }
  modified(entry->key());
  return entry;
}

void Database::dispose(EntryOwner entry) {
  const bool cheap =
      entry->kind() == Entry::Kind::kValue ? entry->value()->free_effort() <= kCheapToFree
      : entry->kind() == Entry::Kind::kRaw ? entry->raw()->allocated() <= kCheapStringBytes
                                           : true;
  if (cheap) return;
  const size_t bytes = entry->memory_usage();
  owner_->free_in_background([raw = entry.release()] { EntryDeleter()(raw); }, 1, bytes);
}

void Database::clear() {
  if (owner_->observer_ != nullptr) owner_->observer_->database_replacing(index_);
  expire_cursor_ = 0;
  expiring_fields_.clear();
  struct Tables {
    EntryTable keys, volatile_keys;
  };
  const auto old = std::make_shared<Tables>();
  std::swap(old->keys, keys_);
  std::swap(old->volatile_keys, volatile_);
  if (owner_->observer_ != nullptr) owner_->observer_->database_cleared(index_);
  if (old->keys.empty()) return;
  const size_t bytes = old->keys.memory_usage() + old->volatile_keys.memory_usage();
  // Where `old` itself goes is not known: the tables must not outlive the work.
  const auto free_all = [old] {
    old->keys.for_each([](Entry* entry) { EntryDeleter()(entry); });
    old->keys.clear();
    old->volatile_keys.clear();
  };
  owner_->free_in_background(free_all, old->keys.size(), bytes);
}

Entry* Database::random(Random& random) {
  // A database of nothing but expired keys must not loop for ever on a replica, where they stay.
  constexpr int kMaxTries = 100;
  Entry* entry = nullptr;
  for (int i = 0; i < kMaxTries && !keys_.empty(); ++i) {
    entry = keys_.random(random);
    if (!expired(entry)) return entry;
    if (owner_->expiry_policy_ != ExpiryPolicy::kDelete) continue;
    expire(entry);
    entry = nullptr;
  }
  return entry;
}

size_t Database::expire_some(size_t samples, size_t* looked_at) {
  if (volatile_.empty() || owner_->expiry_policy_ != ExpiryPolicy::kDelete) return 0;
  std::vector<Entry*> due;
  size_t seen = 0;
  do {
    expire_cursor_ = volatile_.scan(expire_cursor_, [&](Entry* entry) {
      ++seen;
      if (expired(entry)) due.push_back(entry);
    });
  } while (seen < samples && expire_cursor_ != 0);
  for (Entry* entry : due) expire(entry);
  *looked_at += seen;
  return due.size();
}

void Database::fields_expire(const Entry* entry) {
  if (entry->kind() != Entry::Kind::kValue) return;
  const int64_t at_ms = entry->value()->next_expiry_ms();
  if (at_ms != Value::kNever) expiring_fields_.set(entry->key(), at_ms);
}

size_t Database::expire_fields(size_t most) {
  if (owner_->expiry_policy_ != ExpiryPolicy::kDelete) return 0;
  size_t removed = 0;
  while (removed < most) {
    const auto due = expiring_fields_.due(owner_->now_ms_);
    if (!due) break;
    const std::string key(*due);
    // Removes a key that has expired itself.
    const Entry* entry = lookup(key, false);
    if (entry == nullptr) {
      expiring_fields_.erase(key);
    } else {
      removed += expire_fields_of(key, entry, most - removed);
    }
  }
  return removed;
}

// Of a hash in the queue.
size_t Database::expire_fields_of(const std::string& key, const Entry* entry, size_t most) {
  auto* hash = static_cast<HashValue*>(entry->value());
  std::vector<std::string> fields;
  while (fields.size() < most) {
    const auto field = hash->expired_field(owner_->now_ms_);
    if (!field) break;
    fields.emplace_back(*field);
    hash->erase(fields.back());
  }
  if (hash->has_expiring_fields()) {
    expiring_fields_.set(key, hash->next_expiry_ms());
  } else {
    expiring_fields_.erase(key);
  }
  // The first ones may have been given more time.
  if (fields.empty()) return 0;
  owner_->stats_.expired_fields += fields.size();
  const bool emptied = hash->size() == 0;
  if (emptied) dispose(remove(key, hash_bytes(key)));
  modified(key);
  if (owner_->observer_ != nullptr) owner_->observer_->fields_expired(index_, key, fields, emptied);
  return fields.size();
}

Keyspace::Keyspace(int databases, uint64_t random_seed) : random_(random_seed) {
  for (int i = 0; i < databases; ++i) databases_.push_back(std::make_unique<Database>(this, i));
}

void Database::swap_keys(Database& other) {
  std::swap(keys_, other.keys_);
  std::swap(volatile_, other.volatile_);
  std::swap(expire_cursor_, other.expire_cursor_);
  std::swap(expiring_fields_, other.expiring_fields_);
}

void Keyspace::swap_databases(int a, int b) {
  if (a == b) return;
  announce_replacing(a, b);
  database(a).swap_keys(database(b));
  announce_replacing(a, b);
}

void Keyspace::announce_replacing(int a, int b) {
  if (observer_ == nullptr) return;
  observer_->database_replacing(a);
  observer_->database_replacing(b);
}

void Keyspace::swap_contents(Keyspace& other) {
  assert(database_count() == other.database_count());
  const auto announce = [&](int db) {
    if (observer_ != nullptr) observer_->database_replacing(db);
    if (other.observer_ != nullptr) other.observer_->database_replacing(db);
  };
  for (int i = 0; i < database_count(); ++i) {
    announce(i);
    database(i).swap_keys(other.database(i));
    announce(i);
    if (observer_ != nullptr) observer_->database_cleared(i);
    if (other.observer_ != nullptr) other.observer_->database_cleared(i);
  }
}

bool Keyspace::has_expiring_fields() const {
  return std::any_of(databases_.begin(), databases_.end(),
                     [](const auto& db) { return db->keys_with_expiring_fields() > 0; });
}

void Keyspace::clear() {
  for (auto& database : databases_) database->clear();
}

size_t Keyspace::total_size() const {
  size_t keys = 0;
  for (const auto& database : databases_) keys += database->size();
  return keys;
}

void Keyspace::free_in_background(std::function<void()> work, size_t objects, size_t bytes) {
  if (!background_) return work();
  background_counts_->pending_objects += objects;
  background_counts_->pending_bytes += bytes;
  background_([work = std::move(work), counts = background_counts_, objects, bytes] {
    work();
    counts->pending_objects -= objects;
    counts->pending_bytes -= bytes;
    counts->freed_objects += objects;
  });
}

}  // namespace tandem
