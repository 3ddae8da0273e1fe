#include "replication/digest_check.h"

#include <algorithm>

#include "replication/digest_value.h"
#include "server/base/log.h"
#include "server/base/stable_hash.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

// So many differing keys the log names.
constexpr size_t kMostReported = 1000;
constexpr size_t kShownName = 128;
constexpr size_t kLongestAsked = 16 * 1024;
constexpr size_t kMostAskedBytes = 16 * 1024;
// Of a table that is nearly empty.
constexpr int kMostSteps = 64 * 1024;

void add_line(std::string* out, std::string_view name, std::string_view value) {
  out->append(name).append(":").append(value).append("\r\n");
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\') return false;
  }
  return !text.empty();
}

// On one line, whatever is in it.
std::string shown(std::string_view name) {
  const std::string_view part = name.substr(0, kShownName);
  return is_plain(part) ? std::string(part) : quote(part);
}

std::string sizes_text(const DigestInfo& info) {
  std::string text;
  for (const auto& [db, size] : info.sizes) {
    if (!text.empty()) text += ';';
    text += "db" + std::to_string(db) + ":replica=" + std::to_string(size.here) +
            ",primary=" + std::to_string(size.primary);
  }
  return text;
}

}  // namespace

std::string info_text(const DigestInfo& info) {
  std::string text;
  if (info.sending || info.slices_sent > 0) {
    add_line(&text, "digest_slices_sent", std::to_string(info.slices_sent));
    add_line(&text, "digest_rounds_sent", std::to_string(info.rounds_sent));
  }
  if (info.slices_checked == 0) return text;
  add_line(&text, "digest_slices_checked", std::to_string(info.slices_checked));
  add_line(&text, "digest_slices_mismatched", std::to_string(info.slices_mismatched));
  add_line(&text, "digest_keys_checked", std::to_string(info.keys_checked));
  const bool found = info.first_bad_db >= 0;
  add_line(&text, "digest_first_bad_key", found ? shown(info.first_bad_key) : "");
  add_line(&text, "digest_first_bad_db", found ? std::to_string(info.first_bad_db) : "");
  add_line(&text, "digest_size_mismatches", sizes_text(info));
  if (info.libraries_known) {
    add_line(&text, "digest_libraries", info.libraries_differ ? "different" : "same");
  }
  return text;
}

void DigestCheck::check(std::string_view text) {
  if (!DigestMessage::recognises(text)) return;
  const auto message = DigestMessage::parse(text);
  if (!message) {
    log_warning("A digest in the stream of the primary is malformed, and ignored.");
    return;
  }
  ++info_.slices_checked;
  bool same = check_sizes(message->databases);
  if (message->libraries && !check_libraries(*message->libraries)) same = false;
  if (!check_keys(*message)) same = false;
  if (!same) ++info_.slices_mismatched;
  ask_for_surplus();
}

void DigestCheck::forget_findings() {
  info_.first_bad_key.clear();
  info_.first_bad_db = -1;
  info_.sizes.clear();
  info_.libraries_known = info_.libraries_differ = false;
  reported_.clear();
}

void DigestCheck::reset() {
  forget_findings();
  info_ = {};
}

bool DigestCheck::check_libraries(uint64_t expected) {
  const bool differ = libraries_digest(library_sources_()) != expected;
  if (differ && !info_.libraries_differ) {
    log_warning("The function libraries of this replica differ from those of its primary.");
  }
  info_.libraries_known = true;
  info_.libraries_differ = differ;
  return !differ;
}

bool DigestCheck::check_sizes(const std::vector<DigestMessage::DatabaseSize>& databases) {
  std::map<int, DigestInfo::SizeMismatch> differing;
  for (int db = 0; db < keyspace_.database_count(); ++db) {
    const uint64_t here = keyspace_.database(db).size();
    if (here > 0) differing[db] = {here, 0};
  }
  for (const auto& [db, keys] : databases) {
    DigestInfo::SizeMismatch& size = differing[static_cast<int>(db)];
    size.primary = keys;
    if (size.here == size.primary) differing.erase(static_cast<int>(db));
  }
  for (const auto& [db, size] : differing) {
    if (info_.sizes.contains(db)) continue;
    log_warning("Database " + std::to_string(db) + " of this replica has " +
                std::to_string(size.here) + " keys, and that of its primary " +
                std::to_string(size.primary) + ": their data differ.");
  }
  info_.sizes = std::move(differing);
  return info_.sizes.empty();
}

bool DigestCheck::check_keys(const DigestMessage& message) {
  bool all_same = true;
  for (size_t i = 0; i < message.keys.size(); ++i) {
    const DigestMessage::Key& key = message.keys[i];
    ++info_.keys_checked;
    if (same(key, message.key_salt(i))) continue;
    all_same = false;
    report(key);
  }
  return all_same;
}

bool DigestCheck::same(const DigestMessage::Key& key, uint64_t salt) {
  if (key.db >= static_cast<uint32_t>(keyspace_.database_count())) return false;
  const Entry* entry = keyspace_.database(static_cast<int>(key.db)).peek(key.name);
  if (key.digest == DigestMessage::kAbsent) return entry == nullptr;
  return entry != nullptr && key_digest(*entry, salt, key.members) == key.digest;
}

// Keys that only this server has are in none of the primary's slices: it is asked about some.
void DigestCheck::ask_for_surplus() {
  const auto has_surplus = [this](int db) {
    const auto found = info_.sizes.find(db);
    return found != info_.sizes.end() && found->second.here > found->second.primary;
  };
  if (!has_surplus(asked_db_)) {
    asked_cursor_ = 0;
    const auto next = std::ranges::find_if(
        info_.sizes, [&](const auto& size) { return has_surplus(size.first); });
    if (next == info_.sizes.end()) return;
    asked_db_ = next->first;
  }
  DigestQuestion question{.db = static_cast<uint32_t>(asked_db_)};
  size_t bytes = 0;
  int steps = 0;
  do {
    asked_cursor_ = keyspace_.database(asked_db_).scan(asked_cursor_, [&](const Entry* entry) {
      if (entry->key().size() > kLongestAsked) return;
      bytes += entry->key().size();
      question.names.emplace_back(entry->key());
    });
  } while (asked_cursor_ != 0 && bytes < kMostAskedBytes && ++steps < kMostSteps &&
           question.names.size() < DigestQuestion::kMostNames / 2);
  ask_(question.text());
}

void DigestCheck::report(const DigestMessage::Key& key) {
  if (info_.first_bad_db < 0) {
    info_.first_bad_key = key.name;
    info_.first_bad_db = static_cast<int>(key.db & INT32_MAX);
  }
  if (reported_.size() >= kMostReported) return;
  if (!reported_.insert(stable_hash(key.name, key.db)).second) return;
  log_warning("The key " + quote(key.name.substr(0, kShownName)) + " in database " +
              std::to_string(key.db) +
              (key.digest == DigestMessage::kAbsent ? " is not on the primary."
                                                    : " differs from the primary's."));
  if (reported_.size() == kMostReported) {
    log_warning("Of further keys that differ from the primary's the log is silent.");
  }
}

}  // namespace tandem
