#include "tests/peer/random/families.h"

namespace tandem::peer {

const Catalog& catalog() {
  static const Catalog all = [] {
    Catalog catalog;
    add_geo(catalog);
    add_bitmaps(catalog);
    add_hashes(catalog);
    add_hyperloglogs(catalog);
    add_keys(catalog);
    add_sorted_sets(catalog);
    add_streams(catalog);
    add_lists(catalog);
    add_sort(catalog);
    add_sets(catalog);
    add_strings(catalog);
    return catalog;
  }();
  return all;
}

}  // namespace tandem::peer
