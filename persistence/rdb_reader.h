#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/byte_stream.h"
#include "server/base/result.h"
#include "server/store/entry.h"

namespace tandem {

struct RdbKey {
  int db = 0;
  std::string_view name;  // valid during the call
  int64_t expires_at_ms = kNoExpiry;
  std::optional<uint64_t> idle_seconds;
  std::optional<uint8_t> frequency;
};

// Receives what a snapshot holds, in the file's order. An error ends the reading and is reported
// with the offset of what caused it.
class RdbTarget {
 public:
  virtual ~RdbTarget() = default;
  virtual Status on_aux(std::string_view, std::string_view) { return {}; }
  // The source text of a function library, shebang included.
  virtual Status on_library(std::string source) = 0;
  virtual Status on_key(const RdbKey& key, RdbValue value) = 0;
};

struct RdbReadOptions {
  bool verify_checksum = true;  // rdbchecksum
  EncodingLimits limits;
};

struct RdbEnd {
  int version = 0;
  uint64_t offset = 0;  // one past the last byte of the snapshot
};

// Reads a whole snapshot, which may be followed by other bytes (an AOF). kUnsupported for a version
// or value type this server does not read; kCorrupt for anything else that is wrong, with the
// offset. What was delivered to the target before an error stays with it.
Result<RdbEnd> read_snapshot(ByteSource* source, const RdbReadOptions& options, RdbTarget* target);

}  // namespace tandem
