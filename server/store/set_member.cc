#include "server/store/set_member.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace tandem {

SetMember* SetMember::create(std::string_view text) {
  void* memory = std::malloc(sized_text::bytes(text));
  if (memory == nullptr) throw std::bad_alloc();
  sized_text::write(static_cast<char*>(memory), text);
  return static_cast<SetMember*>(memory);
}

void SetMember::destroy(SetMember* member) { std::free(member); }

size_t SetMember::memory_usage() const {
  return malloc_usable_size(const_cast<void*>(static_cast<const void*>(this)));
}

}  // namespace tandem
