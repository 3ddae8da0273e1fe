#include "server/store/sorted_set_element.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace tandem {

SortedSetElement* SortedSetElement::create(std::string_view member, double score) {
  void* memory = std::malloc(sizeof(SortedSetElement) + sized_text::bytes(member));
  if (memory == nullptr) throw std::bad_alloc();
  auto* element = new (memory) SortedSetElement(score);
  sized_text::write(element->text(), member);
  return element;
}

void SortedSetElement::destroy(SortedSetElement* element) { std::free(element); }

size_t SortedSetElement::memory_usage() const {
  return malloc_usable_size(const_cast<void*>(static_cast<const void*>(this)));
}

}  // namespace tandem
