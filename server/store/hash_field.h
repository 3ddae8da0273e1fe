#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tandem {

// One field of a table-encoded hash with its value, in a single allocation:
//
//   field length (1 or 5 bytes) | field | value length (1 or 5 bytes) | value
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

  std::string_view field() const { return read_text(bytes()); }
  std::string_view value() const {
    const std::string_view name = field();
    return read_text(name.data() + name.size());
  }
  // Allocated bytes.
  size_t memory_usage() const;

 private:
  // A length below this is one byte; this byte announces four more.
  static constexpr uint8_t kLongLength = 255;

  const char* bytes() const { return reinterpret_cast<const char*>(this); }
  char* bytes() { return reinterpret_cast<char*>(this); }
  static std::string_view read_text(const char* at);
  static size_t text_bytes(std::string_view text);
  static char* write_text(char* at, std::string_view text);
};

// How a Table reads them.
struct HashFieldTraits {
  static std::string_view key(const HashField* field) { return field->field(); }
};

}  // namespace tandem
