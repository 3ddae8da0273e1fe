#pragma once

#include <algorithm>
#include <string_view>

namespace tandem {

// Names that clients give themselves appear as fields of CLIENT LIST, so they are printable ASCII
// without spaces. An empty name takes the name away.
inline bool is_client_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

}  // namespace tandem
