#pragma once

#include <malloc.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tandem {

static_assert(std::endian::native == std::endian::little,
              "the packed encodings are little-endian and are stored as they are");

// An integer at an address of any alignment.
template <typename T>
T load_unaligned(const void* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
void store_unaligned(void* to, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(to, &value, sizeof(T));
}

// One malloc'ed block behind a single pointer, for the packed encodings, which carry their own
// length in their first bytes. How large the block is, the allocator knows. Throws std::bad_alloc
// when there is no memory.
class Blob {
 public:
  Blob() = default;
  explicit Blob(size_t size) { reserve(size); }
  Blob(Blob&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Blob& operator=(Blob&& other) noexcept {
    if (this != &other) {
      std::free(data_);
      data_ = std::exchange(other.data_, nullptr);
    }
    return *this;
  }
  ~Blob() { std::free(data_); }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  // What the allocator set aside, in bytes.
  size_t capacity() const { return data_ == nullptr ? 0 : malloc_usable_size(data_); }

  // Makes room for `size` bytes, keeping what is there. The allocator's size classes make repeated
  // growth geometric.
  void reserve(size_t size) {
    if (size > capacity()) reallocate(size);
  }
  // Makes the block `size` bytes large, as near as the allocator can; what is beyond is lost.
  void resize(size_t size) { reallocate(size); }
  // Gives back the room beyond `size` bytes when it is most of the block.
  void trim(size_t size) {
    if (capacity() > 2 * size + kSlackBytes) reallocate(size);
  }

 private:
  static constexpr size_t kSlackBytes = 64;

  void reallocate(size_t size) {
    void* moved = std::realloc(data_, size);
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<uint8_t*>(moved);
  }

  uint8_t* data_ = nullptr;
};

}  // namespace tandem
