#include "replication/digest_walk.h"

#include <algorithm>
#include <utility>

#include "replication/digest_value.h"

namespace tandem {

namespace {

constexpr int64_t kSliceUs = 1000;
constexpr size_t kMostKeys = 4096;
constexpr size_t kMostBytes = 64 * 1024;
// Of a table that is nearly empty.
constexpr int kMostSteps = 64 * 1024;
constexpr size_t kLongestName = 16 * 1024;
constexpr size_t kMostWindows = 8;
// Reading all libraries costs more than a slice may when they are many.
constexpr uint64_t kSlicesPerLibraries = 16;

}  // namespace

std::string DigestWalk::next_slice() {
  const int64_t deadline_us = clock_.monotonic_us() + kSliceUs;
  std::optional<uint64_t> libraries;
  if (slices_++ % kSlicesPerLibraries == 0) libraries = libraries_digest(library_sources_());
  DigestMessageWriter writer(random_.next(), libraries);
  for (int i = 0; i < keyspace_.database_count(); ++i) {
    const size_t keys = keyspace_.database(i).size();
    if (keys > 0) writer.add_database(static_cast<uint32_t>(i), keys);
  }
  answer(&writer);
  for (int steps = 0; steps < kMostSteps && step(&writer); ++steps) {
    if (full(writer, deadline_us)) break;
  }
  return std::move(writer).finish();
}

bool DigestWalk::full(const DigestMessageWriter& writer, int64_t deadline_us) const {
  return writer.keys() >= kMostKeys || writer.bytes() >= kMostBytes ||
         clock_.monotonic_us() >= deadline_us;
}

// False at the end of a round.
bool DigestWalk::step(DigestMessageWriter* writer) {
  cursor_ = keyspace_.database(db_).scan(
      cursor_, [this, writer](const Entry* entry) { add_entry(db_, *entry, writer); });
  if (cursor_ != 0) return true;
  do {
    ++db_;
  } while (db_ < keyspace_.database_count() && keyspace_.database(db_).size() == 0);
  if (db_ < keyspace_.database_count()) return true;
  db_ = 0;
  ++rounds_;
  return false;
}

void DigestWalk::ask(DigestQuestion question) {
  if (question.db >= static_cast<uint32_t>(keyspace_.database_count())) return;
  // One question at a time, which one slice can answer.
  if (asked_.names.empty() && question.names.size() <= DigestQuestion::kMostNames) {
    asked_ = std::move(question);
  }
}

void DigestWalk::answer(DigestMessageWriter* writer) {
  if (asked_.names.empty()) return;
  // Keys whose time has come are there as long as replicas have not been told.
  const ExpiryPolicy policy = keyspace_.expiry_policy();
  keyspace_.set_expiry_policy(ExpiryPolicy::kIgnore);
  const int db = static_cast<int>(asked_.db);
  for (const std::string& name : asked_.names) {
    if (writer->bytes() >= kMostBytes) break;
    if (const Entry* entry = keyspace_.database(db).peek(name)) {
      add_entry(db, *entry, writer);
    } else {
      writer->add_key(asked_.db, name, DigestMessage::kAbsent, {});
    }
  }
  keyspace_.set_expiry_policy(policy);
  asked_ = {};
}

void DigestWalk::add_entry(int db, const Entry& entry, DigestMessageWriter* writer) {
  if (entry.key().size() > kLongestName) return;
  size_t windows = std::min(digest_windows(entry), kMostWindows);
  do {
    const std::vector<std::string> members = name_members(entry, random_);
    const std::vector<std::string_view> views(members.begin(), members.end());
    const uint64_t digest = key_digest(entry, writer->next_key_salt(), views);
    writer->add_key(static_cast<uint32_t>(db), entry.key(), digest, members);
  } while (--windows > 0 && writer->bytes() < kMostBytes);
}

}  // namespace tandem
