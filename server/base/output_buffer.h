#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace tandem {

// Bytes waiting to go out on a link: one contiguous growing block, consumed from the front.
// Appending is the hot path of every reply, so it is inline and allocates only when the block is
// full; an emptied buffer keeps a small block.
class OutputBuffer {
 public:
  OutputBuffer() = default;
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;
  ~OutputBuffer();

  void append(std::string_view bytes) {
    char* out = reserve(bytes.size());
    bytes.copy(out, bytes.size());  // an empty view may have no address, which memcpy forbids
    end_ += bytes.size();
  }
  void append(char c) {
    *reserve(1) = c;
    ++end_;
  }
  // Room for `length` bytes at the end, to be written and then committed.
  char* reserve(size_t length) {
    if (capacity_ - end_ < length) grow(length);
    return data_ + end_;
  }
  void commit(size_t length) { end_ += length; }

  std::string_view view() const { return {data_ + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  size_t capacity() const { return capacity_; }
  // Drops `length` bytes from the front.
  void consume(size_t length);
  // Drops what was appended after the buffer had `size` bytes: takes back a reply that must not be
  // sent.
  void truncate(size_t size) { end_ = begin_ + size; }

 private:
  void grow(size_t length);

  char* data_ = nullptr;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
};

}  // namespace tandem
