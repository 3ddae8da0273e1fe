#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "replication/digest_message.h"
#include "server/store/keyspace.h"

namespace tandem {

// What INFO says of the digests in the stream.
struct DigestInfo {
  // A number of keys that differs: here, and on the primary.
  struct SizeMismatch {
    uint64_t here;
    uint64_t primary;
  };

  uint64_t slices_sent = 0;  // of a primary
  uint64_t rounds_sent = 0;
  bool sending = false;  // repl-digest-period is set on a primary
  // Of a replica, since the start or CONFIG RESETSTAT.
  uint64_t slices_checked = 0;
  uint64_t slices_mismatched = 0;
  uint64_t keys_checked = 0;
  // Of the dataset that it holds since its last full sync.
  std::string first_bad_key;
  int first_bad_db = -1;  // -1: no key was found to differ
  // As of the last slice that told.
  std::map<int, SizeMismatch> sizes;  // by database
  bool libraries_known = false;
  bool libraries_differ = false;
};

// The lines of INFO replication; none when there is nothing to say.
std::string info_text(const DigestInfo& info);

// A replica's side of DigestMessage: compares what its primary says about some keys with what it
// has, at the point of the stream where it is said.
class DigestCheck {
 public:
  using LibrarySources = std::function<std::vector<std::string>()>;

  // Passes the text of a DigestQuestion to the primary.
  using Ask = std::function<void(std::string_view question)>;

  DigestCheck(Keyspace* keyspace, LibrarySources library_sources, Ask ask)
      : keyspace_(*keyspace), library_sources_(std::move(library_sources)), ask_(std::move(ask)) {}

  // `text` is the argument of a PING of the primary; what is no digest is ignored. While the
  // stream is being applied, so that keys whose time has come are still to be seen.
  void check(std::string_view text);
  // Another dataset has taken the place of this one: what was found says nothing about it.
  void forget_findings();
  // CONFIG RESETSTAT.
  void reset();

  const DigestInfo& info() const { return info_; }

 private:
  bool check_libraries(uint64_t expected);
  bool check_sizes(const std::vector<DigestMessage::DatabaseSize>& databases);
  bool check_keys(const DigestMessage& message);
  bool same(const DigestMessage::Key& key, uint64_t salt);
  void ask_for_surplus();
  void report(const DigestMessage::Key& key);

  Keyspace& keyspace_;
  LibrarySources library_sources_;
  Ask ask_;
  DigestInfo info_;
  // How far this server's keys were asked for, one database after the other.
  int asked_db_ = 0;
  uint64_t asked_cursor_ = 0;
  std::unordered_set<uint64_t> reported_;  // hashes of the keys that the log has named
};

}  // namespace tandem
