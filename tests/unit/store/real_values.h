#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tandem {

// The packed value of `key` in an RDB file that Valkey or Redis wrote, unpacked if it was
// compressed: finds the record by its type byte and key. Nothing when the file is not there.
std::optional<std::string> real_packed_value(const std::string& file, uint8_t type,
                                             std::string_view key);

}  // namespace tandem
