#include "tools/cli/rdb_fetch.h"

#include <cstdio>
#include <optional>
#include <vector>

#include "server/base/numbers.h"
#include "tools/cli/snapshot_file.h"

namespace tandem::cli {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;
constexpr size_t kMarkerBytes = 40;
constexpr size_t kMaxHeaderBytes = 1024;

// How the server delimits the snapshot.
struct Framing {
  uint64_t length = 0;
  std::string end_marker;  // when set, it stands after the snapshot, whose length is unknown
};

// Snapshot bytes on their way into the file.
class Receiver {
 public:
  explicit Receiver(Connection& connection) : connection_(connection) {}

  Result<std::string> read_line();
  Status receive(const Framing& framing, SnapshotFile* file);
  uint64_t received() const { return received_; }

 private:
  Status fill();
  Status keep(size_t bytes, SnapshotFile* file);
  Status receive_length(uint64_t length, SnapshotFile* file);
  Status receive_until(const std::string& marker, SnapshotFile* file);

  Connection& connection_;
  std::string pending_;
  SnapshotCheck check_;
  uint64_t received_ = 0;
};

// Reads at least one more byte into pending_.
Status Receiver::fill() {
  char chunk[kChunkBytes];
  Result<size_t> size = connection_.read_raw(chunk, sizeof(chunk));
  if (!size) return make_error(ErrorKind::kIo, "Transfer failed: " + size.error().message);
  pending_.append(chunk, size.value());
  return {};
}

Result<std::string> Receiver::read_line() {
  for (;;) {
    size_t end = pending_.find('\n');
    if (end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      return line;
    }
    if (pending_.size() > kMaxHeaderBytes) {
      return make_error(ErrorKind::kCorrupt, "SYNC with master failed: no reply to be understood");
    }
    Status filled = fill();
    if (!filled) return filled.error();
  }
}

// Moves the first `bytes` of pending_ to the file.
Status Receiver::keep(size_t bytes, SnapshotFile* file) {
  std::string_view kept = std::string_view(pending_).substr(0, bytes);
  check_.feed(kept);
  Status written = file->write(kept);
  pending_.erase(0, bytes);
  received_ += bytes;
  return written;
}

Status Receiver::receive_length(uint64_t length, SnapshotFile* file) {
  while (received_ < length) {
    if (pending_.empty()) {
      Status filled = fill();
      if (!filled) return filled;
    }
    uint64_t missing = length - received_;
    Status kept = keep(missing < pending_.size() ? missing : pending_.size(), file);
    if (!kept) return kept;
  }
  return {};
}

Status Receiver::receive_until(const std::string& marker, SnapshotFile* file) {
  for (;;) {
    size_t end = pending_.find(marker);
    if (end != std::string::npos) return keep(end, file);
    // What could be the beginning of the marker waits for the rest of it.
    if (pending_.size() >= marker.size()) {
      Status kept = keep(pending_.size() - marker.size() + 1, file);
      if (!kept) return kept;
    }
    Status filled = fill();
    if (!filled) return filled;
  }
}

Status Receiver::receive(const Framing& framing, SnapshotFile* file) {
  Status received = framing.end_marker.empty() ? receive_length(framing.length, file)
                                               : receive_until(framing.end_marker, file);
  return received ? check_.finish() : received;
}

// `$<length>` or `$EOF:<marker>`; empty lines before it keep the connection alive.
Result<Framing> read_framing(Receiver* receiver) {
  std::string line;
  while (line.empty()) {
    Result<std::string> next = receiver->read_line();
    if (!next) return next.error();
    line = next.value();
  }
  if (line[0] != '$') {
    return make_error(ErrorKind::kInvalid, "SYNC with master failed: " + line);
  }
  Framing framing;
  if (line.starts_with("$EOF:")) {
    framing.end_marker = line.substr(5);
    if (framing.end_marker.size() == kMarkerBytes) return framing;
  } else if (std::optional<uint64_t> length = parse_uint64(std::string_view(line).substr(1))) {
    framing.length = *length;
    return framing;
  }
  return make_error(ErrorKind::kCorrupt, "SYNC with master failed: bad bulk header '" + line + "'");
}

// A refusal is told, and fatal only if the snapshot would then not be what was asked for.
Result<bool> configure(Connection& connection, const char* name, const char* value) {
  std::fprintf(stderr, "sending REPLCONF %s %s\n", name, value);
  Result<ReplyValue> reply = connection.call(std::vector<std::string>{"REPLCONF", name, value});
  if (!reply) return reply.error();
  if (!reply.value().is_error()) return true;
  std::fprintf(stderr, "REPLCONF %s error: %s\n", name, reply.value().text.c_str());
  return false;
}

Status request(Connection& connection, bool functions_only) {
  Result<bool> accepted = configure(connection, "capa", "eof");
  if (accepted) accepted = configure(connection, "rdb-only", "1");
  if (accepted && functions_only) {
    accepted = configure(connection, "rdb-filter-only", "functions");
    if (accepted && !accepted.value()) {
      return make_error(ErrorKind::kUnsupported,
                        "Failed requesting functions only RDB from server, aborting");
    }
  }
  if (!accepted) return accepted.error();
  return connection.send(std::vector<std::string>{"SYNC"});
}

Status transfer(Connection& connection, const std::string& path, bool functions_only) {
  Status requested = request(connection, functions_only);
  if (!requested) return requested;
  Receiver receiver(connection);
  Result<Framing> framing = read_framing(&receiver);
  if (!framing) return framing.error();
  bool until_marker = !framing.value().end_marker.empty();
  if (until_marker) {
    std::fprintf(stderr,
                 "SYNC sent to master, writing bytes of bulk transfer until EOF marker to '%s'\n",
                 path.c_str());
  } else {
    std::fprintf(stderr, "SYNC sent to master, writing %llu bytes to '%s'\n",
                 static_cast<unsigned long long>(framing.value().length), path.c_str());
  }
  SnapshotFile file;
  Status status = file.open(path);
  if (status) status = receiver.receive(framing.value(), &file);
  if (status) status = file.commit();
  if (!status) return status;
  if (until_marker) {
    std::fprintf(stderr, "Transfer finished with success after %llu bytes\n",
                 static_cast<unsigned long long>(receiver.received()));
  } else {
    std::fprintf(stderr, "Transfer finished with success.\n");
  }
  return {};
}

}  // namespace

Status fetch_snapshot(Connection& connection, const std::string& path, bool functions_only) {
  InterruptWatch watch(true);
  connection.watch(&watch);
  Status status = transfer(connection, path, functions_only);
  connection.watch(nullptr);
  return status;
}

}  // namespace tandem::cli
