#pragma once

#include <cstddef>
#include <string_view>

#include "server/store/sized_text.h"

namespace tandem {

// One field of a table-encoded hash with its value, in a single allocation:
//
//   field | value, each a sized_text
//
// There are no constructors: create() allocates, destroy() frees.
class HashField {
 public:
  static HashField* create(std::string_view field, std::string_view value);
  static void destroy(HashField* field);
  // Gives the field another value, which must not lie in it. Moves when the allocation does not
  // fit the new value; returns where it is.
  static HashField* set_value(HashField* field, std::string_view value);

  HashField() = delete;
  HashField(const HashField&) = delete;
  HashField& operator=(const HashField&) = delete;

  std::string_view field() const { return sized_text::read(bytes()); }
  std::string_view value() const {
    const std::string_view name = field();
    return sized_text::read(name.data() + name.size());
  }
  // Allocated bytes.
  size_t memory_usage() const;

 private:
  const char* bytes() const { return reinterpret_cast<const char*>(this); }
  char* bytes() { return reinterpret_cast<char*>(this); }
};

// How a Table reads them.
struct HashFieldTraits {
  static std::string_view key(const HashField* field) { return field->field(); }
};

}  // namespace tandem
