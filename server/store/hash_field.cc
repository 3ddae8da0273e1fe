#include "server/store/hash_field.h"

#include <malloc.h>

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "server/store/blob.h"

namespace tandem {

std::string_view HashField::read_text(const char* at) {
  const auto head = static_cast<uint8_t>(*at);
  if (head != kLongLength) return {at + 1, head};
  return {at + 5, load_unaligned<uint32_t>(at + 1)};
}

size_t HashField::text_bytes(std::string_view text) {
  assert(text.size() <= std::numeric_limits<uint32_t>::max());
  return (text.size() < kLongLength ? 1 : 5) + text.size();
}

// Returns the end of what was written.
char* HashField::write_text(char* at, std::string_view text) {
  if (text.size() < kLongLength) {
    *at++ = static_cast<char>(text.size());
  } else {
    *at++ = static_cast<char>(kLongLength);
    store_unaligned(at, static_cast<uint32_t>(text.size()));
    at += 4;
  }
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

HashField* HashField::create(std::string_view field, std::string_view value) {
  void* memory = std::malloc(text_bytes(field) + text_bytes(value));
  if (memory == nullptr) throw std::bad_alloc();
  write_text(write_text(static_cast<char*>(memory), field), value);
  return static_cast<HashField*>(memory);
}

void HashField::destroy(HashField* field) { std::free(field); }

HashField* HashField::set_value(HashField* field, std::string_view value) {
  const size_t needed = text_bytes(field->field()) + text_bytes(value);
  const size_t capacity = field->memory_usage();
  constexpr size_t kSlackBytes = 64;
  if (needed > capacity || needed + needed / 2 + kSlackBytes < capacity) {
    void* moved = std::realloc(static_cast<void*>(field), needed);
    if (moved == nullptr) throw std::bad_alloc();
    field = static_cast<HashField*>(moved);
  }
  const std::string_view name = field->field();
  write_text(field->bytes() + (name.data() + name.size() - field->bytes()), value);
  return field;
}

size_t HashField::memory_usage() const {
  return malloc_usable_size(const_cast<void*>(static_cast<const void*>(this)));
}

}  // namespace tandem
