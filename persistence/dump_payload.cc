#include "persistence/dump_payload.h"

#include "persistence/rdb_format.h"
#include "persistence/rdb_strings.h"
#include "persistence/rdb_writer.h"
#include "server/base/crc64.h"

namespace tandem {

namespace {

template <typename Write>
std::string make_payload(int version, Write&& write) {
  std::string payload;
  StringSink sink(&payload);
  RdbEncoder out(&sink, /*compress=*/true);
  write(out);
  out.little_endian(static_cast<uint64_t>(version), 2);
  out.little_endian(out.checksum(), rdb::kChecksumBytes);
  (void)out.flush();  // memory does not refuse
  return payload;
}

uint64_t load_little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

bool readable_version(uint64_t version) {
  return version < rdb::kFirstForeignVersion ||
         (version >= rdb::kFirstValkeyVersion && version <= rdb::kNewestVersion);
}

// Older versions do not know when a stream's consumers were active last.
int oldest_version_for(const Entry& entry) {
  const int version = version_for(entry);
  const bool older = version == rdb::kVersion && entry.type() != ValueType::kStream;
  return older ? rdb::kVersionForUnknownReplica : version;
}

std::string dump_at(int version, const Entry& entry) {
  return make_payload(version, [&](RdbEncoder& out) {
    out.byte(rdb_type_of(entry, version));
    write_rdb_value(out, entry, version);
  });
}

}  // namespace

std::string dump_value(const Entry& entry) { return dump_at(version_for(entry), entry); }

std::string dump_value_for_older(const Entry& entry) {
  return dump_at(oldest_version_for(entry), entry);
}

std::string dump_libraries(const std::vector<std::string>& sources, int version) {
  return make_payload(version, [&](RdbEncoder& out) {
    for (const std::string& source : sources) {
      out.byte(rdb::kFunction);
      out.string(source);
    }
  });
}

Result<std::string_view> check_payload_footer(std::string_view payload) {
  const Error refusal = make_error(ErrorKind::kInvalid, std::string(kBadPayloadFooter));
  if (payload.size() < rdb::kPayloadFooterBytes) return refusal;
  const std::string_view body = payload.substr(0, payload.size() - rdb::kPayloadFooterBytes);
  const std::string_view summed = payload.substr(0, payload.size() - rdb::kChecksumBytes);
  if (!readable_version(load_little_endian(summed.substr(body.size())))) return refusal;
  const uint64_t stored = load_little_endian(payload.substr(summed.size()));
  if (stored != 0 && stored != crc64(0, summed)) return refusal;
  return body;
}

Result<RdbValue> decode_value_payload(std::string_view payload, const EncodingLimits& limits,
                                      std::string* text) {
  Result<std::string_view> body = check_payload_footer(payload);
  if (!body.ok()) return body.error();
  StringSource source(body.value());
  RdbDecoder in(&source);
  Result<uint8_t> type = in.byte("a value type");
  if (!type.ok()) return type.error();
  Result<RdbValue> value = read_rdb_value(in, type.value(), "", limits);
  if (value.ok() && in.remaining_bound() != 0) {
    return in.corrupt("bytes behind the value", in.offset());
  }
  if (!value.ok()) return value;
  if (const auto* bytes = std::get_if<std::string_view>(&value.value())) {
    text->assign(*bytes);
    return RdbValue(std::string_view(*text));
  }
  return value;
}

Result<std::vector<std::string>> decode_libraries_payload(std::string_view payload) {
  Result<std::string_view> body = check_payload_footer(payload);
  if (!body.ok()) return body.error();
  StringSource source(body.value());
  RdbDecoder in(&source);
  std::vector<std::string> libraries;
  while (in.remaining_bound() != 0) {
    const uint64_t began = in.offset();
    Result<uint8_t> opcode = in.byte("a function record");
    if (!opcode.ok()) return opcode.error();
    if (opcode.value() != rdb::kFunction) {
      return in.corrupt("expected a function record, found " + std::to_string(opcode.value()),
                        began);
    }
    std::string& library = libraries.emplace_back();
    Status status = in.string(&library, "the source of a function library");
    if (!status.ok()) return status.error();
  }
  return libraries;
}

}  // namespace tandem
