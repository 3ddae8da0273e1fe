#include "persistence/aof_rewrite.h"

#include <array>
#include <string>

#include "persistence/command_writer.h"
#include "persistence/value_codec.h"
#include "server/base/numbers.h"

namespace tandem {

namespace {

void write_key(CommandWriter& out, const Entry& entry) {
  std::array<char, kMaxInt64Digits> scratch;
  if (entry.type() == ValueType::kString) {
    out.command({"SET", entry.key(), entry.string(scratch.data())});
  } else {
    codec_of(entry.type()).write_commands(out, entry.key(), *entry.value());
  }
  if (entry.has_expiry()) {
    out.command({"PEXPIREAT", entry.key(), std::to_string(entry.expires_at_ms())});
  }
}

}  // namespace

Status write_dataset_as_commands(ByteSink* sink, const SnapshotSource& source) {
  CommandWriter out(sink);
  for (const std::string& library : source.libraries) {
    out.command({"FUNCTION", "LOAD", library});
  }
  for (int i = 0; source.keyspace != nullptr && i < source.keyspace->database_count(); ++i) {
    const Database& db = source.keyspace->database(i);
    if (db.size() == 0) continue;
    out.command({"SELECT", std::to_string(i)});
    db.for_each([&](const Entry* entry) {
      if (!out.status().ok()) return;
      write_key(out, *entry);
      if (source.progress != nullptr) source.progress->key_written();
    });
  }
  if (Status status = out.flush(); !status.ok()) return status;
  return sink->finish();
}

}  // namespace tandem
