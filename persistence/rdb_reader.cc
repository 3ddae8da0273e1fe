#include "persistence/rdb_reader.h"

#include <array>
#include <utility>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

// The most databases a snapshot can speak of; the target knows how many there really are.
constexpr uint64_t kMaxDatabases = INT32_MAX;

// "REDIS0011" or "VALKEY080".
Result<int> read_header(RdbDecoder& in) {
  constexpr std::string_view kExpected = "the header of an RDB file";
  std::array<char, rdb::kHeaderBytes> bytes;
  if (in.remaining_bound() < bytes.size()) {
    return in.corrupt("not an RDB file: shorter than its header", in.offset());
  }
  const uint64_t began = in.offset();
  if (Status status = in.raw(bytes.data(), bytes.size(), kExpected); !status.ok()) {
    return status.error();
  }
  const std::string_view header(bytes.data(), bytes.size());
  const bool is_redis = header.starts_with("REDIS");
  if (!is_redis && !header.starts_with("VALKEY")) {
    return in.corrupt("not an RDB file: wrong signature " + quote(header), began);
  }
  int version = 0;
  for (char c : header.substr(is_redis ? 5 : 6)) {
    if (c < '0' || c > '9') {
      return in.corrupt("not an RDB file: no version number in the header " + quote(header), began);
    }
    version = version * 10 + (c - '0');
  }
  const bool readable = is_redis
                            ? version >= rdb::kOldestVersion && version < rdb::kFirstForeignVersion
                            : version >= rdb::kFirstValkeyVersion && version <= rdb::kNewestVersion;
  if (!readable) {
    return make_error(ErrorKind::kUnsupported,
                      "RDB version " + std::to_string(version) + " (" + std::string(header) +
                          ") is not readable by this server, which reads REDIS versions 1 to 11 "
                          "and VALKEY version 80",
                      began);
  }
  return version;
}

Status skip_bytes(RdbDecoder& in, size_t count, std::string_view expected) {
  std::array<char, 8> ignored;
  return in.raw(ignored.data(), count, expected);
}

// Module data carries opcodes that tell how long each piece is, so it can be passed over unread.
Status skip_module_pieces(RdbDecoder& in) {
  constexpr std::string_view kExpected = "a piece of module data";
  while (true) {
    const uint64_t began = in.offset();
    Result<uint64_t> opcode = in.length(kExpected);
    if (!opcode.ok()) return opcode.error();
    Status status;
    switch (opcode.value()) {
      case rdb::kModuleEnd:
        return {};
      case rdb::kModuleSigned:
      case rdb::kModuleUnsigned:
        if (Result<uint64_t> number = in.length(kExpected); !number.ok()) return number.error();
        break;
      case rdb::kModuleFloat:
        status = skip_bytes(in, 4, kExpected);
        break;
      case rdb::kModuleDouble:
        status = skip_bytes(in, 8, kExpected);
        break;
      case rdb::kModuleString:
        status = in.skip_string(kExpected);
        break;
      default:
        return in.corrupt("unknown opcode " + std::to_string(opcode.value()) + " in module data",
                          began);
    }
    if (!status.ok()) return status;
  }
}

Status skip_module_aux(RdbDecoder& in) {
  for (const char* expected : {"a module id", "the moment of module data", "the moment's value"}) {
    if (Result<uint64_t> value = in.length(expected); !value.ok()) return value.error();
  }
  return skip_module_pieces(in);
}

// One pass over a snapshot: the state between an opcode and the key it belongs to.
class SnapshotReader {
 public:
  SnapshotReader(ByteSource* source, const RdbReadOptions& options, RdbTarget* target)
      : in_(source), options_(options), target_(target) {}

  Result<RdbEnd> read();

 private:
  Status read_record(uint8_t opcode, uint64_t began);
  Status read_aux();
  Status read_library();
  Status read_key(uint8_t type, uint64_t began);
  Status read_expiry(int bytes, int64_t ms_per_unit);
  Status read_idle();
  Status read_frequency();
  Status select_database();
  Status skip_lengths(int count, std::string_view expected);
  Status check_end(uint64_t sum);
  // An error of the target, at the place of what it refused.
  static Status located(Status status, uint64_t at) {
    if (status.ok() || status.error().offset) return status;
    Error error = status.error();
    error.offset = at;
    return error;
  }

  RdbDecoder in_;
  const RdbReadOptions& options_;
  RdbTarget* target_;
  int version_ = 0;
  RdbKey key_;
  std::string name_, text_;
};

Result<RdbEnd> SnapshotReader::read() {
  Result<int> version = read_header(in_);
  if (!version.ok()) return version.error();
  version_ = version.value();
  while (true) {
    const uint64_t began = in_.offset();
    Result<uint8_t> opcode = in_.byte("an opcode or a value type");
    if (!opcode.ok()) return opcode.error();
    const bool at_end = opcode.value() == rdb::kEndOfFile;
    Status status = at_end ? check_end(in_.checksum()) : read_record(opcode.value(), began);
    if (!status.ok()) return status.error();
    if (at_end) return RdbEnd{version_, in_.offset()};
  }
}

Status SnapshotReader::read_record(uint8_t opcode, uint64_t began) {
  switch (opcode) {
    case rdb::kAux:
      return read_aux();
    case rdb::kFunction:
      return read_library();
    case rdb::kFunctionPreRelease:
      return make_error(ErrorKind::kUnsupported,
                        "functions in the format of a release candidate (opcode 246)", began);
    case rdb::kModuleAux:
      return skip_module_aux(in_);
    case rdb::kSelectDatabase:
      return select_database();
    case rdb::kResizeDatabase:
      return skip_lengths(2, "the size of a database");
    case rdb::kSlotInfo:
      return skip_lengths(3, "the size of a slot");
    case rdb::kSlotImport:
      return make_error(ErrorKind::kUnsupported, "a slot import in progress (opcode 243)", began);
    case rdb::kExpireMs:
      return read_expiry(8, 1);
    case rdb::kExpireSeconds:
      return read_expiry(4, 1000);
    case rdb::kIdle:
      return read_idle();
    case rdb::kFrequency:
      return read_frequency();
    default:
      return read_key(opcode, began);
  }
}

Status SnapshotReader::read_aux() {
  const uint64_t began = in_.offset();
  if (Status status = in_.string(&name_, "the name of an auxiliary field"); !status.ok()) {
    return status;
  }
  if (Status status = in_.string(&text_, "the value of an auxiliary field"); !status.ok()) {
    return status;
  }
  return located(target_->on_aux(name_, text_), began);
}

Status SnapshotReader::read_library() {
  const uint64_t began = in_.offset();
  std::string source;
  if (Status status = in_.string(&source, "the source of a function library"); !status.ok()) {
    return status;
  }
  return located(target_->on_library(std::move(source)), began);
}

Status SnapshotReader::select_database() {
  const uint64_t began = in_.offset();
  Result<uint64_t> index = in_.length("the number of a database");
  if (!index.ok()) return index.error();
  if (index.value() > kMaxDatabases) {
    return in_.corrupt("the database number " + std::to_string(index.value()) + " is too large",
                       began);
  }
  key_.db = static_cast<int>(index.value());
  return {};
}

Status SnapshotReader::skip_lengths(int count, std::string_view expected) {
  for (int i = 0; i < count; ++i) {
    if (Result<uint64_t> value = in_.length(expected); !value.ok()) return value.error();
  }
  return {};
}

Status SnapshotReader::read_expiry(int bytes, int64_t ms_per_unit) {
  const uint64_t began = in_.offset();
  Result<uint64_t> value = in_.little_endian(bytes, "an expiry");
  if (!value.ok()) return value.error();
  const auto at = static_cast<int64_t>(value.value());
  // Nobody writes an expiry before the epoch, and kNoExpiry is one of those.
  if (at < 0) {
    return in_.corrupt("the expiry " + std::to_string(at) + " is out of range", began);
  }
  key_.expires_at_ms = at * ms_per_unit;
  return {};
}

Status SnapshotReader::read_idle() {
  Result<uint64_t> seconds = in_.length("an idle time");
  if (!seconds.ok()) return seconds.error();
  key_.idle_seconds = seconds.value();
  return {};
}

Status SnapshotReader::read_frequency() {
  Result<uint8_t> frequency = in_.byte("an access frequency");
  if (!frequency.ok()) return frequency.error();
  key_.frequency = frequency.value();
  return {};
}

Status SnapshotReader::read_key(uint8_t type, uint64_t began) {
  if (type > rdb::kLastType) {
    return in_.corrupt("expected an opcode or a value type, found " + std::to_string(type), began);
  }
  if (Status status = in_.string(&name_, "a key"); !status.ok()) return status;
  key_.name = name_;
  Result<RdbValue> value = read_rdb_value(in_, type, name_, options_.limits);
  if (!value.ok()) return located(value.error(), began);
  Status status = located(target_->on_key(key_, std::move(value).value()), began);
  key_ = RdbKey{.db = key_.db};
  return status;
}

Status SnapshotReader::check_end(uint64_t sum) {
  if (version_ < rdb::kFirstVersionWithChecksum) return {};
  const uint64_t began = in_.offset();
  Result<uint64_t> stored = in_.little_endian(rdb::kChecksumBytes, "the checksum");
  if (!stored.ok()) return stored.error();
  if (!options_.verify_checksum || stored.value() == 0 || stored.value() == sum) return {};
  return in_.corrupt("wrong checksum: the file is damaged", began);
}

}  // namespace

Result<RdbEnd> read_snapshot(ByteSource* source, const RdbReadOptions& options, RdbTarget* target) {
  return SnapshotReader(source, options, target).read();
}

}  // namespace tandem
