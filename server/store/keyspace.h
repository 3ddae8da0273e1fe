#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/random.h"
#include "server/store/access_clock.h"
#include "server/store/entry.h"
#include "server/store/expiry_queue.h"
#include "server/store/table.h"

namespace tandem {

// What happens to a key whose time has come when somebody looks at it.
enum class ExpiryPolicy : uint8_t {
  kDelete,  // a primary: the key is deleted and the observer told
  kHide,    // a replica: readers do not see it; its primary's DEL will come
  kIgnore,  // loading, and applying a primary's stream: it is as alive as any
};

// Told of every change that goes through the door, on the loop thread, inside the call that makes
// the change.
class KeyspaceObserver {
 public:
  virtual ~KeyspaceObserver() = default;
  // The key was created, changed or removed (WATCH, tracking).
  virtual void key_modified(int db, std::string_view key) = 0;
  // The key was removed because its time had come. Called once, after key_modified().
  virtual void key_expired(int db, std::string_view key) = 0;
  // The key was created where there was none; before key_modified().
  virtual void key_created(int /*db*/, std::string_view /*key*/) {}
  // A reader has looked for a key that is not there.
  virtual void key_missed(int /*db*/, std::string_view /*key*/) {}
  // The keys of the database are gone at once, or others have taken their place.
  virtual void database_cleared(int /*db*/) {}
  // The time of these fields of a hash had come, and they were removed: called after
  // key_modified(). `key_removed`: they were the last ones, and the key went with them.
  virtual void fields_expired(int /*db*/, std::string_view /*key*/,
                              std::span<const std::string> /*fields*/, bool /*key_removed*/) {}
  // All keys of the database are about to be removed, or it is being swapped with another one:
  // called before and after a swap, so that both contents are seen.
  virtual void database_replacing(int db) = 0;
};

struct KeyspaceStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t expired = 0;
  uint64_t expired_fields = 0;
};

class Keyspace;

// One numbered database: its keys, and the ones among them that have an expiry. Every change of a
// key goes through this class. Entry pointers are valid until the next change of the database.
class Database {
 public:
  Database(Keyspace* owner, int index) : owner_(owner), index_(index) {}
  ~Database();

  int index() const { return index_; }
  size_t size() const { return keys_.size(); }
  size_t volatile_size() const { return volatile_.size(); }

  // The live entry of a key, or null. Counts a hit or a miss and refreshes the access clock; peek()
  // does neither.
  Entry* find(std::string_view key);
  Entry* peek(std::string_view key);
  // As find(), but for a question about the key, such as its TTL, which does not use it: the access
  // clock stays.
  Entry* find_untouched(std::string_view key);
  // As peek(), for a caller that is going to change the value: announces the change to whoever must
  // see the old value first. When the value has been changed in place, call modified().
  Entry* find_for_write(std::string_view key);
  void modified(std::string_view key);

  // Each of the following creates the key or replaces its value of whatever type, and drops its
  // expiry unless `keep_expiry`. modified() is implied.
  Entry* set_string(std::string_view key, std::string_view bytes, bool keep_expiry = false);
  // Sets the expiry too, in one step: SET with EX.
  Entry* set_string_until(std::string_view key, std::string_view bytes, int64_t expires_at_ms);
  Entry* set_integer(std::string_view key, int64_t number, bool keep_expiry = false);
  Entry* set_value(std::string_view key, std::unique_ptr<Value> value, bool keep_expiry = false);

  // Overwrites the integer of an entry that is_integer(). modified() is implied.
  void update_integer(Entry* entry, int64_t number);
  // Makes the value of a string key `length` bytes long (new bytes are zero) and returns it for
  // changing in place. modified() is implied. The entry may move: look it up again.
  char* edit_string(Entry* entry, size_t length);
  // Makes a string say "raw" to OBJECT ENCODING, as commands that edit in place do even when they
  // find nothing to change. Not a modification. Returns the entry, which may have moved.
  Entry* make_raw(Entry* entry);

  // Removes a key; false when it is not there. erase() frees it here when that is cheap and in the
  // background when it is not; detach() leaves it to the caller, and dispose() then frees it so.
  bool erase(std::string_view key);
  EntryOwner detach(std::string_view key);
  void dispose(EntryOwner entry);
  // Moves an entry to another name or database, where no such live key must exist. Expiry and clock
  // go with it.
  void adopt(EntryOwner entry, std::string_view new_key);

  // Makes room in an empty database for so many keys, and so many of them with an expiry.
  void reserve(size_t keys, size_t with_expiry) {
    keys_.reserve(keys);
    volatile_.reserve(with_expiry);
  }

  // For a loader (see BulkInsert): entries that are in no database yet; `expires_at_ms` may be
  // kNoExpiry. insert_new() takes over one whose key is not in the database, or answers false; for
  // a hash with fields that expire, fields_expire() is to follow. It tells the observer nothing:
  // who loads a dataset tells of it as a whole.
  static EntryOwner make_string(std::string_view key, std::string_view bytes, int64_t expires_at_ms,
                                uint32_t access_clock);
  static EntryOwner make_integer(std::string_view key, int64_t number, int64_t expires_at_ms,
                                 uint32_t access_clock);
  static EntryOwner make_value(std::string_view key, std::unique_ptr<Value> value,
                               int64_t expires_at_ms, uint32_t access_clock);
  bool insert_new(Entry* entry, uint64_t hash);

  // Sets or removes (kNoExpiry) the expiry. Returns the entry, which may have moved. modified() is
  // implied.
  Entry* set_expiry(Entry* entry, int64_t at_ms);

  // Removes all keys, freeing them in the background.
  void clear();

  template <typename Visit>
  void for_each(Visit&& visit) const {
    keys_.for_each(visit);
  }
  // One step of SCAN, see Table::scan(). Expired keys are visited too: the caller filters.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const {
    return keys_.scan(cursor, visit);
  }
  bool expired(const Entry* entry) const;
  // Calls visit(const Entry*) for up to `count` keys, expired ones too, from a random place on: of
  // all, or of those that have an expiry. Nothing may change meanwhile.
  template <typename Visit>
  void sample(Random& random, size_t count, bool volatile_only, Visit&& visit) const {
    (volatile_only ? volatile_ : keys_).sample(random, count, visit);
  }
  // A random one of the keys that have an expiry, or null. It may have expired.
  Entry* random_volatile(Random& random) {
    return volatile_.empty() ? nullptr : volatile_.random(random);
  }
  // A random live key, or null.
  Entry* random(Random& random);

  // Looks at up to `samples` keys with an expiry, going on where the last call stopped, and deletes
  // those whose time has come. Returns how many were deleted and adds those looked at to
  // *looked_at.
  size_t expire_some(size_t samples, size_t* looked_at);

  // To be called when a field of the hash at this key has been given an expiry in place.
  void fields_expire(const Entry* entry);
  // Removes up to `most` fields whose time has come, and returns how many there were.
  size_t expire_fields(size_t most);
  // Keys that have, or had when the first of them was to expire, fields with an expiry.
  size_t keys_with_expiring_fields() const { return expiring_fields_.size(); }

  size_t table_memory() const { return keys_.memory_usage() + volatile_.memory_usage(); }
  size_t volatile_table_memory() const { return volatile_.memory_usage(); }
  // Starts loading the bucket of a key's hash into the cache, then the entries it may name.
  void prefetch_bucket(uint64_t hash) const { keys_.prefetch(hash); }
  void prefetch_entry(uint64_t hash) const { keys_.prefetch_elements(hash); }
  // Where that bucket stands among all of them in memory, until the database changes.
  size_t bucket_index(uint64_t hash) const { return keys_.bucket_index(hash); }
  size_t bucket_count() const { return keys_.bucket_count(); }

 private:
  friend class Keyspace;
  using EntryTable = Table<Entry, EntryTraits>;

  static constexpr int64_t kKeepExpiry = -2;

  Entry* lookup(std::string_view key, bool touch);
  Entry* count_lookup(std::string_view key, Entry* found);
  Entry* put_string(std::string_view key, std::string_view bytes, int64_t expires_at_ms);
  Entry* place(Entry** slot, EntryOwner fresh, uint64_t hash);
  void expire(Entry* entry);
  Entry** live_slot(std::string_view key, uint64_t hash);
  void swap_keys(Database& other);
  EntryOwner remove(std::string_view key, uint64_t hash);
  size_t expire_fields_of(const std::string& key, const Entry* entry, size_t most);
  void touch(Entry* entry);
  uint32_t clock_for(const Entry* replaced) const;

  Keyspace* owner_;
  int index_;
  EntryTable keys_;
  EntryTable volatile_;  // the entries of keys_ that have an expiry
  uint64_t expire_cursor_ = 0;
  ExpiryQueue expiring_fields_;  // hashes by when their first field expires, or earlier
};

// All databases of a server. Has no clock of its own: set_time() at the start of each command and
// each cron step. Not thread-safe; belongs to the loop thread.
class Keyspace {
 public:
  explicit Keyspace(int databases, uint64_t random_seed = 1);

  int database_count() const { return static_cast<int>(databases_.size()); }
  Database& database(int index) { return *databases_[static_cast<size_t>(index)]; }
  void swap_databases(int a, int b);
  // Exchanges all keys with those of a keyspace that has as many databases: a dataset that was
  // loaded aside takes the place of the old one. The observers of both are told.
  void swap_contents(Keyspace& other);
  bool has_expiring_fields() const;
  void clear();  // every database
  size_t total_size() const;

  void set_time(int64_t wall_ms) { now_ms_ = wall_ms; }
  int64_t now_ms() const { return now_ms_; }
  // What entries note about their use; maxmemory-policy decides.
  AccessClock& access() { return access_; }
  const AccessClock& access() const { return access_; }
  // False while a command of a CLIENT NO-TOUCH client runs.
  void set_touching(bool on) { touching_ = on; }

  void set_observer(KeyspaceObserver* observer) { observer_ = observer; }
  // Where large detached values are freed; runs `work` on another thread. Without one they are
  // freed at once.
  using Background = std::function<void(std::function<void()> work)>;
  void set_background(Background background) { background_ = std::move(background); }
  // `objects` and `bytes` are what it frees, as far as known.
  void free_in_background(std::function<void()> work, size_t objects, size_t bytes);
  // What has been handed to the background and is not freed yet, or has been since the start.
  struct BackgroundCounts {
    std::atomic<size_t> pending_objects{0}, pending_bytes{0}, freed_objects{0};
  };
  BackgroundCounts& background_counts() { return *background_counts_; }

  void set_expiry_policy(ExpiryPolicy policy) { expiry_policy_ = policy; }
  ExpiryPolicy expiry_policy() const { return expiry_policy_; }

  KeyspaceStats& stats() { return stats_; }
  Random& random() { return random_; }

 private:
  friend class Database;

  void announce_replacing(int a, int b);

  std::vector<std::unique_ptr<Database>> databases_;
  KeyspaceObserver* observer_ = nullptr;
  Background background_;
  // Outlives the keyspace if the background does.
  std::shared_ptr<BackgroundCounts> background_counts_ = std::make_shared<BackgroundCounts>();
  KeyspaceStats stats_;
  Random random_;
  int64_t now_ms_ = 0;
  AccessClock access_;
  ExpiryPolicy expiry_policy_ = ExpiryPolicy::kDelete;
  bool touching_ = true;
};

}  // namespace tandem
