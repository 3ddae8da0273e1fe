#pragma once

#include <cstddef>
#include <string_view>

#include "server/store/sized_text.h"

namespace tandem {

// One member of a table-encoded set: a sized_text in an allocation of its own. There are no
// constructors: create() allocates, destroy() frees.
class SetMember {
 public:
  static SetMember* create(std::string_view text);
  static void destroy(SetMember* member);

  SetMember() = delete;
  SetMember(const SetMember&) = delete;
  SetMember& operator=(const SetMember&) = delete;

  std::string_view text() const { return sized_text::read(reinterpret_cast<const char*>(this)); }
  // Allocated bytes.
  size_t memory_usage() const;
};

// How a Table reads them.
struct SetMemberTraits {
  static std::string_view key(const SetMember* member) { return member->text(); }
};

}  // namespace tandem
