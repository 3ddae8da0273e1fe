#include "persistence/rdb_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "persistence/lz4_envelope.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

// The most databases a snapshot can speak of; the target knows how many there really are.
constexpr uint64_t kMaxDatabases = INT32_MAX;

// A key takes at least its type, the length of its name and a byte of its value.
constexpr uint64_t kLeastKeyBytes = 3;
// What may have been taken from the source and not been decoded.
constexpr uint64_t kBuffered = 64 * 1024;
// Of an LZ4 frame; far from the largest possible.
constexpr uint64_t kLikelyExpansion = 8;

// "REDIS0011" or "VALKEY080".
Result<int> read_header(RdbDecoder& in, bool accept_newer) {
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
  const bool readable =
      is_redis
          ? version >= rdb::kOldestVersion && version < rdb::kFirstForeignVersion
          : version >= rdb::kFirstValkeyVersion && (version <= rdb::kNewestVersion || accept_newer);
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
        if (const auto skipped = in.text(kExpected); !skipped.ok()) return skipped.error();
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
  // `source` is what is decoded, `file` the same or what it is unpacked from.
  SnapshotReader(ByteSource* source, const ByteSource* file, const RdbReadOptions& options,
                 RdbTarget* target)
      : in_(source), source_(file), options_(options), target_(target) {}

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
  Status read_database_size();
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
  const ByteSource* source_;
  const RdbReadOptions& options_;
  RdbTarget* target_;
  int version_ = 0;
  RdbKey key_;
  std::string name_;
  uint64_t hinted_ = 0;  // keys that databases are said to hold
};

Result<RdbEnd> SnapshotReader::read() {
  Result<int> version = read_header(in_, options_.accept_newer);
  if (!version.ok()) return version.error();
  version_ = version.value();
  while (true) {
    const uint64_t began = in_.offset();
    Result<uint8_t> opcode = in_.byte("an opcode or a value type");
    if (!opcode.ok()) return opcode.error();
    const bool at_end = opcode.value() == rdb::kEndOfFile;
    Status status = at_end ? check_end(in_.checksum()) : read_record(opcode.value(), began);
    if (status.ok() && at_end) status = target_->on_end();
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
      return read_database_size();
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
  const Result<std::string_view> value = in_.text("the value of an auxiliary field");
  if (!value.ok()) return value.error();
  return located(target_->on_aux(name_, value.value()), began);
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

Status SnapshotReader::read_database_size() {
  const uint64_t began = in_.offset();
  const Result<uint64_t> keys = in_.length("the number of a database's keys");
  if (!keys.ok()) return keys.error();
  const Result<uint64_t> with_expiry = in_.length("the number of keys with an expiry");
  if (!with_expiry.ok()) return with_expiry.error();
  // Only a hint, and all of them together are not worth more than the bytes that could back them.
  if (source_->remaining_bound() == UINT64_MAX) return {};
  const uint64_t room =
      (source_->remaining_bound() + kBuffered) * kLikelyExpansion / kLeastKeyBytes;
  const uint64_t believed = std::min(keys.value(), room - std::min(room, hinted_));
  hinted_ += believed;
  return located(
      target_->on_database_size(key_.db, believed, std::min(with_expiry.value(), believed)), began);
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
  key_.offset = began;
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
  EnvelopedSource unpacked(source);
  const Result<bool> enveloped = unpacked.open(EnvelopeKind::kSnapshot);
  if (!enveloped.ok()) return enveloped.error();
  Result<RdbEnd> end = SnapshotReader(&unpacked, source, options, target).read();
  if (end.ok()) end.value().unpacked = end.value().offset;
  if (!enveloped.value()) return end;
  if (!end.ok()) {
    Error error = end.error();
    error.message += " (in what the LZ4 frame unpacks to)";
    return error;
  }
  // The decoder has read ahead, but never behind what it was given.
  if (end.value().offset != unpacked.offset()) {
    return make_error(ErrorKind::kCorrupt, "bytes behind the snapshot in its LZ4 frame",
                      source->offset());
  }
  if (Status status = unpacked.expect_end(); !status.ok()) return status.error();
  end.value().offset = source->offset();
  end.value().compression = RdbCompression::kLz4;
  return end;
}

}  // namespace tandem
