#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// What a primary says about a few of its keys at one point of its stream (repl-digest-period). It
// travels as the argument of a PING: every server that follows a stream knows PING, with an
// argument too, changes nothing for it and passes it on, so replicas that know nothing of digests,
// and replicas of replicas, are not disturbed.
//
// The text is kMagic, then numbers with their lowest byte first:
//   salt (8) | libraries: known (1), digest (8) | count (4) of databases that hold keys, for each:
//   its number (4), its keys (8) | count (4) of keys, for each: database (4), length (4), name,
//   digest (8), count (4) of members, for each: length (4), name
struct DigestMessage {
  static constexpr std::string_view kMagic = "tandem-digest-1:";
  // The digest of a key that the primary does not have; no key that is there has it.
  static constexpr uint64_t kAbsent = 0;

  struct DatabaseSize {
    uint32_t db;
    uint64_t keys;
  };
  struct Key {
    uint32_t db;
    std::string_view name;
    uint64_t digest;                        // key_digest() with key_salt()
    std::vector<std::string_view> members;  // what counts of a large set or hash
  };

  uint64_t salt = 0;
  std::optional<uint64_t> libraries;    // libraries_digest()
  std::vector<DatabaseSize> databases;  // all others are empty
  std::vector<Key> keys;

  // The salt for the key at this index: a large value is there several times.
  uint64_t key_salt(size_t index) const;

  static bool recognises(std::string_view text) { return text.starts_with(kMagic); }
  // The names view `text`. Nothing when it is malformed.
  static std::optional<DigestMessage> parse(std::string_view text);
};

// Builds the text of a message, in the order of its parts.
class DigestMessageWriter {
 public:
  DigestMessageWriter(uint64_t salt, std::optional<uint64_t> libraries);
  // The databases first, then the keys.
  void add_database(uint32_t db, uint64_t keys);
  void add_key(uint32_t db, std::string_view name, uint64_t digest,
               const std::vector<std::string>& members);
  uint64_t next_key_salt() const;
  size_t keys() const { return keys_; }
  size_t bytes() const { return text_.size() + key_text_.size(); }
  std::string finish() &&;

 private:
  uint64_t salt_;
  uint32_t databases_ = 0;
  uint32_t keys_ = 0;
  std::string text_;
  std::string key_text_;
  size_t database_count_at_;
};

// Keys of a database about which a replica asks its primary, because it has more than that one: it
// is told with the next digests. Travels behind an acknowledgement, where servers that know nothing
// of it do not look: REPLCONF ACK offset DIGEST-ASK question. The text is database (4) | count (4)
// of keys, for each: length (4), name.
struct DigestQuestion {
  static constexpr size_t kMostNames = 512;

  uint32_t db = 0;
  std::vector<std::string> names;

  std::string text() const;
  // Nothing when it is malformed.
  static std::optional<DigestQuestion> parse(std::string_view text);
};

// Of the source texts of all libraries, in any order.
uint64_t libraries_digest(const std::vector<std::string>& sources);

}  // namespace tandem
