#pragma once

#include <cstddef>
#include <string_view>

#include "server/store/sized_text.h"

namespace tandem {

// One member of a tree-encoded sorted set with its score, in a single allocation:
//
//   score (8 bytes) | sized_text
//
// create() allocates, destroy() frees; there is no other way to have one.
class SortedSetElement {
 public:
  static SortedSetElement* create(std::string_view member, double score);
  static void destroy(SortedSetElement* element);

  SortedSetElement(const SortedSetElement&) = delete;
  SortedSetElement& operator=(const SortedSetElement&) = delete;

  double score() const { return score_; }
  // Only while no tree orders the element, or when its place in the order stays the same.
  void set_score(double score) { score_ = score; }
  std::string_view member() const { return sized_text::read(text()); }
  // Allocated bytes.
  size_t memory_usage() const;

 private:
  explicit SortedSetElement(double score) : score_(score) {}
  const char* text() const { return reinterpret_cast<const char*>(this) + sizeof(*this); }
  char* text() { return reinterpret_cast<char*>(this) + sizeof(*this); }

  double score_;
};
static_assert(sizeof(SortedSetElement) == sizeof(double));

// How a Table reads them.
struct SortedSetElementTraits {
  static std::string_view key(const SortedSetElement* element) { return element->member(); }
};

// The order of a sorted set: by score, and among equal scores by the bytes of the member.
inline bool in_order(double a_score, std::string_view a_member, double b_score,
                     std::string_view b_member) {
  return a_score < b_score || (a_score == b_score && a_member < b_member);
}
inline bool in_order(double score, std::string_view member, const SortedSetElement& element) {
  return score < element.score() || (score == element.score() && member < element.member());
}
inline bool in_order(const SortedSetElement& element, double score, std::string_view member) {
  return element.score() < score || (element.score() == score && element.member() < member);
}

}  // namespace tandem
