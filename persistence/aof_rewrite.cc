#include "persistence/aof_rewrite.h"

#include <array>
#include <initializer_list>
#include <string>
#include <vector>

#include "server/base/log.h"
#include "server/base/numbers.h"
#include "server/store/hash_value.h"

namespace tandem {

namespace {

constexpr size_t kFlushBytes = 64 * 1024;
// Elements a command adds to a collection, so that no command gets too large to load.
constexpr size_t kItemsPerCommand = 64;

class CommandWriter {
 public:
  explicit CommandWriter(ByteSink* sink) : sink_(sink) {}

  void command(const std::vector<std::string_view>& args) {
    header('*', args.size());
    for (std::string_view arg : args) {
      header('$', arg.size());
      buffer_.append(arg).append("\r\n");
    }
    if (buffer_.size() >= kFlushBytes) (void)flush();
  }
  Status flush() {
    if (status_.ok()) status_ = sink_->write(buffer_);
    buffer_.clear();
    return status_;
  }
  const Status& status() const { return status_; }

 private:
  void header(char mark, size_t number) {
    std::array<char, kMaxInt64Digits> digits;
    buffer_.push_back(mark);
    buffer_.append(digits.data(), format_int64(static_cast<int64_t>(number), digits.data()));
    buffer_.append("\r\n");
  }

  ByteSink* sink_;
  std::string buffer_;
  Status status_;
};

void write_hash(CommandWriter& out, std::string_view key, const HashValue& hash) {
  // Copies: in a listpack, the views of one field are gone with the next.
  std::vector<std::string> pending;
  const auto write_pending = [&] {
    if (pending.empty()) return;
    std::vector<std::string_view> args = {"HSET", key};
    args.insert(args.end(), pending.begin(), pending.end());
    out.command(args);
    pending.clear();
  };
  hash.for_each([&](std::string_view field, std::string_view value) {
    pending.emplace_back(field);
    pending.emplace_back(value);
    if (pending.size() == 2 * kItemsPerCommand) write_pending();
  });
  write_pending();
}

void write_key(CommandWriter& out, const Entry& entry) {
  std::array<char, kMaxInt64Digits> scratch;
  switch (entry.type()) {
    case ValueType::kString:
      out.command({"SET", entry.key(), entry.string(scratch.data())});
      break;
    case ValueType::kHash:
      write_hash(out, entry.key(), *static_cast<const HashValue*>(entry.value()));
      break;
    default:
      // Types come with their way into snapshots and rewrites; one without is a programming error
      // that must not end as a file with keys missing.
      log_warning("A value type that cannot be rewritten as commands");
      std::abort();
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
