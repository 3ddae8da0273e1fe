#include "server/store/hash_field.h"

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "server/store/sized_text.h"

namespace tandem {

namespace {

HashField* reallocate(HashField* field, size_t bytes) {
  void* moved = std::realloc(static_cast<void*>(field), bytes);
  if (moved == nullptr) throw std::bad_alloc();
  return static_cast<HashField*>(moved);
}

}  // namespace

HashField* HashField::create(std::string_view field, std::string_view value) {
  void* memory = std::malloc(sized_text::bytes(field) + sized_text::bytes(value));
  if (memory == nullptr) throw std::bad_alloc();
  sized_text::write(sized_text::write(static_cast<char*>(memory), field), value);
  return static_cast<HashField*>(memory);
}

void HashField::destroy(HashField* field) { std::free(field); }

HashField* HashField::set_value(HashField* field, std::string_view value) {
  const size_t needed =
      field->place_bytes() + sized_text::bytes(field->field()) + sized_text::bytes(value);
  const size_t capacity = field->memory_usage();
  constexpr size_t kSlackBytes = 64;
  if (needed > capacity || needed + needed / 2 + kSlackBytes < capacity) {
    field = reallocate(field, needed);
  }
  const std::string_view name = field->field();
  sized_text::write(field->bytes() + (name.data() + name.size() - field->bytes()), value);
  return field;
}

HashField* HashField::add_place(HashField* field) {
  const size_t size = field->size();
  field = reallocate(field, size + kPlaceBytes);
  std::memmove(field->bytes() + kPlaceBytes, field->bytes(), size);
  *field->bytes() = static_cast<char>(sized_text::kMark);
  return field;
}

HashField* HashField::remove_place(HashField* field) {
  const size_t size = field->size() - kPlaceBytes;
  std::memmove(field->bytes(), field->bytes() + kPlaceBytes, size);
  return reallocate(field, size);
}

size_t HashField::memory_usage() const {
  return malloc_usable_size(const_cast<void*>(static_cast<const void*>(this)));
}

}  // namespace tandem
