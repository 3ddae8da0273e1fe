#include "server/base/output_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace tandem {

namespace {
constexpr size_t kSmallest = 1024;
constexpr size_t kKeptWhenEmpty = 64 * 1024;
}  // namespace

OutputBuffer::~OutputBuffer() { std::free(data_); }

void OutputBuffer::consume(size_t length) {
  if (begin_ == end_ && source_ != nullptr) return source_->consume(length);
  begin_ += length;
  consumed_ += length;
  if (begin_ != end_) return;
  begin_ = end_ = 0;
  if (capacity_ > kKeptWhenEmpty) {
    std::free(data_);
    data_ = nullptr;
    capacity_ = 0;
  }
}

void OutputBuffer::grow(size_t length) {
  if (begin_ > 0 && begin_ >= capacity_ / 2) {
    std::memmove(data_, data_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (capacity_ - end_ >= length) return;
  }
  const size_t wanted = std::max({kSmallest, capacity_ + capacity_ / 2, end_ + length});
  char* bigger = static_cast<char*>(std::realloc(data_, wanted));
  if (bigger == nullptr) throw std::bad_alloc();
  data_ = bigger;
  capacity_ = wanted;
}

}  // namespace tandem
