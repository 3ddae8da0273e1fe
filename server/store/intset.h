#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/base/result.h"
#include "server/store/blob.h"

namespace tandem {

// A sorted set of integers in one block of bytes, byte for byte as RDB files hold it: the width of
// a member in bytes (u32: 2, 4 or 8), their number (u32), the members ascending, little-endian.
//
// The object is one pointer. A moved-from Intset may only be assigned to or destroyed.
class Intset {
 public:
  Intset();
  Intset(Intset&&) noexcept = default;
  Intset& operator=(Intset&&) noexcept = default;
  Intset clone() const;

  // kCorrupt unless `bytes` is a whole intset, not empty, its members strictly ascending.
  static Status check(std::string_view bytes);
  // check(), then a copy of `bytes`.
  static Result<Intset> validate(std::string_view bytes);

  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(blob_.data()), kHeaderBytes + size() * width()};
  }
  size_t memory_usage() const { return blob_.capacity(); }
  size_t size() const { return load_unaligned<uint32_t>(blob_.data() + 4); }
  bool empty() const { return size() == 0; }

  // The member at `index` in ascending order; `index` is below size().
  int64_t at(size_t index) const { return load(index, width()); }
  bool contains(int64_t value) const;
  // Whether `value` was not yet there.
  bool add(int64_t value);
  // Whether `value` was there.
  bool erase(int64_t value);

 private:
  static constexpr size_t kHeaderBytes = 8;

  explicit Intset(Blob blob) : blob_(std::move(blob)) {}

  size_t width() const { return load_unaligned<uint32_t>(blob_.data()); }
  void set_header(size_t width, size_t size);
  int64_t load(size_t index, size_t width) const;
  void store(size_t index, int64_t value);
  // The index of the first member not below `value`.
  size_t lower_bound(int64_t value) const;
  void widen_and_add(int64_t value, size_t new_width);

  Blob blob_;
};

}  // namespace tandem
