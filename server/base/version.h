#pragma once

#include <string_view>

namespace tandem {

inline constexpr std::string_view kTandemVersion = "0.1.0";
// What clients test for.
inline constexpr std::string_view kRedisVersion = "7.2.4";

}  // namespace tandem
