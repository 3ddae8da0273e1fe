#include "server/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tandem {

namespace {
uint64_t hash_seed = 0x9E3779B97F4A7C15ULL;
}

uint64_t hash_bytes(std::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash_seed);
}

void set_hash_seed(uint64_t seed) { hash_seed = seed; }

}  // namespace tandem
