#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace tandem {

// The type of a key's value; TYPE names them.
enum class ValueType : uint8_t { kString, kList, kSet, kSortedSet, kHash, kStream };

std::string_view type_name(ValueType type);

// A value that is more than a string: the base of hashes, lists, sets, sorted sets and streams. An
// entry owns it.
class Value {
 public:
  virtual ~Value() = default;
  virtual ValueType type() const = 0;
  // As OBJECT ENCODING names it.
  virtual std::string_view encoding_name() const = 0;
  // Elements: fields, members, items.
  virtual size_t size() const = 0;
  // Allocated bytes, the object itself included; a table of many elements may be estimated from a
  // sample.
  virtual size_t memory_usage() const = 0;
  virtual std::unique_ptr<Value> clone() const = 0;
  // When the first of its parts expires by itself, in Unix milliseconds; kNever when none does.
  static constexpr int64_t kNever = INT64_MAX;
  virtual int64_t next_expiry_ms() const { return kNever; }
  // How many allocations freeing it takes; a large one is freed on another thread.
  virtual size_t free_effort() const = 0;
};

}  // namespace tandem
