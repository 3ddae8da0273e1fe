#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace tandem {

// Bytes that go out behind an output buffer's own, read in place where somebody else keeps them
// (the replication stream, for many links at once).
class OutputSource {
 public:
  virtual ~OutputSource() = default;
  // Bytes still to go out, those included that have to wait.
  virtual size_t size() const = 0;
  // Whether some may go out now.
  virtual bool sendable() const = 0;
  // The next ones, contiguous and valid until consume(); not empty while sendable().
  virtual std::string_view front() = 0;
  // Drops `length` bytes of front(): they have gone out.
  virtual void consume(size_t length) = 0;
};

// Bytes waiting to go out on a link: one contiguous growing block, consumed from the front.
// Appending is the hot path of every reply, so it is inline and allocates only when the block is
// full; an emptied buffer keeps a small block. A source's bytes follow the buffer's own; nothing is
// appended any more once they have begun to go out.
class OutputBuffer {
 public:
  static constexpr size_t kAll = SIZE_MAX;  // no limit on how much may go out

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

  void set_source(std::shared_ptr<OutputSource> source) { source_ = std::move(source); }

  // What goes out next: all of its own bytes or the first `own_limit` of them, or else a piece of
  // the source's.
  std::string_view view(size_t own_limit = kAll) const {
    if (begin_ == end_ && source_ != nullptr) return source_->front();
    return {data_ + begin_, std::min(end_ - begin_, own_limit)};
  }
  size_t size() const { return own_size() + source_size(); }
  size_t own_size() const { return end_ - begin_; }
  // How many of its own bytes have been consumed, ever.
  uint64_t own_consumed() const { return consumed_; }
  size_t source_size() const { return source_ == nullptr ? 0 : source_->size(); }
  // Whether there is nothing to send now.
  bool empty() const { return begin_ == end_ && (source_ == nullptr || !source_->sendable()); }
  size_t capacity() const { return capacity_; }
  // Drops `length` bytes of view().
  void consume(size_t length);
  // Drops what was appended after the buffer had `size` bytes of its own: takes back a reply that
  // must not be sent.
  void truncate(size_t size) { end_ = begin_ + size; }

 private:
  void grow(size_t length);

  char* data_ = nullptr;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
  uint64_t consumed_ = 0;
  std::shared_ptr<OutputSource> source_;
};

}  // namespace tandem
