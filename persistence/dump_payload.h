#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "persistence/rdb_format.h"
#include "persistence/rdb_reader.h"
#include "server/base/result.h"
#include "server/store/entry.h"

namespace tandem {

// Payloads of DUMP and FUNCTION DUMP: RDB records with a footer of version and CRC-64.

// What a client is told whose payload has a wrong footer.
inline constexpr std::string_view kBadPayloadFooter = "DUMP payload version or checksum are wrong";

// DUMP's reply for a key.
std::string dump_value(const Entry& entry);
// The same in the oldest version that loses nothing, for a server that may be older than this one.
std::string dump_value_for_older(const Entry& entry);
// FUNCTION DUMP's reply for these library sources. The records are the same since version 10, the
// first with libraries; a server refuses a payload of a version that it does not know.
std::string dump_libraries(const std::vector<std::string>& sources, int version = rdb::kVersion);

// Checks the footer and returns what stands before it, a view into `payload`. kInvalid with
// kBadPayloadFooter as its message when the payload is too short, of a newer version, or damaged.
Result<std::string_view> check_payload_footer(std::string_view payload);

// The value in a DUMP payload, footer checked. kCorrupt or kUnsupported when the footer is right
// and the value is not ("Bad data format" to a client). A string is put into *text, which the
// result then views.
Result<RdbValue> decode_value_payload(std::string_view payload, const EncodingLimits& limits,
                                      std::string* text);
// The library sources in a FUNCTION DUMP payload, footer checked. kCorrupt on anything but function
// records ("failed loading the given functions payload").
Result<std::vector<std::string>> decode_libraries_payload(std::string_view payload);

}  // namespace tandem
