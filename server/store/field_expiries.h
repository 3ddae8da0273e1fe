#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/store/hash_field.h"

namespace tandem {

// The fields of a hash that expire, the earliest first: a binary heap in which each field knows its
// place, so that any of them can be changed or taken out in O(log n). The fields belong to the
// hash.
class FieldExpiries {
 public:
  size_t size() const { return heap_.size(); }
  bool empty() const { return heap_.empty(); }
  size_t memory_usage() const { return heap_.capacity() * sizeof(Item); }

  // The field that expires first, and when; there is one.
  HashField* first() const { return heap_.front().field; }
  int64_t earliest_ms() const { return heap_.front().at_ms; }
  // When a field that is here expires, in Unix milliseconds.
  int64_t at_ms(const HashField* field) const { return heap_[field->place()].at_ms; }
  // How many fields expire at `now_ms` or before.
  size_t count_until(int64_t now_ms) const;

  // `field` has room for its place and is not here yet.
  void add(HashField* field, int64_t at_ms);
  void change(const HashField* field, int64_t at_ms);
  void remove(const HashField* field);
  // To be told the new address of a field.
  void moved(HashField* field) { heap_[field->place()].field = field; }

 private:
  struct Item {
    int64_t at_ms;
    HashField* field;
  };

  void put(size_t place, const Item& item) {
    heap_[place] = item;
    item.field->set_place(static_cast<uint32_t>(place));
  }
  // Puts `item` where it belongs, starting from a place that is free.
  void settle(size_t place, const Item& item);

  std::vector<Item> heap_;
};

}  // namespace tandem
