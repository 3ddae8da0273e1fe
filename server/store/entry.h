#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "server/store/value.h"

namespace tandem {

// How a string is held; OBJECT ENCODING names them int, embstr and raw.
enum class StringEncoding : uint8_t { kInteger, kEmbedded, kRaw };

inline constexpr int64_t kNoExpiry = -1;

class RawString;
struct EntryDeleter;

// One key with its value: a single allocation that embeds the key, the expiry when there is one,
// the access clock, and a short or integer string value. Other values hang off a pointer.
//
// Layout, unaligned:  header (5 bytes) | expiry (8, if any) | integer or pointer (8, unless
// embedded) |
//                     key length (1 or 4) | key | value length (1) and value, if embedded
//
// Entries are made, changed and freed by Database; others read them. A pointer to one is valid
// until the keyspace changes.
class Entry {
 public:
  // Strings up to this long live inside their entry.
  static constexpr size_t kMaxEmbedded = 192;
  // Strings up to this long answer "embstr" to OBJECT ENCODING.
  static constexpr size_t kMaxEmbstr = 44;

  std::string_view key() const {
    const char* at = reinterpret_cast<const char*>(this) + key_length_offset();
    if ((flags_ & kLongKey) == 0) return {at + 1, static_cast<unsigned char>(*at)};
    return {at + 4, load<uint32_t>(at)};
  }
  ValueType type() const { return static_cast<ValueType>(type_); }

  bool has_expiry() const { return (flags_ & kHasExpiry) != 0; }
  // Unix time in milliseconds, or kNoExpiry.
  int64_t expires_at_ms() const { return has_expiry() ? load<int64_t>(body()) : kNoExpiry; }

  // The value of a string key. An integer is formatted into `scratch` (kMaxInt64Digits bytes).
  std::string_view string(char* scratch) const;
  size_t string_length() const;
  bool is_integer() const { return kind() == Kind::kInteger; }
  int64_t integer() const { return load<int64_t>(slot()); }
  StringEncoding string_encoding() const;
  std::string_view encoding_name() const;

  // The value of a key of another type.
  Value* value() const { return load<Value*>(slot()); }

  // 24 bits: seconds for LRU, or minutes and a logarithmic counter for LFU.
  uint32_t access_clock() const { return access_clock_; }
  void set_access_clock(uint32_t clock) { access_clock_ = clock & 0xffffff; }

  // Allocated bytes of the entry and its value.
  size_t memory_usage() const;

 private:
  friend class Database;
  friend class EntryBuilder;
  friend class RawString;
  friend struct EntryDeleter;

  enum class Kind : uint8_t { kEmbedded, kInteger, kRaw, kValue };
  static constexpr uint8_t kHasExpiry = 1;
  static constexpr uint8_t kLongKey = 2;
  static constexpr uint8_t kRawEncoding =
      4;  // a string that was changed in place says "raw" however short it is
  static constexpr int kKindShift = 4;
  static constexpr size_t kHeaderBytes = 5;

  template <typename T>
  static T load(const char* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  Kind kind() const { return static_cast<Kind>(flags_ >> kKindShift); }
  const char* body() const { return reinterpret_cast<const char*>(this) + kHeaderBytes; }
  char* body() { return reinterpret_cast<char*>(this) + kHeaderBytes; }
  const char* slot() const { return body() + (has_expiry() ? 8 : 0); }
  char* slot() { return body() + (has_expiry() ? 8 : 0); }
  size_t key_length_offset() const {
    return kHeaderBytes + (has_expiry() ? 8 : 0) + (kind() == Kind::kEmbedded ? 0 : 8);
  }
  const char* embedded() const {
    const std::string_view k = key();
    return k.data() + k.size();
  }
  char* embedded() { return const_cast<char*>(std::as_const(*this).embedded()); }
  RawString* raw() const { return load<RawString*>(slot()); }

  uint32_t access_clock_ : 24;
  uint32_t type_ : 8;
  uint8_t flags_;
};

// A growing string in one allocation, for values that do not fit into their entry.
class RawString {
 public:
  static RawString* create(std::string_view bytes);
  // Changes the length to `length`, keeping what fits and filling what is new with zero bytes; may
  // move. Grows by doubling up to a megabyte at a time, but from nothing to just `length`.
  static RawString* resize(RawString* raw, size_t length);
  static void destroy(RawString* raw);

  std::string_view view() const { return {data(), length()}; }
  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  size_t allocated() const;

 private:
  // How large the block is, the allocator knows. A header no longer than that of Valkey's strings
  // keeps a value from falling into the allocator's next size class, a fifth more.
  static constexpr int kLowBits = 32;

  RawString() = default;
  size_t length() const { return size_t{high_} << kLowBits | Entry::load<uint32_t>(low_); }
  size_t capacity() const { return allocated() - sizeof(RawString); }
  void set_length(size_t length);

  char low_[4];
  uint16_t high_;
};
static_assert(sizeof(RawString) == 6);

// Frees a detached entry and its value.
struct EntryDeleter {
  void operator()(Entry* entry) const;
};
using EntryOwner = std::unique_ptr<Entry, EntryDeleter>;

struct EntryTraits {
  static std::string_view key(const Entry* entry) { return entry->key(); }
};

}  // namespace tandem
