#include "persistence/keyspace_loader.h"

#include <utility>

#include "persistence/progress.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr size_t kReplicationIdChars = 40;

EntryOwner make_entry(std::string_view key, RdbValue value, int64_t expires_at_ms,
                      uint32_t access_clock) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    return Database::make_string(key, *text, expires_at_ms, access_clock);
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return Database::make_integer(key, *integer, expires_at_ms, access_clock);
  }
  return Database::make_value(key, std::get<std::unique_ptr<Value>>(std::move(value)),
                              expires_at_ms, access_clock);
}

}  // namespace

Status KeyspaceLoader::on_aux(std::string_view name, std::string_view value) {
  if (name == "repl-id") {
    if (value.size() == kReplicationIdChars) position_.id = std::string(value);
  } else if (name == "repl-offset") {
    if (const auto offset = parse_uint64(value)) position_.offset = *offset;
  } else if (name == "repl-stream-db") {
    const auto db = parse_int64(value);
    if (db && *db < INT32_MAX) position_.stream_db = static_cast<int>(*db);
  } else if (name == "used-mem") {
    const auto bytes = parse_uint64(value);
    if (bytes && options_.watch != nullptr) options_.watch->tells_used_memory(*bytes);
  }
  return {};
}

Status KeyspaceLoader::on_database_size(int db, uint64_t keys, uint64_t with_expiry) {
  // A database too many is refused with its first key.
  if (db < keyspace_->database_count()) keyspace_->database(db).reserve(keys, with_expiry);
  return {};
}

Status KeyspaceLoader::on_library(std::string source) {
  libraries_.push_back(std::move(source));
  return {};
}

uint32_t KeyspaceLoader::access_clock_of(const RdbKey& key) const {
  if (options_.access == AccessRecord::kFrequency) {
    const uint32_t counter = key.frequency.value_or(AccessClock::kInitialFrequency);
    return AccessClock::with_frequency(counter, options_.now_ms);
  }
  return AccessClock::idle_for(static_cast<int64_t>(key.idle_seconds.value_or(0)), options_.now_ms);
}

Status KeyspaceLoader::on_key(const RdbKey& key, RdbValue value) {
  if (key.db >= keyspace_->database_count()) {
    return make_error(ErrorKind::kUnsupported,
                      "the file holds keys of database " + std::to_string(key.db) +
                          ", but this server has only " +
                          std::to_string(keyspace_->database_count()) + " (see `databases`)");
  }
  const bool has_expiry = key.expires_at_ms != kNoExpiry;
  if (has_expiry && options_.drop_expired && key.expires_at_ms <= options_.now_ms) {
    ++counts_.keys_expired;
    if (position()) expired_.push_back({key.db, std::string(key.name)});
    return {};
  }
  if (waiting_.full() || key.db != waiting_db_) {
    if (Status status = insert_waiting(); !status.ok()) return status;
    waiting_db_ = key.db;
  }
  waiting_.add(make_entry(key.name, std::move(value), key.expires_at_ms, access_clock_of(key)),
               key.offset);
  pause_for_tests(options_.key_delay_us);
  return {};
}

Status KeyspaceLoader::insert_waiting() {
  const size_t count = waiting_.size();
  if (const auto twice = waiting_.insert_into(&keyspace_->database(waiting_db_))) {
    return make_error(ErrorKind::kCorrupt,
                      "the key " + quote(twice->entry->key()) + " is there twice", twice->tag);
  }
  counts_.keys_loaded += count;
  return {};
}

}  // namespace tandem
