#pragma once

#include <cstdint>
#include <string_view>

namespace tandem {

// 64-bit hash of `bytes` under this process's secret seed (XXH3), so that clients cannot choose
// colliding keys.
uint64_t hash_bytes(std::string_view bytes);

// Sets the seed. Call once, before the first hash; tests use a fixed one.
void set_hash_seed(uint64_t seed);

}  // namespace tandem
