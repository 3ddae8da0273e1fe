#pragma once

#include <cstdint>
#include <string_view>

namespace tandem {

// CRC-64 as RDB files and DUMP payloads carry it: Jones polynomial 0xad93d23594c935a9, reflected,
// initial value 0, no final xor. `crc` continues an earlier call.
uint64_t crc64(uint64_t crc, std::string_view bytes);

}  // namespace tandem
