#include "persistence/rdb_writer.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "persistence/lz4_envelope.h"
#include "persistence/progress.h"
#include "persistence/value_codec.h"
#include "server/base/lz4_frame.h"
#include "server/base/numbers.h"
#include "server/base/version.h"

namespace tandem {

namespace {

void write_header(RdbEncoder& out, int version) {
  std::array<char, rdb::kHeaderBytes + 1> header;
  const char* form = version < rdb::kFirstValkeyVersion ? "REDIS%04d" : "VALKEY%03d";
  std::snprintf(header.data(), header.size(), form, version);
  out.raw({header.data(), rdb::kHeaderBytes});
}

void write_aux(RdbEncoder& out, std::string_view name, std::string_view value) {
  out.byte(rdb::kAux);
  out.string(name);
  out.string(value);
}

void write_aux(RdbEncoder& out, std::string_view name, uint64_t value) {
  write_aux(out, name, std::to_string(value));
}

void write_aux_fields(RdbEncoder& out, const SnapshotSource& source) {
  write_aux(out, "tandem-ver", kTandemVersion);
  write_aux(out, "redis-bits", 64);
  write_aux(out, "ctime", static_cast<uint64_t>(source.now_ms / 1000));
  write_aux(out, "used-mem", source.used_memory);
  if (!source.position.id.empty()) {
    write_aux(out, "repl-stream-db", std::to_string(source.position.stream_db));
    write_aux(out, "repl-id", source.position.id);
    write_aux(out, "repl-offset", source.position.offset);
  }
  write_aux(out, "aof-base", source.aof_base ? 1 : 0);
}

void write_libraries(RdbEncoder& out, const std::vector<std::string>& libraries) {
  for (const std::string& library : libraries) {
    out.byte(rdb::kFunction);
    out.string(library);
  }
}

void write_key(RdbEncoder& out, const Entry& entry, const SnapshotSource& source, int version) {
  if (entry.has_expiry()) {
    out.byte(rdb::kExpireMs);
    out.little_endian(static_cast<uint64_t>(entry.expires_at_ms()), 8);
  }
  if (source.access == AccessRecord::kIdle) {
    out.byte(rdb::kIdle);
    out.length(AccessClock::idle_seconds(entry.access_clock(), source.now_ms));
  } else if (source.access == AccessRecord::kFrequency) {
    out.byte(rdb::kFrequency);
    const AccessClock& access = source.keyspace->access();
    out.byte(static_cast<uint8_t>(access.frequency_of(entry.access_clock(), source.now_ms)));
  }
  out.byte(rdb_type_of(entry, version));
  out.string(entry.key());
  write_rdb_value(out, entry, version);
}

void write_databases(RdbEncoder& out, const SnapshotSource& source, int version) {
  for (int i = 0; i < source.keyspace->database_count(); ++i) {
    const Database& db = source.keyspace->database(i);
    if (db.size() == 0) continue;
    out.byte(rdb::kSelectDatabase);
    out.length(static_cast<uint64_t>(i));
    out.byte(rdb::kResizeDatabase);
    out.length(db.size());
    out.length(db.volatile_size());
    db.for_each([&](const Entry* entry) {
      if (!out.status().ok()) return;
      write_key(out, *entry, source, version);
      if (source.progress != nullptr) source.progress->key_written();
      pause_for_tests(source.key_delay_us);
    });
  }
}

Status write_plain(ByteSink* sink, const SnapshotSource& source, const SnapshotOptions& options) {
  RdbEncoder out(sink, options.compression == RdbCompression::kLzf, options.checksum);
  write_header(out, options.version);
  write_aux_fields(out, source);
  write_libraries(out, source.libraries);
  if (source.keyspace != nullptr) write_databases(out, source, options.version);
  out.byte(rdb::kEndOfFile);
  out.little_endian(options.checksum ? out.checksum() : 0, rdb::kChecksumBytes);
  if (Status status = out.flush(); !status.ok()) return status;
  return sink->finish();
}

}  // namespace

int version_for(const Entry& entry, int wanted) {
  const bool expires_in_parts =
      entry.type() == ValueType::kHash && entry.value()->next_expiry_ms() != Value::kNever;
  return expires_in_parts ? std::max(wanted, rdb::kVersionWithFieldExpiry) : wanted;
}

int version_for(const Keyspace& keyspace, int wanted) {
  return keyspace.has_expiring_fields() ? std::max(wanted, rdb::kVersionWithFieldExpiry) : wanted;
}

uint8_t rdb_type_of(const Entry& entry, int version) {
  if (entry.type() == ValueType::kString) return rdb::kString;
  return codec_of(entry.type()).rdb_type(*entry.value(), version);
}

void write_rdb_value(RdbEncoder& out, const Entry& entry, int version) {
  if (entry.type() != ValueType::kString) {
    codec_of(entry.type()).write(out, *entry.value(), version);
  } else if (entry.is_integer()) {
    out.integer_string(entry.integer());
  } else {
    std::array<char, kMaxInt64Digits> scratch;
    out.string(entry.string(scratch.data()));
  }
}

Status write_snapshot(ByteSink* sink, const SnapshotSource& source,
                      const SnapshotOptions& options) {
  if (options.compression != RdbCompression::kLz4) return write_plain(sink, source, options);
  if (Status status = write_envelope(sink, EnvelopeKind::kSnapshot); !status.ok()) return status;
  Lz4FrameSink frame(sink);
  return write_plain(&frame, source, options);
}

}  // namespace tandem
