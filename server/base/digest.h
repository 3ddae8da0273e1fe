#pragma once

#include <array>
#include <string>
#include <string_view>

namespace tandem {

std::array<unsigned char, 20> sha1(std::string_view bytes);
std::string sha1_hex(std::string_view bytes);
std::array<unsigned char, 32> sha256(std::string_view bytes);

// Equality in time that does not depend on where the texts differ.
bool equals_constant_time(std::string_view a, std::string_view b);

}  // namespace tandem
