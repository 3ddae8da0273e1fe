#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "server/base/hash.h"
#include "server/base/strings.h"

namespace tandem {

// For tables by names whose case does not matter: functions, and the digits of a script's SHA-1.
struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const {
    // Setting this bit makes letters lower case; what else it makes equal, NameEqual tells apart.
    constexpr char kCaseBit = 0x20;
    constexpr uint64_t kCaseBits = 0x2020202020202020;
    std::array<char, 64> folded;
    if (name.size() > folded.size()) return hash_bytes(to_lower(name));
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= name.size(); at += sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, name.data() + at, sizeof word);
      word |= kCaseBits;
      std::memcpy(folded.data() + at, &word, sizeof word);
    }
    for (; at < name.size(); ++at) folded[at] = static_cast<char>(name[at] | kCaseBit);
    return hash_bytes({folded.data(), name.size()});
  }
};

struct NameEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    return a == b || equals_ignore_case(a, b);
  }
};

}  // namespace tandem
