#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/base/numbers.h"
#include "server/base/result.h"
#include "server/store/blob.h"

namespace tandem {

// A sequence of short strings and integers in one block of bytes: Valkey's listpack, byte for byte
// as RDB files hold it.
//
//   total bytes (u32) | entry count (u16, 65535: count by walking) | entries | 0xFF
//   entry = encoding and data | length of that, readable from its right end
//
// A string that is a decimal integer is stored as one. Bytes from outside pass check() once; after
// that every walk trusts them.
//
// The object is one pointer. A moved-from Listpack may only be assigned to or destroyed.
class Listpack {
 public:
  // Where an entry begins: its byte offset. An edit invalidates the positions at and behind it.
  using Position = uint32_t;
  static constexpr Position kNone = 0;

  // No edit may make a listpack larger than this; see fits().
  static constexpr size_t kMaxBytes = size_t{1} << 30;
  // Bytes an entry takes at most beyond those of its string.
  static constexpr size_t kMaxEntryOverhead = 10;

  // Before the entries, and with the end mark.
  static constexpr size_t kHeaderBytes = 6;
  static constexpr size_t kEmptyBytes = kHeaderBytes + 1;

  // Enough for the text of any integer entry.
  using Scratch = char[kMaxInt64Digits + 1];

  // What an entry holds. A string is a view into the listpack: valid until its next edit.
  class Entry {
   public:
    explicit Entry(int64_t value) : size_or_integer_(value) {}
    explicit Entry(std::string_view text)
        : data_(text.data()), size_or_integer_(static_cast<int64_t>(text.size())) {}

    bool is_integer() const { return data_ == nullptr; }
    int64_t integer() const { return size_or_integer_; }
    std::string_view string() const { return {data_, static_cast<size_t>(size_or_integer_)}; }
    // The entry as text; an integer is written to `scratch`.
    std::string_view text(std::span<char> scratch) const {
      return is_integer() ? format_int64(integer(), scratch) : string();
    }
    // The number an entry stands for, also when it is stored as text.
    std::optional<int64_t> as_integer() const {
      return is_integer() ? std::optional(integer()) : parse_int64(string());
    }
    // Bytes of text(), found without formatting.
    size_t text_size() const;

   private:
    const char* data_ = nullptr;
    int64_t size_or_integer_;
  };

  // A value made ready to be stored. It views the string it is made of, which must not lie in the
  // listpack that is edited.
  class Item {
   public:
    Item(std::string_view text);
    Item(const char* text) : Item(std::string_view(text)) {}
    Item(const std::string& text) : Item(std::string_view(text)) {}
    Item(int64_t value) { encode_integer(value); }

    size_t entry_size() const { return head_size_ + body_.size(); }
    // Bytes that an entry made of `text` takes at most, found without looking at it.
    static size_t span_bound(std::string_view text) {
      return text.size() + (text.size() < 64 ? 2 : kMaxEntryOverhead);
    }
    // Bytes of the whole entry.
    size_t span() const { return entry_size() + back_length_size(entry_size()); }
    // Writes the entry, span() bytes.
    void write(uint8_t* out) const;

   private:
    friend class Listpack;
    void encode_integer(int64_t value);

    uint8_t head_[9];
    uint8_t head_size_ = 0;
    std::string_view body_;
  };

  // Adds several entries behind the last one, growing once and counting once. The listpack is not
  // to be used until finish().
  class Appender {
   public:
    // `room`: bytes that the entries take at most, which the caller has asked fits() about; see
    // Item::span_bound().
    Appender(Listpack* list, size_t room) : list_(list) {
      const size_t total = list->total_bytes();
      list->reserve(total + room);
      out_ = list->blob_.data() + total - 1;
    }
    void add(const Item& item);
    void finish();

   private:
    Listpack* list_;
    uint8_t* out_;
    size_t added_ = 0;
  };

  // Empty, with room for `reserve_bytes` in all.
  explicit Listpack(size_t reserve_bytes = kEmptyBytes);
  Listpack(Listpack&&) noexcept = default;
  Listpack& operator=(Listpack&&) noexcept = default;
  Listpack clone() const;

  // Walks `bytes` from end to end: header, every encoding and length, the end mark, the count.
  // kCorrupt, with the offset in `bytes`, when anything is not as the format has it.
  static Status check(std::string_view bytes);
  // check(), then a copy of `bytes`.
  static Result<Listpack> validate(std::string_view bytes);

  // Entries by their address, for containers that keep them in blocks of their own: what `entry`
  // holds, its bytes in all, and where the entry that ends at `end` begins.
  static Entry entry_at(const uint8_t* entry) {
    const uint8_t head = *entry;
    // The short strings that most entries are.
    if (head >= 0x80 && head < 0xC0) {
      return Entry(std::string_view(reinterpret_cast<const char*>(entry) + 1, head & 0x3F));
    }
    return decode(entry);
  }
  static size_t span_at(const uint8_t* entry) { return entry_span(entry); }
  static const uint8_t* entry_before(const uint8_t* end);
  // A whole listpack made of such a run of entries.
  static std::string from_entries(std::string_view entries, size_t count);

  // The listpack as RDB stores it.
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(blob_.data()), total_bytes()};
  }
  size_t total_bytes() const { return load_unaligned<uint32_t>(blob_.data()); }
  // Entries. Constant time below 65535 of them, a walk above.
  size_t length() const;
  bool empty() const { return blob_.data()[kHeaderBytes] == kEndMark; }
  size_t memory_usage() const { return blob_.capacity(); }
  // Whether strings of `added_bytes` in `entries` entries can be added without passing kMaxBytes.
  bool fits(size_t added_bytes, size_t entries = 1) const {
    return added_bytes <= kMaxBytes &&
           total_bytes() + added_bytes + entries * kMaxEntryOverhead <= kMaxBytes;
  }

  Position first() const { return empty() ? kNone : kHeaderBytes; }
  Position last() const { return before(static_cast<Position>(total_bytes() - 1)); }
  Position next(Position position) const {
    const uint8_t* entry = blob_.data() + position;
    const uint8_t* following = entry + entry_span(entry);
    return *following == kEndMark ? kNone : static_cast<Position>(following - blob_.data());
  }
  Position previous(Position position) const { return before(position); }
  // The entry at `index`, counted from 0, or from -1 at the end; kNone beyond either end.
  Position at(int64_t index) const;

  Entry get(Position position) const { return decode(blob_.data() + position); }
  std::string_view read(Position position, std::span<char> scratch) const {
    return get(position).text(scratch);
  }
  // Whether the entry's text is `value`.
  bool equals(Position position, std::string_view value) const;
  // The first entry at `from` or behind it whose text is `value`, looking at one entry and passing
  // over the next `skip`; kNone also for `from` kNone.
  Position find(std::string_view value, Position from, uint32_t skip = 0) const;

  // Edits. The caller has asked fits().
  void reserve(size_t total) { blob_.reserve(total); }
  void append(const Item& item) { splice(static_cast<Position>(total_bytes() - 1), 0, item); }
  // Two entries, growing once: a field and its value, a member and its score.
  void append_pair(const Item& first, const Item& second) {
    reserve(total_bytes() + first.span() + second.span());
    append(first);
    append(second);
  }
  void prepend(const Item& item) { splice(kHeaderBytes, 0, item); }
  // These return where the new entry is.
  Position insert_before(Position position, const Item& item);
  Position insert_after(Position position, const Item& item);
  Position replace(Position position, const Item& item);
  // Removes up to `count` entries from `position` on; returns what then stands there, or kNone.
  Position erase(Position position, size_t count = 1);
  // Removes up to `count` entries from the one at `index` on, if there is one.
  void erase_range(int64_t index, size_t count);
  void clear();
  // Gives back the room beyond the end.
  void shrink_to_fit() { blob_.resize(total_bytes()); }

 private:
  static constexpr uint16_t kCountUnknown = 65535;
  static constexpr uint8_t kEndMark = 0xFF;

  explicit Listpack(Blob blob) : blob_(std::move(blob)) {}

  // Bytes of encoding and data.
  static size_t entry_size(const uint8_t* entry) {
    const uint8_t head = *entry;
    if (head < 0x80) return 1;
    if (head < 0xC0) return 1 + (head & 0x3Fu);
    return long_entry_size(entry);
  }
  static size_t long_entry_size(const uint8_t* entry);
  // Bytes that the length of an entry takes behind it. The bounds are Valkey's, one lower than
  // seven bits a byte would need.
  static size_t back_length_size(size_t entry_size) {
    if (entry_size <= 127) return 1;
    if (entry_size < 16383) return 2;
    if (entry_size < 2097151) return 3;
    return entry_size < 268435455 ? 4 : 5;
  }
  static size_t entry_span(const uint8_t* entry) {
    const size_t size = entry_size(entry);
    return size + back_length_size(size);
  }
  static size_t write_back_length(size_t entry_size, uint8_t* out);
  static Entry decode(const uint8_t* entry);
  static int64_t decode_integer(const uint8_t* entry);
  static size_t checked_long_span(const uint8_t* entry, size_t left);
  static const uint8_t* check_entries(const uint8_t* entry, const uint8_t* end, size_t* count);

  Position before(Position position) const;
  size_t count_field() const { return load_unaligned<uint16_t>(blob_.data() + 4); }
  void set_count_field(size_t count);
  uint8_t* resize_gap(Position at, size_t old_bytes, size_t new_bytes);
  void splice(Position at, size_t old_bytes, const Item& item);

  Blob blob_;
};

}  // namespace tandem
