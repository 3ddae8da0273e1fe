#include "replication/digest_message.h"

#include <utility>

#include "server/base/stable_hash.h"

namespace tandem {

namespace {

void put(std::string* out, uint64_t number, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(number >> (8 * i)));
}

void put_text(std::string* out, std::string_view text) {
  put(out, text.size(), 4);
  out->append(text);
}

// Takes pieces from the front of a text; once one is not there whole, all that follow are empty.
class Pieces {
 public:
  explicit Pieces(std::string_view text) : left_(text) {}

  uint64_t number(size_t bytes) {
    uint64_t number = 0;
    const std::string_view piece = take(bytes);
    for (size_t i = 0; i < piece.size(); ++i) {
      number |= uint64_t{static_cast<unsigned char>(piece[i])} << (8 * i);
    }
    return number;
  }
  uint32_t number32() { return static_cast<uint32_t>(number(4)); }
  std::string_view text() { return take(number(4)); }
  // A count of things that take at least `least_bytes` each: no more than can be there.
  size_t count(size_t least_bytes) {
    const uint64_t count = number(4);
    if (count > left_.size() / least_bytes) broken_ = true;
    return broken_ ? 0 : count;
  }
  bool broken() const { return broken_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view take(uint64_t bytes) {
    if (bytes > left_.size()) broken_ = true;
    if (broken_) return {};
    const std::string_view piece = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return piece;
  }

  std::string_view left_;
  bool broken_ = false;
};

constexpr size_t kDatabaseBytes = 12;
constexpr size_t kLeastKeyBytes = 20;
constexpr size_t kLeastTextBytes = 4;

DigestMessage::Key read_key(Pieces* pieces) {
  DigestMessage::Key key;
  key.db = pieces->number32();
  key.name = pieces->text();
  key.digest = pieces->number(8);
  for (size_t left = pieces->count(kLeastTextBytes); left > 0 && !pieces->broken(); --left) {
    key.members.push_back(pieces->text());
  }
  return key;
}

}  // namespace

uint64_t DigestMessage::key_salt(size_t index) const { return join_hashes(salt, index); }

std::optional<DigestMessage> DigestMessage::parse(std::string_view text) {
  if (!recognises(text)) return std::nullopt;
  Pieces pieces(text.substr(kMagic.size()));
  DigestMessage message;
  message.salt = pieces.number(8);
  const bool libraries_known = pieces.number(1) != 0;
  const uint64_t libraries = pieces.number(8);
  if (libraries_known) message.libraries = libraries;
  for (size_t left = pieces.count(kDatabaseBytes); left > 0; --left) {
    const uint32_t db = pieces.number32();
    message.databases.push_back({db, pieces.number(8)});
  }
  for (size_t left = pieces.count(kLeastKeyBytes); left > 0 && !pieces.broken(); --left) {
    message.keys.push_back(read_key(&pieces));
  }
  if (pieces.broken() || !pieces.at_end()) return std::nullopt;
  return message;
}

DigestMessageWriter::DigestMessageWriter(uint64_t salt, std::optional<uint64_t> libraries)
    : salt_(salt), text_(DigestMessage::kMagic) {
  put(&text_, salt, 8);
  put(&text_, libraries ? 1 : 0, 1);
  put(&text_, libraries.value_or(0), 8);
  database_count_at_ = text_.size();
}

void DigestMessageWriter::add_database(uint32_t db, uint64_t keys) {
  ++databases_;
  put(&text_, db, 4);
  put(&text_, keys, 8);
}

uint64_t DigestMessageWriter::next_key_salt() const { return join_hashes(salt_, keys_); }

void DigestMessageWriter::add_key(uint32_t db, std::string_view name, uint64_t digest,
                                  const std::vector<std::string>& members) {
  ++keys_;
  put(&key_text_, db, 4);
  put_text(&key_text_, name);
  put(&key_text_, digest, 8);
  put(&key_text_, members.size(), 4);
  for (const std::string& member : members) put_text(&key_text_, member);
}

std::string DigestMessageWriter::finish() && {
  std::string count;
  put(&count, databases_, 4);
  text_.insert(database_count_at_, count);
  put(&text_, keys_, 4);
  text_.append(key_text_);
  return std::move(text_);
}

std::string DigestQuestion::text() const {
  std::string text;
  put(&text, db, 4);
  put(&text, names.size(), 4);
  for (const std::string& name : names) put_text(&text, name);
  return text;
}

std::optional<DigestQuestion> DigestQuestion::parse(std::string_view text) {
  Pieces pieces(text);
  DigestQuestion question;
  question.db = pieces.number32();
  for (size_t left = pieces.count(kLeastTextBytes); left > 0 && !pieces.broken(); --left) {
    question.names.emplace_back(pieces.text());
  }
  if (pieces.broken() || !pieces.at_end()) return std::nullopt;
  return question;
}

uint64_t libraries_digest(const std::vector<std::string>& sources) {
  uint64_t digest = sources.size();
  for (const std::string& source : sources) digest += stable_hash(source);
  return digest;
}

}  // namespace tandem
