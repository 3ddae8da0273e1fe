#include "server/store/listpack.h"

#include <algorithm>
#include <cassert>
#include <string>

namespace tandem {

namespace {

// First bytes of an entry. Below kString6 a byte is its own value (0 to 127).
constexpr uint8_t kString6 = 0x80;    // 10llllll
constexpr uint8_t kInteger13 = 0xC0;  // 110vvvvv vvvvvvvv, high bits first
constexpr uint8_t kString12 = 0xE0;   // 1110llll llllllll, high bits first
constexpr uint8_t kString32 = 0xF0;   // then a little-endian length
constexpr uint8_t kInteger16 = 0xF1;
constexpr uint8_t kInteger24 = 0xF2;
constexpr uint8_t kInteger32 = 0xF3;
constexpr uint8_t kInteger64 = 0xF4;

constexpr size_t kMaxBackLengthBytes = 5;

const char* as_chars(const uint8_t* bytes) { return reinterpret_cast<const char*>(bytes); }

// Most texts are not numbers; their first byte says so.
bool may_be_integer(std::string_view text) {
  return !text.empty() && text.size() <= kMaxInt64Digits &&
         (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
}

Error corrupt(std::string message, size_t offset) {
  return make_error(ErrorKind::kCorrupt, "listpack: " + std::move(message), offset);
}

}  // namespace

size_t Listpack::Entry::text_size() const {
  if (!is_integer()) return string().size();
  const int64_t value = integer();
  if (value >= 0) return count_digits(static_cast<uint64_t>(value));
  return 1 + count_digits(~static_cast<uint64_t>(value) + 1);
}

Listpack::Item::Item(std::string_view text) {
  if (may_be_integer(text)) {
    if (const auto integer = parse_int64(text)) {
      encode_integer(*integer);
      return;
    }
  }
  body_ = text;
  const size_t size = text.size();
  if (size < 64) {
    head_[0] = static_cast<uint8_t>(kString6 | size);
    head_size_ = 1;
  } else if (size < 4096) {
    head_[0] = static_cast<uint8_t>(kString12 | size >> 8);
    head_[1] = static_cast<uint8_t>(size);
    head_size_ = 2;
  } else {
    head_[0] = kString32;
    store_unaligned(head_ + 1, static_cast<uint32_t>(size));
    head_size_ = 5;
  }
}

void Listpack::Item::encode_integer(int64_t value) {
  if (value >= 0 && value <= 127) {
    head_[0] = static_cast<uint8_t>(value);
    head_size_ = 1;
  } else if (value >= -4096 && value <= 4095) {
    head_[0] = static_cast<uint8_t>(kInteger13 | (value >> 8 & 0x1F));
    head_[1] = static_cast<uint8_t>(value);
    head_size_ = 2;
  } else if (value == static_cast<int16_t>(value)) {
    head_[0] = kInteger16;
    store_unaligned(head_ + 1, static_cast<int16_t>(value));
    head_size_ = 3;
  } else if (value >= -(1 << 23) && value < 1 << 23) {
    head_[0] = kInteger24;
    store_unaligned(head_ + 1, static_cast<int32_t>(value));
    head_size_ = 4;
  } else if (value == static_cast<int32_t>(value)) {
    head_[0] = kInteger32;
    store_unaligned(head_ + 1, static_cast<int32_t>(value));
    head_size_ = 5;
  } else {
    head_[0] = kInteger64;
    store_unaligned(head_ + 1, value);
    head_size_ = 9;
  }
}

void Listpack::Item::write(uint8_t* out) const {
  std::memcpy(out, head_, head_size_);
  if (!body_.empty()) std::memcpy(out + head_size_, body_.data(), body_.size());
  write_back_length(entry_size(), out + entry_size());
}

Listpack::Listpack(size_t reserve_bytes) : blob_(std::max(reserve_bytes, kEmptyBytes)) { clear(); }

Listpack Listpack::clone() const {
  Blob copy(total_bytes());
  std::memcpy(copy.data(), blob_.data(), total_bytes());
  return Listpack(std::move(copy));
}

void Listpack::clear() {
  store_unaligned(blob_.data(), static_cast<uint32_t>(kEmptyBytes));
  set_count_field(0);
  blob_.data()[kHeaderBytes] = kEndMark;
}

// Bytes of an entry that is neither a short string nor a small number, back-length included; 0 when
// it is malformed or takes more than `left`.
size_t Listpack::checked_long_span(const uint8_t* entry, size_t left) {
  const uint8_t head = *entry;
  if (head > kInteger64) return 0;
  const size_t head_bytes = head >= kString12 && head < kString32 ? 2 : head == kString32 ? 5 : 1;
  if (left < head_bytes) return 0;
  const size_t size = long_entry_size(entry);
  const size_t back_bytes = back_length_size(size);
  if (left < size + back_bytes) return 0;
  if (back_bytes == 1) return entry[size] == size ? size + 1 : 0;
  uint8_t expected[kMaxBackLengthBytes];
  write_back_length(size, expected);
  return std::memcmp(entry + size, expected, back_bytes) == 0 ? size + back_bytes : 0;
}

// Walks from entry to entry up to `end`; where it stops, which is `end` when all are sound.
const uint8_t* Listpack::check_entries(const uint8_t* entry, const uint8_t* end, size_t* count) {
  size_t walked = 0;
  for (; entry != end; ++walked) {
    const auto left = static_cast<size_t>(end - entry);
    size_t span;
    if (*entry < kInteger13) {
      span = entry_size(entry) + 1;
      if (left < span || entry[span - 1] != span - 1) break;
    } else {
      span = checked_long_span(entry, left);
      if (span == 0) break;
    }
    entry += span;
  }
  *count = walked;
  return entry;
}

Status Listpack::check(std::string_view bytes) {
  if (bytes.size() < kEmptyBytes) {
    return corrupt("shorter than its header and end mark", bytes.size());
  }
  const size_t total = load_unaligned<uint32_t>(bytes.data());
  if (total != bytes.size()) {
    return corrupt("header says " + std::to_string(total) + " bytes, there are " +
                       std::to_string(bytes.size()),
                   0);
  }
  const auto* const begin = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* const end = begin + bytes.size() - 1;
  if (*end != kEndMark) return corrupt("no end mark", bytes.size() - 1);
  size_t count;
  if (const uint8_t* stopped = check_entries(begin + kHeaderBytes, end, &count); stopped != end) {
    return corrupt("malformed entry " + std::to_string(count),
                   static_cast<uint64_t>(stopped - begin));
  }
  const size_t field = load_unaligned<uint16_t>(bytes.data() + 4);
  if (field != kCountUnknown && field != count) {
    return corrupt(
        "header says " + std::to_string(field) + " entries, there are " + std::to_string(count), 4);
  }
  return {};
}

Result<Listpack> Listpack::validate(std::string_view bytes) {
  if (Status status = check(bytes); !status) return status.error();
  Blob blob(bytes.size());
  std::memcpy(blob.data(), bytes.data(), bytes.size());
  return Listpack(std::move(blob));
}

size_t Listpack::long_entry_size(const uint8_t* entry) {
  const uint8_t head = *entry;
  if (head < kString12) return 2;
  if (head < kString32) return 2 + ((head & 0x0Fu) << 8 | entry[1]);
  switch (head) {
    case kString32:
      return 5 + size_t{load_unaligned<uint32_t>(entry + 1)};
    case kInteger16:
      return 3;
    case kInteger24:
      return 4;
    case kInteger32:
      return 5;
    default:
      assert(head == kInteger64);
      return 9;
  }
}

// Seven bits a byte, the lowest last; every byte but the leftmost carries the high bit, so that a
// reader coming from the right knows where to stop.
size_t Listpack::write_back_length(size_t entry_size, uint8_t* out) {
  const size_t bytes = back_length_size(entry_size);
  size_t rest = entry_size;
  for (size_t i = bytes; i-- > 0; rest >>= 7) {
    out[i] = static_cast<uint8_t>((rest & 0x7F) | (i > 0 ? 0x80 : 0));
  }
  return bytes;
}

int64_t Listpack::decode_integer(const uint8_t* entry) {
  const uint8_t head = *entry;
  if (head < kString6) return head;
  switch (head) {
    case kInteger16:
      return load_unaligned<int16_t>(entry + 1);
    case kInteger24:
      // The word that starts at the encoding byte has the value in its upper three bytes.
      return load_unaligned<int32_t>(entry) >> 8;
    case kInteger32:
      return load_unaligned<int32_t>(entry + 1);
    case kInteger64:
      return load_unaligned<int64_t>(entry + 1);
    default: {
      const int value = (head & 0x1F) << 8 | entry[1];
      return value < 4096 ? value : value - 8192;
    }
  }
}

Listpack::Entry Listpack::decode(const uint8_t* entry) {
  const uint8_t head = *entry;
  if (head >= kString6 && head < kInteger13) {
    return Entry(std::string_view(as_chars(entry) + 1, head & 0x3F));
  }
  if (head >= kString12 && head < kString32) {
    return Entry(std::string_view(as_chars(entry) + 2, (head & 0x0Fu) << 8 | entry[1]));
  }
  if (head == kString32) {
    return Entry(std::string_view(as_chars(entry) + 5, load_unaligned<uint32_t>(entry + 1)));
  }
  return Entry(decode_integer(entry));
}

size_t Listpack::length() const {
  const size_t known = count_field();
  if (known != kCountUnknown) return known;
  size_t count = 0;
  for (Position p = first(); p != kNone; p = next(p)) ++count;
  return count;
}

Listpack::Position Listpack::before(Position position) const {
  if (position <= kHeaderBytes) return kNone;
  return static_cast<Position>(entry_before(blob_.data() + position) - blob_.data());
}

const uint8_t* Listpack::entry_before(const uint8_t* end) {
  const uint8_t* byte = end - 1;
  size_t size = *byte & 0x7F;
  for (int shift = 7; (*byte & 0x80) != 0; shift += 7) {
    --byte;
    size |= size_t{*byte & 0x7Fu} << shift;
  }
  return byte - size;
}

std::string Listpack::from_entries(std::string_view entries, size_t count) {
  std::string bytes;
  bytes.reserve(kEmptyBytes + entries.size());
  bytes.resize(kHeaderBytes);
  store_unaligned(bytes.data(), static_cast<uint32_t>(kEmptyBytes + entries.size()));
  store_unaligned(bytes.data() + 4, static_cast<uint16_t>(std::min<size_t>(count, kCountUnknown)));
  bytes.append(entries);
  bytes.push_back(static_cast<char>(kEndMark));
  return bytes;
}

Listpack::Position Listpack::at(int64_t index) const {
  const size_t known = count_field();
  if (known != kCountUnknown) {
    const auto count = static_cast<int64_t>(known);
    if (index >= count || index < -count) return kNone;
    // Walk from the nearer end.
    if (index >= 0 && index > count / 2) index -= count;
    if (index < 0 && index < -count / 2) index += count;
  }
  if (index < 0) {
    Position position = last();
    while (++index < 0 && position != kNone) position = previous(position);
    return position;
  }
  Position position = first();
  while (index-- > 0 && position != kNone) position = next(position);
  return position;
}

bool Listpack::equals(Position position, std::string_view value) const {
  const Entry entry = get(position);
  if (!entry.is_integer()) return entry.string() == value;
  return may_be_integer(value) && parse_int64(value) == entry.integer();
}

Listpack::Position Listpack::find(std::string_view value, Position from, uint32_t skip) const {
  if (from == kNone) return kNone;
  // What an integer entry must equal; parsed once, and only for a value that can be a number.
  const std::optional<int64_t> integer = may_be_integer(value) ? parse_int64(value) : std::nullopt;
  // Short strings are told apart by their first byte, which has their length, and by their last
  // character: names that are alike tend to differ at the end.
  const size_t size = value.size();
  const uint8_t short_head = size < 64 ? static_cast<uint8_t>(kString6 | size) : kEndMark;
  const char last = size > 0 ? value.back() : '\0';
  const uint8_t* entry = blob_.data() + from;
  for (;;) {
    const uint8_t head = *entry;
    if (head >= kString6 && head < kInteger13) {
      if (head == short_head && (size == 0 || (as_chars(entry)[size] == last &&
                                               std::memcmp(entry + 1, value.data(), size) == 0))) {
        break;
      }
    } else {
      const Entry decoded = decode(entry);
      if (decoded.is_integer() ? integer == decoded.integer() : decoded.string() == value) break;
    }
    entry += entry_span(entry);
    for (uint32_t i = 0; i < skip; ++i) {
      if (*entry == kEndMark) return kNone;
      entry += entry_span(entry);
    }
    if (*entry == kEndMark) return kNone;
  }
  return static_cast<Position>(entry - blob_.data());
}

void Listpack::set_count_field(size_t count) {
  store_unaligned(blob_.data() + 4, static_cast<uint16_t>(std::min<size_t>(count, kCountUnknown)));
}

// Turns the `old_bytes` at `at` into `new_bytes` unwritten ones, moving what lies behind.
uint8_t* Listpack::resize_gap(Position at, size_t old_bytes, size_t new_bytes) {
  const size_t total = total_bytes();
  const size_t new_total = total - old_bytes + new_bytes;
  assert(at + old_bytes < total);
  assert(new_bytes <= old_bytes || new_total <= kMaxBytes);
  if (new_total > total) blob_.reserve(new_total);
  uint8_t* gap = blob_.data() + at;
  if (new_bytes != old_bytes) {
    std::memmove(gap + new_bytes, gap + old_bytes, total - at - old_bytes);
    store_unaligned(blob_.data(), static_cast<uint32_t>(new_total));
  }
  return gap;
}

// Writes `item` over the `old_bytes` of one entry at `at`, or inserts it there for 0 of them.
void Listpack::splice(Position at, size_t old_bytes, const Item& item) {
  item.write(resize_gap(at, old_bytes, item.span()));
  if (old_bytes == 0 && count_field() != kCountUnknown) set_count_field(count_field() + 1);
}

void Listpack::Appender::add(const Item& item) {
  std::memcpy(out_, item.head_, item.head_size_);
  out_ += item.head_size_;
  if (!item.body_.empty()) std::memcpy(out_, item.body_.data(), item.body_.size());
  out_ += item.body_.size();
  out_ += write_back_length(item.entry_size(), out_);
  ++added_;
}

void Listpack::Appender::finish() {
  *out_++ = kEndMark;
  store_unaligned(list_->blob_.data(), static_cast<uint32_t>(out_ - list_->blob_.data()));
  const size_t count = list_->count_field();
  if (count != kCountUnknown) list_->set_count_field(count + added_);
}

Listpack::Position Listpack::insert_before(Position position, const Item& item) {
  splice(position, 0, item);
  return position;
}

Listpack::Position Listpack::insert_after(Position position, const Item& item) {
  const size_t span = entry_span(blob_.data() + position);
  return insert_before(static_cast<Position>(position + span), item);
}

Listpack::Position Listpack::replace(Position position, const Item& item) {
  const size_t old_total = total_bytes();
  splice(position, entry_span(blob_.data() + position), item);
  if (total_bytes() < old_total) blob_.trim(total_bytes());
  return position;
}

Listpack::Position Listpack::erase(Position position, size_t count) {
  const uint8_t* begin = blob_.data() + position;
  const uint8_t* end = begin;
  size_t erased = 0;
  for (; erased < count && *end != kEndMark; ++erased) end += entry_span(end);
  resize_gap(position, static_cast<size_t>(end - begin), 0);
  if (count_field() != kCountUnknown) set_count_field(count_field() - erased);
  blob_.trim(total_bytes());
  return blob_.data()[position] == kEndMark ? kNone : position;
}

void Listpack::erase_range(int64_t index, size_t count) {
  const Position position = at(index);
  if (position != kNone) erase(position, count);
}

}  // namespace tandem
