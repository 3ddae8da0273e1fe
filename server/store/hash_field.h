#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/store/sized_text.h"

namespace tandem {

// One field of a table-encoded hash with its value, in a single allocation:
//
//   [sized_text::kMark, place (u32)] field | value, each a sized_text
//
// A field that expires begins with its place in the hash's FieldExpiries.
// There are no constructors: create() allocates, destroy() frees.
class HashField {
 public:
  static HashField* create(std::string_view field, std::string_view value);
  static void destroy(HashField* field);
  // Gives the field another value, which must not lie in it. Moves when the allocation does not
  // fit the new value; returns where it is.
  static HashField* set_value(HashField* field, std::string_view value);
  // Makes or removes the room for a place; the field moves. It has, or has not, a place before.
  static HashField* add_place(HashField* field);
  static HashField* remove_place(HashField* field);

  HashField() = delete;
  HashField(const HashField&) = delete;
  HashField& operator=(const HashField&) = delete;

  std::string_view field() const { return sized_text::read(bytes() + place_bytes()); }
  std::string_view value() const {
    const std::string_view name = field();
    return sized_text::read(name.data() + name.size());
  }
  // Whether it expires, and then where FieldExpiries has it.
  bool has_place() const { return static_cast<uint8_t>(*bytes()) == sized_text::kMark; }
  uint32_t place() const { return load_unaligned<uint32_t>(bytes() + 1); }
  void set_place(uint32_t place) { store_unaligned(bytes() + 1, place); }
  // Allocated bytes.
  size_t memory_usage() const;

 private:
  static constexpr size_t kPlaceBytes = 1 + sizeof(uint32_t);

  size_t place_bytes() const { return has_place() ? kPlaceBytes : 0; }
  size_t size() const {
    const std::string_view last = value();
    return static_cast<size_t>(last.data() + last.size() - bytes());
  }
  const char* bytes() const { return reinterpret_cast<const char*>(this); }
  char* bytes() { return reinterpret_cast<char*>(this); }
};

// How a Table reads them.
struct HashFieldTraits {
  static std::string_view key(const HashField* field) { return field->field(); }
};

}  // namespace tandem
