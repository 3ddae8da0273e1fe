#include "server/store/entry.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "server/base/numbers.h"

namespace tandem {

std::string_view type_name(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return "string";
    case ValueType::kList:
      return "list";
    case ValueType::kSet:
      return "set";
    case ValueType::kSortedSet:
      return "zset";
    case ValueType::kHash:
      return "hash";
    case ValueType::kStream:
      return "stream";
  }
  return "unknown";
}

std::string_view Entry::string(char* scratch) const {
  switch (kind()) {
    case Kind::kEmbedded: {
      const char* at = embedded();
      return {at + 1, static_cast<unsigned char>(*at)};
    }
    case Kind::kInteger:
      return {scratch, format_int64(integer(), scratch)};
    case Kind::kRaw:
      return raw()->view();
    case Kind::kValue:
      break;
  }
  return {};
}

size_t Entry::string_length() const {
  char scratch[kMaxInt64Digits];
  return string(scratch).size();
}

StringEncoding Entry::string_encoding() const {
  if (kind() == Kind::kInteger) return StringEncoding::kInteger;
  if ((flags_ & kRawEncoding) != 0 || string_length() > kMaxEmbstr) return StringEncoding::kRaw;
  return StringEncoding::kEmbedded;
}

std::string_view Entry::encoding_name() const {
  if (kind() == Kind::kValue) return value()->encoding_name();
  switch (string_encoding()) {
    case StringEncoding::kInteger:
      return "int";
    case StringEncoding::kEmbedded:
      return "embstr";
    case StringEncoding::kRaw:
      return "raw";
  }
  return "raw";
}

size_t Entry::memory_usage() const {
  size_t bytes = malloc_usable_size(const_cast<Entry*>(this));
  if (kind() == Kind::kRaw) bytes += raw()->allocated();
  if (kind() == Kind::kValue) bytes += value()->memory_usage();
  return bytes;
}

void EntryDeleter::operator()(Entry* entry) const {
  if (entry->kind() == Entry::Kind::kRaw) RawString::destroy(entry->raw());
  if (entry->kind() == Entry::Kind::kValue) delete entry->value();
  std::free(entry);
}

RawString* RawString::create(std::string_view bytes) {
  void* memory = std::malloc(sizeof(RawString) + bytes.size());
  if (memory == nullptr) throw std::bad_alloc();
  auto* raw = new (memory) RawString;
  raw->set_length(bytes.size());
  if (!bytes.empty()) std::memcpy(raw->data(), bytes.data(), bytes.size());
  return raw;
}

RawString* RawString::resize(RawString* raw, size_t length) {
  constexpr size_t kLargestSlack = size_t{1} << 20;
  if (length > raw->capacity()) {
    // What grows from nothing may well stay as it is: SETBIT of a new key, SETRANGE.
    const size_t slack = raw->length() == 0 ? 0 : std::min(length, kLargestSlack);
    const size_t capacity = length + slack;
    void* memory = std::realloc(static_cast<void*>(raw), sizeof(RawString) + capacity);
    if (memory == nullptr) throw std::bad_alloc();
    raw = static_cast<RawString*>(memory);
  }
  const size_t kept = std::min(length, raw->length());
  std::memset(raw->data() + kept, 0, length - kept);
  raw->set_length(length);
  return raw;
}

void RawString::set_length(size_t length) {
  const auto low = static_cast<uint32_t>(length);
  std::memcpy(low_, &low, sizeof low);
  high_ = static_cast<uint16_t>(length >> kLowBits);
}

void RawString::destroy(RawString* raw) { std::free(raw); }

size_t RawString::allocated() const { return malloc_usable_size(const_cast<RawString*>(this)); }

}  // namespace tandem
