#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tandem {

// The name of a stream's entry: a time in Unix milliseconds and a number within the millisecond,
// ordered as one 128-bit number.
struct StreamId {
  uint64_t ms = 0;
  uint64_t seq = 0;

  static constexpr StreamId max() { return {UINT64_MAX, UINT64_MAX}; }
  constexpr bool is_zero() const { return ms == 0 && seq == 0; }
  friend constexpr auto operator<=>(const StreamId&, const StreamId&) = default;

  // To the next and the previous id; false, and the id stays, when there is none.
  bool increment();
  bool decrement();

  // "1526919030474-55", written to `scratch`.
  static constexpr size_t kMaxChars = 41;
  using Scratch = char[kMaxChars];
  std::string_view text(std::span<char, kMaxChars> scratch) const;

  // The 16 bytes that files hold, the most significant first.
  static constexpr size_t kBytes = 16;
  static StreamId from_bytes(const char* bytes);
  void to_bytes(char* bytes) const;
};

// The text of an id, for as long as this lives.
class StreamIdText {
 public:
  explicit StreamIdText(const StreamId& id) : text_(id.text(scratch_)) {}
  StreamIdText(const StreamIdText&) = delete;
  StreamIdText& operator=(const StreamIdText&) = delete;
  operator std::string_view() const { return text_; }

 private:
  StreamId::Scratch scratch_;
  std::string_view text_;
};

}  // namespace tandem
