#include "server/store/legacy_packed.h"

#include <optional>
#include <string>

#include "server/store/blob.h"

namespace tandem {

namespace {

constexpr uint8_t kEndMark = 0xFF;

// Takes bytes from the front of what is left, or nothing when there are too few.
class Cursor {
 public:
  Cursor(std::string_view bytes, size_t begin, size_t end)
      : bytes_(bytes), offset_(begin), end_(end) {}

  size_t offset() const { return offset_; }
  bool at_end() const { return offset_ == end_; }

  std::optional<std::string_view> take(size_t size) {
    if (end_ - offset_ < size) return std::nullopt;
    offset_ += size;
    return bytes_.substr(offset_ - size, size);
  }
  std::optional<uint8_t> take_byte() {
    const auto byte = take(1);
    return byte ? std::optional(static_cast<uint8_t>((*byte)[0])) : std::nullopt;
  }
  template <typename T>
  std::optional<T> take_little_endian() {
    const auto bytes = take(sizeof(T));
    return bytes ? std::optional(load_unaligned<T>(bytes->data())) : std::nullopt;
  }

 private:
  std::string_view bytes_;
  size_t offset_;
  size_t end_;
};

namespace ziplist {

constexpr size_t kHeaderBytes = 10;
constexpr uint8_t kLongPreviousLength = 0xFE;
constexpr uint16_t kCountUnknown = 65535;

std::optional<size_t> take_previous_length(Cursor& in) {
  const auto head = in.take_byte();
  if (!head || *head == kEndMark) return std::nullopt;
  if (*head != kLongPreviousLength) return *head;
  return in.take_little_endian<uint32_t>();
}

std::optional<Listpack::Entry> take_string(Cursor& in, uint8_t head) {
  std::optional<size_t> size;
  if (head < 0x40) {  // 00llllll
    size = head;
  } else if (head < 0x80) {  // 01llllll llllllll, high bits first
    if (const auto low = in.take_byte()) size = (head & 0x3Fu) << 8 | *low;
  } else if (const auto long_size = in.take_little_endian<uint32_t>()) {  // 10______, big-endian
    size = __builtin_bswap32(*long_size);
  }
  if (!size) return std::nullopt;
  const auto text = in.take(*size);
  return text ? std::optional(Listpack::Entry(*text)) : std::nullopt;
}

template <typename T>
std::optional<Listpack::Entry> take_integer(Cursor& in) {
  const auto value = in.take_little_endian<T>();
  return value ? std::optional(Listpack::Entry(int64_t{*value})) : std::nullopt;
}

std::optional<Listpack::Entry> take_integer24(Cursor& in) {
  const auto bytes = in.take(3);
  if (!bytes) return std::nullopt;
  uint32_t word = 0;
  std::memcpy(reinterpret_cast<char*>(&word) + 1, bytes->data(), 3);
  return Listpack::Entry(int64_t{static_cast<int32_t>(word) >> 8});
}

std::optional<Listpack::Entry> take_entry(Cursor& in) {
  const auto head = in.take_byte();
  if (!head) return std::nullopt;
  if (*head < 0xC0) return take_string(in, *head);
  switch (*head) {
    case 0xC0:
      return take_integer<int16_t>(in);
    case 0xD0:
      return take_integer<int32_t>(in);
    case 0xE0:
      return take_integer<int64_t>(in);
    case 0xF0:
      return take_integer24(in);
    case 0xFE:
      return take_integer<int8_t>(in);
    default:
      // 0xF1 to 0xFD are the numbers 0 to 12.
      if (*head < 0xF1 || *head > 0xFD) return std::nullopt;
      return Listpack::Entry(int64_t{*head - 0xF1});
  }
}

}  // namespace ziplist

Error corrupt(const char* format, std::string message, size_t offset) {
  return make_error(ErrorKind::kCorrupt, std::string(format) + ": " + std::move(message), offset);
}

}  // namespace

Status read_ziplist(std::string_view bytes, const ZiplistVisitor& visit) {
  constexpr const char* kFormat = "ziplist";
  if (bytes.size() < ziplist::kHeaderBytes + 1) {
    return corrupt(kFormat, "shorter than its header and end mark", bytes.size());
  }
  const size_t total = load_unaligned<uint32_t>(bytes.data());
  const size_t tail = load_unaligned<uint32_t>(bytes.data() + 4);
  const size_t count_field = load_unaligned<uint16_t>(bytes.data() + 8);
  if (total != bytes.size()) return corrupt(kFormat, "header gives a wrong size", 0);
  const size_t end = bytes.size() - 1;
  if (static_cast<uint8_t>(bytes[end]) != kEndMark) return corrupt(kFormat, "no end mark", end);

  Cursor in(bytes, ziplist::kHeaderBytes, end);
  size_t count = 0;
  size_t previous_bytes = 0;
  // Where a ziplist without entries has its tail: at the end mark.
  size_t last_begin = ziplist::kHeaderBytes;
  while (!in.at_end()) {
    last_begin = in.offset();
    const auto previous_length = ziplist::take_previous_length(in);
    if (!previous_length || *previous_length != previous_bytes) {
      return corrupt(kFormat, "wrong length of the previous entry", last_begin);
    }
    const auto entry = ziplist::take_entry(in);
    if (!entry) return corrupt(kFormat, "malformed entry", last_begin);
    if (Status status = visit(*entry); !status) return status;
    previous_bytes = in.offset() - last_begin;
    ++count;
  }
  if (tail != last_begin) return corrupt(kFormat, "tail is not the last entry", 4);
  if (count_field != ziplist::kCountUnknown && count_field != count) {
    return corrupt(kFormat, "header gives a wrong count", 8);
  }
  return {};
}

Status read_zipmap(std::string_view bytes, const ZipmapVisitor& visit) {
  constexpr const char* kFormat = "zipmap";
  constexpr uint8_t kLongLength = 254;
  if (bytes.size() < 2) return corrupt(kFormat, "shorter than its header", bytes.size());
  const size_t end = bytes.size() - 1;
  if (static_cast<uint8_t>(bytes[end]) != kEndMark) return corrupt(kFormat, "no end mark", end);

  Cursor in(bytes, 1, end);
  const auto take_length = [&in]() -> std::optional<size_t> {
    const auto head = in.take_byte();
    if (!head || *head == kEndMark) return std::nullopt;
    if (*head != kLongLength) return *head;
    return in.take_little_endian<uint32_t>();
  };
  size_t count = 0;
  while (!in.at_end()) {
    const size_t begin = in.offset();
    const auto field_length = take_length();
    const auto field = field_length ? in.take(*field_length) : std::nullopt;
    if (!field) return corrupt(kFormat, "malformed field", begin);
    const auto value_length = take_length();
    const auto free_bytes = in.take_byte();
    const auto value = value_length && free_bytes ? in.take(*value_length) : std::nullopt;
    if (!value || !in.take(*free_bytes)) return corrupt(kFormat, "malformed value", begin);
    if (Status status = visit(*field, *value); !status) return status;
    ++count;
  }
  const auto count_field = static_cast<uint8_t>(bytes[0]);
  if (count_field < kLongLength && count_field != count) {
    return corrupt(kFormat, "header gives a wrong count", 0);
  }
  return {};
}

}  // namespace tandem
