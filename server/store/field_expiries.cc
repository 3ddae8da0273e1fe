#include "server/store/field_expiries.h"

namespace tandem {

size_t FieldExpiries::count_until(int64_t now_ms) const {
  size_t count = 0;
  std::vector<size_t> open;
  if (!heap_.empty()) open.push_back(0);
  while (!open.empty()) {
    const size_t place = open.back();
    open.pop_back();
    if (heap_[place].at_ms > now_ms) continue;
    ++count;
    for (const size_t child : {2 * place + 1, 2 * place + 2}) {
      if (child < heap_.size()) open.push_back(child);
    }
  }
  return count;
}

void FieldExpiries::add(HashField* field, int64_t at_ms) {
  heap_.push_back({at_ms, field});
  settle(heap_.size() - 1, {at_ms, field});
}

void FieldExpiries::change(const HashField* field, int64_t at_ms) {
  const size_t place = field->place();
  settle(place, {at_ms, heap_[place].field});
}

void FieldExpiries::remove(const HashField* field) {
  const size_t place = field->place();
  const Item last = heap_.back();
  heap_.pop_back();
  if (place < heap_.size()) settle(place, last);
}

void FieldExpiries::settle(size_t place, const Item& item) {
  while (place > 0 && item.at_ms < heap_[(place - 1) / 2].at_ms) {
    put(place, heap_[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  while (true) {
    size_t child = 2 * place + 1;
    if (child + 1 < heap_.size() && heap_[child + 1].at_ms < heap_[child].at_ms) ++child;
    if (child >= heap_.size() || item.at_ms <= heap_[child].at_ms) break;
    put(place, heap_[child]);
    place = child;
  }
  put(place, item);
}

}  // namespace tandem
