#pragma once

#include "tests/peer/random/generator.h"

namespace tandem::peer {

// Each is defined in the file of its name, and called by catalog() in families.cc.
void add_geo(Catalog& catalog);
void add_bitmaps(Catalog& catalog);
void add_hashes(Catalog& catalog);
void add_hyperloglogs(Catalog& catalog);
void add_keys(Catalog& catalog);
void add_sorted_sets(Catalog& catalog);
void add_streams(Catalog& catalog);
void add_lists(Catalog& catalog);
void add_sort(Catalog& catalog);
void add_sets(Catalog& catalog);
void add_strings(Catalog& catalog);

}  // namespace tandem::peer
