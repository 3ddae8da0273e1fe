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
  uint64_t offset = 0;  // where its record begins, without expiry and access time
};

// Receives what a snapshot holds, in the file's order. An error ends the reading and is reported
// with the offset of what caused it.
class RdbTarget {
 public:
  virtual ~RdbTarget() = default;
  virtual Status on_aux(std::string_view, std::string_view) { return {}; }
  // What a database is said to hold, before its keys come: no more than the file has room for.
  virtual Status on_database_size(int /*db*/, uint64_t /*keys*/, uint64_t /*with_expiry*/) {
    return {};
  }
  // The source text of a function library, shebang included.
  virtual Status on_library(std::string source) = 0;
  // A string value is valid during the call.
  virtual Status on_key(const RdbKey& key, RdbValue value) = 0;
  // There are no more.
  virtual Status on_end() { return {}; }
};

struct RdbReadOptions {
  bool verify_checksum = true;  // rdbchecksum
  // rdb-version-check relaxed: tries to read versions after 80 too, which goes well as long as
  // nothing in the file is new.
  bool accept_newer = false;
  EncodingLimits limits;
};

struct RdbEnd {
  int version = 0;
  uint64_t offset = 0;    // one past the last byte of the snapshot
  uint64_t unpacked = 0;  // that offset in what an LZ4 frame unpacks to; the same without one
  // kLz4 for a file in an envelope. Else not known (kNone): each string may be compressed or not.
  RdbCompression compression = RdbCompression::kNone;
};

// Reads a whole snapshot, plain or in an LZ4 envelope, which may be followed by other bytes (an
// AOF). kUnsupported for a version or value type this server does not read; kCorrupt for anything
// else that is wrong, with the offset. What was delivered to the target before an error stays with
// it.
Result<RdbEnd> read_snapshot(ByteSource* source, const RdbReadOptions& options, RdbTarget* target);

}  // namespace tandem
